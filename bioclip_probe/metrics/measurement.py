"""`Measurement`: one number of one metric, and the random stream that it draws from."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np

from bioclip_probe.stats.estimate import Estimate


@dataclass(frozen=True)
class Measurement:
    """One number of one metric. Every metric returns a list of them, one for each rank or clade.

    Attributes
    ----------
    metric : str
        Name in the metric registry.
    rank : str
        Rank of the taxa measured.
    estimate : Estimate
        The number with its chance level, interval, p-value, counts and note.
    taxon : str, optional
        Path of the clade that the number is about; None for all taxa.
    split : str, optional
        Part of the dataset that the number is about, where the metric itself chooses it.
    column : str, optional
        Column of the images that the number is about, e.g. ``photographer``.

    Examples
    --------
    >>> Measurement("silhouette", "family", Estimate(0.25)).value
    0.25
    """

    metric: str
    rank: str
    estimate: Estimate
    taxon: str | None = None
    split: str | None = None
    column: str | None = None

    @property
    def value(self) -> float:
        """The number itself; NaN where it is undefined."""
        return self.estimate.value

    def as_row(self, **columns: object) -> dict[str, object]:
        """Return a row of the `MEASUREMENTS` table.

        Parameters
        ----------
        **columns
            Columns that the metric does not know, such as ``encoder`` and ``tree``.

        Returns
        -------
        dict
            A value of less than half of the images says so in its note.
        """
        estimate = self.estimate
        if estimate.n_excluded > estimate.n_images and isfinite(estimate.value):
            n_all = estimate.n_excluded + estimate.n_images
            left_out = f"more than half of the images are left out: {estimate.n_excluded} of {n_all}"
            estimate = replace(estimate, note="; ".join(filter(None, (estimate.note, left_out))))
        known = {"metric": self.metric, "rank": self.rank, "taxon": self.taxon, "split": self.split}
        known["column"] = self.column
        numbers = {name: value for name, value in vars(estimate).items() if name != "replicates"}
        return {**columns, **{name: value for name, value in known.items() if value is not None}, **numbers}


def measurements_at(rank: str, estimates: Mapping[str, Estimate]) -> list[Measurement]:
    """Return one measurement for each estimate of a rank.

    Parameters
    ----------
    rank : str
    estimates : mapping from metric to Estimate

    Examples
    --------
    >>> [row.metric for row in measurements_at("family", {"cluster_ami": Estimate(0.5), "cluster_ari": Estimate(0.4)})]
    ['cluster_ami', 'cluster_ari']
    """
    return [Measurement(metric, rank, estimate) for metric, estimate in estimates.items()]


def measurements_by_rank(table: Mapping[str, Mapping[str, Estimate]]) -> list[Measurement]:
    """Return one measurement for each rank and metric of a table.

    Parameters
    ----------
    table : mapping from rank to mapping from metric to Estimate

    Examples
    --------
    >>> [row.rank for row in measurements_by_rank({"order": {"lca_auc": Estimate(0.5)}})]
    ['order']
    """
    return [row for rank, estimates in table.items() for row in measurements_at(rank, estimates)]


def estimates(measurements: Iterable[Measurement], metric: str) -> dict[str, Estimate]:
    """Return the estimates of one metric about all taxa, by rank.

    Parameters
    ----------
    measurements : iterable of Measurement
    metric : str
        Name in the metric registry.

    Returns
    -------
    dict from rank to Estimate

    Examples
    --------
    >>> rows = [Measurement("silhouette", "family", Estimate(0.25))]
    >>> estimates(rows, "silhouette")["family"].value
    0.25
    """
    return {row.rank: row.estimate for row in measurements if row.metric == metric and row.taxon is None}


def random_stream(seed: int, *names: str) -> np.random.Generator:
    """Return the random stream of one number: the same for the same seed and names, on every machine.

    Every number draws from a stream of its own, so that adding a metric changes no other number. Two encoders get the
    same resampled species and the same permutations, so that their difference is paired.

    Parameters
    ----------
    seed : int
    *names : str
        Name of the number, e.g. its metric and its rank.

    Returns
    -------
    numpy.random.Generator

    Examples
    --------
    >>> first, second = random_stream(0, "k_mult"), random_stream(0, "k_mult")
    >>> first.random() == second.random()
    True
    """
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])
