"""The suite of metrics of one subject: an embedding, a pair of them, the answers of a probe, or the names of taxa."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.metrics.registry import REGISTRY, MetricEntry
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.tree.tree import Placement


class Subject(Protocol):
    """A thing that metrics measure: `SharedResults`, `EmbeddingPair`, `Answers`, `TextEmbeddings`.

    Its class attribute `subject` is the word by which the registry assigns metrics to it.
    """

    subject: ClassVar[str]

    @property
    def placement(self) -> Placement | None:
        """The images in a tree."""

    @property
    def settings(self) -> MeasureSettings:
        """The settings of its metrics."""

    @property
    def has_ranks(self) -> bool:
        """True in a taxonomy."""


def measure(
    subject: Subject, parts: bool = False, advance: Callable[[float], object] | None = None
) -> list[Measurement]:
    """Return every metric of a subject that its settings ask for.

    What the metrics share is computed once, and only if one of them needs it.

    Parameters
    ----------
    subject : Subject
        An embedding, a pair of them, the answers of a probe, or the names of taxa. Its ``settings.metrics`` are names
        of the registry, or empty for all metrics.
    parts : bool
        Only those metrics that are also given for each part of a dataset.
    advance : callable, optional
        Called with the share of the metrics that is done, from 0 to 1, for a display of progress.

    Returns
    -------
    list of Measurement
        In the order of the registry.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> from bioclip_probe.metrics.shared import SharedResults
    >>> vectors, placement = corvids()
    >>> wanted = MeasureSettings(metrics=("balanced_tree_correlation",))
    >>> [row.metric for row in measure(SharedResults(vectors, placement, wanted))]
    ['balanced_tree_correlation']
    """
    entries = _entries(subject, parts)
    names = {entry.name for entry in entries}
    functions = [function for function in dict.fromkeys(entry.function for entry in entries) if function is not None]
    measurements = []
    for number, function in enumerate(functions, start=1):
        measurements += function(subject, subject.placement, subject.settings)
        if advance is not None:
            advance(number / len(functions))
    return [row for row in measurements if row.metric in names]


def _entries(subject: Subject, parts: bool) -> Sequence[MetricEntry]:
    """Return the metrics that are defined for a subject and asked for."""
    wanted = subject.settings.metrics
    return [
        entry
        for entry in REGISTRY.values()
        if entry.subject == subject.subject
        and (not wanted or entry.name in wanted)
        and (subject.has_ranks or not entry.needs_ranks)
        and (entry.by_part or not parts)
    ]
