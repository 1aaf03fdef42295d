"""Copy the sources of the documentation beside the built pages, with the notebooks and the pages of the reference.

``docs/`` holds what people write. Sphinx reads a copy of it in ``build/docs/source``, to which this extension adds the
notebooks of ``notebooks/`` and one page of the reference for each room of the package.

The folder that the environment variable ``BIOCLIP_PROBE_EXECUTED`` names may hold executed copies of the notebooks, as
the tests leave them. Such a copy is shown as it is; other notebooks are executed, and their outputs are cached. With
``BIOCLIP_PROBE_EXECUTE=off`` none is executed: a quick look at the text.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import shutil
import types
import typing
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
NOTEBOOKS, GENERATED, INCLUDED = "tutorial", "reference/python", "included"
SOURCE = "https://github.com/bioclip-probe/bioclip_probe/blob/main"
#: Pages elsewhere in the repository that a page here includes, and pictures that they show.
INCLUDES = {
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "bioclip_probe/world/README.md": "explanation/world.md",
    "tests/benchmarks/README.md": "project/benchmarks.md",
    "tests/calibration/README.md": "explanation/calibration.md",
}
PICTURES = ("bioclip_probe/world/plate.jpg", "tests/calibration/calibration.png")
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#|<)([^)#\s]+)(#[^)\s]*)?\)")
#: Rooms of the package with public names, in the order of the reference, and what they are for.
ROOMS = {
    "bioclip_probe": "The package",
    "bioclip_probe.notebook": "Notebooks",
    "bioclip_probe.datasets": "Datasets",
    "bioclip_probe.encoders": "Encoders",
    "bioclip_probe.extraction": "Extraction",
    "bioclip_probe.store": "Store",
    "bioclip_probe.metrics": "Metrics",
    "bioclip_probe.probes": "Probes",
    "bioclip_probe.projections": "Projections",
    "bioclip_probe.study": "Study",
    "bioclip_probe.plots": "Plots",
    "bioclip_probe.report": "Report",
    "bioclip_probe.tree": "Tree",
    "bioclip_probe.stats": "Numeric kernels",
    "bioclip_probe.world": "The built-in world",
    "bioclip_probe.tables": "Tables",
    "bioclip_probe.errors": "Errors",
    "bioclip_probe.executors": "Executors",
    "bioclip_probe.provenance": "Provenance",
}


def rooms() -> dict[str, str]:
    """Return the rooms that there are, with their titles."""
    return {name: title for name, title in ROOMS.items() if importlib.util.find_spec(name)}


def public_names(room: ModuleType) -> tuple[list[str], list[str], list[str]]:
    """Return the public classes, functions and modules of a room, each by its name there.

    A room without ``__all__`` is one module, whose public names are those that it defines. Constants and registries are
    left out: the pages of the shelves show what they hold.
    """
    declared = getattr(room, "__all__", None)
    names = declared if declared is not None else [name for name in vars(room) if not name.startswith("_")]
    classes, functions, modules = [], [], []
    for name in sorted(names, key=str.lower):
        thing = getattr(room, name)
        if declared is None and getattr(thing, "__module__", None) != room.__name__:
            continue
        if inspect.isclass(thing):
            classes.append(name)
        elif inspect.isroutine(thing):
            functions.append(name)
        elif inspect.ismodule(thing) and thing.__name__ not in ROOMS:
            modules.append(name)
    return classes, functions, modules


@cache
def homes() -> dict[int, str]:
    """Return the full name under which each public class, function and module is described, by its identity.

    Some things are public in their room and at the top of the package; the first room of `ROOMS` describes them.
    """
    names: dict[int, str] = {}
    for room in rooms():
        module = importlib.import_module(room)
        for kind in public_names(module):
            for name in kind:
                names.setdefault(id(getattr(module, name)), f"{room}.{name}")
    return names


def classes() -> dict[str, str]:
    """Return the full name of each public class, by its own name."""
    names: dict[str, str] = {}
    for room in rooms():
        module = importlib.import_module(room)
        for name in public_names(module)[0]:
            names.setdefault(name, homes()[id(getattr(module, name))])
    return names


def room_page(name: str, title: str) -> str:
    """Return the page of a room as reStructuredText: its docstring, and tables of its public names."""
    lines = [
        title,
        "=" * len(title),
        "",
        f".. automodule:: {name}",
        "   :no-index:",
        "",
        f".. currentmodule:: {name}",
        "",
    ]
    room = importlib.import_module(name)
    for heading, names in zip(("Classes", "Functions", "Modules"), public_names(room), strict=True):
        full = [homes()[id(getattr(room, each))] for each in names]
        here = [each.removeprefix(f"{name}.") for each in full if each.rpartition(".")[0] == name]
        elsewhere = [f"~{each}" for each in full if each.rpartition(".")[0] != name]
        lines += table(heading, here, "   :toctree: generated") + table(f"{heading} described elsewhere", elsewhere)
    return "\n".join(lines)


def table(heading: str, names: list[str], option: str = "") -> list[str]:
    """Return the lines of a table of names; none without a name."""
    options = [option] if option else []
    lines = [heading, "-" * len(heading), "", ".. autosummary::", *options, "", *(f"   {name}" for name in names), ""]
    return lines if names else []


def is_described_elsewhere(app: Sphinx, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Return True if a page leaves out a thing: it has a page of its own, names a type, or is of another library."""
    is_alias = isinstance(thing, types.GenericAlias | types.UnionType) or typing.get_origin(thing) is not None
    return True if is_alias or inspect.isbuiltin(thing) or id(thing) in homes() else None


def with_links(text: str, path: Path) -> str:
    """Return a page with links that hold in the built pages: to other pages, or to files at the address of the source.

    Parameters
    ----------
    text : str
    path : Path
        The page in the repository, from which its links lead on.
    """

    def link(found: re.Match[str]) -> str:
        mark, text, anchor = found[1], found[2], found[4] or ""
        target = (path.parent / found[3]).resolve()
        inside = target.relative_to(ROOT).as_posix()
        if mark:
            return f"![{text}](/{inside})" if inside.startswith("figures/") else found[0]
        if target.is_relative_to(DOCS):
            return f"[{text}](/{target.relative_to(DOCS)}{anchor})"
        return (
            f"[{text}](/{INCLUDES[inside]}{anchor})" if inside in INCLUDES else f"[{text}]({SOURCE}/{inside}{anchor})"
        )

    return LINK.sub(link, text)


def without_title(text: str) -> str:
    """Return a page that another one includes without its title; further titles become headings."""
    parts = text.split("```")
    parts[::2] = [re.sub(r"^# ", "## ", part, flags=re.MULTILINE) for part in parts[::2]]
    return re.sub(r"\A## .*\n", "", "```".join(parts))


def write_if_changed(path: Path, text: str) -> None:
    """Write a page, unless it is there as it is: Sphinx reads again only what has changed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")


def notebooks() -> dict[str, Path]:
    """Return the notebooks by name; of an executed one, the executed copy."""
    executed = Path(os.environ.get("BIOCLIP_PROBE_EXECUTED", ROOT / "build" / "executed"))
    stored = sorted((ROOT / "notebooks").glob("*.ipynb"))
    return {path.name: copy if (copy := executed / path.name).is_file() else path for path in stored}


def stage(app: Sphinx, config: Config) -> None:
    """Bring the folder that Sphinx reads up to date, and say which notebooks need no execution."""
    source = Path(app.srcdir)
    if source == DOCS:
        raise SystemExit("docs/ holds sources only: build the documentation with `make docs`")
    pages = {path.relative_to(DOCS): path for path in DOCS.rglob("*.md")}
    pages |= {Path(INCLUDED, name): ROOT / name for name in INCLUDES}
    texts = {page: with_links(path.read_text("utf-8"), path) for page, path in pages.items()}
    texts |= {page: without_title(text) for page, text in texts.items() if page.parts[0] == INCLUDED}
    for name, title in rooms().items():
        texts[Path(GENERATED, f"{name.removeprefix('bioclip_probe.')}.rst")] = room_page(name, title)
    files = {Path(NOTEBOOKS, name): path for name, path in notebooks().items()}
    files |= {Path("figures", path.name): path for path in (ROOT / "figures").glob("*.png")}
    files |= {Path(INCLUDED, name): ROOT / name for name in PICTURES}
    for page, text in texts.items():
        write_if_changed(source / page, text)
    for name, path in files.items():
        copy_if_changed(path, source / name)
    generated = {Path(GENERATED, "generated", f"{name}.rst") for name in homes().values()}  # by autosummary, after this
    for path in [path for path in source.rglob("*") if path.is_file()]:
        if path.relative_to(source) not in {*texts, *files, *generated}:
            path.unlink()
    done = [name for name, path in notebooks().items() if path.parent != ROOT / "notebooks"]
    config.nb_execution_excludepatterns = [f"{NOTEBOOKS}/{name}" for name in done]
    if os.environ.get("BIOCLIP_PROBE_EXECUTE") == "off":
        config.nb_execution_mode = "off"


def copy_if_changed(path: Path, target: Path) -> None:
    """Copy a file with its time of change, unless the copy is as old."""
    if not target.exists() or target.stat().st_mtime != path.stat().st_mtime:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("config-inited", stage, priority=100)
    app.connect("autodoc-skip-member", is_described_elsewhere)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
