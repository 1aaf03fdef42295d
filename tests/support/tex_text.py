"""The LaTeX of the appendix read back as text, with the commands that remain in it."""

from __future__ import annotations

import re

from bioclip_probe.report.appendix.escaping import MATHEMATICS, SPECIAL

#: Commands of escaped text, and the text that each prints.
PRINTED = {
    **{command: letter for letter, command in SPECIAL.items()},
    **{rf"\ensuremath{{{command}}}": letter for letter, command in MATHEMATICS.items()},
    r"\tolbreak{}": "",
    "{}": "",
}
_COMMAND = re.compile("|".join([*map(re.escape, sorted(PRINTED, key=len, reverse=True)), r"\\tolchar\{([0-9A-F]+)\}"]))


def text_of(escaped: str) -> str:
    """Return the text that escaped LaTeX prints."""
    return _COMMAND.sub(lambda match: chr(int(match[1], 16)) if match[1] else PRINTED[match[0]], escaped)


def left_of(escaped: str) -> str:
    """Return escaped LaTeX without the commands that escaping writes."""
    return _COMMAND.sub("", escaped)


def rows_of(table: str) -> list[list[str]]:
    """Return the rows of a table of the appendix as text; a cell that stands for the one above is filled."""
    body = table.split(r"\endlastfoot")[1].split(r"\end{longtable}")[0]
    rows: list[list[str]] = []
    for line in re.sub(r"\\addlinespace(\[[\d.]+pt\])?", "", body).split(r"\tabularnewline"):
        cells = [re.sub(r"^\*?\s*\\tol(?:left|right) ?", "", cell) for cell in re.split(r"(?<!\\)&", line)]
        cells = [re.sub(r"^\\texttt\{(.*)\}$", r"\1", cell.strip()) for cell in cells]
        if len(cells) > 1:
            cells = [text_of(cell) for cell in cells]
            rows.append([cells[0] or rows[-1][0], *cells[1:]])
    return rows
