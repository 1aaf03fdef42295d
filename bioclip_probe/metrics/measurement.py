"""`Measurement`: one number of one metric, and the random stream that it draws from."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from bioclip_probe.stats.estimate import Estimate


@dataclass(frozen=True)
class Measurement:
    """One number of one metric: the kind of thing that every metric returns, one for each rank or clade.

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
        """
        known = {"metric": self.metric, "rank": self.rank, "taxon": self.taxon, "split": self.split}
        return {
            **columns,
            **{name: value for name, value in known.items() if value is not None},
            **asdict(self.estimate),
        }


def estimates(measurements: Iterable[Measurement], metric: str) -> dict[str, Estimate]:
    """Return the estimates of one metric about all taxa, by rank.

    Examples
    --------
    >>> rows = [Measurement("silhouette", "family", Estimate(0.25))]
    >>> estimates(rows, "silhouette")["family"].value
    0.25
    """
    return {row.rank: row.estimate for row in measurements if row.metric == metric and row.taxon is None}


def random_stream(seed: int, *names: str) -> np.random.Generator:
    """Return the random stream of one number: the same for the same seed and names, on every machine.

    Every number draws from a stream of its own, so that adding a metric changes no other, and two encoders meet the
    same resampled species and the same permutations: their difference is paired.

    Examples
    --------
    >>> first, again = random_stream(0, "k_mult"), random_stream(0, "k_mult")
    >>> first.random() == again.random()
    True
    """
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


def row(metric: str, rank: str, estimate: Estimate, **more: object) -> dict:
    """Temporary: a row of the `MEASUREMENTS` table."""
    return {"metric": metric, "rank": rank, **asdict(estimate), **more}
