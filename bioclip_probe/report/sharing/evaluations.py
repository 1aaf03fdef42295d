"""Evaluation results as Hugging Face's Hub reads them: ``.eval_results/*.yaml`` in the repository of a model.

The format (https://huggingface.co/docs/hub/eval-results, work in progress there) is a list of entries. Each names a
``dataset`` of the Hub by ``id`` and, by ``task_id``, a task of its ``eval.yaml``, and holds one ``value``; ``date``,
``source`` and ``notes`` are optional. The Hub shows entries whose dataset is registered as a benchmark. The format has
no field for an interval, so that interval, p-value, protocol and instance stand in the notes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bioclip_probe.errors import ProbeError, printable
from bioclip_probe.report.sharing.wording import (
    SIMULATED,
    counts_in_words,
    interval_in_words,
    level_in_words,
    p_in_words,
)

#: The dataset of the Hub that would hold the benchmark; nobody has registered it yet.
BENCHMARK = "bioclip-probe/treeoflife-alignment"
FOLDER, FILE = ".eval_results", "treeoflife-alignment.yaml"
HEAD = """# Evaluation results for the repository of this model on Hugging Face, see
# https://huggingface.co/docs/hub/eval-results. Nothing was uploaded: put this file there yourself, as
# {path}. The Hub shows it once the dataset named here is a registered benchmark.
"""


def check_benchmark(id: str) -> str:
    """Return the id of a dataset of the Hub, after a check of its form.

    Parameters
    ----------
    id : str
        ``OWNER/NAME``.

    Raises
    ------
    ProbeError
        If it cannot be the id of a dataset.

    Examples
    --------
    >>> check_benchmark("bioclip-probe/treeoflife-alignment")
    'bioclip-probe/treeoflife-alignment'
    """
    if not re.fullmatch(r"[\w-][\w.-]{0,95}/[\w-][\w.-]{0,95}", id, re.ASCII):
        raise ProbeError(f"'{printable(id)}' is not a dataset of the Hub; expected OWNER/NAME")
    return id


def check_address(url: str) -> str:
    """Return a web address, after a check of its form; an empty text is returned as it is.

    Raises
    ------
    ProbeError
        If it does not begin with https:// or http://, or holds a space.

    Examples
    --------
    >>> check_address("https://example.org/alignment")
    'https://example.org/alignment'
    """
    if url and not re.fullmatch(r"https?://[^\s/<>\"]+(/[^\s<>\"]*)?", url):
        raise ProbeError(f"'{printable(url)}' is not a web address; expected https://…")
    return url


def eval_results(content: Mapping[str, Any], name: str, benchmark: str = BENCHMARK, url: str = "") -> str:
    """Return the evaluation results of one model of a submission, as YAML.

    Parameters
    ----------
    content : mapping
        A valid submission.
    name : str
        Name of one of its models.
    benchmark : str
        The dataset of the Hub that holds the benchmark, ``OWNER/NAME``.
    url : str
        Where the results can be seen; left out if empty.

    Returns
    -------
    str
        An entry for each primary endpoint that is defined; its task is the name of the metric.

    Examples
    --------
    >>> content = {"models": [{"name": "mine", "endpoints": []}]}
    >>> eval_results(content, "mine").splitlines()[-1]
    '[]'
    """
    import yaml

    model = next(model for model in content["models"] if model["name"] == name)
    entries = []
    for number in model["endpoints"]:
        if number["value"] is None or number["beside"]:
            continue
        entry: dict[str, Any] = {
            "dataset": {"id": benchmark, "task_id": number["metric"]},
            "value": round(number["value"], 6),
        }
        if content["made"]:
            entry["date"] = content["made"]
        if url:
            entry["source"] = {"url": url, "name": "bioclip_probe"}
        entries.append({**entry, "notes": _notes(content, number)})
    text = yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=10_000)
    return HEAD.format(path=f"{FOLDER}/{FILE}") + text


def _notes(content: Mapping[str, Any], number: Mapping[str, Any]) -> str:
    """Return the facts for which the format has no field."""
    protocol = content["protocol"]
    rule = f"{protocol['id']}, instance {protocol['instance']}" if protocol else "no protocol: not comparable"
    beside = f"on {content['dataset']['name']}, rank {number['rank']}, tree {number['tree']}"
    parts = [
        f"{level_in_words(number)} {interval_in_words(number)}",
        f"adjusted p {p_in_words(number['p_adjusted'])}",
        counts_in_words(number),
        beside,
        rule,
        *([number["note"]] if number["note"] else []),
        *([SIMULATED] if content["simulated"] else []),
    ]
    return "; ".join(parts)
