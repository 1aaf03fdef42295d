"""Tree distance against embedding distance over all pairs of images, by the moments of the linear pass."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bioclip_probe.metrics.intervals import with_interval
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.all_pairs.jackknife_moments import JackknifeMoments
from bioclip_probe.stats.all_pairs.jackknife_sums import JackknifeSums
from bioclip_probe.stats.all_pairs.tree_sums import TreeSums, permuted_correlations
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.resampling import permutation_p
from bioclip_probe.stats.rows import Rows, rank_of_tips
from bioclip_probe.tree.tree import Placement, Tree

BOUNDS = (-1.0, 1.0)


def image_tree_correlation(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the Pearson correlation of tree distance and embedding distance over all pairs of images, exactly.

    Parameters
    ----------
    embeddings, placement, settings
        As for `cophenetic_correlation`.

    Returns
    -------
    list of Measurement
        One, at species, in [-1, 1]; higher is better. Images of one species are at tree distance 0. They are alike
        without any regard to the tree, so that chance is not 0 but the mean of the permuted values (null: whole species
        permuted over the tips, what a memoriser of species reaches), and values compare between embeddings of the same
        images only. The interval recomputes the correlation without each group of units. `p_value` is one-sided; as for
        `cophenetic_correlation`, one heritable trait is enough for a small one.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Notes
    -----
    All of it comes from the moments, at O(n d² + nodes·d·(permutations + groups)).

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> round(image_tree_correlation(vectors, placement)[0].value, 2)
    0.69
    """
    shared = SharedResults.of(embeddings, placement, settings)
    name = "image_tree_correlation"
    images, jackknife, rng = shared.images, shared.jackknife(), shared.stream(name)
    if images.counts["n_taxa"] < 3:
        estimate = estimate_image_correlation(images, jackknife, rng, shared.settings)
    else:
        own = jackknife.take(images.groups >= 0)
        estimate = _estimate(images.tree, shared.image_moments, own, rng, images.counts, shared.settings)
    return [Measurement(name, "species", estimate)]


def estimate_image_correlation(
    images: Rows, jackknife: Jackknife, rng: np.random.Generator, settings: MeasureSettings
) -> Estimate:
    """Return `image_tree_correlation` of the images at the tips of one tree.

    Parameters
    ----------
    images : Rows
        See `Rows.images`.
    jackknife, rng, settings
        As for `estimate_cophenetic_correlation`.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> images, rng = Rows.images(*corvids()), np.random.default_rng(0)
    >>> jackknife = Jackknife.of("species", images.groups, rng)
    >>> round(estimate_image_correlation(images, jackknife, rng, MeasureSettings()).value, 2)
    0.69
    """
    if images.counts["n_taxa"] < 3:
        return Estimate.undefined(images.reason_undefined(), **images.counts)
    moments = JackknifeMoments.of([(images.vectors, images.tips)], jackknife.of_tips(images))
    own = jackknife.take(images.groups >= 0)
    return _estimate(images.tree, moments, own, rng, images.counts, settings)


def streamed_tree_correlation(
    tree: Tree,
    moments: JackknifeMoments,
    rng: np.random.Generator,
    n_excluded: int = 0,
    settings: MeasureSettings | None = None,
) -> Estimate:
    """Return `image_tree_correlation` of images that were read once, in blocks.

    Parameters
    ----------
    tree : Tree
        Its k tips are the groups of `moments`, each with images.
    moments : JackknifeMoments
        Its jackknife groups are left out one after the other for the interval; each tip is a unit.
    rng : numpy.random.Generator
    n_excluded : int
        Images that are not among them.
    settings : MeasureSettings, optional
        `n_permutations` and `level` are used.

    Returns
    -------
    Estimate
        Undefined with fewer than three taxa, or where a distance does not vary.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> images = Rows.images(*corvids())
    >>> moments = JackknifeMoments.of([(images.vectors, images.tips)], np.arange(3))
    >>> round(streamed_tree_correlation(images.tree, moments, np.random.default_rng(0)).value, 2)
    0.69
    """
    k = len(moments.jackknife_group)
    n_images = int(sum(of_group.n for of_group in moments.by_group))
    counts: dict[str, Any] = {"n_images": n_images, "n_taxa": k if n_images else 0, "n_excluded": n_excluded}
    if counts["n_taxa"] < 3:
        return Estimate.undefined(f"needs at least 3 taxa, found {counts['n_taxa']}", **counts)
    dated = tree.unit != "rank"
    jackknife = Jackknife(rank_of_tips(tree), k, moments.jackknife_group, dated, np.arange(k))
    return _estimate(tree, moments, jackknife, rng, counts, settings or MeasureSettings())


def _estimate(
    tree: Tree,
    moments: JackknifeMoments,
    jackknife: Jackknife,
    rng: np.random.Generator,
    counts: Mapping[str, Any],
    settings: MeasureSettings,
) -> Estimate:
    """Return the correlation with its chance level, p-value and interval."""
    sums = JackknifeSums.of(tree, moments)
    value = sums.correlation()
    if math.isnan(value):
        return Estimate.undefined("tree distance or embedding distance does not vary", **counts)
    totals = TreeSums(tree, moments.total)
    null = permuted_correlations(totals, settings.n_permutations, rng, device=settings.device)
    deleted = jackknife.padded(value, sums.without_each_group())
    return with_interval(with_null(Estimate(value, **counts), null), deleted, jackknife, settings, BOUNDS)


def with_null(estimate: Estimate, null: np.ndarray) -> Estimate:
    """Return an estimate with chance level and p-value from its values with whole species permuted over the tips.

    Parameters
    ----------
    estimate : Estimate
    null : ndarray, shape (m,)
        Its values with species permuted.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> estimate = with_null(Estimate(0.5), np.array([0.0, 0.1, 0.2, 0.1]))
    >>> round(estimate.chance, 2), estimate.p_value, estimate.null
    (0.1, 0.2, 'species')
    """
    p = permutation_p(estimate.value, null)
    return replace(estimate, chance=float(null.mean()), p_value=p, null="species")
