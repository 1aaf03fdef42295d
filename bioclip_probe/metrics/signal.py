"""Phylogenetic signal: how much more alike relatives are than Brownian motion on the tree would make them."""

from __future__ import annotations

import numpy as np

from bioclip_probe.metrics.scores import JACKKNIFE, interval
from bioclip_probe.stats.centroids import centroids
from bioclip_probe.stats.contrasts import Contrasts, Edges, centred_traits, permuted_signal
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.resampling import jackknife_interval, permutation_p
from bioclip_probe.stats.rows import ResamplingUnits, Rows, finite_rows
from bioclip_probe.tree.tree import Placement, Tree

N_PERMUTATIONS = 999
FLAT = 1e-12  # a mean squared distance from the mean below this is rounding


def k_mult(
    vectors: np.ndarray, placement: Placement, rng: np.random.Generator, units: ResamplingUnits | None = None
) -> Estimate:
    """K_mult: phylogenetic signal of an embedding on a tree with branch lengths.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors, one per image.
    placement : Placement
        On a phylogeny, ultrametric or not; a taxonomy serves too. The traits of the taxon at a tip are the mean of its
        unit vectors, not put back on the sphere: the measure is about Euclidean space.
    rng : numpy.random.Generator
    units : ResamplingUnits, optional
        What the interval resamples; the taxa themselves if not given.

    Returns
    -------
    Estimate
        With a the phylogenetic mean of n taxa,
        K = [Σ‖x_i - a‖² / tr((X - a)ᵀC⁻¹(X - a))] / [(tr C - n/(1ᵀC⁻¹1))/(n - 1)], above 0, higher is better. 1 is
        what Brownian motion along the tree gives; where it is more, relatives are more alike than that. Chance is the
        mean with the taxa permuted. It lies near 0 on trees with very short tips and near 1 on those with long ones:
        compare K on one tree only. `p_value` is one-sided, (b + 1)/(m + 1). The interval leaves out one group of units
        after the other. Undefined with fewer than three taxa, where the centroids do not vary, on a star tree, and
        where two taxa are at one point of the tree, so that no difference between them could be.

    Raises
    ------
    DataError
        If a vector is not finite.

    Notes
    -----
    By independent contrasts, O(nodes·d) for each permutation and each group; see `contrasts`.

    References
    ----------
    Adams 2014, Syst. Biol. 63, 685, eq. 7; Blomberg et al. 2003, Evolution 57, 717; Felsenstein 1985, Am. Nat. 125, 1.
    """
    taxa = centroids(finite_rows(vectors), placement)
    rows = Rows(taxa.tree, taxa.means, np.arange(len(taxa.counts)), taxa.groups)
    if rows.counts["n_taxa"] < 3:
        return Estimate.undefined(f"needs at least 3 taxa, found {rows.counts['n_taxa']}", **rows.counts)
    traits, edges = centred_traits(taxa.means), Edges(taxa.tree)
    contrasts = Contrasts.of(edges)
    if reason := _undefined(traits, taxa.tree, contrasts):
        return Estimate.undefined(reason, **rows.counts)
    as_is = np.arange(len(traits))[None]
    value = float(contrasts.signal(traits, as_is)[0])
    null = permuted_signal(contrasts, traits, N_PERMUTATIONS, rng)
    name, part = rows.jackknife_groups(units, rng)
    deleted = [
        _without(edges, traits, part == number) if np.sum(part != number) > 1 else np.nan
        for number in range(int(part.max()) + 1)
    ]
    ends = interval(*jackknife_interval(value, np.array(deleted), (0.0, np.inf)), JACKKNIFE, name)
    p = permutation_p(value, null)
    return Estimate(value, chance=float(null.mean()), **{"resampled": name, **ends}, p_value=p, **rows.counts)


def _without(edges: Edges, traits: np.ndarray, out: np.ndarray) -> float:
    contrasts = Contrasts.of(edges, ~out)
    return float(contrasts.signal(traits, np.arange(len(traits))[None])[0])


def _undefined(traits: np.ndarray, tree: Tree, contrasts: Contrasts) -> str:
    if contrasts.coinciding:
        return f"no branch parts {contrasts.coinciding + 1} or more taxa of the tree"
    if np.square(traits).sum() <= FLAT * len(traits):
        return "the centroids do not vary"
    if np.sum(np.bincount(tree.parent[1:]) > 1) < 2:
        return "on a star tree all taxa are equally related"
    return ""
