"""The tables of the study in its README: written by the commands, never by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

FOLDER = Path(__file__).resolve().parent
README = FOLDER / "README.md"
#: Columns of texts that may be empty.
TEXTS = {"models", "rank", "protocol", "primary", "verdict", "reason"}


def publish(name: str, table: pd.DataFrame, summary: Callable[[pd.DataFrame], str]) -> None:
    """Write a table beside the README, and the summary of the written table into the section of that name."""
    table.to_csv(FOLDER / f"{name}.csv", index=False, float_format="%.4g")
    README.write_text(with_section(README.read_text(), name, summary(published(name))))


def published(name: str) -> pd.DataFrame:
    """Return a table that was written beside the README."""
    table = pd.read_csv(FOLDER / f"{name}.csv")
    return table.fillna(dict.fromkeys(TEXTS.intersection(table.columns), ""))


def with_section(page: str, name: str, text: str) -> str:
    """Return a page with another text between its marks ``<!-- name -->`` and ``<!-- end of name -->``."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    if not rest or end not in rest:
        raise ValueError(f"the page has no section between {begin} and {end}")
    return f"{before}{begin}\n{text.strip()}\n{end}{after}"


def section(page: str, name: str) -> str:
    """Return the text of a section of a page."""
    return page.partition(f"<!-- {name} -->\n")[2].partition(f"\n<!-- end of {name} -->")[0]


def markdown(table: pd.DataFrame, decimals: int = 3) -> str:
    """Return a table in Markdown; numbers have so many decimals, and a missing one is empty."""
    lines = [f"| {' | '.join(map(str, table.columns))} |", f"|{'---|' * len(table.columns)}"]
    for row in table.itertuples(index=False):
        lines.append(f"| {' | '.join(_cell(value, decimals) for value in row)} |")
    return "\n".join(lines)


def _cell(value: object, decimals: int) -> str:
    """Return a cell of a table."""
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.{decimals}f}"
    return "" if value is None else str(value)
