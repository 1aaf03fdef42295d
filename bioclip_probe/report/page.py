"""The page: figures and tables of a results folder, bound into one file that needs no network."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pandas as pd

from bioclip_probe import provenance
from bioclip_probe.extraction.prompts import MAIN_TYPE, NESTED_TYPE, PLAIN_TYPE
from bioclip_probe.files import write_atomically
from bioclip_probe.metrics.registry import DIFFERENCE, MetricEntry
from bioclip_probe.metrics.registry import REGISTRY as METRICS
from bioclip_probe.plots.registry import REGISTRY as FIGURES
from bioclip_probe.plots.registry import TEXT
from bioclip_probe.report.endpoints import difference_table, endpoint_table, places_table
from bioclip_probe.report.explorer.settings import FILE as EXPLORER
from bioclip_probe.report.explorer.strays import read_strays
from bioclip_probe.report.gallery import Drawing, drawing
from bioclip_probe.report.sentences import evidence, verdict
from bioclip_probe.report.summary import (
    TREE,
    headline_rank,
    seen_and_unseen,
    summary_table,
    table_by_rank,
    tables_by_probe,
)
from bioclip_probe.study import published, results
from bioclip_probe.study.checksums import add_to_sums
from bioclip_probe.study.results import Results
from bioclip_probe.tables import MEASUREMENTS
from bioclip_probe.tree.placing import PLURALS

#: The sections of the page that hold figures, and their figures; all others are in the appendix.
FIGURES_OF = {
    "answer": ("endpoints", "differences"),
    "looks": ("drilldown", "drilldown_umap", "projection"),
    "ranks": ("variance", "within_ranks"),
    "unseen": ("accuracy_by_rank",),
    "controls": ("controls",),
}
#: The sections of the page, and their titles in its navigation.
SECTIONS = {
    "answer": "Answer",
    "looks": "Section 4.6",
    "ranks": "At which rank",
    "unseen": "Seen and unseen",
    "strays": "Strays",
    "controls": "Controls",
    "published": "Published numbers",
    "limits": "Limits",
    "appendix": "Appendix",
}
#: Differences from the published drill-down in each mode of projections.
DEVIATIONS = {
    "paper": "the seed and the version of the authors' t-SNE are not known, so that their pixels cannot be reproduced; "
    "UMAP is drawn too.",
    "corrected": "t-SNE is openTSNE's, with a fixed seed; outliers are hidden by two degrees of freedom, not one; "
    "UMAP is drawn too. Mode paper follows the authors' script.",
}
#: Metrics with a table by rank on the page; the first stands in its section, the others in the appendix.
BY_RANK = (
    "variance_component",
    "cophenetic_correlation",
    "knn_purity_1_other_species",
    "average_precision_other_species",
    "cluster_purity_adjusted",
)


def write(folder: str | Path, progress: bool = True, figures: Drawing | None = None) -> Path:
    """Draw the figures of a results folder and bind everything into ``report.html``.

    The page holds its pictures and needs no network; all names are escaped.

    Parameters
    ----------
    folder : str or Path
        A results folder with measurements.
    progress : bool
        Show progress while the figures are drawn, where there is a bar or it takes long.
    figures : Drawing, optional
        The figures of the folder, if other processes draw them already, see `gallery.drawing`.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    DataError
        If the folder holds no results, or no measurements.

    Examples
    --------
    >>> write("no/such/folder")
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: no/such/folder holds no results (no runs.json); run `bioclip-probe measure --out ...
    """
    import jinja2

    found = results.read(folder)
    found.table("measurements")  # before figures are drawn
    pages = jinja2.Environment(
        loader=jinja2.PackageLoader("bioclip_probe.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    with nullcontext(figures) if figures else drawing(found) as begun:
        content = _content(found)  # while other processes draw
        content |= _with_figures(content, begun.finish(progress))
    page = pages.get_template("report.html").render(content)
    path = found.folder / "report.html"
    write_atomically(path, lambda temporary: temporary.write_text(page, encoding="utf-8"))
    add_to_sums(found.folder, [path])
    return path


def _content(found: Results) -> dict[str, Any]:
    """Return what the template shows beside the figures."""
    table = found.table("measurements")
    comparison = published.compare(table, found.record)
    measured = set(table["metric"])
    sentences, strays = verdict(found), read_strays(found)
    first_screen = {
        "verdict": sentences,
        "evidence": evidence(found, sentences),
        "endpoints": endpoint_table(found),
        "differences": difference_table(found),
        "places": places_table(found),
    }
    appendix = {
        "summary": summary_table(found, intervals=True),
        "headline_rank": headline_rank(table),
        "by_probe": list(tables_by_probe(found, "macro_accuracy")),
        "gaps": _gaps(found),
        "texts": _texts(found),
        "other_trees": _other_trees(table),
        "plurals": PLURALS,
        "parts": _parts(table),
        "undefined": table[table["value"].isna() & table["encoder_b"].isna()][
            ["encoder", "space", "rank", "metric", "note"]
        ],
        "catalogue": [METRICS[name] for name in METRICS if name in measured and not name.endswith(DIFFERENCE)],
        "columns": MEASUREMENTS.columns,
    }
    content = {
        "metrics": METRICS,
        "record": found.record,
        "simulated": found.simulated,
        "by_rank": [(METRICS[name], table_by_rank(found, name)) for name in BY_RANK if name in measured],
        "unseen": seen_and_unseen(found),
        "strays": strays if any(model["strays"] for model in strays) else [],
        "explorer": EXPLORER if strays and (found.folder / EXPLORER).exists() else "",
        "columns_of_images": _columns_of_images(table),
        "published": comparison,
        "coverage": published.coverage(comparison, found.record),
        "written": provenance.now(),
        **_limits(found),
    }
    return {**first_screen, **appendix, **content}


def _with_figures(content: Mapping[str, Any], drawn: Mapping[str, Path | str]) -> dict[str, Any]:
    """Return the figures of each section, and the sections that have something to show."""
    figures = _figures(drawn)
    shown = _shown_sections({**content, "figures": figures})
    sections = [(name, title) for name, title in SECTIONS.items() if name in shown]
    return {"figures": figures, "shown": shown, "sections": sections}


def _shown_sections(content: Mapping[str, Any]) -> set[str]:
    """Return the sections that have something to show."""
    drawn = {name for name, figures in content["figures"].items() if any(figure["png"] for figure in figures)}
    tables = {
        "unseen": content["unseen"],
        "strays": content["strays"],
        "controls": content["columns_of_images"],
        "ranks": content["by_rank"],
    }
    always = {"answer", "published", "limits", "appendix"}
    return always | drawn | {name for name, table in tables.items() if len(table)}


def _figures(drawn: Mapping[str, Path | str]) -> dict[str, list[dict[str, object]]]:
    """Return the figures of each section, with the picture or the reason why there is none."""
    sections = {name: section for section, names in FIGURES_OF.items() for name in names}
    figures: dict[str, list[dict[str, object]]] = {section: [] for section in (*FIGURES_OF, "appendix")}
    for name, outcome in drawn.items():
        png = base64.b64encode(outcome.read_bytes()).decode() if isinstance(outcome, Path) else ""
        missing = outcome if isinstance(outcome, str) else ""
        section = sections.get(name, "appendix") if png else "appendix"
        figures[section].append({"name": name, "figure": FIGURES[name], "missing": missing, "png": png})
    return figures


def _limits(found: Results) -> dict[str, object]:
    """Return what bounds the claims of the page: numbers without interval, how many were tested, and deviations."""
    table = found.table("measurements")
    valued = table[table["value"].notna()]
    projected = found.record["steps"].get("project", {}).get("settings", {})
    return {
        "n_numbers": len(valued),
        "n_hidden": int(valued["ci_low"].isna().sum()),
        "n_tests": int(table["p_value"].notna().sum()),
        "deviations": DEVIATIONS[projected["mode"]] if projected else "it was not drawn.",
    }


def _other_trees(table: pd.DataFrame) -> pd.DataFrame:
    """Return the agreement of raw embeddings with trees other than the taxonomy."""
    rows = table[(table["tree"] != "taxonomy") & table["tree"].notna() & (table["space"] == "raw")]
    rows = rows[rows["metric"].isin(TREE) & rows["encoder_b"].isna()]
    columns = ["tree", "encoder", "metric", "value", "ci_low", "ci_high", "p_adjusted", "n_taxa", "n_images", "note"]
    return _counts_as_text(rows[columns])


def _columns_of_images(table: pd.DataFrame) -> pd.DataFrame:
    """Return how far embeddings follow further columns of the images, such as photographer or background."""
    rows = table[table["column"].notna() & table["value"].notna()]
    columns = ["column", "encoder", "metric", "rank", "value", "chance", "ci_low", "ci_high", "p_value", "n_images"]
    return _counts_as_text(rows[columns])


def _gaps(found: Results) -> list[tuple[MetricEntry, pd.DataFrame]]:
    """Return what the linear probe loses on child taxa held out, and its selectivity over the control task."""
    where = {"split": "test", "probe": "linear"}
    tables = [(METRICS[name], table_by_rank(found, name, where)) for name in ("unseen_gap", "selectivity")]
    return [(metric, table) for metric, table in tables if len(table)]


def _texts(found: Results) -> list[tuple[MetricEntry, pd.DataFrame]]:
    """Return the numbers of the text side: plain names, and nested names for their radial order."""
    types = {**dict.fromkeys(TEXT, PLAIN_TYPE), "text_radial_tau": NESTED_TYPE}
    tables = [(METRICS[name], table_by_rank(found, name, {"protocol": kind})) for name, kind in types.items()]
    return [(metric, table) for metric, table in tables if len(table)]


def _parts(table: pd.DataFrame) -> pd.DataFrame:
    """Return CPCC and zero-shot accuracy in each part of the dataset, e.g. species seen and unseen in training.

    It is empty if the dataset has one part.
    """
    cpcc = (table["metric"] == "cophenetic_correlation") & (table["split"] != "all")
    is_zero_shot = (table["metric"] == "top1_accuracy") & (table["protocol"] == MAIN_TYPE)
    rows = table[(cpcc | (is_zero_shot & table["split"].str.startswith("test, "))) & (table["space"] == "raw")]
    number = rows["probe"].fillna("CPCC") + ", " + rows["rank"]
    columns = ["part", "number", "encoder", "value", "chance", "ci_low", "ci_high", "n_taxa", "n_images"]
    return _counts_as_text(rows.assign(part=rows["split"].str.removeprefix("test, "), number=number)[columns])


def _counts_as_text(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with its counts as text, so that they are printed without decimals."""
    return table.assign(**{name: table[name].map("{:,}".format) for name in table if name.startswith("n_")})
