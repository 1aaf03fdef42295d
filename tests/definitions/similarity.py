"""Similarity of two encoders, written out plainly: all quadruples, all pairs, one set of neighbours after the other."""

import math
from itertools import combinations, permutations

import numpy as np

from tests.definitions.hierarchy import cosine_distance, pearson
from tests.definitions.nearest import nearest


def dot(u, v) -> float:
    return math.fsum(float(a) * float(b) for a, b in zip(u, v, strict=True))


def gram(points):
    return [[dot(u, v) for v in points] for u in points]


def unbiased_hsic(k, m) -> float:
    """Song et al. 2012, eq. 4: the mean over all ordered quadruples of different taxa."""
    terms = [
        k[i][j] * m[i][j] + k[i][j] * m[q][r] - 2 * k[i][j] * m[i][q] for i, j, q, r in permutations(range(len(k)), 4)
    ]
    return math.fsum(terms) / len(terms)


def cka(a, b) -> float:
    """Debiased linear CKA of two lists of directions, NaN where one has no HSIC with itself."""
    k, m = gram(a), gram(b)
    own = unbiased_hsic(k, k), unbiased_hsic(m, m)
    return unbiased_hsic(k, m) / math.sqrt(own[0] * own[1]) if min(own) > 1e-9 else math.nan


def biased_cka(a, b) -> float:
    """Linear CKA as in Kornblith et al. 2019: matrices centred with their diagonals. It grows with the widths."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    return float(np.sum((a.T @ b) ** 2) / np.sqrt(np.sum((a.T @ a) ** 2) * np.sum((b.T @ b) ** 2)))


def rsa(a, b) -> float:
    pairs = list(combinations(range(len(a)), 2))
    return pearson([(cosine_distance(a[i], a[j]), cosine_distance(b[i], b[j])) for i, j in pairs])


def mutual_knn(a, b, k) -> float:
    shares = []
    for row in range(len(a)):
        near_a, near_b = nearest(a, row, k), nearest(b, row, k)
        shares.append(len(set(near_a) & set(near_b)) / k)
    return math.fsum(shares) / len(shares)


def threshold(score, null, alpha) -> float:
    """The least of all scores that at most a share alpha of them lies above."""
    scores = [*null, score]
    return min(s for s in scores if sum(other > s for other in scores) <= alpha * len(scores) + 1e-9)
