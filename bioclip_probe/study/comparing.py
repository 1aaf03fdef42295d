"""Comparisons of two encoders: their differences, their similarity, and their residuals beyond the controls."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from functools import cache, partial

import pandas as pd

from bioclip_probe import metrics
from bioclip_probe.metrics.embedding_pairs import ControlPair, EmbeddingPair
from bioclip_probe.metrics.endpoints import TAXONOMY
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.threads import matched_threads
from bioclip_probe.study.checkpoints import NOWHERE, Checkpoints, Content, with_progress
from bioclip_probe.study.measuring import DEFAULTS, Measured, asked_for, measurements
from bioclip_probe.study.piece import Piece
from bioclip_probe.study.sample import Sample
from bioclip_probe.study.stored_measurements import rows_of_sample
from bioclip_probe.study.tip_ranks import with_units_of_tips
from bioclip_probe.tables import MEASUREMENTS

#: Yields the rows of two encoders.
Rows = Callable[[str, str], Iterator[dict]]


def compare(
    sample: Sample,
    settings: MeasureSettings = DEFAULTS,
    measured: Measured | None = None,
    checkpoints: Checkpoints = NOWHERE,
) -> pd.DataFrame:
    """Compare every two encoders: their differences, their similarity, and their agreement beyond the controls.

    `pairs.differences` puts the numbers of two of them beside their differences, as the command `compare` prints them.

    Parameters
    ----------
    sample : Sample
    settings : MeasureSettings
    measured : dict from Part to list of Measurement, optional
        The result of `measurements` for the sample and the settings; by default it is computed.
    checkpoints : Checkpoints
        Where finished comparisons are stored; a piece is one pair. By default nowhere.

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
    if checkpoints is NOWHERE:
        return with_progress("comparing", partial(compare, sample, settings, measured))
    if measured is None:
        measured = measurements(sample, settings, spaces=("raw",), checkpoints=checkpoints)
    beyond = [(name, control) for control, name in itertools.product(sample.controls, names) if name != control]

    @cache
    def shared(name: str) -> SharedResults:
        return SharedResults(sample.embeddings[name].vectors, sample.placement, settings)

    def alike(first: str, second: str) -> Iterator[dict]:
        yield from _differences(sample, first, second, measured, settings)
        yield from _rows(metrics.measure(EmbeddingPair(shared(first), shared(second))), first, second)

    def residual(name: str, control: str) -> Iterator[dict]:
        yield from _rows(metrics.measure(ControlPair(shared(name), shared(control))), name, control)

    def content(rows: Rows, first: str, second: str) -> Content:
        size = max(sample.embeddings[name].vectors.size for name in names)
        with matched_threads(size * len(sample.placement.tree.tips)):
            return Content(sample.table(rows(first, second), space="raw"))

    tables = [MEASUREMENTS.frame()]
    trees = tuple(("tree", name) for name in sample.trees)
    work: list[tuple[Rows, str, tuple[str, str]]] = [(alike, "and", pair) for pair in itertools.combinations(names, 2)]
    work += [(residual, "beyond", pair) for pair in beyond]
    for rows, word, (first, second) in work:
        inputs = (("images", ""), ("vectors", first), ("vectors", second), *trees)
        piece = Piece("measure", f"{first} {word} {second}", inputs, asdict(settings), weight=0.2, dependent=True)
        stored = checkpoints.content(piece, partial(content, rows, first, second))
        tables.append(rows_of_sample(sample, stored.table, settings.metrics))
    return pd.concat(tables, ignore_index=True)


def _rows(measurements: Iterable[Measurement], first: str, second: str) -> Iterator[dict]:
    """Yield the rows of measurements of a pair."""
    return (row.as_row(encoder=first, encoder_b=second, tree=TAXONOMY) for row in measurements)


def _differences(
    sample: Sample, first: str, second: str, measured: Measured, settings: MeasureSettings
) -> Iterator[dict]:
    """Yield the differences of two encoders in every number that both have, as rows."""
    for part, rows in measured.items():
        other = measured.get(replace(part, encoder=second))
        if part.encoder != first or part.space != "raw" or other is None:
            continue
        differences = metrics.paired_differences(rows, other, settings, dated=part.tree in sample.trees)
        for row in asked_for(differences, settings):
            yield with_units_of_tips(row, sample, part.tree).as_row(encoder_b=second, **asdict(part))
