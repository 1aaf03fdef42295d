"""Do the p-values and intervals of this package hold? Simulations whose truth is known; see README.md.

python -m tests.calibration [--quick | --long] [--out DIR]

grounds      the trees, samples of their species
designs      what is simulated on them: embeddings without signal, with known signal, hazards
methods      what is put to the test: a line a method
intervals    candidates for the 95 % interval
plan         which method meets which design, how often
draws        the simulations, run side by side and kept as they come
verdicts     from draws to the table: rates, binomial intervals, what holds
figure       the table, drawn
"""
