"""Speed and memory beside a peer, run by hand: ``python -m tests.benchmarks.bench_…``; see README.md."""
