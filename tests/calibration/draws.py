"""The simulations: run side by side, each draw from a seed of its own, kept as they come.

A draw hangs on its setting, its method and its number only, so that a study may be cut off and go on, grow by a method
or run on any number of processes, and stay the same.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from zlib import crc32

import numpy as np

from bioclip_probe.stats.rows import ResamplingUnits
from bioclip_probe.tree import Placement
from tests.calibration.designs import DESIGNS, Scene, Simulated, clades_at
from tests.calibration.grounds import cut_down, ground
from tests.calibration.methods import INTERVALS, TESTS, fewer, named
from tests.calibration.plan import TWO, Setting

SEED = 20_261_124
#: Draws that one process makes at a time.
CHUNK = 20


@dataclass(frozen=True)
class Chunk:
    """Draws `start` to `stop` of one method in one setting."""

    setting: Setting
    method: str
    start: int
    stop: int

    @property
    def key(self) -> str:
        return f"{self.setting.key}|{self.method}|{self.start}-{self.stop}"


def generator(*key: object) -> np.random.Generator:
    """The random numbers of this key, on every machine."""
    return np.random.default_rng([SEED, *(crc32(str(part).encode()) for part in key)])


def simulated(setting: Setting, number: int) -> Simulated:
    """Draw `number` of a setting: its species, then what is simulated on their tree."""
    stand = ground(setting.ground)
    picked, _ = stand.sample(setting.n, setting.units, generator(setting.sampling, "species", number))
    scene = Scene(cut_down(stand.tree, picked), stand.cut, setting.d, setting.signal)
    return DESIGNS[setting.design](scene, generator(setting.key, "vectors", number))


@lru_cache(maxsize=8)
def population(key: str, setting: Setting) -> Simulated:
    """All species of a ground, simulated once."""
    stand = ground(setting.ground)
    scene = Scene(stand.tree, stand.cut, setting.d, setting.signal)
    return DESIGNS[setting.design](scene, generator(key, "population"))


def sampled(setting: Setting, number: int) -> tuple[Simulated, Simulated, np.ndarray]:
    """The population of a setting, one sample of it, and the unit of each species of the sample."""
    stand = ground(setting.ground)
    key = f"{setting.ground}|{setting.design}|{setting.d}|{setting.signal:g}"
    whole = population(key, Setting("", setting.ground, setting.design, 0, setting.d, setting.signal))
    picked, unit = stand.sample(setting.n, setting.units, generator(setting.sampling, "species", number))
    tree = cut_down(stand.tree, picked)
    rows = np.flatnonzero(np.isin(whole.placement.node, stand.tree.tips[picked]))
    node = np.repeat(tree.tips, np.bincount(np.searchsorted(stand.tree.tips[picked], whole.placement.node[rows])))
    second = None if whole.second is None else whole.second[rows]
    tip = np.searchsorted(tree.tips, node)
    units = None if setting.units == "species" else ResamplingUnits(setting.units, unit[tip])
    order = clades_at(tree, stand.cut)[tip]
    return whole, Simulated(whole.vectors[rows], Placement(tree, node), second, order, units), unit


@lru_cache(maxsize=64)
def target(setting: Setting, method: str) -> float:
    """What a method's statistic is in the whole population; NaN where that is not known."""
    known = INTERVALS[method].target
    stand = ground(setting.ground)
    return known(sampled(setting, 0)[0], stand.unit(setting.units), setting.n) if known else np.nan


def outcomes(chunk: Chunk) -> dict:
    """One line of the store: what the chunk is, its seconds, and a row of numbers per draw and name.

    p and value of a test; lower end, upper end and value of an interval, with the target beside them.
    """
    setting, method = chunk.setting, chunk.method
    began = time.perf_counter()
    found: dict[str, list] = {}
    with fewer(**_enough(chunk)):
        for number in range(chunk.start, chunk.stop):
            for name, row in _drawn(setting, method, number).items():
                found.setdefault(name, []).append([float(value) for value in row])
    line = {"chunk": chunk.key, "seconds": time.perf_counter() - began, "outcomes": found}
    if setting.question == "coverage":
        line["target"] = target(setting, method)
    return line


def _enough(chunk: Chunk) -> dict[str, int]:
    """No more permutations, replicates and groups than what is looked at needs; 199 make p exact at 0.05."""
    if chunk.setting.question == "coverage":
        return {"N_PERMUTATIONS": 1}
    if chunk.method in TWO:  # p is the jackknife's
        return {}
    return {"N_PERMUTATIONS": 199, "N_BOOTSTRAP": 2, "N_GROUPS": 2}


def _drawn(setting: Setting, method: str, number: int) -> dict[str, Sequence[float]]:
    rng = generator(setting.key, method, number)
    if setting.question == "coverage":
        _, sample, unit = sampled(setting, number)
        return INTERVALS[method].intervals(sample, unit, rng)
    measured = named(TESTS[method](simulated(setting, number), rng))
    return {name: (estimate.p_value, estimate.value) for name, estimate in measured.items()}


def chunks(study: Iterable[tuple[Setting, int]]) -> list[Chunk]:
    """The work of a study: first a chunk of everything, then the next, so that a partial study is a small one."""
    parts = [
        Chunk(setting, method, start, min(start + CHUNK, n_draws))
        for setting, n_draws in study
        for start in range(0, n_draws, CHUNK)
        for method in setting.methods
    ]
    return sorted(parts, key=lambda part: part.start)


def read(path: Path) -> dict[str, dict]:
    """The lines of a store by the key of their chunk; a last line that was cut off is left out."""
    lines = {}
    for text in path.read_text().splitlines() if path.is_file() else ():
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            continue
        lines[line["chunk"]] = line
    return lines


def run(
    study: list[tuple[Setting, int]], path: Path, processes: int, report: Callable[[dict], None]
) -> dict[str, dict]:
    """Make the draws that the store lacks and append them to it; `report` is told of the lines now and then.

    Returns
    -------
    dict
        All lines of the study by the key of their chunk.
    """
    wanted = chunks(study)
    lines = {key: line for key, line in read(path).items() if key in {chunk.key for chunk in wanted}}
    todo = [chunk for chunk in wanted if chunk.key not in lines]
    print(f"{len(wanted):,} chunks of up to {CHUNK} draws, {len(todo):,} of them to do", flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    began = told = time.monotonic()
    _end_line(path)
    with path.open("a") as store, _made(todo, processes) as made:
        for done, line in enumerate(made, 1):
            lines[line["chunk"]] = line
            store.write(json.dumps(line) + "\n")
            store.flush()
            if time.monotonic() - told > 20:
                told = time.monotonic()
                left = (told - began) / done * (len(todo) - done)
                print(f"{done:,} of {len(todo):,} chunks, {told - began:.0f} s, about {left:.0f} s to go", flush=True)
                report(lines)
    return lines


@contextmanager
def _made(todo: list[Chunk], processes: int) -> Iterator[Iterator[dict]]:
    """The lines of chunks as they come, from this process or from several."""
    if processes == 1:
        yield map(outcomes, todo)
        return
    with ProcessPoolExecutor(processes, get_context("spawn"), _one_thread) as pool:
        yield (future.result() for future in as_completed([pool.submit(outcomes, chunk) for chunk in todo]))


def _end_line(path: Path) -> None:
    """End a last line that was cut off, so that the next one starts on its own."""
    if path.is_file() and not path.read_bytes().endswith(b"\n"):
        with path.open("a") as store:
            store.write("\n")


def _one_thread() -> None:
    """A process has one thread: two of them fill two cores."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
