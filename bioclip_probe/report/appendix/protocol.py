"""Tables of how a study was made: its data and their audit, its models, its steps, and the checklist."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bioclip_probe.report.appendix.measured import DASH, count, plural_of
from bioclip_probe.report.appendix.models_and_data import encoder_name
from bioclip_probe.report.appendix.tables import Column, PaperTable
from bioclip_probe.study.results import Results
from bioclip_probe.tables import RANKS

#: Rows of the audit, of failures and of names without a tip that are printed; ``runs.json`` holds all.
MOST_ROWS = 100
#: Fields of an encoder's record that are printed, and what they are called.
MODEL_FIELDS = {
    "id": "identifier",
    "revision": "revision",
    "sha256": "sha256 of the weights",
    "dimension": "dimension",
    "preprocessing": "preprocessing",
    "pooling": "pooling",
    "layer": "layer",
    "picture": "picture",
    "geometry": "geometry",
    "activation": "activation",
    "precision": "precision",
    "stored_as": "stored as",
    "device": "device",
    "fingerprint": "fingerprint",
}
#: Fields of which the appendix says that there are none.
EXPECTED_FIELDS = ("id", "revision", "sha256", "preprocessing", "pooling", "precision")
NOT_RECORDED = "not recorded"


def taxa_table(results: Results) -> PaperTable:
    """Return how many taxa the data hold at each rank.

    Parameters
    ----------
    results : Results

    Returns
    -------
    PaperTable

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> taxa_table(two_models_measured()).rows
    []
    """
    taxa = results.record["dataset"].get("taxa", {})
    rows = [(rank, count(taxa[rank])) for rank in RANKS if rank in taxa]
    return PaperTable("taxa", "Taxa at each rank", (Column("rank"), Column("taxa", "number")), rows)


def audit_table(results: Results) -> PaperTable:
    """Return what is odd about the names of the data.

    Parameters
    ----------
    results : Results

    Returns
    -------
    PaperTable
        At most `MOST_ROWS` findings.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> audit_table(two_models_measured()).rows
    []
    """
    fields = ("finding", "rank", "name", "count", "detail")
    findings = results.record.get("audit", [])
    rows = [tuple(_text(finding.get(field)) for field in fields) for finding in findings[:MOST_ROWS]]
    columns = [Column(field, "number" if field == "count" else "text") for field in fields]
    caption = "Audit of the names" + _of_all(len(rows), len(findings))
    return PaperTable("audit", caption, columns, rows)


def failure_table(results: Results) -> PaperTable:
    """Return the images that an encoder could not embed, which every number leaves out.

    Parameters
    ----------
    results : Results

    Returns
    -------
    PaperTable
        At most `MOST_ROWS` images.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> failure_table(two_models_measured()).rows
    []
    """
    failures = [
        (name, _text(failure.get("image_id")), _text(failure.get("error")))
        for name, own in results.record.get("failures", {}).items()
        for failure in own
    ]
    columns = (Column("model"), Column("image", "code"), Column("error"))
    caption = "Images left out" + _of_all(min(len(failures), MOST_ROWS), len(failures))
    return PaperTable("failures", caption, columns, failures[:MOST_ROWS])


def tip_table(results: Results) -> PaperTable:
    """Return the taxa that are not tips of a phylogeny, with the reasons.

    Parameters
    ----------
    results : Results

    Returns
    -------
    PaperTable
        At most `MOST_ROWS` taxa.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> tip_table(two_models_measured()).rows
    []
    """
    missing = [
        (name, _text(match["name"]), _text(match["reason"]), count(match["n_images"]))
        for name, tree in results.record.get("trees", {}).items()
        for match in tree["matches"]
        if not match["matched"]
    ]
    columns = (Column("tree"), Column("taxon"), Column("reason"), Column("images", "number"))
    caption = "Taxa without a tip" + _of_all(min(len(missing), MOST_ROWS), len(missing))
    return PaperTable("tips", caption, columns, missing[:MOST_ROWS])


def tree_sentences(results: Results) -> Iterator[str]:
    """Yield for each phylogeny how many taxa are its tips, and the notes on it.

    Parameters
    ----------
    results : Results

    Yields
    ------
    str

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> list(tree_sentences(two_models_measured()))
    []
    """
    for name, tree in results.record.get("trees", {}).items():
        matched = sum(bool(match["matched"]) for match in tree["matches"])
        taxa = f"{matched:,} of {len(tree['matches']):,} {plural_of(tree.get('rank', 'species'))} are tips"
        shape = "ultrametric" if tree.get("ultrametric") else "not ultrametric"
        yield f"{name}: {taxa}; branch lengths in {tree.get('unit', 'unknown')}; {shape}."
        yield from tree.get("notes", [])


def model_table(results: Results) -> PaperTable:
    """Return what identifies each encoder: weights, preprocessing, pooling, precision.

    Parameters
    ----------
    results : Results

    Returns
    -------
    PaperTable
        A row for each encoder and each field that its record has or should have.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> model_table(two_models_measured()).rows[0]
    ('bioclip', 'identifier', 'hf-hub:bioclip')
    """
    rows = [
        (encoder["name"], word, _text(_field(encoder, field)))
        for encoder in results.record["encoders"]
        for field, word in MODEL_FIELDS.items()
        if field in EXPECTED_FIELDS or encoder.get(field)
    ]
    columns = (Column("model"), Column("property"), Column("value", "code"))
    return PaperTable("models", "Models and controls", columns, rows, grouped=True)


def _field(encoder: dict, field: str) -> Any:
    """Return a field of an encoder's record, and why it has none where that is known."""
    value = encoder.get(field)
    if value or field not in ("revision", "pooling"):
        return value
    if field == "pooling":
        return "as the model itself does"
    is_part = str(encoder.get("id", "")).startswith(("world:", "control:", "untrained:"))
    return "part of this package" if is_part and encoder_name(encoder) else value


def step_table(results: Results) -> PaperTable:
    """Return the steps of a study with their run times.

    Parameters
    ----------
    results : Results

    Returns
    -------
    PaperTable

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> step_table(two_models_measured()).rows
    []
    """
    rows = []
    for name, step in results.record["steps"].items():
        device = step.get("settings", {}).get("device") or DASH
        seconds = step.get("seconds")
        time = NOT_RECORDED if seconds is None else f"{seconds:,.1f}"
        rows.append((name, time, str(step.get("finished", NOT_RECORDED)), str(device)))
    columns = (
        Column("step"),
        Column("seconds", "number"),
        Column("finished"),
        Column("device"),
    )
    return PaperTable("steps", "Steps and their run times", columns, rows)


def _text(value: object) -> str:
    """Return a value of a record as text: a mapping as ``key value`` pairs, a dash for what is missing."""
    if value is None or value == "" or value == {} or value == []:
        return DASH
    if isinstance(value, dict):
        return "; ".join(f"{key} {_text(item)}" for key, item in value.items())
    if isinstance(value, list):
        return " ".join(_text(item) for item in value)
    return str(value)


def _of_all(n_shown: int, n_all: int) -> str:
    """Return how many of all rows are printed, as the end of a caption, empty if all are."""
    return "" if n_shown == n_all else f"; {n_shown} of {n_all:,}, the others are in runs.json"
