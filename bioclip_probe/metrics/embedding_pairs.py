"""Two embeddings of the same images, which metrics compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bioclip_probe.errors import DataError
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.tree.tree import Placement


@dataclass(eq=False)
class EmbeddingPair:
    """Two embeddings of the same images, in the same order and the same tree.

    Attributes
    ----------
    first, second : SharedResults
        They share placement and settings.

    Raises
    ------
    DataError
        If they are not of the same placement.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> EmbeddingPair.of((vectors, -vectors), placement).has_ranks
    True
    """

    subject: ClassVar[str] = "pair"

    first: SharedResults
    second: SharedResults

    def __post_init__(self) -> None:
        if self.first.placement is not self.second.placement:
            raise DataError("two embeddings are compared on the same images: both need the same placement")

    @classmethod
    def of(
        cls,
        embeddings: tuple[np.ndarray | SharedResults, np.ndarray | SharedResults] | EmbeddingPair,
        placement: Placement,
        settings: MeasureSettings | None = None,
    ) -> EmbeddingPair:
        """Return `embeddings` itself if it is a pair of shared results already, else begin with two arrays.

        Parameters
        ----------
        embeddings : pair of ndarray or of SharedResults, or EmbeddingPair
        placement : Placement
        settings : MeasureSettings, optional

        Returns
        -------
        EmbeddingPair

        Raises
        ------
        DataError
            If the pair is about another placement, or vectors are not unit vectors.
        """
        if isinstance(embeddings, EmbeddingPair):
            if embeddings.placement is not placement:
                raise DataError("the pair is about another placement; make a new one for it")
            return embeddings
        first, second = embeddings
        return cls(SharedResults.of(first, placement, settings), SharedResults.of(second, placement, settings))

    @property
    def placement(self) -> Placement:
        """The placement of both."""
        return self.first.placement

    @property
    def has_ranks(self) -> bool:
        """True in a taxonomy."""
        return self.first.has_ranks

    @property
    def settings(self) -> MeasureSettings:
        """The settings of both."""
        return self.first.settings


class ControlPair(EmbeddingPair):
    """An embedding and a control, such as colours, of the same images.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> ControlPair.of((vectors, -vectors), placement).subject
    'control pair'
    """

    subject: ClassVar[str] = "control pair"
