"""Defaults of resampling; light, so that the settings of the metrics can import them."""

N_BOOTSTRAP = 999  # bootstrap replicates
N_GROUPS = 20  # jackknife groups, at most
N_PERMUTATIONS = 999
LEVEL = 0.95  # nominal coverage of an interval
