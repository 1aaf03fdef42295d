"""The simulations: they run in parallel, each draw with a seed of its own, and are appended to a file.

A draw depends only on its setting, its method and its number. A study that was interrupted can therefore continue, a
method can be added, and the number of processes does not matter: the results stay the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.rows import ResamplingUnits
from bioclip_probe.tree import Placement
from tests.calibration import resumable
from tests.calibration.designs import DESIGNS, Scene, SimulatedImages
from tests.calibration.grounds import clades_at, ground, subtree
from tests.calibration.methods import INTERVALS, TESTS, by_name
from tests.calibration.plan import TWO, Setting
from tests.calibration.randomness import generator

#: The number of draws that one process makes at a time.
CHUNK = 20


@dataclass(frozen=True)
class Chunk:
    """The draws from `start` up to `stop` of one method in one setting."""

    setting: Setting
    method: str
    start: int
    stop: int

    @property
    def key(self) -> str:
        """The name of the chunk in the file of draws."""
        return f"{self.setting.key}|{self.method}|{self.start}-{self.stop}"


def simulated(setting: Setting, number: int) -> SimulatedImages:
    """Return draw `number` of a setting: sample its species, and simulate embeddings on their tree."""
    trees = ground(setting.ground)
    picked, _ = trees.sample(setting.n, setting.units, generator(setting.sampling, "species", number))
    scene = Scene(subtree(trees.tree, picked), trees.cut, setting.d, setting.signal)
    return DESIGNS[setting.design](scene, generator(setting.key, "vectors", number))


@lru_cache(maxsize=8)
def population(key: str, setting: Setting) -> SimulatedImages:
    """Return the simulated images of all species of a ground."""
    trees = ground(setting.ground)
    scene = Scene(trees.tree, trees.cut, setting.d, setting.signal)
    return DESIGNS[setting.design](scene, generator(key, "population"))


def sampled(setting: Setting, number: int) -> tuple[SimulatedImages, SimulatedImages, np.ndarray]:
    """Return the population of a setting, one sample of it, and the unit of each species of the sample."""
    trees = ground(setting.ground)
    key = f"{setting.ground}|{setting.design}|{setting.d}|{setting.signal:g}"
    everything = population(key, Setting("", setting.ground, setting.design, 0, setting.d, setting.signal))
    picked, unit = trees.sample(setting.n, setting.units, generator(setting.sampling, "species", number))
    tree = subtree(trees.tree, picked)
    rows = np.flatnonzero(np.isin(everything.placement.node, trees.tree.tips[picked]))
    node = np.repeat(tree.tips, np.bincount(np.searchsorted(trees.tree.tips[picked], everything.placement.node[rows])))
    second = None if everything.second is None else everything.second[rows]
    tip = np.searchsorted(tree.tips, node)
    units = None if setting.units == "species" else ResamplingUnits(setting.units, unit[tip])
    order = clades_at(tree, trees.cut)[tip]
    return everything, SimulatedImages(everything.vectors[rows], Placement(tree, node), second, order, units), unit


@lru_cache(maxsize=64)
def target(setting: Setting, method: str) -> float:
    """Return the value of a method's statistic in the whole population, or NaN if it is not known."""
    target_of = INTERVALS[method].target
    unit = ground(setting.ground).unit(setting.units)
    return target_of(sampled(setting, 0)[0], unit, setting.n) if target_of else np.nan


def outcomes(chunk: Chunk, settings: MeasureSettings | None = None) -> dict:
    """Return one line of the file of draws: its numbers by name.

    Each draw gives the p-value and the value of a test, or the lower end, the upper end and the value of an interval. A
    line of intervals also holds the target. `settings` are `sufficient_settings` by default.
    """
    setting, method = chunk.setting, chunk.method
    settings = settings or sufficient_settings(chunk)
    rows: dict[str, list] = {}
    for number in range(chunk.start, chunk.stop):
        for name, numbers in _one_draw(setting, method, number, settings).items():
            rows.setdefault(name, []).append([float(value) for value in numbers])
    line = {"outcomes": rows}
    if setting.question == "coverage":
        line["target"] = target(setting, method)
    return line


def sufficient_settings(chunk: Chunk) -> MeasureSettings:
    """Return settings with as many permutations, replicates and groups as the question needs, and no more."""
    if chunk.setting.question == "coverage":  # p-values are not used
        return MeasureSettings(n_permutations=1, n_primary_permutations=1, n_model_permutations=1)
    if chunk.method in TWO:  # p comes from the jackknife
        return MeasureSettings(n_permutations=1, n_primary_permutations=1)
    # With 199 permutations a test at 0.05 is exact. Intervals are not used.
    return MeasureSettings(
        n_permutations=199, n_primary_permutations=199, n_model_permutations=199, n_bootstrap=2, n_groups=2
    )


def _one_draw(setting: Setting, method: str, number: int, settings: MeasureSettings) -> dict[str, Sequence[float]]:
    """Return the numbers of one draw, by name."""
    rng = generator(setting.key, method, number)
    if setting.question == "coverage":
        _, sample, unit = sampled(setting, number)
        return INTERVALS[method].intervals(sample, unit, rng, settings)
    estimates = by_name(TESTS[method](simulated(setting, number), rng, settings))
    return {name: (estimate.p_value, estimate.value) for name, estimate in estimates.items()}


def chunks(study: Iterable[tuple[Setting, int]]) -> list[Chunk]:
    """Return the chunks of a study: first one of every method and setting, then the next of each, and so on.

    An interrupted study is therefore a smaller version of the whole study.
    """
    in_order_of_settings = [
        Chunk(setting, method, start, min(start + CHUNK, n_draws))
        for setting, n_draws in study
        for start in range(0, n_draws, CHUNK)
        for method in setting.methods
    ]
    return sorted(in_order_of_settings, key=lambda chunk: chunk.start)


def run(
    study: list[tuple[Setting, int]], path: Path, processes: int, report: Callable[[dict], None]
) -> dict[str, dict]:
    """Make the draws that a file lacks, append them to it, and return all lines by the key of their chunk."""
    return resumable.run(chunks(study), outcomes, path, processes, report)
