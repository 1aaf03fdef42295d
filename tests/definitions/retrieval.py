"""What `bioclip_probe.metrics.retrieval` and `ordinal` mean: lists of (tree distance, embedding distance), read slowly.

An anchor's *list* holds a pair of distances for each other image. Where embedding distances tie, a score is its mean
over all orders of those that tie.
"""

from __future__ import annotations

import math
from itertools import combinations, groupby, permutations, product


def orders(others):
    """Every order of the list by embedding distance."""
    ranked = sorted(others, key=lambda pair: pair[1])
    ties = [list(group) for _, group in groupby(ranked, key=lambda pair: pair[1])]
    for chosen in product(*[list(permutations(tie)) for tie in ties]):
        yield [pair for tie in chosen for pair in tie]


def mean(values):
    values = list(values)
    return math.fsum(values) / len(values)


def triplets(others, step):
    """How many triplets with the nearer relative `step` away are in order, and how many there are."""
    near, far = [c for t, c in others if t == step], [c for t, c in others if t > step]
    return sum((a < b) + (a == b) / 2 for a in near for b in far), len(near) * len(far)


def average_precision(others, step):
    """Mean over relatives up to `step` of the share of such relatives among those up to each."""

    def of(ranked):
        places = [place for place, (t, _) in enumerate(ranked, 1) if t <= step]
        return mean(found / place for found, place in enumerate(places, 1))

    return mean(map(of, orders(others)))


def r_precision(others, step):
    relevant = sum(t <= step for t, _ in others)
    return mean(sum(t <= step for t, _ in ranked[:relevant]) / relevant for ranked in orders(others))


def other_species(others):
    """The list without the images of the anchor's own species."""
    return [(t, c) for t, c in others if t > 0]


def hierarchical_ap(others, steps):
    """Ramzi et al. 2022; `steps` are the tree distances that can occur, ascending."""
    last = len(steps) - 1
    sizes = [sum(t == step for t, _ in others) for step in steps]

    def relevance(t):
        level = steps.index(t)
        return (last - level) / last / sizes[level] if level < last else 0.0

    whole = math.fsum(relevance(t) for t, _ in others)
    if not whole:
        return math.nan

    def of(ranked):
        relevances = [relevance(t) for t, _ in ranked]
        return math.fsum(
            math.fsum(min(rel, other) for other in relevances[:place]) / place
            for place, rel in enumerate(relevances, 1)
        )

    return mean(map(of, orders(others))) / whole


def auc(near, far):
    return mean((a < b) + (a == b) / 2 for a in near for b in far)


def kendall_tau_b(pairing):
    """Concordant less discordant pairs of pairs, over the root of those untied on either side."""
    signs = [((s > t) - (s < t), (c > d) - (c < d)) for (s, c), (t, d) in combinations(pairing, 2)]
    untied = math.prod(sum(sign[side] != 0 for sign in signs) for side in (0, 1))
    return sum(a * b for a, b in signs) / math.sqrt(untied) if untied else math.nan
