"""Measurements of a sample: every metric of every encoder, and of pairs of encoders, as tables."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, replace
from functools import cache, partial

import numpy as np
import pandas as pd

from bioclip_probe import metrics
from bioclip_probe.errors import DataError
from bioclip_probe.extraction.prompts import NESTED_TYPE, PLAIN_TYPE
from bioclip_probe.metrics.bands import with_bands
from bioclip_probe.metrics.endpoints import TAXONOMY
from bioclip_probe.metrics.intervals import with_note
from bioclip_probe.metrics.matrix import matrix_correlations
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.registry import DIFFERENCE
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.metrics.text import TextEmbeddings
from bioclip_probe.stats.embeddings import Embeddings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.rows import ResamplingUnits
from bioclip_probe.stats.threads import matched_threads
from bioclip_probe.study.checkpoints import NOWHERE, Checkpoints, Content, with_progress
from bioclip_probe.study.piece import Piece
from bioclip_probe.study.sample import WHOLE, Sample
from bioclip_probe.study.stored_measurements import measurements_of_table, measurements_table, rows_of_sample
from bioclip_probe.study.tip_ranks import at_rank_of_tips, with_units_of_tips
from bioclip_probe.tables import MEASUREMENTS, RANKS
from bioclip_probe.tree import Placement
from bioclip_probe.tree.distance_matrix import MatrixPlacement
from bioclip_probe.tree.placing import rank_of_matches

SPACES = ("raw", "centred")
DEFAULTS = MeasureSettings()
#: Numbers in the vectors of an encoder up to which its spaces are measured apart, so that each can have a process. All
#: pairs of images are then multiplied for each space, which is little beside the rest. Of larger vectors the products
#: serve both spaces.
MOST_APART = 2**23


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


def settings_of(part: Part, settings: MeasureSettings) -> MeasureSettings:
    """Return the settings for a part of a study: the primary endpoints alone have `n_primary_permutations`.

    They are numbers of raw vectors of the whole dataset.

    Parameters
    ----------
    part : Part
    settings : MeasureSettings
        Of the study.

    Returns
    -------
    MeasureSettings

    Examples
    --------
    >>> spaces = Part("bioclip", "raw", "taxonomy"), Part("bioclip", "centred", "taxonomy")
    >>> [settings_of(part, MeasureSettings()).n_primary_permutations for part in spaces]
    [9999, 999]
    """
    if part.space == SPACES[0] and part.split == WHOLE:
        return settings
    fewer = min(settings.n_permutations, settings.n_primary_permutations)
    return replace(settings, n_primary_permutations=fewer)


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
    measured = with_progress(
        "measuring", lambda checkpoints: measurements(sample, settings, executor, SPACES, checkpoints)
    )
    return table_of(sample, measured, settings)


def measurements(
    sample: Sample,
    settings: MeasureSettings = DEFAULTS,
    executor: Executor | None = None,
    spaces: Sequence[str] = SPACES,
    checkpoints: Checkpoints = NOWHERE,
) -> Measured:
    """Return the measurements that `measure` makes a table of, with their replicates.

    Parameters
    ----------
    sample, settings, executor
        As for `measure`. The metrics whose differences the settings name are measured too.
    spaces : sequence of str
        ``raw`` and ``centred``, or one of them.
    checkpoints : Checkpoints
        Where finished measurements are stored; a piece is one `Part`. By default nowhere.

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
    settings = replace(settings, metrics=tuple(needed))
    measured: Measured = {}
    for encoder in sample.embeddings:
        measuring = _EncoderMeasuring(sample, encoder, settings, executor, checkpoints.advance)
        for part in measuring.parts(spaces):
            content = checkpoints.content(measuring.piece(part), partial(measuring.content, part))
            measured[part] = measurements_of_table(content.table)
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
    rows = (
        with_units_of_tips(row, sample, part.tree).as_row(**asdict(part))
        for part, own in measured.items()
        for row in asked_for(own, settings)
    )
    return sample.table(rows)


class _EncoderMeasuring:
    """The measuring of one encoder: its parts, and what they share."""

    def __init__(
        self,
        sample: Sample,
        encoder: str,
        settings: MeasureSettings,
        executor: Executor | None,
        advance: Callable[[float], object],
    ) -> None:
        self.sample, self.encoder, self.settings, self.executor = sample, encoder, settings, executor
        self._measure = partial(metrics.measure, advance=advance)
        self._vectors = cache(partial(_in_space, sample.embeddings[encoder]))
        self._apart = sample.embeddings[encoder].vectors.size <= MOST_APART
        self._spaces: tuple[str, ...] = ()
        self._in_taxonomy: dict[str, SharedResults] = {}

    def parts(self, spaces: Sequence[str]) -> list[Part]:
        """Return the parts to measure: in each space all images on each tree, then each part of the dataset."""
        self._spaces = tuple(spaces)
        names = sorted(self.sample.images["split"].dropna().unique())
        return [
            Part(self.encoder, space, *which)
            for space in spaces
            for which in [
                (TAXONOMY,),
                *((tree,) for tree in self.sample.trees),
                *((TAXONOMY, name) for name in names if len(names) > 1),
            ]
        ]

    def piece(self, part: Part) -> Piece:
        """Return the piece of a part."""
        inputs, weight = [("images", ""), ("vectors", self.encoder)], 1.0
        subject = [self.encoder, part.space, part.tree]
        if part.tree != TAXONOMY:
            inputs, weight = [*inputs, ("tree", part.tree)], 0.5
        if part.split != WHOLE:
            subject, weight = [*subject, part.split], 0.3
        group = "" if self._apart else self.encoder
        return Piece("measure", ", ".join(subject), tuple(inputs), asdict(self.settings), weight, group)

    def content(self, part: Part) -> Content:
        """Measure a part."""
        tips = len(self.sample.placement.tree.tips)
        with matched_threads(self.sample.embeddings[self.encoder].vectors.size * tips):
            rows, reason = self._of_part(part) if part.split != WHOLE else self._of_all(part)
        return Content(measurements_table(_undefined(rows, reason) if reason else rows))

    def _of_all(self, part: Part) -> tuple[list[Measurement], str]:
        """Return the measurements of all images, and why they are undefined, if they are."""
        sample, settings = self.sample, settings_of(part, self.settings)
        vectors, reason = self._vectors(part.space)
        if part.tree == TAXONOMY:
            shared = self._shared(part.space)  # of large vectors made for both spaces, with the settings of the first
            shared.settings = replace(shared.settings, n_primary_permutations=settings.n_primary_permutations)
            return with_bands(self._measure(shared), settings), reason
        placement, matches = sample.trees[part.tree]
        units = _units(sample, placement, settings)
        if isinstance(placement, MatrixPlacement):
            rows = matrix_correlations(vectors, placement, settings, units)
        else:
            rows = self._measure(SharedResults(vectors, placement, settings, units=units, executor=self.executor))
        return [at_rank_of_tips(row, rank_of_matches(matches)) for row in rows], reason

    def _shared(self, space: str) -> SharedResults:
        """Return the shared results in a space; that of large vectors is compared with the spaces that follow."""
        if space not in self._in_taxonomy:
            following, sample = self._spaces[self._spaces.index(space) :], self.sample
            spaces = following[:1] if self._apart else following
            vectors = [self._vectors(each)[0] for each in spaces]
            of_spaces = SharedResults.of_spaces(
                vectors, sample.placement, self.settings, sample.groups, self.executor, sample.copies_or_none
            )
            self._in_taxonomy = dict(zip(spaces, of_spaces, strict=True))
        return self._in_taxonomy.pop(space)

    def _of_part(self, part: Part) -> tuple[list[Measurement], str]:
        """Return the measurements of one part of the dataset, and why they are undefined, if they are."""
        rows = np.flatnonzero(self.sample.images["split"] == part.split)
        vectors, reason = _in_space(self.sample.embeddings[self.encoder].take(rows), part.space)
        placement = self.sample.placement.take(rows)
        settings = settings_of(part, self.settings)
        shared = SharedResults(vectors, placement, settings, ranks=RANKS[-1:], executor=self.executor)
        return [_noted(row) for row in self._measure(shared, parts=True)], reason


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


def asked_for(rows: Sequence[Measurement], settings: MeasureSettings) -> list[Measurement]:
    """Return the measurements that the settings name."""
    return [row for row in rows if not settings.metrics or row.metric in settings.metrics]


def _units(sample: Sample, placement: Placement, settings: MeasureSettings) -> ResamplingUnits | None:
    """Return the taxa that intervals on a phylogeny leave out, of its images: a phylogeny has no ranks of its own."""
    rank = settings.resample
    if rank == RANKS[-1]:
        return None
    return ResamplingUnits(rank, np.where(placement.node >= 0, sample.placement.at(rank), -1))


def texts(
    sample: Sample,
    types: Sequence[str] = (PLAIN_TYPE, NESTED_TYPE),
    settings: MeasureSettings = DEFAULTS,
    checkpoints: Checkpoints = NOWHERE,
) -> pd.DataFrame:
    """Return how the names of taxa follow the tree, and how the images of taxa lie to their names.

    Parameters
    ----------
    sample : Sample
        With `names`; without any there are no rows.
    types : sequence of str
        Text types; in the measurements they are the `protocol`.
    settings : MeasureSettings
    checkpoints : Checkpoints
        Where finished measurements are stored; a piece is one text type of one encoder. By default nowhere.

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

    def content(name: str, kind: str) -> Content:
        root = sample.named_root(name, kind) if kind == NESTED_TYPE else None
        images = SharedResults(sample.embeddings[name].vectors, sample.placement, settings)
        text_embeddings = TextEmbeddings(sample.named(name, kind), sample.placement, root, images, settings)
        rows = [row.as_row(tree=TAXONOMY) for row in metrics.measure(text_embeddings)]
        return Content(sample.table(rows, encoder=name, space="raw", protocol=kind))

    tables = [MEASUREMENTS.frame()]
    for name, kind in itertools.product(sample.names, types):
        inputs = (("images", ""), ("vectors", name), ("names", name))
        piece = Piece("measure", f"names of {name}, {kind}", inputs, asdict(settings), weight=0.2)
        stored = checkpoints.content(piece, partial(content, name, kind))
        tables.append(rows_of_sample(sample, stored.table, settings.metrics))
    return pd.concat(tables, ignore_index=True)
