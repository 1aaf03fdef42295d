"""Scores of nearest images, written out plainly: neighbours are searched anew for every question."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

import numpy as np


def distance(u, v):
    """Half the squared distance of two vectors at norm 1, in float64, rounded so that equal distances tie."""
    u, v = np.asarray(u, dtype=np.float64), np.asarray(v, dtype=np.float64)
    half = float(np.sum((u / np.linalg.norm(u) - v / np.linalg.norm(v)) ** 2) / 2)
    return float(f"{half:.10e}")


def expected_neighbors(vectors, row, candidates, k):
    """{candidate: its expected share among the k nearest}, over random orders of candidates that tie."""
    by_distance, left, shares = {}, k, {}
    for other in candidates:
        by_distance.setdefault(distance(vectors[row], vectors[other]), []).append(other)
    for each in sorted(by_distance):
        for other in by_distance[each]:
            shares[other] = min(1.0, left / len(by_distance[each]))
        left -= len(by_distance[each])
        if left <= 0:
            break
    total = sum(shares.values())
    return {other: share / total for other, share in shares.items()}


def candidates_of(row, kept, groups, own=None):
    """Rows that may be neighbours of a row: kept ones, of another photographer, and of another taxon in `own`."""
    return [
        other
        for other in kept
        if other != row
        and (groups is None or groups[row] < 0 or groups[other] != groups[row])
        and (own is None or own[other] != own[row])
    ]


def nearest(vectors, row, k, groups=None, among=None):
    """The k nearest rows, nearest first, equals by row number."""
    kept = [other for other in range(len(vectors)) if among is None or among[other]]
    candidates = candidates_of(row, kept, groups)
    return sorted(candidates, key=lambda other: (distance(vectors[row], vectors[other]), other))[:k]


def purity(vectors, labels, k, kept, groups=None, own=None):
    """{row: expected share of its own label among its k nearest} of the rows that can be right."""
    shares = {}
    for row in kept:
        candidates = candidates_of(row, kept, groups, own)
        if any(labels[other] == labels[row] for other in candidates):
            near = expected_neighbors(vectors, row, candidates, k)
            shares[row] = sum(share for other, share in near.items() if labels[other] == labels[row])
    return shares


def chance_over_permutations(vectors, unit, taxon_of_unit, k, kept, groups=None, own=None):
    """What each row of `purity` expects when the taxa of whole units are permuted in all ways.

    It is the mean over the permutations in which the row can be right. `unit` is the unit of each row.
    """
    units = sorted(taxon_of_unit)
    total, times = dict.fromkeys(kept, Fraction(0)), dict.fromkeys(kept, 0)
    for order in permutations([taxon_of_unit[one] for one in units]):
        taxon = dict(zip(units, order, strict=True))
        labels = {row: taxon[unit[row]] for row in kept}
        for row, share in purity(vectors, labels, k, kept, groups, own).items():
            total[row] += Fraction(share)
            times[row] += 1
    return {row: float(total[row] / times[row]) for row in kept if times[row]}


def occurrences(vectors, k, kept, groups=None):
    """How many rows have each row among their k nearest."""
    counts = dict.fromkeys(kept, 0.0)
    for row in kept:
        near = expected_neighbors(vectors, row, candidates_of(row, kept, groups), k)
        present = min(k, len(candidates_of(row, kept, groups)))
        for other, share in near.items():
            counts[other] += share * present
    return counts
