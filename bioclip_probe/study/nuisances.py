"""Measurements of further columns of the images: what embeddings follow beside the tree."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache, partial

import pandas as pd

from bioclip_probe import metrics
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.study.attributes import codes
from bioclip_probe.study.checkpoints import NOWHERE, Checkpoints, Content
from bioclip_probe.study.piece import Piece
from bioclip_probe.study.sample import Sample
from bioclip_probe.study.stored_measurements import rows_of_sample
from bioclip_probe.tables import MEASUREMENTS

#: Metrics of a column of `strata`: species are permuted inside its values.
WITHIN = ("cophenetic_correlation_within_values",)


def measure_columns(
    sample: Sample,
    confounds: Sequence[str] = (),
    strata: Sequence[str] = (),
    settings: MeasureSettings | None = None,
    checkpoints: Checkpoints = NOWHERE,
) -> pd.DataFrame:
    """Return how far the raw embeddings of every encoder follow columns of the images.

    Parameters
    ----------
    sample : Sample
        With these columns in `attributes`.
    confounds : sequence of str
        Columns of which everything is measured.
    strata : sequence of str
        Columns inside whose values species are permuted; nothing else is measured of them.
    settings : MeasureSettings, optional
    checkpoints : Checkpoints
        Where finished measurements are stored; a piece is one column beside one encoder. By default nowhere.

    Returns
    -------
    DataFrame
        A `MEASUREMENTS` table with the column ``column``.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> sample = replace(corvid_sample(), attributes=pd.DataFrame({"place": ["Rome", "Oslo", "Rome"]}))
    >>> measure_columns(sample, ["place"])["metric"].unique().tolist()[0]
    'column_agreement'
    """
    settings = settings or MeasureSettings()

    @lru_cache(maxsize=1)
    def shared(encoder: str) -> SharedResults:
        vectors = sample.embeddings[encoder].vectors
        copies = sample.copies_or_none
        return SharedResults(vectors, sample.placement, settings, groups=sample.groups, copies=copies)

    def content(encoder: str, name: str) -> Content:
        column = metrics.ImageColumn(shared(encoder), name, codes(sample.attributes[name]))
        rows = [row.as_row() for row in metrics.measure(column) if name in confounds or row.metric in WITHIN]
        return Content(sample.table(rows, encoder=encoder, space="raw", tree="taxonomy"))

    tables = [MEASUREMENTS.frame()]
    for encoder, name in itertools.product(sample.embeddings, dict.fromkeys((*confounds, *strata))):
        inputs = (("images", ""), ("vectors", encoder), ("column", name))
        subject = f"{encoder} beside the column {name}" + ("" if name in confounds else ", within its values")
        piece = Piece("measure", subject, inputs, asdict(settings), weight=0.3, group=f"columns of {encoder}")
        stored = checkpoints.content(piece, partial(content, encoder, name))
        tables.append(rows_of_sample(sample, stored.table, settings.metrics))
    return pd.concat(tables, ignore_index=True)
