"""Tree distance against embedding distance over all pairs of images, by the moments of the linear pass."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.scores import interval, jackknife_method
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.all_pairs.jackknife_moments import JackknifeMoments
from bioclip_probe.stats.all_pairs.jackknife_sums import JackknifeSums
from bioclip_probe.stats.all_pairs.tree_sums import TreeSums, permuted_correlations
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.resampling import jackknife_interval, permutation_p
from bioclip_probe.stats.rows import ResamplingUnits, Rows
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
        without any regard to the tree, so that chance is not 0 but the mean of the permuted values (null: species
        permuted), and values compare between embeddings of the same images only. The interval leaves out one group of
        units after the other; `p_value` is one-sided.

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
    estimate = estimate_image_correlation(shared.images, shared.stream(name), shared.settings, shared.units)
    return [Measurement(name, "species", estimate)]


def estimate_image_correlation(
    images: Rows, rng: np.random.Generator, settings: MeasureSettings, units: ResamplingUnits | None = None
) -> Estimate:
    """Return `image_tree_correlation` of the images at the tips of one tree.

    Parameters
    ----------
    images : Rows
        See `Rows.images`.
    rng, settings, units
        As for `estimate_cophenetic_correlation`.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> images = Rows.images(*corvids())
    >>> round(estimate_image_correlation(images, np.random.default_rng(0), MeasureSettings()).value, 2)
    0.69
    """
    if images.counts["n_taxa"] < 3:
        return Estimate.undefined(images.reason_undefined(), **images.counts)
    name, group = images.jackknife_groups(units, rng, settings.n_groups)
    moments = JackknifeMoments.of([(images.vectors, images.tips)], group)
    return streamed_tree_correlation(images.tree, moments, rng, name, images.counts["n_excluded"], settings)


def streamed_tree_correlation(
    tree: Tree,
    moments: JackknifeMoments,
    rng: np.random.Generator,
    resampled: str = "species",
    n_excluded: int = 0,
    settings: MeasureSettings | None = None,
) -> Estimate:
    """Return `image_tree_correlation` of images that were read once, in blocks.

    Parameters
    ----------
    tree : Tree
        Its k tips are the groups of `moments`, each with images.
    moments : JackknifeMoments
        Its jackknife groups are left out one after the other for the interval.
    rng : numpy.random.Generator
    resampled : str
        Rank of the units that the jackknife groups are made of.
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
    settings = settings or MeasureSettings()
    k = len(moments.jackknife_group)
    n_images = int(sum(of_group.n for of_group in moments.by_group))
    counts: dict[str, Any] = {"n_images": n_images, "n_taxa": k if n_images else 0, "n_excluded": n_excluded}
    if counts["n_taxa"] < 3:
        return Estimate.undefined(f"needs at least 3 taxa, found {counts['n_taxa']}", **counts)
    sums = JackknifeSums.of(tree, moments)
    value = sums.correlation()
    if math.isnan(value):
        return Estimate.undefined("tree distance or embedding distance does not vary", **counts)
    null = permuted_correlations(TreeSums(tree, moments.total), settings.n_permutations, rng)
    return jackknifed(value, sums.without_each_group(), null, Estimate(value, resampled=resampled, **counts), settings)


def jackknifed(
    value: float, deleted: np.ndarray, null: np.ndarray, estimate: Estimate, settings: MeasureSettings
) -> Estimate:
    """Return an estimate with chance and p-value from a null, and its interval from the values without groups of units.

    Parameters
    ----------
    value : float
        A correlation.
    deleted : ndarray, shape (G,)
        Its values without each group of units in turn.
    null : ndarray, shape (m,)
        Its values with species permuted.
    estimate : Estimate
        With `resampled` and its counts.
    settings : MeasureSettings
        `level` is used.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> deleted, null = np.array([0.4, 0.5, 0.6]), np.zeros(4)
    >>> jackknifed(0.5, deleted, null, Estimate(0.5, resampled="species"), MeasureSettings()).p_value
    0.2
    """
    ends = jackknife_interval(value, deleted, BOUNDS, settings.level)
    return replace(
        estimate,
        chance=float(null.mean()),
        p_value=permutation_p(value, null),
        **interval(*ends, jackknife_method(settings), estimate.resampled),
    )
