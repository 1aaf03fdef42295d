"""The text side: what the names of taxa tell of the tree of life, and whether images of a taxon lie near its name.

An embedding of names is a thing of its own: a model may order names and not pictures, or pictures and not names. So
these numbers have names of their own, and never enter those of the image side. Names of text type ``taxonomic`` hold
those of the taxa above: their embeddings may follow the tree by spelling alone, so ask ``scientific`` names too.

Names come as one pair a rank, from kingdom to species: taxa, shape (K,), int64, nodes of a taxonomy in ascending order,
and their unit vectors, shape (K, d).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from bioclip_probe.metrics.hierarchy import estimate_cophenetic_correlation
from bioclip_probe.metrics.measurement import random_stream as stream
from bioclip_probe.metrics.measurement import row
from bioclip_probe.metrics.scores import mean_score
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.similarity import similarity
from bioclip_probe.stats.centroids import centroids
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.rows import Rows, finite_rows
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement, Tree

Names = Sequence[tuple[np.ndarray, np.ndarray]]
BLOCK = 1024
TIED = 12  # decimals: equal names lie equally far, however products were summed
TIE = 1e-6  # names that lie as near, but for rounding


def measure_text(names: Names, tree: Tree, root: np.ndarray | None = None, seed: int = 0) -> list[dict]:
    """How far the names of taxa follow the tree.

    Parameters
    ----------
    names : one (taxa, vectors) a rank
    tree : Tree
        A taxonomy.
    root : ndarray, shape (d,), optional
        The vector of the prompt of all life, ``Eukarya``; give it with names of text type ``taxonomic``, in which each
        contains that of the taxon above.
    seed : int

    Returns
    -------
    list of dict
        Rows for `MEASUREMENTS`: metric, rank, tree and the fields of an `Estimate`.
        ``text_cophenetic_correlation`` at each rank: see `hierarchy.cophenetic_correlation`, each taxon at its name.
        ``text_radial_tau``, where `root` is given: see `radial_tau`.
    """
    rows = []
    for rank, (taxa, vectors) in zip(RANKS, names, strict=True):
        name = "text_cophenetic_correlation"
        coarse, new = tree.coarsen(rank)
        named = Rows.taxa(vectors, Placement(coarse, new[taxa]))
        found = estimate_cophenetic_correlation(named, stream(seed, name, rank), MeasureSettings())
        rows.append(row(name, rank, replace(found, n_images=0), tree="taxonomy"))
    if root is not None:
        found = radial_tau(names, tree, root, stream(seed, "text_radial_tau", RANKS[-1]))
        rows.append(row("text_radial_tau", RANKS[-1], found, tree="taxonomy"))
    return rows


def radial_tau(names: Names, tree: Tree, root: np.ndarray, rng: np.random.Generator) -> Estimate:
    """Whether the names of a species, from its kingdom down, lie ever farther from the prompt of all life.

    Kendall's tau-b, for each species, of rank and cosine distance from `root` over the ranks that it has; the mean over
    species.

    Parameters
    ----------
    names, tree, root
        As for `measure_text`.
    rng : numpy.random.Generator

    Returns
    -------
    Estimate
        In [-1, 1], higher is more in order; 0 without any order. The interval resamples species. A species is left out
        and counted, in the note, if fewer than two of its ranks have names or all of them lie equally far.

    References
    ----------
    Sastry et al. 2025, ICCV, arXiv 2506.21476, Table 1; Kendall 1945, Biometrika 33, 239 (tau-b).
    """
    species = names[-1][0]
    distance = np.full((len(RANKS), len(tree)), np.nan)
    for r, (taxa, vectors) in enumerate(names):
        cosine = finite_rows(vectors).astype(np.float64) @ root.astype(np.float64)
        distance[r, taxa] = np.round(1 - cosine, TIED)
    above = np.stack([tree.ancestor_at(rank)[species] for rank in RANKS])
    chain = np.where(above >= 0, np.take_along_axis(distance, np.maximum(above, 0), axis=1), np.nan)
    ordered, pairs, tied = np.zeros((3, len(species)))
    for upper in range(len(RANKS)):
        for lower in range(upper + 1, len(RANKS)):
            step = chain[lower] - chain[upper]
            ordered += np.sign(np.nan_to_num(step))
            pairs += ~np.isnan(step)
            tied += step == 0
    kept = pairs > tied
    if not kept.any():
        return Estimate.undefined("no species has names at two ranks that differ in distance", n_taxa=len(species))
    tau = ordered[kept] / np.sqrt(pairs[kept] * (pairs[kept] - tied[kept]))
    found = mean_score(tau, species[kept], rng, chance=0.0, n_taxa=len(tau))
    lost = f"{np.sum(~kept)} species have no two ranks to order" if not kept.all() else ""
    return replace(found, n_images=0, note=lost)


def measure_image_text(vectors: np.ndarray, placement: Placement, names: Names, seed: int = 0) -> list[dict]:
    """Whether the images of taxa lie as their names do, and near them, at each rank.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        Unit vectors of images.
    placement : Placement
        Of the images in a taxonomy.
    names : one (taxa, vectors) a rank
        Of the same taxonomy and the same model.
    seed : int

    Returns
    -------
    list of dict
        Rows for `MEASUREMENTS`: metric, rank, tree and the fields of an `Estimate`. Taxa are at the centroid of their
        images, back on the sphere; those without a name take no part, their images are counted as left out.

        ``image_text_rsa``: Pearson correlation, over pairs of taxa, of the cosine distance of their images and that of
        their names. In [-1, 1], higher is better; chance, p and interval as for ``rsa`` in `similarity`.
        ``image_text_accuracy``: share of taxa whose centroid is nearest to their own name among all names of the rank,
        of k names that are equally near 1/k. In [0, 1], higher is better; chance is 1/names. The interval resamples
        taxa.

    References
    ----------
    Kriegeskorte, Mur & Bandettini 2008, Front. Syst. Neurosci. 2, 4 (RSA); Radford et al. 2021, ICML (nearest name).
    """
    return [row(*each, tree="taxonomy") for each in _image_text(vectors, placement, names, seed)]


def _image_text(
    vectors: np.ndarray, placement: Placement, names: Names, seed: int
) -> Iterator[tuple[str, str, Estimate]]:
    metrics = ("image_text_rsa", "image_text_accuracy")
    for rank, (taxa, texts) in zip(RANKS, names, strict=True):
        labels = placement.at(rank)
        named = np.isin(labels, taxa)
        found = centroids(finite_rows(vectors)[named], Placement(placement.tree, placement.node[named]).coarsen(rank))
        own = np.full(len(found.counts), -1)
        own[found.groups] = np.searchsorted(taxa, labels[named])
        n_images = int(named.sum())
        counts = {"n_images": n_images, "n_taxa": len(own), "n_excluded": len(labels) - n_images}
        rngs = [stream(seed, metric, rank) for metric in metrics]
        lost = int(np.isnan(found.directions).any(axis=1).sum())
        reason = f"the images of {lost} taxa cancel out: their centroid has no direction" if lost else ""
        if not len(own) or len(taxa) < 2:
            reason = f"needs at least 2 names and images of one of them, found {len(taxa)} and {n_images} images"
        if reason:
            yield from ((metric, rank, Estimate.undefined(reason, **counts)) for metric in metrics)
            continue
        at_names = Placement(found.tree, found.tree.tips)
        rsa = similarity(found.directions, texts[own], at_names, rngs[0])["rsa"]
        yield metrics[0], rank, replace(rsa, **counts)
        share = _nearest_own(found.directions, texts, own)
        accuracy = mean_score(share, np.arange(len(own)), rngs[1], chance=1 / len(taxa))
        resampled = rank if accuracy.resampled else ""
        yield metrics[1], rank, replace(accuracy, resampled=resampled, **counts)


def _nearest_own(points: np.ndarray, texts: np.ndarray, own: np.ndarray) -> np.ndarray:
    """1 where the nearest of the texts is a point's own, 1/k where k are equally near, else 0; shape (len(points),)."""
    share = np.zeros(len(points))
    for start in range(0, len(points), BLOCK):
        rows = slice(start, start + BLOCK)
        cosine = points[rows] @ texts.T.astype(points.dtype)
        nearest = cosine >= cosine.max(axis=1, keepdims=True) - TIE
        share[rows] = nearest[np.arange(len(cosine)), own[rows]] / nearest.sum(axis=1)
    return share
