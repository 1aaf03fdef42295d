"""Measurements of a sample: every metric of every encoder, and of pairs of encoders, as tables."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from bioclip_probe import metrics
from bioclip_probe.errors import DataError
from bioclip_probe.extraction.prompts import NESTED_TYPE, PLAIN_TYPE
from bioclip_probe.metrics.bands import with_bands
from bioclip_probe.metrics.endpoints import TAXONOMY
from bioclip_probe.metrics.intervals import with_note
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.registry import DIFFERENCE
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import ControlPair, EmbeddingPair, SharedResults
from bioclip_probe.metrics.text import TextEmbeddings
from bioclip_probe.stats.centroids import centroids
from bioclip_probe.stats.embeddings import Embeddings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.rows import ResamplingUnits
from bioclip_probe.stats.threads import matched_threads
from bioclip_probe.study.sample import WHOLE, Sample
from bioclip_probe.tables import MEASUREMENTS, RANKS
from bioclip_probe.tree import Placement

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


@dataclass(frozen=True)
class Part:
    """The subject of some measurements: one encoder in one space, on one tree, in one part of the dataset.

    Attributes
    ----------
    encoder, space, tree, split : str
        As in the columns of measurements.

    Examples
    --------
    >>> Part("bioclip", "raw", "taxonomy").split
    'all'
    """

    encoder: str
    space: str
    tree: str
    split: str = WHOLE


#: The measurements of all encoders, with the replicates from which differences between encoders are made.
Measured = dict[Part, list[Measurement]]


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
    return table_of(sample, measurements(sample, settings, executor), settings)


def measurements(
    sample: Sample,
    settings: MeasureSettings = DEFAULTS,
    executor: Executor | None = None,
    spaces: Sequence[str] = SPACES,
) -> Measured:
    """Return the measurements that `measure` makes a table of, with their replicates.

    Parameters
    ----------
    sample, settings, executor
        As for `measure`. The metrics whose differences the settings name are measured too.
    spaces : sequence of str
        ``raw`` and ``centred``, or one of them.

    Returns
    -------
    dict from Part to list of Measurement

    Raises
    ------
    ProbeError
        As for `measure`.

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> [part.space for part in measurements(corvid_sample(), MeasureSettings(metrics=("silhouette",)))]
    ['raw', 'centred']
    """
    metrics.check_metrics(settings.metrics)
    needed = dict.fromkeys(name.removesuffix(DIFFERENCE) for name in settings.metrics)
    needed_settings = replace(settings, metrics=tuple(needed))
    measured: Measured = {}
    for encoder, embeddings in sample.embeddings.items():
        log.info("measuring %s", encoder)
        with matched_threads(embeddings.vectors.size * len(sample.placement.tree.tips)):
            for space in spaces:
                measured |= _measurements_of(sample, encoder, space, needed_settings, executor)
    return measured


def table_of(sample: Sample, measured: Measured, settings: MeasureSettings = DEFAULTS) -> pd.DataFrame:
    """Return measurements as a table.

    Parameters
    ----------
    sample : Sample
    measured : dict from Part to list of Measurement
        See `measurements`.
    settings : MeasureSettings
        Which metrics.

    Returns
    -------
    DataFrame
        A `MEASUREMENTS` table.

    Examples
    --------
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> len(table_of(corvid_sample(), {}))
    0
    """
    rows = (row.as_row(**asdict(part)) for part, own in measured.items() for row in _asked_for(own, settings))
    return sample.table(rows)


def _measurements_of(
    sample: Sample, encoder: str, space: str, settings: MeasureSettings, executor: Executor | None
) -> Measured:
    """Return the measurements of one encoder in one space: of all images, on each tree, then of each part."""
    vectors, reason = _in_space(sample.embeddings[encoder], space)
    whole = SharedResults(vectors, sample.placement, settings, groups=sample.groups, executor=executor)
    measured = {Part(encoder, space, TAXONOMY): with_bands(metrics.measure(whole), settings)}
    for tree, (placement, _) in sample.trees.items():
        units = _units(sample, placement, settings)
        on_phylogeny = SharedResults(vectors, placement, settings, units=units, executor=executor)
        measured[Part(encoder, space, tree)] = metrics.measure(on_phylogeny)
    if reason:
        measured = {part: _undefined(rows, reason) for part, rows in measured.items()}
    for name, part in _parts(sample).items():
        vectors, reason = _in_space(part.embeddings[encoder], space)
        shared = SharedResults(vectors, part.placement, settings, ranks=RANKS[-1:], executor=executor)
        rows = [_noted(row) for row in metrics.measure(shared, parts=True)]
        measured[Part(encoder, space, TAXONOMY, name)] = _undefined(rows, reason) if reason else rows
    return measured


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


def _undefined(rows: Sequence[Measurement], reason: str) -> list[Measurement]:
    """Return measurements without their values, for a reason."""
    return [
        replace(row, estimate=Estimate.undefined(reason, own.n_images, own.n_taxa, own.n_excluded))
        for row in rows
        for own in (row.estimate,)
    ]


def _noted(row: Measurement) -> Measurement:
    """Return a measurement of a part of the dataset with the note that parts do not compare."""
    note = f"{row.estimate.n_taxa} species of one part; compare models in a part, not parts with other species"
    return replace(row, estimate=with_note(row.estimate, note))


def _asked_for(rows: Sequence[Measurement], settings: MeasureSettings) -> list[Measurement]:
    """Return the measurements that the settings name."""
    return [row for row in rows if not settings.metrics or row.metric in settings.metrics]


def _units(sample: Sample, placement: Placement, settings: MeasureSettings) -> ResamplingUnits | None:
    """Return the taxa that intervals on a phylogeny leave out, of its images: a phylogeny has no ranks of its own."""
    rank = settings.resample
    if rank == RANKS[-1]:
        return None
    return ResamplingUnits(rank, np.where(placement.node >= 0, sample.placement.at(rank), -1))


def compare(sample: Sample, settings: MeasureSettings = DEFAULTS, measured: Measured | None = None) -> pd.DataFrame:
    """Return what every two encoders differ in, how alike they are, and what each is worth beyond the controls.

    Parameters
    ----------
    sample : Sample
    settings : MeasureSettings
    measured : dict from Part to list of Measurement, optional
        What `measurements` returned for the sample and the settings; measured anew by default.

    Returns
    -------
    DataFrame
        A `MEASUREMENTS` table with ``encoder_b``, of raw embeddings: the difference in every number, at every rank, on
        every tree and in every part (above 0 where that of `encoder` is larger), similarity, and, beside each control,
        the residual correlation.

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
    names = list(sample.embeddings)
    if len(names) < 2:
        return MEASUREMENTS.frame()
    if measured is None:
        measured = measurements(sample, settings, spaces=("raw",))
    rows: list[dict] = []
    vectors = {name: embeddings.vectors for name, embeddings in sample.embeddings.items()}
    shared = {name: SharedResults(own, sample.placement, settings) for name, own in vectors.items()}
    with matched_threads(max(own.size for own in vectors.values()) * len(sample.placement.tree.tips)):
        for first, second in itertools.combinations(names, 2):
            log.info("comparing %s and %s", first, second)
            rows += _differences(sample, first, second, measured, settings)
            pair = EmbeddingPair(shared[first], shared[second])
            both = {"encoder": first, "encoder_b": second}
            rows += [row.as_row(**both, tree=TAXONOMY) for row in metrics.measure(pair)]
        for control, name in itertools.product(sample.controls, names):
            if name != control:
                beside = ControlPair(shared[name], shared[control])
                both = {"encoder": name, "encoder_b": control}
                rows += [row.as_row(**both, tree=TAXONOMY) for row in metrics.measure(beside)]
    return sample.table(rows, space="raw")


def _differences(
    sample: Sample, first: str, second: str, measured: Measured, settings: MeasureSettings
) -> Iterator[dict]:
    """Yield the differences of two encoders in every number that both have, as rows."""
    for part, rows in measured.items():
        other = measured.get(replace(part, encoder=second))
        if part.encoder != first or part.space != "raw" or other is None:
            continue
        differences = metrics.paired_differences(rows, other, settings, dated=part.tree in sample.trees)
        for row in _asked_for(differences, settings):
            yield row.as_row(encoder_b=second, **asdict(part))


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
        rows = [row.as_row(tree=TAXONOMY) for row in metrics.measure(text_embeddings)]
        tables.append(sample.table(rows, encoder=name, space="raw", protocol=kind))
    return pd.concat(tables, ignore_index=True)
