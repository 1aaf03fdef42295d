"""The gallery: the figures of the registry, drawn from a results folder into files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
from joblib import Parallel, delayed

from bioclip_probe import plots
from bioclip_probe.errors import DataError
from bioclip_probe.executors import available_processors
from bioclip_probe.plots.registry import REGISTRY, check_names
from bioclip_probe.progress import weighted_bar
from bioclip_probe.study.results import Results

#: Rows of all tables between which figures are drawn by several processes.
LEAST_ROWS, MOST_ROWS = 3_000, 1_000_000


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
    drawn: dict[str, Path | str] = {}
    n_figures = len(REGISTRY)
    with weighted_bar("drawing", (0, n_figures), (0, n_figures), progress, even_short=False) as bar:
        bar.begin(next(iter(REGISTRY)))
        parallel = Parallel(n_jobs=_number_of_processes(results), return_as="generator")
        figures = results.folder / "figures"
        # Workers that are used again may stand in another folder than this process.
        stems = ((name, figures.absolute() / name) for name in REGISTRY)
        outcomes = parallel(delayed(_draw_or_say_why_not)(results, name, stem, settings) for name, stem in stems)
        for name, obstacle in zip(REGISTRY, outcomes, strict=True):
            drawn[name] = obstacle or figures / f"{name}.png"
            bar.finish(1)
    return drawn


def _draw_or_say_why_not(results: Results, name: str, stem: Path, settings: plots.FigureSettings | None) -> str:
    """Draw one figure and return an empty text; or delete its old files and return why it cannot be drawn."""
    try:
        draw(results, name, stem, settings)
    except DataError as error:
        for old in stem.parent.glob(f"{name}.*"):
            old.unlink()
        return str(error)
    return ""


def _number_of_processes(results: Results) -> int:
    """Return how many processes draw: one where there is little to draw, or where tables are too large to be sent."""
    n_rows = sum(map(len, _tables(results).values()))
    return available_processors() if LEAST_ROWS <= n_rows <= MOST_ROWS else 1
