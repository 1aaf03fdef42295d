"""The expected time of each piece of a study, from the costs of metrics, probes and projections."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.probes import LEARNERS
from bioclip_probe.probes.costs import SampleSize, long_work, probe_seconds
from bioclip_probe.probes.registry import SEEN, SEEN_CHILDREN, UNSEEN
from bioclip_probe.probes.settings import ProbeSettings
from bioclip_probe.processors import available_processors
from bioclip_probe.study.costs import (
    MEASURE_KINDS,
    PROJECTIONS,
    PURITY_SHARE,
    STARTS,
    measure_seconds,
    n_answers,
    project_seconds,
    score_seconds,
    table_seconds,
)
from bioclip_probe.study.plan import Plan
from bioclip_probe.tables import RANKS
from bioclip_probe.torch_device import resolve_device
from bioclip_probe.tree import Placement


@dataclass(frozen=True)
class PieceCosts:
    """The expected times of the pieces of one study.

    Attributes
    ----------
    sizes : dict from encoder name to SampleSize
    measure : MeasureSettings
    probe : ProbeSettings
    n_cores : int

    Examples
    --------
    >>> size = SampleSize(1000, 512, (1, 1, 1, 2, 5, 20, 100))
    >>> costs = PieceCosts({"bioclip": size}, MeasureSettings(), ProbeSettings())
    >>> costs.seconds("measure", "bioclip, raw, taxonomy", 1.0) > costs.seconds("measure", "bioclip, raw, birds", 0.5)
    True
    """

    sizes: dict[str, SampleSize]
    measure: MeasureSettings
    probe: ProbeSettings
    n_cores: int = field(default_factory=available_processors)

    @classmethod
    def of(cls, plan: Plan, placement: Placement, dimensions: Mapping[str, int]) -> PieceCosts:
        """Return the expected times of a plan on this machine.

        Parameters
        ----------
        plan : Plan
        placement : Placement
            The images in their taxonomy.
        dimensions : mapping from encoder name to int
            Length of the vectors of each encoder.
        """
        taxa = tuple(int(np.sum(np.unique(placement.at(rank)) >= 0)) for rank in RANKS)
        sizes = {name: SampleSize(len(placement), dimension, taxa) for name, dimension in dimensions.items()}
        device = resolve_device(plan.measure.device)
        return cls(sizes, replace(plan.measure, device=device), replace(plan.probe, device=device))

    @property
    def long_probing(self) -> str:
        """The sentence that warns of hours of logistic regression, and names what is fast; empty if it is not long."""
        total: dict[str, float] = {}
        for size in self.sizes.values():
            for name, seconds in probe_seconds(self.probe, size, self.n_cores).items():
                total[name] = total.get(name, 0.0) + seconds
        return long_work(total)

    @property
    def n_predictions(self) -> float:
        """The rows of predictions of all encoders and probes."""
        learners = len(set(self.probe.probes) & set(LEARNERS))
        return sum(size.n_images * len(size.taxa) * learners * n_answers(self.probe) for size in self.sizes.values())

    def seconds(self, step: str, subject: str, weight: float) -> float:
        """Return the expected time of a piece.

        Parameters
        ----------
        step : str
            ``measure``, ``probe`` or ``project``.
        subject : str
            What the piece is about, as `piece.Piece` has it.
        weight : float
            Its share of the work.

        Returns
        -------
        float
            NaN if there is no encoder.
        """
        encoder = self.encoder(subject)
        if encoder is None:
            return float("nan")
        size = self.sizes[encoder]
        words = set(re.split(r",? ", subject))
        if step == "measure":
            kind = next((kind for kind in MEASURE_KINDS if kind in words), "")
            return MEASURE_KINDS.get(kind, 1.0) * weight * measure_seconds(self.measure, size, self.n_cores)
        if step == "probe":
            return self._probing(subject, words, size)
        method = next((name for name in PROJECTIONS if name in words), None)
        if method is None or subject.startswith("purity"):
            return PURITY_SHARE * weight * measure_seconds(self.measure, size, self.n_cores)
        return project_seconds(method, max(round(weight * size.n_images), 2))

    def start_seconds(self, subjects: Iterable[str]) -> float:
        """Return the time until the methods of some pieces are loaded and compiled, once a process."""
        words = {word for subject in subjects for word in re.split(r",? ", subject)}
        return sum(seconds for name, seconds in STARTS.items() if name in words)

    def encoder(self, subject: str) -> str | None:
        """Return the encoder of a piece, the first one of its subject if it is about several."""
        positions = {
            name: match.start()
            for name in self.sizes
            if (match := re.search(rf"(?<![\w.+/-]){re.escape(name)}(?![\w.+/-])", subject))
        }
        if not positions:  # a piece of all encoders costs as one of them
            return next(iter(self.sizes), None)
        return min(positions, key=lambda name: (positions[name], -len(name)))

    def _probing(self, subject: str, words: set[str], size: SampleSize) -> float:
        """Return the expected time of a piece of the probes: the answers of one probe, or scores."""
        asked = next((name for name in self.probe.probes if name in words), None)
        if asked is None:
            return score_seconds(self.probe, size, self.n_cores) * (1.0 if subject.startswith("scores") else 0.5)
        protocols = tuple(name for name in self.probe.protocols if name in words)
        if SEEN_CHILDREN in protocols or UNSEEN in words:
            protocols = tuple(name for name in self.probe.protocols if name in (SEEN_CHILDREN, UNSEEN))
        protocols = protocols or self.probe.protocols
        shots = self.probe.shots if SEEN in protocols else ()
        own = replace(self.probe, probes=(asked,), protocols=protocols, shots=shots)
        seconds = probe_seconds(own, size, self.n_cores)[asked]
        return seconds + (table_seconds(own, size.n_images, self.n_cores) if asked in LEARNERS else 0.0)
