"""The gallery: the figures of the registry, drawn from a results folder into files."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import matplotlib
import pandas as pd

from bioclip_probe import plots
from bioclip_probe.errors import DataError
from bioclip_probe.plots.registry import REGISTRY, check_names
from bioclip_probe.processes import FORKED, may_start_processes, start_server
from bioclip_probe.processors import available_processors
from bioclip_probe.progress import weighted_bar
from bioclip_probe.stats.tasks import SharedValue, share_with_workers
from bioclip_probe.study.results import Results

#: Rows of all tables between which figures are drawn by several processes.
LEAST_ROWS, MOST_ROWS = 3_000, 1_000_000
#: Where it is not forked, a process takes as long to start as it needs for two figures, and a few hundred megabytes.
MOST_PROCESSES = 8


def draw(
    results: Results, name: str, stem: str | Path | None = None, settings: plots.FigureSettings | None = None
) -> Path:
    """Draw one figure from the tables of a results folder, and write the table it draws and its record beside it.

    Parameters
    ----------
    results : Results
    name : str
        A figure of `bioclip_probe.plots.registry`.
    stem : str or Path, optional
        Path of the files without their endings; ``figures/NAME`` in the results folder by default.
    settings : FigureSettings, optional
        Width, space and tree; the controls, and the mark on simulated data, are those of the results.

    Returns
    -------
    Path
        The PNG; ``.pdf``, ``.csv`` and ``.json`` stand beside it.

    Raises
    ------
    ProbeError
        If there is no figure of that name, or the tables do not hold what it draws.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> results = two_models_measured()
    >>> results.measurements["metric"] = "cluster_purity_adjusted"
    >>> with TemporaryDirectory() as folder:
    ...     draw(results, "purity_by_rank", f"{folder}/purity").name
    'purity.png'
    """
    check_names([name])
    entry, stem = REGISTRY[name], Path(stem or results.folder / "figures" / name)
    tables = {entry.table: results.table(entry.table), **_tables(results)}
    settings = replace(settings or plots.FigureSettings(), controls=results.controls, simulated=results.simulated)
    rows, figure = entry.draw(tables, settings)
    record = {"figure": name, "title": entry.title, "caption": entry.notes, "simulated": results.simulated}
    record |= {key: results.record[key] for key in ("run", "dataset", "software", "steps")}
    plots.save(figure, rows, record, stem)
    return stem.with_name(f"{stem.name}.png")


def _tables(results: Results) -> dict[str, pd.DataFrame]:
    """Return the tables that the folder holds."""
    tables = {name: getattr(results, name) for name in ("measurements", "predictions", "coordinates")}
    return {name: table for name, table in tables.items() if table is not None}


def draw_all(
    results: Results, progress: bool = True, settings: plots.FigureSettings | None = None
) -> dict[str, Path | str]:
    """Draw every figure that the tables allow.

    Files of a figure that can no longer be drawn are deleted.

    Parameters
    ----------
    results : Results
    progress : bool
        Show progress, where there is a bar or the work is long.
    settings : FigureSettings, optional
        As for `draw`.

    Returns
    -------
    dict from str to Path or str
        For each figure its PNG, or the reason why it could not be drawn.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> with TemporaryDirectory() as folder:
    ...     draw_all(replace(two_models_measured(), folder=Path(folder)))["headline"]
    'there is no value of cophenetic_correlation to draw'
    """
    with drawing(results, settings) as figures:
        return figures.finish(progress)


@contextmanager
def drawing(results: Results, settings: plots.FigureSettings | None = None) -> Iterator[Drawing]:
    """Let other processes draw every figure that the tables allow while the block runs.

    Parameters
    ----------
    results : Results
    settings : FigureSettings, optional
        As for `draw`.

    Yields
    ------
    Drawing
        Its method `finish` returns what was drawn. What has not been begun at the end of the block is not drawn.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from tempfile import TemporaryDirectory
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> with TemporaryDirectory() as folder:
    ...     with drawing(replace(two_models_measured(), folder=Path(folder))) as figures:
    ...         text = "written meanwhile"
    ...         figures.finish()["headline"]
    'there is no value of cophenetic_correlation to draw'
    """
    number = _number_of_processes(results)
    if number == 1:
        yield Drawing(results, settings, {})
        return
    start_server([__name__])
    executor, figures = ProcessPoolExecutor(number - 1, FORKED), _folder(results)
    with share_with_workers((results, settings)) as shared:
        try:
            yield Drawing(
                results, settings, {name: executor.submit(_draw_shared, shared, name, figures) for name in REGISTRY}
            )
        finally:
            executor.shutdown(cancel_futures=True)


@dataclass(frozen=True, eq=False)
class Drawing:
    """The figures of a results folder while other processes draw them.

    Attributes
    ----------
    results : Results
    settings : FigureSettings, optional
        As for `draw`.
    begun : dict from str to Future
        The figures that were given to other processes.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> Drawing(two_models_measured(), None, {}).begun
    {}
    """

    results: Results
    settings: plots.FigureSettings | None
    begun: dict[str, Future[str]]

    def finish(self, progress: bool = True) -> dict[str, Path | str]:
        """Draw the figures that no other process has begun, from the last to the first, and wait for the others.

        Parameters
        ----------
        progress : bool
            Show progress, where there is a bar or the work is long.

        Returns
        -------
        dict from str to Path or str
            For each figure its PNG, or the reason why it could not be drawn.
        """
        obstacles: dict[str, str] = {}
        drawn = {name for name, future in self.begun.items() if future.done()}
        numbers = (len(drawn), len(REGISTRY))
        with weighted_bar("drawing", numbers, numbers, progress, even_short=False) as bar:
            for name in reversed(REGISTRY):
                if name not in self.begun or self.begun[name].cancel():
                    bar.begin(name)
                    obstacles[name] = _draw_or_say_why_not(self.results, name, _folder(self.results), self.settings)
                    bar.finish(1)
            for name in [name for name in REGISTRY if name not in obstacles]:
                obstacles[name] = self.begun[name].result()
                if name not in drawn:
                    bar.finish(1)
        figures = self.results.folder / "figures"
        return {name: obstacles[name] or figures / f"{name}.png" for name in REGISTRY}


def _folder(results: Results) -> Path:
    """Return the folder of the figures; other processes may stand in another folder than this one."""
    return results.folder.absolute() / "figures"


def _draw_shared(shared: SharedValue, name: str, figures: Path) -> str:
    """Draw one figure of results that another process has shared."""
    results, settings = _loaded(shared)
    return _draw_or_say_why_not(results, name, figures, settings)


@lru_cache(1)
def _loaded(shared: SharedValue) -> tuple[Results, plots.FigureSettings | None]:
    """Return shared results and settings, which a process reads once."""
    results, settings = shared.load()
    return results, settings


def _draw_or_say_why_not(results: Results, name: str, figures: Path, settings: plots.FigureSettings | None) -> str:
    """Draw one figure and return an empty text; or delete its old files and return why it cannot be drawn."""
    try:
        with matplotlib.rc_context():
            matplotlib.rc_file_defaults()  # what a notebook has set is unknown to other processes
            draw(results, name, figures / name, settings)
    except DataError as error:
        for old in figures.glob(f"{name}.*"):
            old.unlink()
        return str(error)
    return ""


def _number_of_processes(results: Results) -> int:
    """Return how many processes draw: one where there is little to draw, or where tables are too large to be shared."""
    n_rows = sum(map(len, _tables(results).values()))
    several = LEAST_ROWS <= n_rows <= MOST_ROWS and may_start_processes()
    return min(available_processors(), MOST_PROCESSES) if several else 1
