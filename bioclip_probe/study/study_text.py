"""The text of a study file and of a site file: every setting with its value, and what it is for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import Field, fields, is_dataclass
from pathlib import Path
from typing import Any

import tomli_w  # it writes any text as a TOML string, control characters and emoji included, which json.dumps does not

from bioclip_probe.study.plan import Plan
from bioclip_probe.study.site_file import NAMES, SITE_FILE, SITE_VARIABLE, Site, hidden_settings

#: Purposes of the settings outside the sections.
PLAN_COMMENTS = {
    "data": "dataset, see `bioclip-probe datasets`; its path stands in the site file",
    "models": "models to compare; none: those of the paper, on the world its own three",
    "controls": "measure pixels, colours and an untrained network beside them",
    "tree": "a phylogeny of the taxa, Newick or Nexus: a name of the site file, or a file beside this one",
    "tree_unit": "unit of its branch lengths, e.g. Myr",
    "tree_names": "table of the names that taxa have in the tree, with columns ours and theirs",
    "tree_at_genus": "put species that the tree lacks at the crown of their genus",
    "confounds": "columns that embeddings may follow instead of the tree",
    "strata": "columns inside whose values species are permuted",
    "attributes": "table of image ids with these columns",
    "lineages": "fill a rank that an image lacks where others of its taxon agree, or leave it: filled, as-given",
}
SEED_COMMENT = "seed of resampling, splits and projections"
GRID = """
# Every list below [grid] is an axis; each combination is a study with a results folder of its own.
# [grid]
# models = [["bioclip"], ["clip"]]
# seed = [0, 1, 2]
# measure.resample = ["species", "genus"]
"""
SITE_COMMENTS = {
    "store": "where embeddings are kept",
    "device": "auto, cpu, cuda, cuda:N",
    "engine": "local, processes[:N], dask:ADDRESS, slurm[:JOBS]",
    "workers": "threads or processes that prepare pictures",
    "preparation": "where pictures are opened and resized: auto, threads, processes",
    "batch_size": "pictures at a time",
    "shard_size": "images a shard",
}


def study_text(plan: Plan) -> str:
    r"""Return the study file of a plan, without anything that belongs to one machine.

    Parameters
    ----------
    plan : Plan
        As `site_file.divided` returns it.

    Returns
    -------
    str
        TOML; `study_file.read_studies` returns the same plan for it.

    Examples
    --------
    >>> text = study_text(Plan(tree_unit="Myr"))
    >>> print(*(line for line in text.splitlines() if "Myr" in line), sep="\n")
    # unit of its branch lengths, e.g. Myr
    tree_unit = "Myr"
    """
    lines = [
        "# A study of bioclip_probe; `bioclip-probe run FILE` runs it.",
        f"# What belongs to one machine stands in {SITE_FILE}, or in the file that {SITE_VARIABLE} names.",
        "",
    ]
    sections = {}
    for item in fields(plan):
        value = getattr(plan, item.name)
        if is_dataclass(value):
            sections[item.name] = value
        else:
            lines += _setting(item.name, value, PLAN_COMMENTS.get(item.name, ""))
    seeds = {section.seed for section in sections.values() if hasattr(section, "seed")}
    shared = ("seed",) if len(seeds) == 1 else ()
    if shared:
        lines += _setting("seed", seeds.pop(), SEED_COMMENT)
    for name, section in sections.items():
        lines += ["", f"[{name}]"]
        for item in fields(section):
            if item.name not in (*shared, *hidden_settings(name)):
                lines += _setting(item.name, getattr(section, item.name), _help(item))
    return "\n".join(lines) + "\n"


def site_text(site: Site) -> str:
    """Return the site file of a machine: the settings that differ from the defaults, and the names of paths.

    Examples
    --------
    >>> print(site_text(Site(device="cuda", data={"inat21": "inat21:/data/val"})))
    # The machine that runs studies of bioclip_probe.
    <BLANKLINE>
    # auto, cpu, cuda, cuda:N
    device = "cuda"
    <BLANKLINE>
    [data]
    inat21 = "inat21:/data/val"
    <BLANKLINE>
    """
    lines, usual = ["# The machine that runs studies of bioclip_probe.", ""], Site()
    for name, comment in SITE_COMMENTS.items():
        if getattr(site, name) != getattr(usual, name):
            lines += _setting(name, getattr(site, name), comment)
    for table in NAMES:
        names = dict(getattr(site, table))
        if names:
            lines += ["", f"[{table}]", tomli_w.dumps(names).rstrip()]
    return "\n".join(lines) + "\n"


def _setting(name: str, value: Any, comment: str) -> Iterator[str]:
    """Yield the lines of one setting; one without a value stands in a comment."""
    if comment:
        yield f"# {comment}"
    if value is None:
        yield f"# {name} = (not set)"
        return
    yield f"{name} = {_toml(value)}"


def _toml(value: Any) -> str:
    """Return a value as TOML, a list on one line."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    text = tomli_w.dumps({"value": value.as_posix() if isinstance(value, Path) else value})
    return text.partition(" = ")[2].rstrip()


def _help(item: Field) -> str:
    """Return what a setting is for, as the help of its flag says it."""
    return item.metadata.get("help", "").replace("%%", "%")
