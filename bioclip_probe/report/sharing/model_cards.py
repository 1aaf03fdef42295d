"""The section of a model card about one model of a submission, in Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from bioclip_probe.report.sharing.markdown import escape_markdown, markdown_table
from bioclip_probe.report.sharing.wording import (
    NONE,
    SIMULATED,
    counts_in_words,
    heading,
    interval_in_words,
    level_in_words,
    p_in_words,
    value_in_words,
)

SOURCE = "https://github.com/bioclip-probe/bioclip_probe"
#: Characters of the settings of the preprocessing that a card shows.
LONGEST_SETTINGS = 1000


def model_card(content: Mapping[str, Any], name: str) -> str:
    """Return the section of the model card of one model: its numbers, the controls beside them, and how it was made.

    Parameters
    ----------
    content : mapping
        A valid submission.
    name : str
        Name of one of its models.

    Returns
    -------
    str
        Markdown as GitHub and Hugging Face read it. All names are escaped.

    Examples
    --------
    >>> model = {"name": "mine", "control": False, "endpoints": [], "id": "mine", "revision": None, "sha256": None}
    >>> model |= {"preprocessing": None, "precision": None, "dimension": 8, "geometry": "cosine"}
    >>> content = {"models": [model], "differences": [], "simulated": False, "protocol": None, "software": {}}
    >>> content |= {"dataset": {"name": "birds", "n_images": 9, "fingerprint": None}, "made": None, "licence": None}
    >>> print(model_card({**content, "who": None}, "mine").splitlines()[0])
    ## Alignment with the tree of life
    """
    model = next(model for model in content["models"] if model["name"] == name)
    return "\n\n".join((*_opening(content), *_numbers(content, model), *_making(content, model))) + "\n"


def _opening(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the heading and what was measured, on what, by which protocol."""
    yield "## Alignment with the tree of life"
    if content["simulated"]:
        yield f"> **{SIMULATED[0].upper()}{SIMULATED[1:]}.**"
    dataset = content["dataset"]
    images = f" ({dataset['n_images']:,} images)" if dataset["n_images"] is not None else ""
    version = content["software"].get("bioclip_probe", "")
    yield (
        f"How far the geometry of this model's image embeddings follows the tree of life, on the dataset "
        f"{escape_markdown(dataset['name'])}{images}, measured with [bioclip_probe]({SOURCE})"
        f"{' ' + escape_markdown(version) if version else ''}. {_protocol(content)}"
    )


def _protocol(content: Mapping[str, Any]) -> str:
    """Return the sentence about the protocol."""
    protocol = content["protocol"]
    if protocol is None:
        return "The study names no protocol: its numbers are not comparable with those of other studies."
    return (
        f"Protocol **{escape_markdown(protocol['id'])}**, instance **{protocol['instance'][:12]}**: numbers are "
        "comparable only if both are equal."
    )


def _numbers(content: Mapping[str, Any], model: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tables: the model's numbers, the controls, and the differences from other models."""
    numbers = model["endpoints"]
    if not numbers:
        yield "No primary endpoint was measured."
        return
    yield markdown_table(
        ["Number", "Value", "Interval", "Chance", "Null", "p, adjusted", "n"],
        [
            [
                ("read with it: " if number["beside"] else "") + escape_markdown(heading(number)),
                value_in_words(number["value"]),
                escape_markdown(interval_in_words(number)),
                value_in_words(number["chance"]),
                escape_markdown(number["null"] or NONE),
                p_in_words(number["p_adjusted"]),
                counts_in_words(number),
            ]
            for number in numbers
        ],
    )
    notes = dict.fromkeys(f"{heading(number)}: {number['note']}" for number in numbers if number["note"])
    yield from ("\n".join(f"* {escape_markdown(note, 400)}" for note in notes),) if notes else ()
    yield from _controls(content, numbers)
    yield from _differences(content, model)


def _controls(content: Mapping[str, Any], numbers: list[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the table of the controls, which see the same pictures and know no tree."""
    controls = [model for model in content["models"] if model["control"]]
    if not controls:
        yield "The study holds no control: what colours or an untrained network reach is not known."
        return
    primary = [number for number in numbers if not number["beside"]]
    yield "Controls of the same study:"
    yield markdown_table(
        ["Control", *(escape_markdown(heading(number)) for number in primary)],
        [
            [escape_markdown(control["name"]), *(_with_interval(_same(control, number)) for number in primary)]
            for control in controls
        ],
    )


def _same(model: Mapping[str, Any], number: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the number of a model that is of the same metric."""
    return next((own for own in model["endpoints"] if own["metric"] == number["metric"]), None)


def _with_interval(number: Mapping[str, Any] | None) -> str:
    """Return a value and its interval for a cell."""
    if number is None or number["value"] is None:
        return NONE
    interval = f" ({interval_in_words(number)})" if number["interval"] else ""
    return value_in_words(number["value"]) + interval


def _differences(content: Mapping[str, Any], model: Mapping[str, Any]) -> Iterator[str]:
    """Yield the table of the paired differences from the other models."""
    controls = {other["name"] for other in content["models"] if other["control"]}
    titles = {number["metric"]: heading(number) for number in model["endpoints"]}
    rows = []
    for difference in content["differences"]:
        pair, name = (difference["first"], difference["second"]), model["name"]
        if name in pair and not controls & set(pair) and difference["value"] is not None:
            sign, other = (1, pair[1]) if pair[0] == name else (-1, pair[0])
            ends = sorted(sign * end for end in difference["interval"] or ())
            turned = {**difference, "value": sign * difference["value"], "interval": ends or None}
            title = escape_markdown(titles.get(difference["metric"], difference["metric"]))
            cells = [f"{turned['value']:+.3f}", escape_markdown(interval_in_words(turned))]
            rows.append([escape_markdown(other), title, *cells, p_in_words(difference["p_adjusted"])])
    if rows:
        yield "Paired differences, this model less the other; with an adjusted p of 0.05 or more the order is open:"
        yield markdown_table(["Other model", "Number", "Difference", "Interval", "p, adjusted"], rows, left=2)


def _making(content: Mapping[str, Any], model: Mapping[str, Any]) -> Iterator[str]:
    """Yield how the numbers were made: the model, the protocol, the intervals, the software."""
    protocol, precision = content["protocol"], model["precision"] or "precision not known"
    yield "### How this was made"
    facts = {
        "Model": f"{model['id']}, revision {model['revision'] or 'not pinned'}",
        "sha256 of the weights": model["sha256"] or "none",
        "Precision, dimension, comparison": f"{precision}, {model['dimension']}, {model['geometry']}",
        "Protocol and instance": f"{protocol['id']}, {protocol['instance']}" if protocol else "none",
        "Intervals": "; ".join(dict.fromkeys(_interval_methods(model))) or "none",
        "p-values": "permutations under the null that is named, one-sided; Holm's method over all models and endpoints",
        "Software": ", ".join(f"{name} {version}" for name, version in content["software"].items()) or "not known",
        "Date": content["made"] or "not known",
        "Submitted by": content["who"] or "not said",
        "Licence of these numbers": content["licence"] or "none given",
    }
    yield "\n".join(f"* {name}: {escape_markdown(value, 1000)}" for name, value in facts.items())
    settings = json.dumps(model["preprocessing"], ensure_ascii=True)
    if model["preprocessing"] and len(settings) <= LONGEST_SETTINGS:
        yield f"Preprocessing:\n\n```json\n{settings}\n```"
    yield (
        "These numbers are as reported by who submits them. Another laboratory checks them with "
        "`bioclip-probe verify` on the results folder."
    )


def _interval_methods(model: Mapping[str, Any]) -> Iterator[str]:
    """Yield the level and method of each interval of a model."""
    for number in model["endpoints"]:
        if number["interval"]:
            yield f"{heading(number)}: {level_in_words(number)}, {number['interval_method']}"
