"""Whether relatives come first: of all other images, sorted by their distance from one, the anchor.

The scores of each anchor come out of one sweep (`stats.sweep`), over all others and not a sample of them. Intervals
resample the species of the anchors and keep every score as it is: a species drawn twice would be its own perfect
neighbour. Distances in one bin are tied, and a score is its mean over the orders of those that tie. Images at no tip
of the tree are left out and counted.
"""

from __future__ import annotations

from concurrent.futures import Executor

import numpy as np

from bioclip_probe.metrics.scores import interval, mean_score
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.resampling import N_BOOTSTRAP, bootstrap_weights, percentile_interval
from bioclip_probe.stats.rows import Rows
from bioclip_probe.stats.sweep.counting import AP, HIERARCHICAL_AP, R_PRECISION, RIGHT, SIZE, TIED
from bioclip_probe.stats.sweep.sweep import Levels, Sweep, lca_rank, sweep
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement

K_NEIGHBOURS = (1, 5, 10)
ALONE, ONE = "every taxon has a single image", "only one taxon"


def triplet_accuracy(swept: Sweep, rng: np.random.Generator) -> dict[str, dict[str, Estimate]]:
    """Of all triplets of an anchor, a nearer relative and a farther one: the share where the nearer is the closer.

    Parameters
    ----------
    swept : Sweep
        Of the images of species in a taxonomy, ``sweep(Rows.images(…), anchors=True)``.
    rng : numpy.random.Generator

    Returns
    -------
    dict from rank to ``triplet_accuracy``
        By the rank of the common ancestor of the anchor and the nearer relative, from ``species`` up; the farther
        relative is any that meets the anchor higher. In [0, 1], higher is better, chance ½; ties count ½. All triplets
        weigh the same, so that anchors with many relatives weigh more. The note gives their number, and the most that
        bins can change the value: half of the triplets that tie in one.
    """
    scores, tips = _anchors(swept)
    size = scores[:, SIZE]
    total = size * (size.sum(axis=1, keepdims=True) - np.cumsum(size, axis=1))
    table = {}
    for level in np.flatnonzero(total.sum(axis=0)):
        value, ends = _ratio(scores[:, RIGHT, level], total[:, level], tips, rng)
        triplets = total[:, level].sum()
        hidden = scores[:, TIED, level].sum() / triplets
        found = Estimate(
            value,
            chance=0.5,
            **ends,
            **swept.rows.counts,
            note=f"{triplets:,.0f} triplets; bins can hide {hidden:.1e}",
        )
        table[lca_rank(swept.joint.steps[level])] = {"triplet_accuracy": found}
    return table


def precision_by_rank(
    vectors: np.ndarray,
    placement: Placement,
    rng: np.random.Generator,
    swept: Sweep | None = None,
    executor: Executor | None = None,
) -> dict[str, dict[str, Estimate]]:
    """Average precision and R-precision of the images of the same taxon, at each rank.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
    placement : Placement
        In a taxonomy.
    rng : numpy.random.Generator
    swept : Sweep, optional
        Of the images of ``placement.coarsen("species")``, with anchors. It serves every rank at which the same images
        have a name; another sweep is made where others do.
    executor : Executor, optional
        Whose workers make those other sweeps.

    Returns
    -------
    dict from rank to dict
        ``average_precision``: the mean over the R images of the anchor's taxon of the share of that taxon among all
        that are as near as they. ``r_precision``: that share among the R nearest. Both in [0, 1], higher is better,
        means over anchors. Chance is exact, over random orders: for AP, with R of N relevant and H_N = Σ 1/i, it is
        q + (1 - q)·H_N/N with q = (R - 1)/(N - 1); for R-precision R/N. An image whose taxon has no other is not
        scored, and counted in ``n_excluded``; one without a name at the rank is left out altogether.

    References
    ----------
    Manning, Raghavan & Schütze 2008, Introduction to Information Retrieval, ch. 8; ties: McSherry & Najork 2008, ECIR.
    """
    table = {}
    for number, rank in enumerate(RANKS):
        named = placement.at(rank) >= 0
        if swept is None or not np.array_equal(swept.rows.tips >= 0, named):
            own = sweep(Rows.images(vectors, placement.coarsen(rank)), anchors=True, executor=executor)
            level = 0
        else:
            own = swept
            level = int(np.searchsorted(own.joint.steps, len(RANKS) - 1 - number + 0.5)) - 1
        table[rank] = _precision(own, level, placement, rank, rng)
    return table


def _precision(
    swept: Sweep, level: int, placement: Placement, rank: str, rng: np.random.Generator
) -> dict[str, Estimate]:
    names = ("average_precision", "r_precision")
    rows = np.flatnonzero(swept.rows.tips >= 0)
    n_taxa = len(np.unique(placement.at(rank)[rows]))
    scored = rows[swept.scores[rows, SIZE, : level + 1].sum(axis=1) > 0]
    if n_taxa < 2 or not len(scored):
        reason = (ONE if n_taxa else "no image has a name at this rank") if n_taxa < 2 else ALONE
        return dict.fromkeys(names, Estimate.undefined(reason, len(rows), n_taxa, len(placement) - len(rows)))
    return {
        name: mean_score(
            swept.scores[scored, which, level],
            placement.node[scored],
            rng,
            chance=float(swept.chance[scored, which, level].mean()),
            n_taxa=len(np.unique(placement.at(rank)[scored])),
            n_excluded=len(placement) - len(scored),
        )
        for name, which in zip(names, (AP, R_PRECISION), strict=True)
    }


def hierarchical_ap(swept: Sweep, rng: np.random.Generator) -> Estimate:
    """H-AP: average precision where nearer relatives are more relevant.

    Parameters
    ----------
    swept, rng
        As for `triplet_accuracy`.

    Returns
    -------
    Estimate
        The mean over anchors of Σ_k (Σ_j min(rel_k, rel_j) / rank_k) / Σ_k rel_k, over relatives k and those j that are
        not farther than k, k itself among them; rank_k is the number of all images not farther than k. In [0, 1],
        higher is better; with two levels it is average precision. Of the L levels that occur in the tree, counted from
        the highest (l = 0, least shared), the relevance is l/(L - 1) over the number of images at level l (the paper's,
        with α = 1). Chance is the exact mean over random orders.

    References
    ----------
    Ramzi et al. 2022, ECCV, H-AP and its relevance.
    """
    scores, tips = _anchors(swept)
    chance = swept.chance[swept.rows.tips >= 0, HIERARCHICAL_AP, 0]
    scored = np.isfinite(scores[:, HIERARCHICAL_AP, 0])
    if not scored.any():
        return _undefined(swept, "no two images share a taxon" if len(tips) > 1 else "needs at least 2 images")
    counts = swept.rows.counts
    return mean_score(
        scores[scored, HIERARCHICAL_AP, 0],
        tips[scored],
        rng,
        chance=float(chance[scored].mean()),
        n_taxa=len(np.unique(tips[scored])),
        n_excluded=counts["n_excluded"] + int((~scored).sum()),
    )


def neighbour_lca_depth(swept: Sweep, rng: np.random.Generator) -> dict[str, Estimate]:
    """How many ranks an image shares with its nearest images, on average.

    Parameters
    ----------
    swept : Sweep
        Of the images of species in a taxonomy, with k of 10.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        ``neighbour_lca_depth_1``, ``_5`` and ``_10``: mean depth of the common ancestor, in ranks: 7 for one species,
        6 for one genus, 0 where nothing is shared. Higher is better. Chance is the mean over all candidates. An image
        with fewer candidates is scored on those it has; one without any is left out.
    """
    names = [f"neighbour_lca_depth_{k}" for k in K_NEIGHBOURS if k <= swept.indices.shape[1]]
    seen = _Kinship(swept)
    if seen.reason:
        return dict.fromkeys(names, _undefined(swept, seen.reason))
    depth = len(RANKS) - seen.step
    chance = len(RANKS) - (seen.candidates @ seen.steps) / seen.candidates.sum(axis=1)
    return {
        name: mean_score(
            np.nanmean(depth[:, : int(name.rsplit("_", 1)[1])], axis=1),
            seen.tips,
            rng,
            chance=float(chance.mean()),
            n_taxa=len(np.unique(seen.tips)),
            n_excluded=len(swept.rows.tips) - len(seen.tips),
        )
        for name in names
    }


def mistake_severity(swept: Sweep, rng: np.random.Generator) -> Estimate:
    """How far up the tree an image meets its nearest image where that is of another species.

    Parameters
    ----------
    swept, rng
        As for `neighbour_lca_depth`, with k of 1 or more.

    Returns
    -------
    Estimate
        Mean height of the common ancestor, in ranks: 1 for one genus, 7 where nothing is shared; lower is better.
        Chance is the mean over all candidates of other species. Only images with a candidate of their own species can
        be mistaken. Read it beside `knn_purity`: fewer mistakes may be worse ones.

    References
    ----------
    Bertinetto et al. 2020, CVPR, "Making better mistakes": mean height of the common ancestor over mistakes.
    """
    seen = _Kinship(swept)
    if seen.reason:
        return _undefined(swept, seen.reason)
    able = seen.candidates[:, seen.steps == 0].sum(axis=1) > 0
    wrong = able & (seen.step[:, 0] > 0)
    if not wrong.any():
        return _undefined(swept, "no nearest image is of another species" if able.any() else ALONE)
    others = np.where(seen.steps > 0, seen.candidates[wrong], 0)
    return mean_score(
        seen.step[wrong, 0],
        seen.tips[wrong],
        rng,
        chance=float(np.mean((others @ seen.steps) / others.sum(axis=1))),
        n_taxa=len(np.unique(seen.tips[wrong])),
        n_excluded=len(swept.rows.tips) - int(wrong.sum()),
        note=f"{wrong.sum():,} mistakes of {able.sum():,} images",
    )


class _Kinship:
    """Tree distance in ranks of images and their nearest images, and their candidates by that distance.

    `reason` says why there is none; else `tips` (m,), `step` (m, k) with NaN for no neighbour, `steps` (L,) and
    `candidates` (m, L) are those of the m images that have a neighbour.
    """

    def __init__(self, swept: Sweep) -> None:
        tips, near = swept.rows.tips, swept.indices
        if not near.shape[1]:
            raise ValueError("expected a sweep that found neighbours: pass k")
        rows = np.flatnonzero(near[:, 0] >= 0)
        self.tips, self.reason = tips[rows], ""
        if not len(rows):
            self.reason = "no image has a candidate"
            return
        if swept.rows.counts["n_taxa"] < 2:
            self.reason = ONE
            return
        k = len(swept.rows.tree.tips)
        levels = Levels.of(swept.rows.tree, np.arange(k))
        if not levels.clades:
            self.reason = "needs a taxonomy"
            return
        self.steps, (first, last) = levels.steps, levels.clades
        own, other = np.repeat(self.tips, near.shape[1]), tips[near[rows]].ravel()
        self.step = self.steps[levels.between_tips(own, other)].reshape(len(rows), -1)
        self.step[near[rows] < 0] = np.nan
        images = np.concatenate([[0], np.cumsum(np.bincount(tips[tips >= 0], minlength=k))])
        within = (images[last] - images[first]).T[self.tips]
        self.candidates = np.diff(within, axis=1, prepend=0)
        self.candidates[:, 0] -= 1
        self._leave_groups_out(swept, rows, levels)

    def _leave_groups_out(self, swept: Sweep, rows: np.ndarray, levels: Levels) -> None:
        place = np.full(len(swept.rows.tips), -1)
        place[rows] = np.arange(len(rows))
        grouped = np.flatnonzero((swept.groups >= 0) & (swept.rows.tips >= 0))
        grouped = grouped[np.argsort(swept.groups[grouped], kind="stable")]
        cuts = np.flatnonzero(np.diff(swept.groups[grouped])) + 1
        for members in np.split(grouped, cuts) if len(grouped) else ():
            tip, own, count = np.unique(swept.rows.tips[members], return_inverse=True, return_counts=True)
            level = levels.between_tips(np.repeat(tip, len(tip)), np.tile(tip, len(tip))).reshape(len(tip), -1)
            mates = np.stack([(level == one) @ count for one in range(len(self.steps))], axis=1)
            mates[:, 0] -= 1
            here = place[members] >= 0
            self.candidates[place[members][here]] -= mates[own[here]]


def _anchors(swept: Sweep) -> tuple[np.ndarray, np.ndarray]:
    """Scores and tips of the images that took part."""
    if not len(swept.scores) and len(swept.rows.tips):
        raise ValueError("expected a sweep that scored anchors: pass anchors=True")
    rows = np.flatnonzero(swept.rows.tips >= 0)
    return swept.scores[rows], swept.rows.tips[rows]


def _undefined(swept: Sweep, reason: str) -> Estimate:
    return Estimate.undefined(reason, **swept.rows.counts)


def _ratio(part: np.ndarray, whole: np.ndarray, units: np.ndarray, rng: np.random.Generator) -> tuple[float, dict]:
    """Σ part / Σ whole over images, and the interval that resamples units."""
    _, unit = np.unique(units, return_inverse=True)
    sums = np.stack([np.bincount(unit, weights=each) for each in (part, whole)], axis=1)
    value = float(sums[:, 0].sum() / sums[:, 1].sum())
    if len(sums) < 2:
        return value, {}
    above, below = (bootstrap_weights(len(sums), N_BOOTSTRAP, rng) @ sums).T
    replicates = np.divide(above, below, out=np.full(N_BOOTSTRAP, np.nan), where=below > 0)
    return value, interval(*percentile_interval(replicates))
