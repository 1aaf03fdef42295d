"""Measurements of further columns of the images: what embeddings follow beside the tree."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pandas as pd

from bioclip_probe import metrics
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.study.attributes import codes
from bioclip_probe.study.sample import Sample
from bioclip_probe.tables import MEASUREMENTS

log = logging.getLogger(__name__)

#: What is measured of a column that species are only permuted within.
WITHIN = ("cophenetic_correlation_within_values",)


def measure_columns(
    sample: Sample,
    confounds: Sequence[str] = (),
    strata: Sequence[str] = (),
    settings: MeasureSettings | None = None,
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
    tables = [MEASUREMENTS.frame()]
    for encoder, embeddings in sample.embeddings.items() if confounds or strata else ():
        shared = SharedResults(embeddings.vectors, sample.placement, settings, groups=sample.groups)
        for name in dict.fromkeys((*confounds, *strata)):
            log.info("measuring %s beside the column %s", encoder, name)
            measurements = metrics.measure(metrics.ImageColumn(shared, name, codes(sample.attributes[name])))
            rows = [row.as_row() for row in measurements if name in confounds or row.metric in WITHIN]
            tables.append(sample.table(rows, encoder=encoder, space="raw", tree="taxonomy"))
    return pd.concat(tables, ignore_index=True)
