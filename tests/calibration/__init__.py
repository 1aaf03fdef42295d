"""Calibration of p-values and intervals: simulations in which the truth is known; see README.md.

Run it with ``python -m tests.calibration [tests | truths | coverage] [--quick] [--out DIR]``.

truths       the public command on models whose answer is known
known        those models
expectations what must hold for each of them
claims       one claim about a number, and its verdict
coverage     how often each interval that is shown holds its target
resumable    jobs that run in parallel and are appended to a file

grounds      tests: the trees, and samples of their species
designs      the simulated embeddings: without signal, with known signal, and hazards
methods      the methods that are tested, one line each
intervals    candidates for the 95 % interval
plan         which method is tested on which design, and how often
draws        the simulations
verdicts     from draws to the table: rates, binomial intervals, verdicts
figure       the figure of the table
"""
