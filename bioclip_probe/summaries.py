"""Summaries of objects for a shell and for a notebook: a title, some facts, and lists that are folded up.

A shell shows title and facts as lines. A notebook shows them as HTML: the lists open with a click (``<details>``),
there is no JavaScript, and every text is escaped.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

#: The most entries of a folded list that are shown.
MOST_SHOWN = 50


@dataclass(frozen=True)
class Summary:
    """A title, some facts, and lists that a notebook folds up.

    Attributes
    ----------
    title : str
    facts : mapping from str to str
        The text of each fact by its name; empty texts are left out.
    lists : mapping from str to sequence of str
        Lists by the plural of what they hold, such as ``notes``; empty lists are left out.

    Examples
    --------
    >>> summary = Summary("Dataset 'birds'", {"images": "2", "holes": ""}, {"notes": ["one < two"]})
    >>> print(summary.text())
    Dataset 'birds'
      images: 2
      notes: 1
    >>> summary.html().partition("<details>")[2]
    '<summary>1 notes</summary><ul><li>one &lt; two</li></ul></details></div>'
    """

    title: str
    facts: Mapping[str, str]
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def text(self) -> str:
        """Return the summary as lines."""
        counts = {name: f"{len(entries):,}" for name, entries in self.lists.items() if entries}
        lines = (f"  {name}: {value}" for name, value in {**self.facts, **counts}.items() if value)
        return "\n".join((self.title, *lines))

    def html(self) -> str:
        """Return the summary as HTML."""
        rows = "".join(
            f'<tr><th style="text-align: left">{html.escape(name)}</th>'
            f'<td style="text-align: left">{html.escape(value)}</td></tr>'
            for name, value in self.facts.items()
            if value
        )
        folded = "".join(_folded(name, entries) for name, entries in self.lists.items() if entries)
        return f"<div><strong>{html.escape(self.title)}</strong><table>{rows}</table>{folded}</div>"


def _folded(name: str, entries: Sequence[str]) -> str:
    """Return a list that opens with a click."""
    shown = [
        *entries[:MOST_SHOWN],
        *([f"… and {len(entries) - MOST_SHOWN:,} more"] if len(entries) > MOST_SHOWN else []),
    ]
    items = "".join(f"<li>{html.escape(entry)}</li>" for entry in shown)
    return f"<details><summary>{len(entries):,} {html.escape(name)}</summary><ul>{items}</ul></details>"
