"""Similarity of two encoders on the same species: by all distances, and by nearest neighbours.

Species are compared by the direction of their centroid: the mean of a species' unit vectors, put back on the sphere.
The raw scores do not compare between pairs of encoders: with wider embeddings and fewer species, chance alone gives
more neighbours in common and more spread. So each score comes with its null, in which the species of one encoder are
permuted, and with a second number that is corrected for it, ``<name>_calibrated``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from bioclip_probe.metrics.embedding_pairs import EmbeddingPair
from bioclip_probe.metrics.intervals import with_interval, with_note
from bioclip_probe.metrics.measurement import Measurement, measurements_at
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.all_pairs.distance_sums import (
    centred_points,
    correlation_of_distances,
    debiased_alignment,
    distance_sums,
    permuted_distance_sums,
)
from bioclip_probe.stats.devices import CPU
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.resampling import permutation_p
from bioclip_probe.stats.rows import Rows
from bioclip_probe.stats.sweep.neighbors import nearest_neighbors
from bioclip_probe.tree.tree import Placement

#: Neighbours beyond the nearest ones that are kept to replace those that a jackknife group takes away.
SPARE = 20
#: A calibrated score is above 0 where the raw one is beyond what so large a share of permutations gives.
ALPHA = 0.05
BOUNDS = {"cka": (-1.0, 1.0), "rsa": (-1.0, 1.0), "mutual_knn": (0.0, 1.0)}


def encoder_similarity(
    embeddings: tuple[np.ndarray, np.ndarray] | EmbeddingPair,
    placement: Placement,
    settings: MeasureSettings | None = None,
) -> list[Measurement]:
    """Return how alike two encoders of any widths embed the same species; the order of the two does not matter.

    Parameters
    ----------
    embeddings : pair of ndarray, shapes (n, d₁) and (n, d₂), or EmbeddingPair
        Unit vectors of the same images in the same order.
    placement : Placement
        As for `cophenetic_correlation`; species are compared.
    settings : MeasureSettings, optional
        `n_model_permutations` (199 by default), `n_mutual_neighbors` (10), `n_groups`, `resample` and `level` are used.

    Returns
    -------
    list of Measurement
        ``cka``, debiased linear CKA: the unbiased HSIC of the two over the root of the product of each one's own. In
        [-1, 1]; 0 on average for independent embeddings of any width.
        ``rsa``, Pearson correlation of the two cosine distances over pairs of species. In [-1, 1].
        ``mutual_knn``, mean share of a species' 10 nearest species that both encoders agree on. In [0, 1]; needs at
        least 21 species, or half of the neighbours would be common by chance.
        ``<name>_calibrated``, (score - τ)/(1 - τ) where that is above 0, else 0; τ is the ⌈0.95 (m + 1)⌉-th smallest
        of the m permuted scores and the score itself, so that it is above 0 in at most 5 % of independent pairs.

        Higher is more alike; all are 1 for an encoder with itself or a rotation of itself. Chance is the mean over
        permutations of the species of one encoder (null: species), p is one-sided, (b + 1)/(m + 1). The interval leaves
        out one group of units after the other and computes the score again; the same fixed τ corrects the ends for a
        calibrated score. A high score does not show that either encoder knows the tree: all that both see counts.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Notes
    -----
    O(species · d₁ · d₂) for each permutation and O(species² · (d₁ + d₂)) once for the neighbours, no matrix of pairs.
    Unlike CKA, RSA keeps the differences between species in their mean distance from all others. Mutual k-NN, raw or
    calibrated, falls with the number of species, so that it compares over the same species only.

    References
    ----------
    Song et al. 2012, J. Mach. Learn. Res. 13, 1393, eq. 5 (unbiased HSIC); Nguyen, Raghu & Kornblith 2021, ICLR
    (debiased CKA); Kriegeskorte, Mur & Bandettini 2008, Front. Syst. Neurosci. 2, 4 (RSA); Huh et al. 2024, ICML
    (mutual k-NN); Gröger, Wen & Brbić 2026, ICML, arXiv 2602.14486 (calibrated score).

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> encoder_similarity((vectors, vectors), placement)[0].estimate.note
    'needs at least 4 taxa, found 3'
    """
    pair = EmbeddingPair.of(embeddings, placement, settings)
    rng = pair.first.stream("similarity")
    both = (pair.first.taxa("species"), pair.second.taxa("species"))
    estimates = estimate_similarity(*both, pair.first.jackknife(), rng, pair.settings)
    return measurements_at("species", estimates)


def estimate_similarity(
    taxa: Rows, other: Rows, jackknife: Jackknife, rng: np.random.Generator, settings: MeasureSettings
) -> dict[str, Estimate]:
    """Return the numbers of `encoder_similarity`.

    Parameters
    ----------
    taxa, other : Rows
        Centroids of the same species in both embeddings.
    jackknife : Jackknife
        Of the images of the species.
    rng : numpy.random.Generator
        It draws the permutations.
    settings : MeasureSettings

    Returns
    -------
    dict from metric to Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> taxa, rng = Rows.taxa(vectors, placement), np.random.default_rng(0)
    >>> jackknife = Jackknife.of("species", placement.node, rng)
    >>> estimate_similarity(taxa, taxa, jackknife, rng, MeasureSettings())["cka"].note
    'needs at least 4 taxa, found 3'
    """
    n, needed = taxa.counts["n_taxa"], 2 * settings.n_mutual_neighbors + 1
    reasons = dict.fromkeys(BOUNDS, _reason_undefined(taxa, other))
    scores: dict[str, Scores] = {}
    if not reasons["cka"]:
        scores = _scores(taxa.vectors, other.vectors, jackknife.of_tips(taxa), rng, settings)
        same = "the distances of one encoder do not vary from pair to pair"
        reasons = {name: same if math.isnan(scores[name].value) else "" for name in BOUNDS}
    if not reasons["mutual_knn"] and n < needed:
        reasons["mutual_knn"] = f"needs at least {needed} taxa, found {n}"
    table: dict[str, Estimate] = {}
    for name, reason in reasons.items():
        raw = calibrated = Estimate.undefined(reason, **taxa.counts)
        if not reason:
            own = scores[name]
            chance, p = float(np.mean(own.null)), permutation_p(own.value, own.null)
            raw = Estimate(own.value, chance=chance, null="species", p_value=p, **taxa.counts)
            deleted = jackknife.padded(own.value, own.deleted)
            raw = with_interval(raw, deleted, jackknife, settings, BOUNDS[name])
            calibrated = _calibrated(raw, own)
        table |= {name: raw, f"{name}_calibrated": calibrated}
    return table


@dataclass(frozen=True, eq=False)
class Scores:
    """A score, the scores with the species of one encoder permuted, and those without one group of species.

    Attributes
    ----------
    value : float
    null : ndarray, shape (m,)
        With the species of one encoder permuted.
    deleted : ndarray, shape (G,)
        Without one group of species after the other.

    Examples
    --------
    >>> Scores(0.5, np.array([0.1, 0.2, 0.3]), np.empty(0)).threshold
    0.5
    """

    value: float
    null: np.ndarray
    deleted: np.ndarray

    @property
    def threshold(self) -> float:
        """The ⌈(1 - α)(m + 1)⌉-th smallest of the m permuted scores and the score itself."""
        everything = np.sort([*self.null, self.value])
        return float(everything[math.ceil((1 - ALPHA) * len(everything) - 1e-9) - 1])


def _reason_undefined(taxa: Rows, other: Rows) -> str:
    """Return why no score of these taxa exists; empty if scores may exist."""
    if taxa.counts["n_taxa"] < 4:
        return f"needs at least 4 taxa, found {taxa.counts['n_taxa']}"
    lost = int(np.isnan(np.hstack([taxa.vectors, other.vectors])).any(axis=1).sum())
    return f"the images of {lost} taxa cancel out: their centroid has no direction" if lost else ""


def _scores(
    u: np.ndarray, v: np.ndarray, group: np.ndarray, rng: np.random.Generator, settings: MeasureSettings
) -> dict[str, Scores]:
    """Return all scores of two sets of directions, NaN where the distances of one of them do not vary."""
    # The set with the shorter mean is permuted, so that the order of the two does not matter.
    u, v = sorted((u, v), key=lambda directions: -np.linalg.norm(directions.sum(axis=0)))
    orders = np.array([rng.permutation(len(u)) for _ in range(settings.n_model_permutations)])
    scores = scores_by_distance(centred_points(u), centred_points(v), orders, group, settings.device)
    if math.isnan(scores["rsa"].value):
        return scores | {"mutual_knn": Scores(np.nan, np.full(len(orders), np.nan), np.empty(0))}
    return scores | {"mutual_knn": scores_by_neighbors(u, v, orders, group, settings.n_mutual_neighbors)}


def scores_by_distance(
    c: np.ndarray, e: np.ndarray, orders: np.ndarray, group: np.ndarray, device: str = CPU
) -> dict[str, Scores]:
    """Return CKA and RSA, which come from the same sums.

    Parameters
    ----------
    c, e : ndarray, shapes (k, d₁) and (k, d₂)
        Directions of k species about their mean, see `centred_points`.
    orders : ndarray, shape (m, k), int64
        Permutations of the species of the second encoder.
    group : ndarray, shape (k,), int64
        Jackknife group of each species.
    device : str
        Where the products of the permutations are computed.

    Returns
    -------
    dict from metric to Scores

    Examples
    --------
    >>> points = centred_points(np.array([[1, 0], [0, 1], [-1, 0], [0.6, 0.8]]))
    >>> round(scores_by_distance(points, points, np.arange(4)[None], np.arange(4))["rsa"].value, 6)
    1.0
    """
    pairs = ((c, e), (c, c), (e, e))
    crosses = [a.T @ b for a, b in pairs]
    unpermuted = [distance_sums(a, b, cross) for (a, b), cross in zip(pairs, crosses, strict=True)]
    permuted = [[both, *unpermuted[1:]] for both in permuted_distance_sums(c, e, orders, device)]
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
        name: Scores(score(*unpermuted), *(np.array([score(*sums) for sums in each]) for each in (permuted, deleted)))
        for name, score in (("cka", debiased_alignment), ("rsa", correlation_of_distances))
    }


def scores_by_neighbors(u: np.ndarray, v: np.ndarray, orders: np.ndarray, group: np.ndarray, k: int = 10) -> Scores:
    """Return mutual k-NN. One search an encoder finds the neighbours; permutations rename them, groups thin them.

    Parameters
    ----------
    u, v : ndarray, shapes (n, d₁) and (n, d₂)
        Directions of n species.
    orders, group
        As for `scores_by_distance`.
    k : int
        Nearest species of each species.

    Returns
    -------
    Scores

    Examples
    --------
    >>> points = np.array([[1, 0], [0, 1], [-1, 0], [0.6, 0.8]])
    >>> scores_by_neighbors(points, points, np.arange(4)[None], np.arange(4), k=1).value
    1.0
    """
    depth = min(len(u) - 1, k + min(int(np.bincount(group).max()), SPARE))
    a, b = (nearest_neighbors(points, depth)[0] for points in (u, v))
    near_a, near_b = a[:, :k], b[:, :k]
    null = []
    for order in orders:
        new_number = np.argsort(order)  # species i takes the vector of species order[i]
        null.append(_share_in_common(near_a, new_number[near_b[order]]))
    deleted = []
    for left_out in range(group.max() + 1):
        kept = group != left_out
        deleted.append(_share_in_common(*(_nearest_kept(near[kept], kept, k) for near in (a, b))))
    return Scores(_share_in_common(near_a, near_b), np.array(null), np.array(deleted))


def _nearest_kept(near: np.ndarray, kept: np.ndarray, k: int) -> np.ndarray:
    """Return the k nearest of the species that are kept, in each row; spare ones replace those left out."""
    first = np.argsort(~kept[near], axis=1, kind="stable")[:, :k]
    return np.take_along_axis(near, first, axis=1)


def _share_in_common(near_a: np.ndarray, near_b: np.ndarray) -> float:
    """Return the mean share of neighbours in common."""
    return float(np.mean((near_a[:, :, None] == near_b[:, None, :]).any(axis=2)))


def _calibrated(raw: Estimate, scores: Scores) -> Estimate:
    """Return the part of the score beyond its threshold, as a share of the most that it could be."""
    threshold = scores.threshold
    if threshold >= 1 - 1e-9:
        return Estimate.undefined("chance alone is perfect", raw.n_images, raw.n_taxa, raw.n_excluded)

    def beyond(score: float | np.ndarray) -> np.ndarray:
        return np.maximum((score - threshold) / (1 - threshold), 0.0)  # NaN stays NaN

    value, low, high = (float(beyond(number)) for number in (raw.value, raw.ci_low, raw.ci_high))
    replicates = None if raw.replicates is None else beyond(raw.replicates)
    note = f"beyond {threshold:.4f}, the {1 - ALPHA:.0%} point of {len(scores.null)} permutations"
    calibrated = replace(raw, value=value, chance=0.0, note=note, ci_low=low, ci_high=high, replicates=replicates)
    return with_note(calibrated, raw.note)
