"""Adjusted p-values from the definitions of the two procedures: the least α at which a test is rejected."""

from __future__ import annotations


def holm(p: list[float]) -> list[float]:
    """Step down: reject while p_(i) is at most α/(m - i + 1), counted from 1."""
    return [_least_level(p, number, _rejected_by_holm) for number in range(len(p))]


def benjamini_hochberg(p: list[float]) -> list[float]:
    """Step up: reject the i smallest for the largest i at which p_(i) is at most i α/m."""
    return [_least_level(p, number, _rejected_by_bh) for number in range(len(p))]


def _least_level(p: list[float], number: int, rejected) -> float:
    """Return the least level at which a test is rejected, among the levels at which any decision changes."""
    m = len(p)
    factors = {m / i for i in range(1, m + 1)} | set(range(1, m + 1))
    levels = sorted({min(1.0, each * factor) for each in p for factor in factors} | {1.0})
    return next((level for level in levels if number in rejected(p, level * (1 + 1e-12))), 1.0)


def _rejected_by_holm(p: list[float], level: float) -> set[int]:
    rejected: set[int] = set()
    for step, number in enumerate(sorted(range(len(p)), key=lambda each: p[each])):
        if p[number] > level / (len(p) - step):
            break
        rejected.add(number)
    return rejected


def _rejected_by_bh(p: list[float], level: float) -> set[int]:
    order = sorted(range(len(p)), key=lambda each: p[each])
    last = max((i for i, number in enumerate(order, 1) if p[number] <= i * level / len(p)), default=0)
    return set(order[:last])
