"""The protocol of a study: the rules that make numbers of two laboratories comparable, and the id that stands for them.

The **protocol** is everything that is the same in all studies: versions of metrics, probes and projections, seeds,
numbers of replicates, the resampled unit, the primary endpoints, how pictures are prepared, and the controls.
`definition` lists all of it, and its name is ``treeoflife-alignment/1``. Any change of an entry makes ``/2``.

The **instance** is what the rules were applied to: pictures, taxa, groups, splits and phylogenies, see
`instance_parts`. Models are neither: they are compared under one protocol on one instance.

Two numbers are comparable only if both the id and the instance are equal. A study that departs from the rules says so:
its id has a suffix with a digest of the departures, such as ``treeoflife-alignment/1+custom-3f2a91bc``, and its record
lists them. Two studies with the same departures have the same id.

Settings that the protocol leaves free are listed in `FREE`, with the reason: they choose numbers or a machine, or they
are part of the instance. Adjusted p-values depend on all numbers of a run, and are never compared between runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np
import pandas as pd

from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.files import sha256_of_bytes, sha256_of_chunks, sha256_of_json
from bioclip_probe.metrics.endpoints import PRIMARY
from bioclip_probe.metrics.registry import REGISTRY as METRICS
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.probes.registry import REGISTRY as PROBES
from bioclip_probe.probes.settings import ProbeSettings
from bioclip_probe.projections.registry import REGISTRY as PROJECTIONS
from bioclip_probe.projections.settings import ProjectionSettings
from bioclip_probe.study.plan import Plan
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Tree

NAME = "treeoflife-alignment"
#: Version of the protocol. Raise it with any change of `definition`; a test holds each version to its digest.
NUMBER = 1
#: The id in results of versions without a protocol.
UNKNOWN = ""

_SETTINGS = {
    "extraction": ExtractionSettings(),
    "measure": MeasureSettings(),
    "probe": ProbeSettings(),
    "projection": ProjectionSettings(),
}
#: Settings that are free under the protocol, by section, and why.
FREE: dict[str, dict[str, str]] = {
    "plan": {
        "data": "instance",
        "models": "models",
        "controls": "the rule on controls looks at the encoders of the study instead",
        "tree": "instance",
        "tree_unit": "instance",
        "tree_names": "instance",
        "tree_at_genus": "instance",
        "confounds": "adds numbers",
        "strata": "adds numbers",
        "attributes": "adds numbers",
    },
    "extraction": {
        "device": "machine",
        "revision": "models",
        "engine": "machine",
        "batch_size": "machine",
        "workers": "machine",
        "preparation": "machine",
        "shard_size": "machine",
        "max_failures": "stops a run; the images that failed are left out of the instance",
        "redo": "machine",
        "progress": "machine",
    },
    "measure": {"metrics": "chooses numbers", "per_species": "instance", "device": "machine"},
    "probe": {
        "probes": "chooses numbers",
        "protocols": "chooses numbers",
        "shots": "adds numbers",
        "names": "adds numbers",
        "device": "machine",
    },
    "projection": {"methods": "chooses numbers"},
}
#: Values other than the default that also follow the protocol.
ALSO_ALLOWED: dict[str, tuple[object, ...]] = {"extraction.precision": ("fp32",)}
#: The sections of the plan that the numbers of a step depend on.
SECTIONS = {
    "measure": ("plan", "extraction", "measure"),
    "probe": ("plan", "extraction", "measure", "probe"),
    "project": ("plan", "extraction", "measure", "projection"),
}
#: The controls beside the models: what their ids contain.
CONTROLS = ("control:pixels", "control:color-histogram", "untrained:")
#: Rules that no setting expresses.
RULES = {
    "images": "all images that every encoder of the study could embed; exact copies and images of one group "
    "(observation or photographer) are never on both sides of a split, and are no neighbours of each other",
    "taxa": "a taxon is its whole path from the root; an image without a name at a rank is left out at that rank",
    "preprocessing": "each model sees a picture as its own published preprocessing makes it, from the RGB picture as "
    "stored and turned upright; no augmentation, one view",
    "embeddings": "the vectors that the model compares images by, normalised; half precision only if its cosine with "
    "fp32 passes a check on the first pictures",
    "resampling": "intervals leave out whole taxa of measure.resample; p-values permute whole species, and are "
    "one-sided against the null, two-sided between models",
    "permutations": "measure.n_primary_permutations in p-values of the metrics of primary endpoints, of raw embeddings "
    "of the whole dataset; measure.n_permutations in all others",
    "random numbers": "each number draws from a stream of its own, made of the seed, its name and its rank",
    "adjustment": "p of primary endpoints by Holm, all others by Benjamini-Hochberg inside their family",
}


def definition() -> dict[str, Any]:
    """Return everything that the protocol fixes.

    Returns
    -------
    dict
        JSON-able: ``name`` and ``number``; ``rules`` in words; ``ranks``; ``controls``; ``endpoints``; the versions of
        ``metrics``, ``probes`` and ``projections``; and ``settings`` with the value of every setting that is not free.

    Examples
    --------
    >>> definition()["settings"]["measure"]["n_primary_permutations"]
    9999
    """
    settings = {section: _fixed(section, holder) for section, holder in {"plan": Plan(), **_SETTINGS}.items()}
    return {
        "name": NAME,
        "number": NUMBER,
        "rules": RULES,
        "ranks": list(RANKS),
        "controls": list(CONTROLS),
        "endpoints": [asdict(endpoint) | {"beside": list(endpoint.beside)} for endpoint in PRIMARY],
        "metrics": {name: entry.version for name, entry in METRICS.items()},
        "probes": {name: entry.version for name, entry in PROBES.items()},
        "projections": {name: entry.version for name, entry in PROJECTIONS.items()},
        "settings": settings,
    }


def definition_digest() -> str:
    """Return the SHA-256 digest of `definition`.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> len(definition_digest())
    64
    """
    return sha256_of_json(definition())


def deviations(plan: Plan, step: str, encoders: Iterable[Mapping[str, Any]] = ()) -> dict[str, str]:
    """Return how a step of a study departs from the protocol.

    Parameters
    ----------
    plan : Plan
    step : str
        ``measure``, ``probe`` or ``project``.
    encoders : iterable of mapping
        The records of the encoders of the study, controls included.

    Returns
    -------
    dict from str to str
        For each departure its name, such as ``measure.level``, and its value; empty if there is none.

    Examples
    --------
    >>> controls = [{"id": "control:pixels"}, {"id": "control:color-histogram"}, {"id": "untrained:timm:vit"}]
    >>> deviations(Plan(), "measure", controls)
    {}
    >>> deviations(Plan(measure=MeasureSettings(level=0.9)), "measure", controls)
    {'measure.level': '0.9'}
    """
    fixed = definition()["settings"]
    departures = {}
    for section in SECTIONS[step]:
        holder = plan if section == "plan" else getattr(plan, section)
        for name, value in fixed[section].items():
            full, own = f"{section}.{name}", _json_value(getattr(holder, name))
            if own != value and own not in ALSO_ALLOWED.get(full, ()):
                departures[full] = str(own)
    ids = [str(encoder.get("id", "")) for encoder in encoders]
    missing = [control for control in CONTROLS if not any(control in id for id in ids)]
    if missing:
        departures["controls"] = f"without {', '.join(missing)}"
    return departures


def id_of(departures: Mapping[str, str]) -> str:
    """Return the protocol id of a study with some departures.

    Parameters
    ----------
    departures : mapping from str to str
        See `deviations`.

    Returns
    -------
    str

    Examples
    --------
    >>> id_of({})
    'treeoflife-alignment/1'
    >>> id_of({"measure.level": "0.9"}).partition("+")[2]
    'custom-b4156586'
    """
    suffix = f"+custom-{sha256_of_json(dict(departures))[:8]}" if departures else ""
    return f"{NAME}/{NUMBER}{suffix}"


def picture_lines(images: pd.DataFrame) -> list[str]:
    r"""Return a line for each image with the facts that the protocol uses, sorted.

    Parameters
    ----------
    images : DataFrame
        Columns image_id, sha256, taxon, group and split, as ``images.parquet`` of a results folder has them.

    Returns
    -------
    list of str
        Digest of the picture's bytes (where it has none, its id), taxon, group and split, separated by tabs.

    Examples
    --------
    >>> row = {"image_id": "a", "sha256": None, "taxon": "Animalia|Chordata", "group": None, "split": "val"}
    >>> picture_lines(pd.DataFrame([row]))
    ['id:a\tAnimalia|Chordata\t\tval']
    """
    named = "id:" + images["image_id"].astype("str")
    columns = [images["sha256"].astype("str").where(images["sha256"].notna(), named)]
    columns += [images[name].astype("str").where(images[name].notna(), "") for name in ("taxon", "group", "split")]
    return sorted("\t".join(values) for values in zip(*columns, strict=True))


def instance_parts(images: pd.DataFrame, trees: Mapping[str, Tree] | None = None) -> dict[str, Any]:
    """Return the parts of the instance of a study, as digests.

    The order of the images and their ids do not enter, unless a picture has no bytes that could be digested.

    Parameters
    ----------
    images : DataFrame
        As for `picture_lines`.
    trees : mapping from str to Tree, optional
        The phylogenies beside the taxonomy.

    Returns
    -------
    dict
        ``n_images``; ``pictures``, the digest of `picture_lines`; and ``tree NAME`` for each phylogeny.

    Examples
    --------
    >>> images = pd.DataFrame([{"image_id": "a", "sha256": None, "taxon": "Aves", "group": None, "split": None}])
    >>> instance_parts(images)["n_images"]
    1
    """
    pictures = sha256_of_bytes("\n".join(picture_lines(images)).encode())
    digests = {f"tree {name}": _tree_digest(tree) for name, tree in (trees or {}).items()}
    return {"n_images": len(images), "pictures": pictures, **digests}


def protocol_record(departures: Mapping[str, str], parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry ``protocol`` of ``runs.json``.

    Parameters
    ----------
    departures : mapping from str to str
        See `deviations`; those of all steps together.
    parts : mapping
        See `instance_parts`.

    Returns
    -------
    dict
        ``id``; ``instance``, the digest of the parts; and ``parts``, with the digest of the ``definition`` and the
        ``deviations`` in words beside them.

    Examples
    --------
    >>> protocol_record({"measure.level": "0.9"}, {"pictures": "0f"})["parts"]["deviations"]
    'measure.level = 0.9'
    """
    words = "; ".join(f"{name} = {value}" for name, value in sorted(departures.items()))
    shown = {**parts, "definition": definition_digest(), "deviations": words}
    return {"id": id_of(departures), "instance": sha256_of_json(dict(parts)), "parts": shown}


def with_protocol(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record of a results folder with the protocol of all its steps together.

    Parameters
    ----------
    record : dict
        With the ``protocol`` of the last step, and ``deviations`` in each of its ``steps``.

    Returns
    -------
    dict
        Its ``protocol`` is None if a step has no ``deviations``, because an earlier version wrote it.

    Examples
    --------
    >>> with_protocol({"steps": {}})
    {'steps': {}}
    >>> protocol = protocol_record({}, {"pictures": "0f"})
    >>> steps = {"measure": {"deviations": {"measure.level": "0.9"}}, "probe": {"deviations": {}}}
    >>> with_protocol({"protocol": protocol, "steps": steps})["protocol"]["id"] == id_of({"measure.level": "0.9"})
    True
    """
    if not record.get("protocol"):
        return record
    steps = record["steps"].values()
    if any("deviations" not in step for step in steps):
        return {**record, "protocol": None}
    departures = {name: value for step in steps for name, value in step["deviations"].items()}
    beside = ("definition", "deviations")
    parts = {name: value for name, value in record["protocol"]["parts"].items() if name not in beside}
    return {**record, "protocol": protocol_record(departures, parts)}


def with_ids(measurements: pd.DataFrame, record: Mapping[str, Any]) -> pd.DataFrame:
    """Return measurements of one step with the protocol id of the step in each row.

    Parameters
    ----------
    measurements : DataFrame
        A `MEASUREMENTS` table.
    record : mapping
        The record of a run with this one step.

    Returns
    -------
    DataFrame
        Unchanged if the record names no protocol.

    Examples
    --------
    >>> from bioclip_probe.tables import MEASUREMENTS
    >>> record = {"protocol": {}, "steps": {"measure": {}}}
    >>> with_ids(MEASUREMENTS.frame([{"simulated": False}]), record)["protocol_id"].isna().tolist()
    [True]
    """
    steps = list(record.get("steps", {}).values())
    if not record.get("protocol") or len(steps) != 1 or "deviations" not in steps[0]:
        return measurements
    ids = pd.Series(id_of(steps[0]["deviations"]), measurements.index, "str")
    return measurements.assign(protocol_id=ids)


def _fixed(section: str, holder: Any) -> dict[str, Any]:
    """Return the settings of a section that the protocol fixes, with their values."""
    names = [item.name for item in fields(holder) if item.name not in (*FREE[section], *_SETTINGS)]
    return {name: _json_value(getattr(holder, name)) for name in names}


def _json_value(value: object) -> Any:
    """Return a setting as a value of JSON."""
    return list(value) if isinstance(value, tuple) else value


def _tree_digest(tree: Tree) -> str:
    """Return the digest of a tree: its shape, lengths, ranks, names and unit."""
    arrays = (np.ascontiguousarray(array).tobytes() for array in (tree.parent, tree.length, tree.rank))
    return sha256_of_chunks([f"{len(tree)} {tree.unit}".encode(), *arrays, "\n".join(map(str, tree.name)).encode()])
