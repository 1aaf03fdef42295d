"""Calibration of p-values and intervals: simulations in which the truth is known; see README.md.

Run it with ``python -m tests.calibration [--quick | --long] [--out DIR]``.

grounds      the trees, and samples of their species
designs      the simulated embeddings: without signal, with known signal, and hazards
methods      the methods that are tested, one line each
intervals    candidates for the 95 % interval
plan         which method is tested on which design, and how often
draws        the simulations: they run in parallel and are appended to a file
verdicts     from draws to the table: rates, binomial intervals, verdicts
figure       the figure of the table
"""
