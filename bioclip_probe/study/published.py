"""Numbers that others have published, and a run's numbers beside them.

>>> published.table()                                      # every published number, with its source
>>> published.compare(found.measurements, found.record)    # those that a run covers: published, measured, difference

``published.csv`` holds what model cards, sites and papers say of models that can be named here. Each line tells where
it was found, whether it was read there or is recalled, and what its authors did. They hardly ever did just what a run
does. So a measured number stands beside a published one wherever the model, the dataset, the metric, the rank, the
probe and its shots are the same, and `matches` tells whether the rest is so too: how many images and taxa, the
protocol or the text type, the templates, the weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from bioclip_probe.encoders.registry import REGISTRY
from bioclip_probe.errors import DataError
from bioclip_probe.tables import Column, Table

FILE = Path(__file__).with_name("published.csv")

PUBLISHED = Table(
    "published",
    (
        Column("source", "str", "who says so"),
        Column("url", "str", "where it stands"),
        Column("how", "str", "whether it was read there or is recalled", "read | recalled"),
        Column("date", "str", "of publication, where it is known", "year-month"),
        Column("model", "str", "the model, by its name in the catalogue of encoders"),
        Column("dataset", "str", "the dataset, by the name that loading it gives; missing where it is not said"),
        Column("n_images", "Int64", "images that were scored; missing where it is not known"),
        Column("n_taxa", "Int64", "taxa or classes to choose from; missing where it is not known"),
        Column("probe", "str", "as in MEASUREMENTS; missing where no probe was asked"),
        Column("protocol", "str", "as in PREDICTIONS, or a word for what is asked by no one here; missing if not said"),
        Column("shots", "Int64", "as in MEASUREMENTS"),
        Column("rank", "str", "as in MEASUREMENTS; missing where classes are not all of one rank"),
        Column("metric", "str", "as in MEASUREMENTS"),
        Column("value", "float64", "the number; accuracies as shares in 0..1"),
        Column("ci_half_width", "float64", "half of the interval that its authors give, about"),
        Column("templates", "str", "prompts that names stood in", "plain | openai"),
        Column("conditions", "str", "what its authors did"),
    ),
)
#: What must be the same for two numbers to stand beside each other; missing equals missing.
SAME = ("metric", "rank", "probe", "shots")
COLUMNS = [
    "source", "url", "how", "encoder", "dataset", "probe", "protocol", "shots", "rank", "metric", "published",
    "ci_half_width", "measured", "ci_low", "ci_high", "difference", "matches", "differs_in", "conditions",
]  # fmt: skip
WHOLE = ("all", "test")  # splits of measurements that are about all of a dataset


def table() -> pd.DataFrame:
    """Every published number: a `PUBLISHED` table.

    Raises
    ------
    DataError
        If the file that comes with the package is not such a table.
    """
    try:
        read = pd.read_csv(FILE, dtype={column.name: column.dtype for column in PUBLISHED.columns})
        return PUBLISHED.check(read)
    except (OSError, ValueError) as error:
        raise DataError(f"{FILE} is damaged ({error}); install the package again") from error


def compare(measurements: pd.DataFrame, record: dict) -> pd.DataFrame:
    """The published numbers that a run covers, and the run's own beside them.

    Parameters
    ----------
    measurements : DataFrame
        A `MEASUREMENTS` table.
    record : dict
        What made it, as `results.Results` has it: whether it is simulated, the encoders, and the templates of its
        steps.

    Returns
    -------
    DataFrame
        A row for each published number and encoder. `published` and `measured` with what is known of their intervals;
        `difference` is measured less published; `differs_in` says what was not done alike, `matches` whether nothing
        that decides was. Of several measured numbers, such as those of several text types, the one done most alike.
        Empty for a simulated run. `coverage` tells it in a line.
    """
    rows = []
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
    """What `compare` found, in one line."""
    if record["dataset"]["simulated"]:
        return "simulated: no published number is about these models and pictures"
    if compared.empty:
        return "no published number is about the models and data of this run"
    return f"{len(compared)} published numbers stand beside this run's, {compared['matches'].sum()} done alike"


def _model(encoder: dict) -> str | None:
    """The name in the catalogue of the model that an encoder is, or by its name and its files may well be."""
    id = _unpinned(encoder)
    known = next((entry.name for entry in REGISTRY.values() if entry.id == id), None)
    return known or (encoder["name"] if _is_copy(encoder) else None)


def _unpinned(encoder: dict) -> str:
    return str(encoder.get("id")).partition("@")[0]


def _is_copy(encoder: dict) -> bool:
    """Whether it was made of files that lie here: they may be those of the model it is called by."""
    return _unpinned(encoder).startswith("local-dir:")


def _templates(record: dict) -> str | None:
    """The templates that the names stood in, where the steps of the run agree on them."""
    steps = record.get("steps", {}).values()
    found = {step.get("templates") or step.get("plan", {}).get("templates") for step in steps} - {None}
    return found.pop() if len(found) == 1 else None


def _beside(number, measured: pd.DataFrame, encoder: dict, templates: str | None) -> Iterator[dict]:
    """The measured number that was made most like a published one, if there is any."""
    here = measured
    for column in SAME:
        value = getattr(number, column)
        here = here[here[column].isna() if pd.isna(value) else here[column].eq(value).fillna(False)]
    if pd.notna(number.dataset):
        here = here[here["dataset"] == number.dataset]
    told = [
        (row, [*_decides(number, row, encoder, templates)], [*_remarks(number, encoder)])
        for row in here.itertuples(index=False)
    ]
    if told:
        row, decides, remarks = min(told, key=lambda one: len(one[1]))
        yield {
            **{name: getattr(number, name) for name in ("source", "url", "how", "ci_half_width", "conditions")},
            **{name: getattr(row, name) for name in ("encoder", "dataset", "protocol", *SAME, "ci_low", "ci_high")},
            "published": number.value,
            "measured": row.value,
            "difference": row.value - number.value,
            "matches": not decides,
            "differs_in": "; ".join(decides + remarks),
        }


def _decides(number, row, encoder: dict, templates: str | None) -> Iterator[str]:
    """What was not done alike, and may well move the number."""
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


def _remarks(number, encoder: dict) -> Iterator[str]:
    """What was not done alike, and moves the number little; or cannot be known."""
    if encoder.get("precision") not in (None, "fp32"):
        yield f"precision {encoder['precision']}"
    if _unpinned(encoder).startswith("hf-hub:") and not encoder.get("revision"):
        yield "weights not pinned to a revision"
    if number.how == "recalled":
        yield "the published number is recalled"
