"""How alike two encoders see the same species: by all distances, and by nearest neighbours.

Species are compared by their centroids, the nearly independent unit, as directions: the mean of a species' unit
vectors, put back on the sphere. The raw scores are not comparable between pairs of encoders: wider embeddings and
fewer species give more neighbours in common and more spread by chance alone. So each comes with its null, in which the
species of one encoder are permuted, and with a second number that is corrected for it, ``<name>_calibrated``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from bioclip_probe.metrics.scores import JACKKNIFE, interval
from bioclip_probe.stats.all_pairs.distance_sums import (
    centred_points,
    correlation_of_distances,
    debiased_alignment,
    distance_sums,
)
from bioclip_probe.stats.centroids import Centroids, centroids
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.resampling import jackknife_groups, jackknife_interval, permutation_p
from bioclip_probe.stats.rows import finite_rows, rank_of_tips
from bioclip_probe.stats.sweep.neighbours import nearest_neighbours
from bioclip_probe.tree.tree import Placement

N_PERMUTATIONS = 199
K_NEIGHBOURS = 10
#: Neighbours beyond the `K_NEIGHBOURS` nearest that are kept to stand in for those a jackknife group takes away.
SPARE = 20
#: A calibrated score is above 0 where the raw one is beyond what so large a share of permutations gives.
ALPHA = 0.05
BOUNDS = {"cka": (-1.0, 1.0), "rsa": (-1.0, 1.0), "mutual_knn": (0.0, 1.0)}


def similarity(
    vectors_a: np.ndarray, vectors_b: np.ndarray, placement: Placement, rng: np.random.Generator
) -> dict[str, Estimate]:
    """How alike two encoders of any widths embed the same species; the order of the two does not matter.

    Parameters
    ----------
    vectors_a : ndarray, shape (n, d₁)
        Unit vectors of one encoder, one per image.
    vectors_b : ndarray, shape (n, d₂)
        Those of the other, of the same images in the same order.
    placement : Placement
        The species compared are its tips.
    rng : numpy.random.Generator
        For the permutations and the jackknife groups.

    Returns
    -------
    dict from metric to Estimate
        ``cka``, debiased linear CKA: the unbiased HSIC of the two over the root of the product of each one's own. In
        [-1, 1]; 0 on average for independent embeddings, of any width.
        ``rsa``, Pearson correlation of the two cosine distances over pairs of species. In [-1, 1].
        ``mutual_knn``, mean share of a species' 10 nearest species that both encoders agree on. In [0, 1]; needs at
        least 21 species, or half of the neighbours would be common by chance.
        ``<name>_calibrated``, (score - τ)/(1 - τ) where that is above 0, else 0; τ is the ⌈0.95 (m + 1)⌉-th smallest
        of the m permuted scores and the score itself, so that it is above 0 in at most 5 % of independent pairs.

        Higher is more alike; all are 1 for an encoder with itself or a rotation of itself. Chance is the mean over
        permutations of the species of one encoder, p one-sided, (b + 1)/(m + 1), m = 199. The interval leaves out one
        group of species after the other; for a calibrated score its ends are corrected by the same, fixed τ.

    Raises
    ------
    DataError
        If a vector is not finite.

    Notes
    -----
    O(species · d₁ · d₂) for each permutation and O(species² · (d₁ + d₂)) once for the neighbours, no matrix of pairs.
    Unlike CKA, RSA keeps what differs from species to species in their mean distance from all others. Mutual k-NN, raw
    or calibrated, falls with the number of species: compare it over the same ones only.

    References
    ----------
    Song et al. 2012, J. Mach. Learn. Res. 13, 1393, eq. 5 (unbiased HSIC); Nguyen, Raghu & Kornblith 2021, ICLR
    (debiased CKA); Kriegeskorte, Mur & Bandettini 2008, Front. Syst. Neurosci. 2, 4 (RSA); Huh et al. 2024, ICML
    (mutual k-NN); Gröger, Wen & Brbić 2026, ICML, arXiv 2602.14486 (calibrated score).
    """
    if len(vectors_a) != len(vectors_b):
        raise ValueError(f"expected the same images of both encoders, got {len(vectors_a)} and {len(vectors_b)}")
    taxa, other = (centroids(finite_rows(vectors), placement) for vectors in (vectors_a, vectors_b))
    n, n_images = len(taxa.counts), int(np.sum(taxa.groups >= 0))
    counts = {"n_images": n_images, "n_taxa": n, "n_excluded": len(taxa.groups) - n_images}
    reasons = dict.fromkeys(BOUNDS, _undefined(taxa, other))
    found: dict[str, Scores] = {}
    if not reasons["cka"]:
        found = _scores(taxa.directions, other.directions, rng)
        same = "the distances of one encoder do not vary from pair to pair"
        reasons = {name: same if math.isnan(found[name].value) else "" for name in BOUNDS}
    if not reasons["mutual_knn"] and n <= 2 * K_NEIGHBOURS:
        reasons["mutual_knn"] = f"needs at least {2 * K_NEIGHBOURS + 1} taxa, found {n}"
    table = {}
    for name, reason in reasons.items():
        raw = calibrated = Estimate.undefined(reason, **counts)
        if not reason:
            raw = _estimate(found[name], BOUNDS[name], rank_of_tips(taxa.tree), counts)
            calibrated = _calibrated(raw, found[name])
        table |= {name: raw, f"{name}_calibrated": calibrated}
    return table


@dataclass(frozen=True, eq=False)
class Scores:
    """A score, the scores with the species of one encoder permuted, and those without one group of species."""

    value: float
    null: np.ndarray
    deleted: np.ndarray

    @property
    def threshold(self) -> float:
        """The ⌈(1 - α)(m + 1)⌉-th smallest of the m permuted scores and the score itself."""
        everything = np.sort([*self.null, self.value])
        return float(everything[math.ceil((1 - ALPHA) * len(everything) - 1e-9) - 1])


def _undefined(taxa: Centroids, other: Centroids) -> str:
    """Why no score of these taxa exists; empty if they may."""
    if len(taxa.counts) < 4:
        return f"needs at least 4 taxa, found {len(taxa.counts)}"
    lost = int(np.isnan(np.hstack([taxa.directions, other.directions])).any(axis=1).sum())
    return f"the images of {lost} taxa cancel out: their centroid has no direction" if lost else ""


def _scores(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> dict[str, Scores]:
    """All scores of two sets of directions, NaN where one of them has no distances to speak of."""
    # The one that points less to one side is permuted, so that the order of the two does not matter.
    u, v = sorted((u, v), key=lambda directions: -np.linalg.norm(directions.sum(axis=0)))
    group = jackknife_groups(len(u), rng)
    orders = np.array([rng.permutation(len(u)) for _ in range(N_PERMUTATIONS)])
    found = _by_distance(centred_points(u), centred_points(v), orders, group)
    nothing = Scores(np.nan, np.full(len(orders), np.nan), np.empty(0))
    return found | {"mutual_knn": nothing if math.isnan(found["rsa"].value) else _by_neighbours(u, v, orders, group)}


def _by_distance(c: np.ndarray, e: np.ndarray, orders: np.ndarray, group: np.ndarray) -> dict[str, Scores]:
    """CKA and RSA, which are read from the same sums."""
    pairs = ((c, e), (c, c), (e, e))
    crosses = [a.T @ b for a, b in pairs]
    whole = [distance_sums(a, b, cross) for (a, b), cross in zip(pairs, crosses, strict=True)]
    permuted = [[distance_sums(c, e[order]), *whole[1:]] for order in orders]
    deleted = []
    for left_out in range(group.max() + 1):
        out, kept = group == left_out, group != left_out
        deleted.append(
            [
                distance_sums(a[kept], b[kept], cross - a[out].T @ b[out])
                for (a, b), cross in zip(pairs, crosses, strict=True)
            ]
        )
    return {
        name: Scores(score(*whole), *(np.array([score(*sums) for sums in each]) for each in (permuted, deleted)))
        for name, score in (("cka", debiased_alignment), ("rsa", correlation_of_distances))
    }


def _by_neighbours(u: np.ndarray, v: np.ndarray, orders: np.ndarray, group: np.ndarray) -> Scores:
    """Mutual k-NN: each encoder's neighbours are found once, permuted by name and thinned by group."""
    n = len(u)
    depth = min(n - 1, K_NEIGHBOURS + min(int(np.bincount(group).max()), SPARE))
    a, b = (nearest_neighbours(points, depth)[0] for points in (u, v))
    near_a, near_b = a[:, :K_NEIGHBOURS], b[:, :K_NEIGHBOURS]
    null = []
    for order in orders:
        place = np.argsort(order)  # species i takes the vector of species order[i]
        null.append(_common(near_a, place[near_b[order]]))
    deleted = []
    for left_out in range(group.max() + 1):
        kept = group != left_out
        deleted.append(_common(*(_nearest_kept(near[kept], kept) for near in (a, b))))
    return Scores(_common(near_a, near_b), np.array(null), np.array(deleted))


def _nearest_kept(near: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The `K_NEIGHBOURS` nearest of those that are kept, in each row; the spare ones stand in."""
    first = np.argsort(~kept[near], axis=1, kind="stable")[:, :K_NEIGHBOURS]
    return np.take_along_axis(near, first, axis=1)


def _common(near_a: np.ndarray, near_b: np.ndarray) -> float:
    """Mean share of neighbours in common."""
    return float(np.mean((near_a[:, :, None] == near_b[:, None, :]).any(axis=2)))


def _estimate(scores: Scores, bounds: tuple[float, float], unit: str, counts: dict) -> Estimate:
    return Estimate(
        scores.value,
        chance=float(np.mean(scores.null)),
        **interval(*jackknife_interval(scores.value, scores.deleted, bounds), JACKKNIFE, unit),
        p_value=permutation_p(scores.value, scores.null),
        **counts,
    )


def _calibrated(raw: Estimate, scores: Scores) -> Estimate:
    """The part of the score beyond its threshold, as a share of what there could be."""
    threshold = scores.threshold
    if threshold >= 1 - 1e-9:
        return Estimate.undefined("chance alone is perfect", raw.n_images, raw.n_taxa, raw.n_excluded)

    def beyond(score: float) -> float:
        return max((score - threshold) / (1 - threshold), 0.0) if math.isfinite(score) else score

    note = f"beyond {threshold:.4f}, the {1 - ALPHA:.0%} point of {len(scores.null)} permutations"
    ends = {"ci_low": beyond(raw.ci_low), "ci_high": beyond(raw.ci_high)}
    return replace(raw, value=beyond(raw.value), chance=0.0, note=note, **ends)
