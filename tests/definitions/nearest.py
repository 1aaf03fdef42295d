"""Scores of nearest images, written out plainly: neighbours are searched anew for every question."""

from __future__ import annotations

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


def neighborhoods(vectors, k, kept, groups=None, own=None):
    """{row: (its candidates, {neighbour: expected share})}."""
    both = {}
    for row in kept:
        candidates = candidates_of(row, kept, groups, own)
        both[row] = candidates, expected_neighbors(vectors, row, candidates, k) if candidates else {}
    return both


def purity(labels, neighborhoods):
    """{row: expected share of its own label among its nearest} of the rows that have a candidate of their label."""
    return {
        row: sum(share for other, share in near.items() if labels[other] == labels[row])
        for row, (candidates, near) in neighborhoods.items()
        if any(labels[other] == labels[row] for other in candidates)
    }


def chance_over_permutations(unit, taxon_of_unit, neighborhoods):
    """What each row of `purity` expects when the taxa of whole units are permuted in all ways.

    It is the mean over the permutations in which the row can be right. `unit` is the unit of each row.
    """
    units = sorted(taxon_of_unit)
    total, times = dict.fromkeys(neighborhoods, 0.0), dict.fromkeys(neighborhoods, 0)
    for order in permutations([taxon_of_unit[one] for one in units]):
        taxon = dict(zip(units, order, strict=True))
        labels = {row: taxon[unit[row]] for row in neighborhoods}
        for row, share in purity(labels, neighborhoods).items():
            total[row] += share
            times[row] += 1
    return {row: total[row] / times[row] for row in neighborhoods if times[row]}


def occurrences(vectors, k, kept, groups=None):
    """How many rows have each row among their k nearest."""
    counts = dict.fromkeys(kept, 0.0)
    for row in kept:
        near = expected_neighbors(vectors, row, candidates_of(row, kept, groups), k)
        present = min(k, len(candidates_of(row, kept, groups)))
        for other, share in near.items():
            counts[other] += share * present
    return counts
