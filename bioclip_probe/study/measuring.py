"""Measurements of a sample: every metric of every encoder, and of pairs of encoders, as tables."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor

import numpy as np
import pandas as pd

from bioclip_probe import metrics
from bioclip_probe.errors import DataError
from bioclip_probe.extraction.prompts import NESTED_TYPE, PLAIN_TYPE
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import ControlPair, EmbeddingPair, SharedResults
from bioclip_probe.metrics.text import TextEmbeddings
from bioclip_probe.stats.centroids import centroids
from bioclip_probe.stats.embeddings import Embeddings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.rows import ResamplingUnits
from bioclip_probe.stats.threads import matched_threads
from bioclip_probe.study.sample import Sample
from bioclip_probe.tables import MEASUREMENTS, RANKS

log = logging.getLogger(__name__)

SPACES = ("raw", "centred")
DEFAULTS = MeasureSettings()


def taxa(sample: Sample, rank: str, encoder: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the embeddings of the taxa of a rank: their number of images, their spread, and their mean vector.

    Parameters
    ----------
    sample : Sample
    rank : str
    encoder : str
        Name of one of the encoders of the sample.

    Returns
    -------
    table : DataFrame, k rows
        Columns taxon (path from the root), name, n_images, spread (root mean squared distance of the unit vectors from
        their mean, in [0, 1]), in the order of the taxonomy.
    means : ndarray, shape (k, d), float64
        Mean of the unit vectors of each taxon; row i belongs to row i of the table.

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> table, means = taxa(corvid_sample(), "genus", "toy")
    >>> table["name"].tolist(), means.shape
    (['Corvus', 'Pica'], (2, 2))
    """
    means = centroids(sample.embeddings[encoder].vectors, sample.placement.coarsen(rank))
    tips = means.tree.tips.tolist() if len(means.counts) else []
    table = pd.DataFrame(
        {
            "taxon": [means.tree.path(tip) for tip in tips],
            "name": [str(means.tree.name[tip]) for tip in tips],
            "n_images": means.counts,
            "spread": means.spread,
        }
    )
    return table, means.means


def measure(sample: Sample, settings: MeasureSettings = DEFAULTS, executor: Executor | None = None) -> pd.DataFrame:
    """Return the metrics of every encoder, raw and centred, in the taxonomy and on the sample's phylogenies.

    Where the dataset has parts (``split``, e.g. species seen and unseen in training), agreement with the tree is also
    given for each part. `compare` does the same for pairs of encoders.

    Parameters
    ----------
    sample : Sample
    settings : MeasureSettings
        Which metrics; permutations, replicates, the resampled unit, the seed.
    executor : Executor, optional
        Its workers compare all pairs of images, e.g. one that `executors.open_executor` gives.

    Returns
    -------
    DataFrame
        A `MEASUREMENTS` table.

    Raises
    ------
    ProbeError
        If there is no metric of a name in the settings.

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> measure(corvid_sample(), MeasureSettings(metrics=("silhouette",)))["metric"].unique().tolist()
    ['silhouette']
    """
    metrics.check_metrics(settings.metrics)
    tables = [MEASUREMENTS.frame()]
    for encoder, embeddings in sample.embeddings.items():
        log.info("measuring %s", encoder)
        with matched_threads(embeddings.vectors.size * len(sample.placement.tree.tips)):
            for space in SPACES:
                rows = list(_rows(sample, encoder, space, settings, executor))
                tables.append(sample.table(rows, encoder=encoder, space=space))
    return pd.concat(tables, ignore_index=True)


def _rows(
    sample: Sample, encoder: str, space: str, settings: MeasureSettings, executor: Executor | None
) -> Iterator[dict]:
    """Yield the rows of one encoder in one space: of all images, on each tree, then of each part of the dataset."""
    vectors, reason = _in_space(sample.embeddings[encoder], space)
    whole = SharedResults(vectors, sample.placement, settings, groups=sample.groups, executor=executor)
    yield from _as_rows(metrics.measure(whole), reason, tree="taxonomy")
    for tree, (placement, _) in sample.trees.items():
        units = _units(sample, settings)
        on_phylogeny = SharedResults(vectors, placement, settings, units=units, executor=executor)
        yield from _as_rows(metrics.measure(on_phylogeny), reason, tree=tree)
    for name, part in _parts(sample).items():
        vectors, reason = _in_space(part.embeddings[encoder], space)
        shared = SharedResults(vectors, part.placement, settings, ranks=RANKS[-1:], executor=executor)
        yield from _as_rows(metrics.measure(shared, parts=True), reason, tree="taxonomy", split=name)


def _parts(sample: Sample) -> dict[str, Sample]:
    """Return the parts of the dataset by name, where it has several."""
    split = sample.images["split"]
    names = sorted(split.dropna().unique())
    return {name: sample.take(np.flatnonzero(split == name)) for name in names} if len(names) > 1 else {}


def _in_space(embeddings: Embeddings, space: str) -> tuple[np.ndarray, str]:
    """Return the vectors of a space; where centring leaves an image without direction, the raw ones and the reason."""
    if space == "raw":
        return embeddings.vectors, ""
    try:
        return embeddings.centred().vectors, ""
    except DataError as error:
        return embeddings.vectors, str(error)


def _as_rows(measurements: Sequence[Measurement], reason: str, **columns: object) -> Iterator[dict]:
    """Yield measurements as rows; with a `reason` all of them are undefined."""
    for row in measurements:
        estimate = row.estimate
        if reason:
            counts = (estimate.n_images, estimate.n_taxa, estimate.n_excluded)
            estimate = Estimate.undefined(reason, *counts)
        yield Measurement(row.metric, row.rank, estimate, row.taxon, row.split).as_row(**columns)


def _units(sample: Sample, settings: MeasureSettings) -> ResamplingUnits | None:
    """Return the taxa that intervals on a phylogeny resample: a phylogeny has no ranks of its own."""
    rank = settings.resample
    return None if rank == RANKS[-1] else ResamplingUnits(rank, sample.placement.at(rank))


def compare(sample: Sample, settings: MeasureSettings = DEFAULTS) -> pd.DataFrame:
    """Return the metrics of every two encoders, and what each one's agreement is worth beyond the controls.

    Parameters
    ----------
    sample : Sample
    settings : MeasureSettings

    Returns
    -------
    DataFrame
        A `MEASUREMENTS` table with ``encoder_b``, of raw embeddings: differences in tree agreement (above 0 where
        `encoder` follows the tree more closely), similarity, and, beside each control, the residual correlation.

    Raises
    ------
    ProbeError
        If there is no metric of a name in the settings.

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> len(compare(corvid_sample()))  # one encoder has no other to be compared with
    0
    """
    metrics.check_metrics(settings.metrics)
    tables = [MEASUREMENTS.frame()]
    shared = {
        name: SharedResults(embeddings.vectors, sample.placement, settings)
        for name, embeddings in sample.embeddings.items()
    }
    largest = max(embeddings.vectors.size for embeddings in sample.embeddings.values())
    with matched_threads(largest * len(sample.placement.tree.tips)):
        for first, second in itertools.combinations(shared, 2):
            log.info("comparing %s and %s", first, second)
            rows = _as_rows(metrics.measure(EmbeddingPair(shared[first], shared[second])), "", tree="taxonomy")
            tables.append(sample.table(rows, encoder=first, encoder_b=second, space="raw"))
        for control, name in itertools.product(sample.controls, shared):
            if name != control:
                rows = _as_rows(metrics.measure(ControlPair(shared[name], shared[control])), "", tree="taxonomy")
                tables.append(sample.table(rows, encoder=name, encoder_b=control, space="raw"))
    return pd.concat(tables, ignore_index=True)


def texts(
    sample: Sample, types: Sequence[str] = (PLAIN_TYPE, NESTED_TYPE), settings: MeasureSettings = DEFAULTS
) -> pd.DataFrame:
    """Return how the names of taxa follow the tree, and how the images of taxa lie to their names.

    Parameters
    ----------
    sample : Sample
        With `names`; without any there are no rows.
    types : sequence of str
        Text types; in the measurements they are the `protocol`.
    settings : MeasureSettings

    Returns
    -------
    DataFrame
        A `MEASUREMENTS` table.

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> len(texts(corvid_sample()))  # no names were embedded
    0
    """
    tables = [MEASUREMENTS.frame()]
    for name, kind in itertools.product(sample.names, types):
        log.info("measuring the names of %s, type %s", name, kind)
        names = sample.named(name, kind)
        root = sample.named_root(name, kind) if kind == NESTED_TYPE else None
        images = SharedResults(sample.embeddings[name].vectors, sample.placement, settings)
        text_embeddings = TextEmbeddings(names, sample.placement, root, images, settings)
        rows = _as_rows(metrics.measure(text_embeddings), "", tree="taxonomy")
        tables.append(sample.table(rows, encoder=name, space="raw", protocol=kind))
    return pd.concat(tables, ignore_index=True)
