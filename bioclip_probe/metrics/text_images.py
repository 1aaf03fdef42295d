"""Images and names of taxa: whether their distances agree, and whether images lie nearest to their own name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bioclip_probe.metrics.intervals import with_interval
from bioclip_probe.metrics.measurement import Measurement, random_stream
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.similarity import estimate_similarity
from bioclip_probe.metrics.text import NamedCentroids, TextEmbeddings
from bioclip_probe.metrics.units import taxon_jackknife
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.rows import Rows
from bioclip_probe.tree.tree import Placement

BLOCK = 1024
TIE = 1e-6  # names whose cosines differ by less are equally near


def image_text_rsa(
    texts: TextEmbeddings, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the correlation, over pairs of taxa, of the distance of their images and the distance of their names.

    Parameters
    ----------
    texts : TextEmbeddings
        With images.
    placement : Placement, optional
        Every metric takes one; here it is that of the texts.
    settings : MeasureSettings, optional
        As for ``rsa`` in `encoder_similarity`; by default the settings of the texts.

    Returns
    -------
    list of Measurement
        One for each rank, none without images. Pearson correlation of cosine distances, in [-1, 1], higher is better;
        chance, p-value and interval as for ``rsa`` in `encoder_similarity`. A taxon lies at the centroid of its images,
        normalised to length 1. Taxa without a name are left out, and their images are counted as excluded.

    Raises
    ------
    DataError
        If a vector is not finite.

    References
    ----------
    Kriegeskorte, Mur & Bandettini 2008, Front. Syst. Neurosci. 2, 4.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_names
    >>> image_text_rsa(corvid_names())[-1].estimate.note
    'needs at least 4 taxa, found 3'
    """
    settings = settings or texts.settings
    metric, measurements = "image_text_rsa", []
    for rank, taxa in texts.centroids.items():
        estimate = Estimate.undefined(taxa.reason_undefined)
        if not taxa.reason_undefined:
            rng = random_stream(settings.seed, metric, rank)
            images, names = (Rows.taxa(vectors, taxa.placement) for vectors in (taxa.points, taxa.texts[taxa.own]))
            jackknife = taxon_jackknife(taxa.placement, rank, settings)
            estimate = estimate_similarity(images, names, jackknife, rng, settings)["rsa"]
        measurements.append(Measurement(metric, rank, replace(estimate, **taxa.counts)))
    return measurements


def image_text_accuracy(
    texts: TextEmbeddings, placement: Placement | None = None, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the share of taxa whose centroid lies nearest to their own name among all names of the rank.

    Parameters
    ----------
    texts : TextEmbeddings
        With images.
    placement : Placement, optional
        Every metric takes one; here it is that of the texts.
    settings : MeasureSettings, optional
        `n_groups`, `resample`, `level` and `seed` are used; by default the settings of the texts.

    Returns
    -------
    list of Measurement
        One for each rank, none without images. In [0, 1], higher is better; of k names that are equally near, each
        counts 1/k. Chance is 1/names, with whole taxa permuted over the names (null: species). The interval leaves out
        one group of taxa after the other, with their images and with their names.

    Raises
    ------
    DataError
        If a vector is not finite.

    References
    ----------
    Radford et al. 2021, ICML (the nearest name).

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvid_names
    >>> image_text_accuracy(corvid_names())[-1].value
    1.0
    """
    settings = settings or texts.settings
    metric, measurements = "image_text_accuracy", []
    for rank, taxa in texts.centroids.items():
        estimate = Estimate.undefined(taxa.reason_undefined)
        if not taxa.reason_undefined:
            estimate = _accuracy(taxa, taxon_jackknife(Placement(texts.tree, taxa.taxa), rank, settings), settings)
        measurements.append(Measurement(metric, rank, replace(estimate, **taxa.counts)))
    return measurements


def _accuracy(taxa: NamedCentroids, jackknife: Jackknife, settings: MeasureSettings) -> Estimate:
    """Return the share of centroids nearest to their own name; `jackknife` is one of the names."""
    shares = _shares_nearest_own(taxa, jackknife)
    estimate = Estimate(float(shares[:, -1].mean()), chance=1 / len(taxa.texts), null="species")
    group = jackknife.group[taxa.own]
    kept = group[:, None] != np.arange(jackknife.n_groups)
    sums, n_kept = np.where(kept, shares[:, :-1], 0.0).sum(axis=0), kept.sum(axis=0)
    deleted = np.divide(sums, n_kept, out=np.full(len(sums), np.nan), where=n_kept > 0)
    return with_interval(estimate, deleted, jackknife.take(taxa.own), settings, (0.0, 1.0))


def _shares_nearest_own(taxa: NamedCentroids, jackknife: Jackknife) -> np.ndarray:
    """Return whether the name nearest to each centroid is its own, without each group and with all, shape (k, G + 1).

    It is 1/m where the own name and m - 1 others are equally near. One product serves all groups: the nearest name
    without a group is the nearest one of the other groups.
    """
    n_groups = jackknife.n_groups
    order = np.argsort(jackknife.group, kind="stable")
    group, texts = jackknife.group[order], taxa.texts[order]
    own = np.argsort(order)[taxa.own]
    present, starts = np.unique(group, return_index=True)
    shares = np.zeros((len(taxa.points), n_groups + 1))
    for start in range(0, len(taxa.points), BLOCK):
        rows = slice(start, start + BLOCK)
        cosine = taxa.points[rows] @ texts.T.astype(taxa.points.dtype)
        of_own = cosine[np.arange(len(cosine)), own[rows]]
        best = np.full((len(cosine), n_groups), -np.inf)
        best[:, present] = np.maximum.reduceat(cosine, starts, axis=1)
        first = best.argmax(axis=1)
        nearest = best[np.arange(len(cosine)), first]
        best[np.arange(len(cosine)), first] = -np.inf
        others = best.max(axis=1, initial=-np.inf)  # the nearest name of the groups that do not hold the nearest
        equal = np.zeros((2, len(cosine), n_groups))
        for number, limit in enumerate((nearest, others)):
            near = (cosine >= limit[:, None] - TIE).astype(np.float64)
            equal[number][:, present] = np.add.reduceat(near, starts, axis=1)
        with_all = equal[0].sum(axis=1)
        share = np.where((of_own >= nearest - TIE)[:, None], 1 / np.maximum(with_all[:, None] - equal[0], 1), 0.0)
        without_first = equal[1].sum(axis=1) - equal[1][np.arange(len(cosine)), first]
        share[np.arange(len(cosine)), first] = (of_own >= others - TIE) / np.maximum(without_first, 1)
        shares[rows, :-1], shares[rows, -1] = share, (of_own >= nearest - TIE) / with_all
    return shares
