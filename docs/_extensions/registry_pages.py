"""Directives that show what the registries hold, so that no page repeats it by hand.

================================  ========================================================================
``{metric} NAME [NAME …]``        the cards of metrics: meaning, range, tree, source, coverage of intervals
``{shelf} NAME``                  a table of the entries of a shelf
``{columns} NAME``                a table of the columns of a table
``{submission}``                  the fields of ``submission.json``, from its JSON Schema
================================  ========================================================================
"""

from __future__ import annotations

import importlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from bioclip_probe import tables
from bioclip_probe.metrics.registry import DIFFERENCE, REGISTRY, MetricEntry
from bioclip_probe.study.submission import SCHEMA_FILE

ROOT = Path(__file__).parents[2]
#: Sizes and trees of the calibration study, in the order of its tables.
DESIGNS = [(tree, n) for tree in ("taxonomy", "dated tree") for n in (40, 80, 300)]
SHELVES = ("datasets", "encoders", "metrics", "probes", "projections", "plots", "study.bundle")
TABLES = ("IMAGES", "MEASUREMENTS", "PREDICTIONS", "COORDINATES")
BETTER = {"higher": "higher is better", "lower": "lower is better", "neither": "neither high nor low is better"}


@cache
def coverage() -> pd.DataFrame:
    """Return the table of the calibration study of intervals."""
    return pd.read_csv(ROOT / "tests" / "calibration" / "coverage.csv", keep_default_na=False)


def shown_coverage(name: str) -> dict[tuple[str, int], str]:
    """Return how often the intervals of a metric held their target, for each design in which they are shown.

    Of a metric with many ranks and protocols the least and the largest of the shown ones, as one value or a range.
    """
    study = coverage()
    shown = study[(study["metric"] == name) & (study["reason"] == "")]
    cells = {}
    for tree, n in DESIGNS:
        values = shown.loc[(shown["tree"] == tree) & (shown["n"] == n), "coverage"].astype(float)
        if len(values):
            low, high = f"{values.min():.3f}", f"{values.max():.3f}"
            cells[tree, n] = low if low == high else f"{low} to {high}"
    return cells


def bounds_in_words(entry: MetricEntry) -> str:
    """Return the range of a metric, as a reader writes it."""
    low, high = entry.bounds
    if entry.bounds == (float("-inf"), float("inf")):
        return "unbounded"
    if low == float("-inf"):
        return f"at most {high:g}"
    if high == float("inf"):
        return f"at least {low:g}"
    return f"{low:g} to {high:.3g}"


def table(rows: list[list[nodes.Node | str]], head: list[str] | None, widths: list[int], kind: str) -> nodes.table:
    """Return a table; cells are text or nodes."""
    whole = nodes.table(classes=[kind])
    group = nodes.tgroup(cols=len(widths))
    whole += group
    group += [nodes.colspec(colwidth=width) for width in widths]
    if head:
        group += nodes.thead("", row(head))
    group += nodes.tbody("", *map(row, rows))
    return whole


def row(cells: list[nodes.Node | str]) -> nodes.row:
    """Return a row of a table."""
    paragraphs = [nodes.paragraph("", "", nodes.Text(cell) if isinstance(cell, str) else cell) for cell in cells]
    return nodes.row("", *(nodes.entry("", paragraph) for paragraph in paragraphs))


class MetricCards(SphinxDirective):
    """The cards of one or more metrics."""

    required_arguments = 1
    optional_arguments = 100

    def run(self) -> list[nodes.Node]:
        """Return a card for each named metric."""
        self.env.note_dependency(str(ROOT / "bioclip_probe" / "metrics" / "registry.py"))
        cards: list[nodes.Node] = []
        for name in self.arguments:
            if name not in REGISTRY:
                raise self.error(f"no metric '{name}' in the registry")
            cards += [nodes.target("", "", ids=[f"metric-{name.replace('_', '-')}"]), self.card(REGISTRY[name])]
        return cards

    def card(self, entry: MetricEntry) -> nodes.Node:
        """Return the card of a metric as a table of two columns."""
        trees = "a taxonomy" if entry.needs_ranks else "a taxonomy or a phylogeny"
        rows: list[list[nodes.Node | str]] = [
            [nodes.literal("", entry.name), nodes.strong("", entry.title)],
            ["Meaning", f"{entry.notes[0].upper()}{entry.notes[1:]}."],
            ["Range", f"{bounds_in_words(entry)}; {BETTER[entry.better]}"],
        ]
        if entry.subject == "embeddings":
            rows.append(["Tree", trees + (", also by part of the dataset" if entry.by_part else "")])
        if entry.source:
            rows.append(["Source", entry.source])
        for title, name in (("Interval", entry.name), ("Interval of a difference", f"{entry.name}{DIFFERENCE}")):
            if name in REGISTRY:
                rows.append([title, self.interval(name)])
        if entry.function is not None:
            text = f"{{py:func}}`~bioclip_probe.metrics.{entry.function.__name__}`"
            rows.append(["Function", nodes.inline("", "", *self.parse_inline(text)[0])])
        return table(rows, None, [24, 76], "metric-card")

    def interval(self, name: str) -> str:
        """Return where the interval of a metric is shown, and how often it held its target."""
        cells = shown_coverage(name)
        if not cells:
            return "not shown: the calibration study did not find that one covers"
        parts = []
        for tree in dict(DESIGNS):
            held = [f"{cells[tree, n]} at {n}" for of, n in DESIGNS if of == tree and (tree, n) in cells]
            if held:
                parts.append(f"{tree}: " + ", ".join(held))
        return "share of 95 % intervals that hold their target, by number of species; " + "; ".join(parts)


class Shelf(SphinxDirective):
    """A table of the entries of a shelf."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        shelf = self.arguments[0]
        if shelf not in SHELVES:
            raise self.error(f"no shelf '{shelf}'; there is {', '.join(SHELVES)}")
        registry = importlib.import_module(f"bioclip_probe.{shelf}.registry").REGISTRY
        rows: list[list[nodes.Node | str]] = [
            [nodes.literal("", name), entry.title, entry.notes.replace("`", "")]
            for name, entry in registry.items()
            if not name.endswith(DIFFERENCE)
        ]
        if not any(notes for *_, notes in rows):
            return [table([cells[:2] for cells in rows], ["name", "what it is"], [20, 80], "shelf")]
        return [table(rows, ["name", "title", "notes"], [20, 30, 50], "shelf")]


class Columns(SphinxDirective):
    """A table of the columns of a table."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        name = self.arguments[0]
        if name not in TABLES:
            raise self.error(f"no table '{name}'; there is {', '.join(TABLES)}")
        rows: list[list[nodes.Node | str]] = [
            [nodes.literal("", column.name), column.dtype, column.meaning, column.unit]
            for column in getattr(tables, name).columns
        ]
        return [table(rows, ["column", "type", "meaning", "values or unit"], [16, 10, 52, 22], "columns")]


class Submission(SphinxDirective):
    """The fields of a submission, a table for each of its objects."""

    def run(self) -> list[nodes.Node]:
        """Return the tables."""
        schema = json.loads(SCHEMA_FILE.read_text("utf-8"))
        objects = {"the file": schema} | {name: each for name, each in schema["$defs"].items() if "properties" in each}
        shown: list[nodes.Node] = []
        for name, each in objects.items():
            fields: list[list[nodes.Node | str]] = [
                [nodes.literal("", field), self.meaning(schema, about)] for field, about in each["properties"].items()
            ]
            shown.append(nodes.paragraph("", "", nodes.strong("", name), nodes.Text(f": {each['description']}")))
            shown.append(table(fields, ["field", "meaning"], [24, 76], "columns"))
        return shown

    def meaning(self, schema: dict[str, Any], field: dict[str, Any]) -> str:
        """Return the description of a field; of one without its own, that of the definition it names."""
        definition = schema["$defs"].get(field.get("$ref", "").rpartition("/")[2], {})
        return field.get("description") or definition.get("description", "")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.add_directive("metric", MetricCards)
    app.add_directive("shelf", Shelf)
    app.add_directive("columns", Columns)
    app.add_directive("submission", Submission)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
