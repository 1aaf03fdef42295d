"""The description of a results folder for archives: ``ro-crate-metadata.json``, an RO-Crate 1.1 in JSON-LD."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from bioclip_probe import __version__
from bioclip_probe.study.bundle.contents import Contents
from bioclip_probe.study.bundle.documents import PACKAGE, PAPER, REPOSITORY, date_of, title_of

FILE = "ro-crate-metadata.json"
SPECIFICATION = "https://w3id.org/ro/crate/1.1"
#: Files that the study writes itself: their media type, and their meaning.
TABLES = {
    "measurements.parquet": ("application/vnd.apache.parquet", "every number with its interval, chance and p-value"),
    "measurements.csv": ("text/csv", "the same as text"),
    "predictions.parquet": ("application/vnd.apache.parquet", "the taxon that each probe names for each picture"),
    "coordinates.parquet": ("application/vnd.apache.parquet", "the panels of the projection"),
    "runs.json": ("application/json", "what made the tables: commands, dataset, encoders, software, machine"),
    "study.toml": ("application/toml", "the study with every setting"),
}
LICENCE = "The people who ran the study have not stated a licence; ask them before you publish or change the files."


def crate_file(contents: Contents, others: Mapping[str, tuple[str, str]]) -> bytes:
    """Return ``ro-crate-metadata.json``.

    The root is a Dataset with title, date, licence and parts. Each step of the study is a CreateAction whose instrument
    is the software.

    Parameters
    ----------
    contents : Contents
    others : mapping from str to (str, str)
        Media type and meaning of the files beside those of `TABLES`.

    Returns
    -------
    bytes

    References
    ----------
    Sefton et al. 2020, RO-Crate Metadata Specification 1.1, doi:10.5281/zenodo.4541002.

    Examples
    --------
    >>> from pathlib import Path
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> from bioclip_probe.study.results import Results
    >>> record = {"run": "0f", "dataset": {"name": "birds", "simulated": False}, "encoders": [], "steps": {}}
    >>> crate = json.loads(crate_file(Contents(Results(Path("out"), record), corvid_sample()), {}))
    >>> [entity["@id"] for entity in crate["@graph"][:2]]
    ['ro-crate-metadata.json', './']
    """
    record, results = contents.results.record, contents.results
    written = {name for name in ("measurements", "predictions", "coordinates") if getattr(results, name) is not None}
    names = {f"{name}.parquet" for name in written} | {"runs.json"}
    names |= {"measurements.csv"} if "measurements" in written else set()
    names |= {"study.toml"} if "study" in record else set()
    files = {**{name: TABLES[name] for name in TABLES if name in names}, **others}
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": title_of(record),
        "description": _description(record),
        "identifier": record["run"],
        "datePublished": date_of(record),
        "license": LICENCE,
        "hasPart": [{"@id": quote(name)} for name in files],
        "mentions": [{"@id": f"#{step}"} for step in record["steps"]],
        "citation": {"@id": PAPER},
    }
    head = {
        "@id": FILE,
        "@type": "CreativeWork",
        "conformsTo": {"@id": SPECIFICATION},
        "about": {"@id": "./"},
    }
    graph = [head, root, *_files(files), *_actions(record, files), *_context()]
    content = {"@context": f"{SPECIFICATION}/context", "@graph": graph}
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _description(record: dict[str, Any]) -> str:
    """Return a description of the folder, in a sentence or two."""
    dataset = record["dataset"]
    text = "How well embeddings of vision models follow the tree of life, in numbers, with what is needed to check them"
    protocol = record.get("protocol")
    under = f" Protocol {protocol['id']}, instance {protocol['instance'][:12]}." if protocol else ""
    simulated = " The pictures are simulated: nothing here is about real organisms." if dataset["simulated"] else ""
    return f"{text}: `bioclip-probe verify FOLDER`.{under}{simulated}"


def _files(files: Mapping[str, tuple[str, str]]) -> list[dict[str, Any]]:
    """Return the entities of files."""
    return [
        {"@id": quote(name), "@type": "File", "name": name, "description": about, "encodingFormat": media}
        for name, (media, about) in files.items()
    ]


def _actions(record: dict[str, Any], files: Mapping[str, tuple[str, str]]) -> list[dict[str, Any]]:
    """Return the entities of the steps that made the files."""
    made = {"measure": "measurements", "probe": "predictions", "project": "coordinates"}
    actions = []
    for step, facts in record["steps"].items():
        names = [name for name in files if name.startswith((made.get(step, "measurements"), "measurements"))]
        actions.append(
            {
                "@id": f"#{step}",
                "@type": "CreateAction",
                "name": f"bioclip-probe {step}",
                "instrument": {"@id": REPOSITORY},
                "result": [{"@id": quote(name)} for name in names],
                **({"endTime": facts["finished"]} if "finished" in facts else {}),
            }
        )
    return actions


def _context() -> list[dict[str, Any]]:
    """Return the entities of the software and the paper."""
    software = {"@id": REPOSITORY, "@type": "SoftwareApplication", "name": PACKAGE, "version": __version__}
    software |= {"url": REPOSITORY}
    title = "BioCLIP: A Vision Foundation Model for the Tree of Life"
    paper = {"@id": PAPER, "@type": "ScholarlyArticle", "name": title, "datePublished": "2024"}
    return [software, paper]
