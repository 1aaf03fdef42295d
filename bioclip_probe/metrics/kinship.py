"""Kinship of nearest neighbours: how far up the tree an image meets the images nearest to it.

Intervals resample the species of the images and keep every score as it is. Images at no tip of the tree are left out
and counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bioclip_probe.metrics.measurement import Measurement, measurements_at
from bioclip_probe.metrics.retrieval import ONE_TAXON, SINGLE_IMAGES
from bioclip_probe.metrics.scores import mean_score
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import K_NEIGHBORS, SharedResults
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.sweep.binning import Levels
from bioclip_probe.stats.sweep.sweep import Sweep
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement


def neighbour_lca_depth(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return how many ranks an image shares with its nearest images, on average.

    Parameters
    ----------
    embeddings, placement, settings
        As for `cophenetic_correlation`, in a taxonomy.

    Returns
    -------
    list of Measurement
        ``neighbour_lca_depth_1``, ``_5`` and ``_10``, at species: the mean depth of the common ancestor, in ranks: 7
        for one species, 6 for one genus, 0 where nothing is shared. Higher is better. Chance is the mean over all
        candidates. An image with fewer candidates is scored on those it has; one without any is left out.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> round(neighbour_lca_depth(vectors, placement)[0].value, 2)  # two magpies share six ranks
    4.0
    """
    shared = SharedResults.of(embeddings, placement, settings)
    rng = shared.stream("neighbour_lca_depth")
    return measurements_at("species", estimate_lca_depth(shared.image_sweep[1], rng, shared.settings))


def estimate_lca_depth(swept: Sweep, rng: np.random.Generator, settings: MeasureSettings) -> dict[str, Estimate]:
    """Return `neighbour_lca_depth` from a sweep.

    Parameters
    ----------
    swept : Sweep
        The sweep over the images of species in a taxonomy, with its k nearest images; depths of more neighbours than k
        are not given.
    rng : numpy.random.Generator
    settings : MeasureSettings
        `n_bootstrap` and `level` are used.

    Returns
    -------
    dict from metric to Estimate

    Raises
    ------
    ValueError
        If the sweep found no neighbours.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> from bioclip_probe.stats.rows import Rows
    >>> from bioclip_probe.stats.sweep.sweep import sweep
    >>> swept = sweep(Rows.images(*corvids()), k=1)
    >>> round(estimate_lca_depth(swept, np.random.default_rng(0), MeasureSettings())["neighbour_lca_depth_1"].value, 2)
    4.0
    """
    names = {f"neighbour_lca_depth_{k}": k for k in K_NEIGHBORS if k <= swept.indices.shape[1]}
    if reason := _Kinship.reason_undefined(swept):
        return dict.fromkeys(names, Estimate.undefined(reason, **swept.rows.counts))
    kinship = _Kinship.of(swept)
    depth = len(RANKS) - kinship.step
    chance = len(RANKS) - (kinship.candidates @ kinship.steps) / kinship.candidates.sum(axis=1)
    return {
        name: mean_score(
            np.nanmean(depth[:, :k], axis=1),
            kinship.tips,
            rng,
            settings,
            chance=float(chance.mean()),
            n_taxa=len(np.unique(kinship.tips)),
            n_excluded=len(swept.rows.tips) - len(kinship.tips),
        )
        for name, k in names.items()
    }


def mistake_severity(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return how far up the tree an image meets its nearest image where that is of another species.

    Parameters
    ----------
    embeddings, placement, settings
        As for `cophenetic_correlation`, in a taxonomy.

    Returns
    -------
    list of Measurement
        One, at species: the mean height of the common ancestor, in ranks: 1 for one genus, 7 where nothing is shared;
        lower is better. Chance is the mean over all candidates of other species. Only images with a candidate of their
        own species enter. Read it beside `knn_purity`: fewer mistakes may be worse ones.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    References
    ----------
    Bertinetto et al. 2020, CVPR, "Making better mistakes": mean height of the common ancestor over mistakes.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> mistake_severity(vectors, placement)[0].estimate.note
    'every taxon has a single image'
    """
    shared = SharedResults.of(embeddings, placement, settings)
    name = "mistake_severity"
    estimate = estimate_mistake_severity(shared.image_sweep[1], shared.stream(name), shared.settings)
    return [Measurement(name, "species", estimate)]


def estimate_mistake_severity(swept: Sweep, rng: np.random.Generator, settings: MeasureSettings) -> Estimate:
    """Return `mistake_severity` from a sweep.

    Parameters
    ----------
    swept, rng, settings
        As for `estimate_lca_depth`.

    Returns
    -------
    Estimate

    Raises
    ------
    ValueError
        If the sweep found no neighbours.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> from bioclip_probe.stats.rows import Rows
    >>> from bioclip_probe.stats.sweep.sweep import sweep
    >>> swept = sweep(Rows.images(*corvids()), k=1)
    >>> estimate_mistake_severity(swept, np.random.default_rng(0), MeasureSettings()).note
    'every taxon has a single image'
    """
    if reason := _Kinship.reason_undefined(swept):
        return Estimate.undefined(reason, **swept.rows.counts)
    kinship = _Kinship.of(swept)
    has_own = kinship.candidates[:, kinship.steps == 0].sum(axis=1) > 0
    wrong = has_own & (kinship.step[:, 0] > 0)
    if not wrong.any():
        reason = "no nearest image is of another species" if has_own.any() else SINGLE_IMAGES
        return Estimate.undefined(reason, **swept.rows.counts)
    others = np.where(kinship.steps > 0, kinship.candidates[wrong], 0)
    return mean_score(
        kinship.step[wrong, 0],
        kinship.tips[wrong],
        rng,
        settings,
        chance=float(np.mean((others @ kinship.steps) / others.sum(axis=1))),
        n_taxa=len(np.unique(kinship.tips[wrong])),
        n_excluded=len(swept.rows.tips) - int(wrong.sum()),
        note=f"{wrong.sum():,} mistakes of {has_own.sum():,} images",
    )


@dataclass(frozen=True, eq=False)
class _Kinship:
    """Tree distances, in ranks, of the m images that have a neighbour to their nearest images and to all candidates.

    `tips` (m,) are their species, `step` (m, k) the tree distances to their neighbours with NaN for no neighbour,
    `steps` (L,) the tree distances that occur, and `candidates` (m, L) how many candidates are at each.
    """

    tips: np.ndarray
    step: np.ndarray
    steps: np.ndarray
    candidates: np.ndarray

    @staticmethod
    def reason_undefined(swept: Sweep) -> str:
        """Return why there is no kinship; empty if there is."""
        near = swept.indices
        if not near.shape[1]:
            raise ValueError("expected a sweep that found neighbours: pass k")
        if not np.any(near[:, 0] >= 0):
            return "no image has a candidate"
        if swept.rows.counts["n_taxa"] < 2:
            return ONE_TAXON
        return "" if _levels(swept).clades else "needs a taxonomy"

    @classmethod
    def of(cls, swept: Sweep) -> _Kinship:
        """Return the kinship of a sweep for which it is defined."""
        tips, near, levels = swept.rows.tips, swept.indices, _levels(swept)
        rows = np.flatnonzero(near[:, 0] >= 0)
        own, other = np.repeat(tips[rows], near.shape[1]), tips[near[rows]].ravel()
        step = levels.steps[levels.between_tips(own, other)].reshape(len(rows), -1)
        step[near[rows] < 0] = np.nan
        first, last = levels.clades
        n_tips = len(swept.rows.tree.tips)
        images = np.concatenate([[0], np.cumsum(np.bincount(tips[tips >= 0], minlength=n_tips))])
        within = (images[last] - images[first]).T[tips[rows]]
        candidates = np.diff(within, axis=1, prepend=0)
        candidates[:, 0] -= 1  # the image itself
        candidates -= _group_members(swept, rows, levels)
        return cls(tips[rows], step, levels.steps, candidates)


def _levels(swept: Sweep) -> Levels:
    """Return the levels of tree distance between the tips of a sweep."""
    return Levels.of(swept.rows.tree, np.arange(len(swept.rows.tree.tips)))


def _group_members(swept: Sweep, rows: np.ndarray, levels: Levels) -> np.ndarray:
    """Return how many other images of each row's own group are at each level, shape (m, L): they are no candidates."""
    members_at = np.zeros((len(rows), len(levels.steps)), dtype=np.int64)
    position = np.full(len(swept.rows.tips), -1)
    position[rows] = np.arange(len(rows))
    grouped = np.flatnonzero((swept.groups >= 0) & (swept.rows.tips >= 0))
    grouped = grouped[np.argsort(swept.groups[grouped], kind="stable")]
    cuts = np.flatnonzero(np.diff(swept.groups[grouped])) + 1
    for members in np.split(grouped, cuts) if len(grouped) else ():
        tip, own, count = np.unique(swept.rows.tips[members], return_inverse=True, return_counts=True)
        level = levels.between_tips(np.repeat(tip, len(tip)), np.tile(tip, len(tip))).reshape(len(tip), -1)
        others = np.stack([(level == one) @ count for one in range(len(levels.steps))], axis=1)
        others[:, 0] -= 1
        is_row = position[members] >= 0
        members_at[position[members][is_row]] += others[own[is_row]]
    return members_at
