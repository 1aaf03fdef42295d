"""Settings that all probes share, and the signature of the probes that learn; importing this module is cheap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from bioclip_probe.probes.predictions import Predictions


@dataclass(frozen=True)
class Chunks:
    """Sizes of the chunks of images that a probe scores at once. They change memory and speed, the result by rounding.

    Attributes
    ----------
    rows : int
        Most images of a chunk.
    cells : int
        Most scores of a chunk: images times taxa.

    Examples
    --------
    >>> [len(chunk) for chunk in Chunks(rows=2).of([10, 11, 12])]
    [2, 1]
    """

    rows: int = 8192
    cells: int = 2**22

    def of(self, rows: np.ndarray, n_taxa: int = 1) -> Iterator[np.ndarray]:
        """Yield the rows chunk by chunk, in their order.

        Parameters
        ----------
        rows : ndarray, shape (m,), int64
            Row numbers of images.
        n_taxa : int
            Scores of each image.

        Yields
        ------
        ndarray, shape (b,), int64
            Consecutive rows; b is at least 1.
        """
        step = max(1, min(self.rows, self.cells // n_taxa))
        for start in range(0, len(rows), step):
            yield rows[start : start + step]


DEFAULT_CHUNKS = Chunks()


@dataclass(frozen=True)
class LearnSettings:
    """Settings of one probe that learns from a split.

    Attributes
    ----------
    grid : tuple of float, optional
        Values of the probe's hyperparameter, of which the best on the val images is chosen. By default the probe's
        own grid.
    refit : bool
        Fit the probe again on the train and val images once the hyperparameter is chosen. Otherwise the probe that was
        fitted on the train images gives the predictions.
    balanced : bool
        Give each taxon the same weight in training and when the hyperparameter is chosen, however many images it has.
        Otherwise each image has the same weight, and a probe without any signal names the most frequent taxon.
    only_test : bool
        Name the test images only. Otherwise the images that the probe has learnt from are named too.
    device : str
        Device on which the probe is fitted: ``cpu`` for the processors without torch, else a device of torch such as
        ``cuda``.
    chunks : Chunks
        Sizes of the chunks of images that are scored at once.

    Examples
    --------
    >>> LearnSettings(refit=False).or_grid((0.1, 1.0)).grid
    (0.1, 1.0)
    """

    grid: tuple[float, ...] | None = None
    refit: bool = True
    balanced: bool = False
    only_test: bool = False
    device: str = "cpu"
    chunks: Chunks = DEFAULT_CHUNKS

    def or_grid(self, grid: tuple[float, ...]) -> LearnSettings:
        """Return the same settings, with this grid where they have none.

        Parameters
        ----------
        grid : tuple of float

        Returns
        -------
        LearnSettings
        """
        return replace(self, grid=grid) if self.grid is None else self

    @property
    def learnt_from(self) -> str:
        """The subsets that the final probe is fitted on, in words for the record."""
        return "train and val" if self.refit else "train"


DEFAULT_SETTINGS = LearnSettings()


@dataclass(frozen=True, eq=False)
class LearnTask:
    """Labels and splits from which a probe learns, at one rank or several, and how.

    Attributes
    ----------
    labels : ndarray, shape (R, n), int64
        Taxon at each rank; an image without a label (−1) is left out there.
    split : ndarray, shape (R, n), of str
        ``train``, ``val``, ``test`` or empty.
    settings : LearnSettings

    Examples
    --------
    >>> import numpy as np
    >>> LearnTask(np.array([[3, 7]]), np.array([["train", "test"]])).settings.refit
    True
    """

    labels: np.ndarray
    split: np.ndarray
    settings: LearnSettings = DEFAULT_SETTINGS

    def take(self, ranks: Sequence[int]) -> LearnTask:
        """Return some of the ranks.

        Parameters
        ----------
        ranks : sequence of int

        Returns
        -------
        LearnTask
        """
        return replace(self, labels=self.labels[list(ranks)], split=self.split[list(ranks)])


#: A probe that learns: vectors (n, d), labels (R, n), split (R, n) and settings give the predictions of each rank.
LearnFunction = Callable[["np.ndarray", "np.ndarray", "np.ndarray", LearnSettings], "list[Predictions]"]
