"""A figure is saved as a picture, the table it draws and the record that made it, under one stem."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bioclip_probe.files import rename_synced

#: Pixels of an inch of a picture.
DPI = 300


def save(figure: Figure, table: pd.DataFrame, record: dict, stem: Path | str) -> list[Path]:
    """Write ``<stem>.pdf``, ``.png``, ``.csv`` and ``.json``.

    All four are written into a folder beside their place and then moved, so that no file is ever incomplete. The same
    input gives the same files: no date is written into them.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    table : DataFrame
        The rows that the figure draws.
    record : dict
        What made the figure: run, parameters, versions. JSON-able; numbers and arrays of numpy are allowed.
    stem : path
        Path without its ending; its folder is made if it does not exist.

    Returns
    -------
    list of Path
        The four files.

    Raises
    ------
    TypeError
        If JSON cannot hold a value of the record.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     files = save(Figure(figsize=(1, 1)), pd.DataFrame({"value": [0.5]}), {"run": "r"}, f"{folder}/headline")
    ...     [path.suffix for path in files]
    ['.pdf', '.png', '.csv', '.json']
    """
    stem = Path(stem)
    stem.parent.mkdir(parents=True, exist_ok=True)
    written = [stem.with_name(stem.name + ending) for ending in (".pdf", ".png", ".csv", ".json")]
    with tempfile.TemporaryDirectory(prefix=".figure-", dir=stem.parent) as folder:
        pdf, png, csv, note = (Path(folder) / path.name for path in written)
        with _laid_out(figure):
            figure.savefig(pdf, dpi=DPI, metadata={"CreationDate": None, "ModDate": None})
            figure.savefig(png, dpi=DPI)
        table.to_csv(csv, index=False, lineterminator="\n")
        text = json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False, default=_plain)
        note.write_text(text + "\n", encoding="utf-8")
        for made, path in zip((pdf, png, csv, note), written, strict=True):
            rename_synced(made, path)
    return written


@contextmanager
def _laid_out(figure: Figure) -> Iterator[None]:
    """Lay a figure out once for all files that the block writes; matplotlib would do it anew for each of them."""
    engine, dpi = figure.get_layout_engine(), figure.dpi
    if engine is None:
        yield
        return
    try:
        figure.dpi = DPI  # the layout measures text in the pixels of the picture
        engine.execute(figure)
        with matplotlib.rc_context({"figure.autolayout": False, "figure.constrained_layout.use": False}):
            figure.set_layout_engine(None)
        yield
    finally:
        figure.dpi = dpi
        figure.set_layout_engine(engine)


def _plain(value: object) -> object:
    """Return a value that JSON cannot hold as one that it can."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a figure's record holds a {type(value).__name__}, which JSON cannot hold: {value!r}")
