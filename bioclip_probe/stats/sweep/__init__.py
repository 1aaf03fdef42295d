"""The quadratic pass: one pass in blocks over all pairs, which never stores their matrix."""
