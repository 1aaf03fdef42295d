"""Documents about a study, for another laboratory: its protocol, software, submission and citation."""

from __future__ import annotations

import json
import platform
import re
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

from bioclip_probe import __version__, provenance
from bioclip_probe.study import protocol_id
from bioclip_probe.study.bundle.contents import Contents
from bioclip_probe.study.piece import LIBRARIES
from bioclip_probe.study.submission import as_json, submission_of

PACKAGE = "bioclip_probe"
REPOSITORY = "https://github.com/bioclip-probe/bioclip_probe"
PAPER = "https://arxiv.org/abs/2311.18803"


def protocol_file(contents: Contents) -> bytes | None:
    """Return ``protocol.json``: the rules that the protocol id stands for, and the departures of each step from them.

    Parameters
    ----------
    contents : Contents

    Returns
    -------
    bytes or None
        None for results without a protocol.

    Examples
    --------
    >>> from pathlib import Path
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> from bioclip_probe.study.results import Results
    >>> protocol_file(Contents(Results(Path("out"), {}), corvid_sample())) is None
    True
    """
    record = contents.results.record
    if not record.get("protocol"):
        return None
    departures = {name: step["deviations"] for name, step in record["steps"].items()}
    content = {**record["protocol"], "deviations": departures, "definition": protocol_id.definition()}
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def requirements_file(contents: Contents) -> bytes:
    """Return ``requirements.txt``: the package, the encoders' libraries, and what they need, as installed.

    Parameters
    ----------
    contents : Contents

    Returns
    -------
    bytes

    Examples
    --------
    >>> from pathlib import Path
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> from bioclip_probe.study.results import Results
    >>> "numpy==" in requirements_file(Contents(Results(Path("out"), {"encoders": []}), corvid_sample())).decode()
    True
    """
    found: dict[str, str] = {}
    of_encoders = (name for encoder in contents.results.record["encoders"] for name in encoder.get("versions", ()))
    names = [*provenance.PACKAGES, *LIBRARIES, *of_encoders]
    while names:
        name = _plain(names.pop())
        if name in found:
            continue
        try:
            installed = distribution(name)
        except PackageNotFoundError:  # needed elsewhere, or by an extra
            continue
        found[name] = f"{installed.metadata['Name']}=={installed.version}"
        needed = [line for line in installed.requires or () if "extra ==" not in line]
        names += [match[0] for line in needed if (match := re.match(r"[\w.-]+", line))]
    head = f"# Python {platform.python_version()}, {platform.system()} {platform.machine()}\n"
    return (head + "".join(f"{found[name]}\n" for name in sorted(found))).encode()


def submission_file(contents: Contents) -> bytes | None:
    """Return ``submission.json``: the primary endpoints, without a submitter and a licence.

    Parameters
    ----------
    contents : Contents

    Returns
    -------
    bytes or None
        None as long as nothing is measured.

    Examples
    --------
    >>> from pathlib import Path
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> from bioclip_probe.study.results import Results
    >>> submission_file(Contents(Results(Path("out"), {}), corvid_sample())) is None
    True
    """
    if contents.results.measurements is None:
        return None
    return as_json(submission_of(contents.results)).encode()


def citation_file(contents: Contents) -> bytes:
    """Return ``CITATION.cff``: how to cite the results, with the software and the paper that they come from.

    The authors are unknown to the program; a comment asks for them.

    Parameters
    ----------
    contents : Contents

    Returns
    -------
    bytes

    References
    ----------
    Druskat et al. 2021, Citation File Format, version 1.2.0.

    Examples
    --------
    >>> from pathlib import Path
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> from bioclip_probe.study.results import Results
    >>> record = {"dataset": {"name": "birds", "simulated": False}, "encoders": [], "steps": {}, "run": "0f"}
    >>> citation_file(Contents(Results(Path("out"), record), corvid_sample())).decode().splitlines()[0]
    'cff-version: 1.2.0'
    """
    record = contents.results.record
    lines = {
        "cff-version": "1.2.0",
        "message": "If you use these results, please cite them, the software and the paper.",
        "type": "dataset",
        "title": title_of(record),
        "version": record["run"],
        "date-released": date_of(record),
    }
    text = "".join(f"{name}: {_quoted(value) if name != 'cff-version' else value}\n" for name, value in lines.items())
    text += "authors:  # write your names here before you publish\n  - name: anonymous\n"
    text += "references:\n"
    text += _reference("software", "bioclip_probe", "The bioclip_probe developers", REPOSITORY, version=__version__)
    paper = "BioCLIP: A Vision Foundation Model for the Tree of Life"
    text += _reference("conference-paper", paper, "Stevens et al.", PAPER, year=2024)
    return text.encode()


def title_of(record: dict[str, Any]) -> str:
    """Return the title of a study's results.

    Parameters
    ----------
    record : dict
        Of its results folder.

    Returns
    -------
    str

    Examples
    --------
    >>> title_of({"dataset": {"name": "birds", "simulated": False}, "encoders": [{"name": "clip"}]})
    'How well embeddings of clip follow the tree of life, on birds'
    """
    names = ", ".join(encoder["name"] for encoder in record["encoders"])
    simulated = " (simulated)" if record["dataset"]["simulated"] else ""
    return f"How well embeddings of {names} follow the tree of life, on {record['dataset']['name']}{simulated}"


def date_of(record: dict[str, Any]) -> str:
    """Return the day on which the last step of a study ended.

    Parameters
    ----------
    record : dict
        Of its results folder.

    Returns
    -------
    str
        In the form of ISO 8601; the first day of 1970 if no step has a date.

    Examples
    --------
    >>> date_of({"steps": {"measure": {"finished": "2026-11-27T13:39:03+00:00"}}})
    '2026-11-27'
    """
    return max((str(step.get("finished", "")) for step in record["steps"].values()), default="")[:10] or "1970-01-01"


def _reference(kind: str, title: str, authors: str, url: str, **more: object) -> str:
    """Return one entry of the references of a citation file."""
    fields = {"title": title, "authors": None, "url": url, **more}
    lines = [f"  - type: {kind}"]
    for name, value in fields.items():
        if value is None:
            lines += ["    authors:", f"      - name: {_quoted(authors)}"]
        else:
            lines.append(f"    {name}: {_quoted(value)}")
    return "\n".join(lines) + "\n"


def _quoted(value: object) -> str:
    """Return a value as YAML: a number, or a text in double quotes, which JSON and YAML write in the same way."""
    return json.dumps(value)


def _plain(name: str) -> str:
    """Return the normalised name of a package, which all its spellings share."""
    return re.sub(r"[-_.]+", "-", name).lower()
