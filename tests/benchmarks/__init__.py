"""Benchmarks of speed and memory beside peers; run them with ``python -m tests.benchmarks.bench_…``, see README.md."""
