"""Published numbers, and a run's own numbers beside them.

``published.csv`` holds the numbers that model cards, sites and papers give for models that can be named here. Each line
says where the number stands, whether it was read there or is recalled, and what its authors did. They hardly ever did
exactly what a run does. A measured number therefore stands beside a published one wherever the model, the dataset, the
metric, the rank, the probe and its shots are the same, and `matches` says whether the rest is the same too: how many
images and taxa, the protocol or the text type, the templates, the weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from bioclip_probe.encoders.registry import REGISTRY
from bioclip_probe.errors import DataError
from bioclip_probe.tables import Column, Table

FILE = Path(__file__).with_name("published.csv")

PUBLISHED = Table(
    "published",
    (
        Column("source", "str", "name of the source"),
        Column("url", "str", "address of the source"),
        Column("how", "str", "read at the source, or recalled", "read | recalled"),
        Column("date", "str", "of publication, where it is known", "year-month"),
        Column("model", "str", "the model, by its name in the catalogue of encoders"),
        Column("dataset", "str", "the dataset, by the name that loading it gives; missing where it is not stated"),
        Column("n_images", "Int64", "images that were scored; missing where it is not known"),
        Column("n_taxa", "Int64", "taxa or classes to choose from; missing where it is not known"),
        Column("probe", "str", "as in MEASUREMENTS; missing without a probe"),
        Column(
            "protocol",
            "str",
            "as in PREDICTIONS, or a protocol that nothing here follows; missing if not stated",
        ),
        Column("shots", "Int64", "as in MEASUREMENTS"),
        Column("rank", "str", "as in MEASUREMENTS; missing where classes are not all of one rank"),
        Column("metric", "str", "as in MEASUREMENTS"),
        Column("value", "float64", "the number; accuracies as shares in 0..1"),
        Column("ci_half_width", "float64", "about half of the interval that its authors give"),
        Column("templates", "str", "prompts of the names", "plain | openai"),
        Column("conditions", "str", "what its authors did"),
    ),
)
#: Columns that must be equal for two numbers to stand beside each other; missing equals missing.
SAME = ("metric", "rank", "probe", "shots")
COLUMNS = [
    "source", "url", "how", "encoder", "dataset", "probe", "protocol", "shots", "rank", "metric", "published",
    "ci_half_width", "measured", "ci_low", "ci_high", "difference", "matches", "differs_in", "conditions",
]  # fmt: skip
WHOLE = ("all", "test")  # splits of measurements that are about all of a dataset


def table() -> pd.DataFrame:
    """Return every published number, as a `PUBLISHED` table.

    Raises
    ------
    DataError
        If the file that comes with the package is not such a table.

    Examples
    --------
    >>> sorted(table()["how"].unique())
    ['read', 'recalled']
    """
    try:
        read = pd.read_csv(FILE, dtype={column.name: column.dtype for column in PUBLISHED.columns})
        return PUBLISHED.check(read)
    except (OSError, ValueError) as error:
        raise DataError(f"{FILE} is damaged ({error}); install the package again") from error


def compare(measurements: pd.DataFrame, record: dict) -> pd.DataFrame:
    """Return the published numbers that a run covers, and the run's own beside them.

    Parameters
    ----------
    measurements : DataFrame
        A `MEASUREMENTS` table.
    record : dict
        What made it, see `results.Results`: the dataset, the encoders, and the plans of its steps.

    Returns
    -------
    DataFrame
        A row for each published number and encoder: `published` and `measured` with what is known of their intervals;
        `difference`, measured less published; `differs_in`, what was done differently; `matches`, False if something
        that decides was. Of several measured numbers, such as those of several text types, the most comparable one is
        taken. Empty for a simulated run. `coverage` says it in one line.

    Examples
    --------
    >>> from bioclip_probe.tables import MEASUREMENTS
    >>> record = {"dataset": {"simulated": True}, "encoders": []}
    >>> len(compare(MEASUREMENTS.frame(), record))
    0
    """
    rows: list[dict] = []
    if not record["dataset"]["simulated"]:
        measured = measurements[
            measurements["value"].notna()
            & measurements[["encoder_b", "taxon"]].isna().all(axis=1)
            & measurements["split"].isin(WHOLE)
            & measurements["space"].fillna("raw").eq("raw")
        ]
        numbers, templates = table(), _templates(record)
        for encoder in record["encoders"]:
            own = measured[measured["encoder"] == encoder["name"]]
            for number in numbers[numbers["model"] == _model(encoder)].itertuples(index=False):
                rows += _beside(number, own, encoder, templates)
    return pd.DataFrame(rows, columns=COLUMNS).astype({"shots": "Int64", "matches": "bool"})


def coverage(compared: pd.DataFrame, record: dict) -> str:
    """Return the result of `compare` in one line.

    Examples
    --------
    >>> coverage(pd.DataFrame(), {"dataset": {"simulated": False}})
    'no published number is about the models and data of this run'
    """
    if record["dataset"]["simulated"]:
        return "simulated: no published number is about these models and pictures"
    if compared.empty:
        return "no published number is about the models and data of this run"
    return f"{len(compared)} published numbers stand beside this run's, {compared['matches'].sum()} done alike"


def _model(encoder: dict) -> str | None:
    """Return the registry name of the model that an encoder is, or may be by its name and its local files."""
    id = _unpinned(encoder)
    known = next((entry.name for entry in REGISTRY.values() if entry.id == id), None)
    return known or (encoder["name"] if _is_copy(encoder) else None)


def _unpinned(encoder: dict) -> str:
    """Return the id of an encoder without its revision."""
    return str(encoder.get("id")).partition("@")[0]


def _is_copy(encoder: dict) -> bool:
    """Return True if an encoder comes from local files, which may be those of the model whose name it has."""
    return _unpinned(encoder).startswith("local-dir:")


def _templates(record: dict) -> str | None:
    """Return the templates of the names, where the steps of the run agree on them."""
    steps = record.get("steps", {}).values()
    of_plan = [step.get("plan", {}).get("probe", {}).get("templates") for step in steps]
    of_card = [step.get("templates") for step in steps]
    templates = {*of_plan, *of_card} - {None}
    return templates.pop() if len(templates) == 1 else None


def _beside(number: Any, measured: pd.DataFrame, encoder: dict, templates: str | None) -> Iterator[dict]:
    """Yield the measured number that is most comparable with a published one, if there is any."""
    here = measured
    for column in SAME:
        value = getattr(number, column)
        here = here[here[column].isna() if pd.isna(value) else here[column].eq(value).fillna(False)]
    if pd.notna(number.dataset):
        here = here[here["dataset"] == number.dataset]
    candidates = [
        (row, [*_decides(number, row, encoder, templates)], [*_remarks(number, encoder)])
        for row in here.itertuples(index=False)
    ]
    if candidates:
        row, decides, remarks = min(candidates, key=lambda one: len(one[1]))
        yield {
            **{name: getattr(number, name) for name in ("source", "url", "how", "ci_half_width", "conditions")},
            **{name: getattr(row, name) for name in ("encoder", "dataset", "protocol", *SAME, "ci_low", "ci_high")},
            "published": number.value,
            "measured": row.value,
            "difference": row.value - number.value,
            "matches": not decides,
            "differs_in": "; ".join(decides + remarks),
        }


def _decides(number: Any, row: Any, encoder: dict, templates: str | None) -> Iterator[str]:
    """Yield the differences in procedure that may well change the number."""
    if _is_copy(encoder):
        yield f"weights of a local folder (sha256 {str(encoder.get('sha256'))[:12]}), which may not be those published"
    if pd.isna(number.dataset):
        yield f"names of {row.dataset}, published: not said of which taxa"
    for noun in ("taxa", "images"):
        theirs, ours = getattr(number, f"n_{noun}"), getattr(row, f"n_{noun}")
        if pd.isna(theirs) or (pd.notna(ours) and ours == theirs):
            continue
        if pd.isna(ours):
            yield f"{noun} not counted, published: {theirs:,}"
        else:
            yield f"{ours:,} of {theirs:,} {noun}" if ours < theirs else f"{ours:,} {noun}, published: {theirs:,}"
    what = "protocol" if number.probe in ("linear", "simpleshot") else "text type"
    if pd.isna(number.protocol):
        yield f"{what} {row.protocol}, published: not said" if pd.notna(row.protocol) else f"{what} not published"
    elif row.protocol != number.protocol:
        yield f"{what} {row.protocol}, published: {number.protocol}"
    if pd.notna(number.templates) and templates != number.templates:
        yield f"templates {templates or 'not known'}, published: {number.templates}"


def _remarks(number: Any, encoder: dict) -> Iterator[str]:
    """Yield the differences in procedure that change the number little, or that cannot be known."""
    if encoder.get("precision") not in (None, "fp32"):
        yield f"precision {encoder['precision']}"
    if _unpinned(encoder).startswith("hf-hub:") and not encoder.get("revision"):
        yield "weights not pinned to a revision"
    if number.how == "recalled":
        yield "the published number is recalled"
