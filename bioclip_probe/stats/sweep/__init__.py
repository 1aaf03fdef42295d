"""The quadratic pass: one blocked sweep over all pairs, which never stores the matrix."""
