"""The site: all that belongs to one machine and not to a study, read from ``site.toml``.

::

    store = "/scratch/store"
    device = "cuda"
    engine = "slurm:8"

    [data]                                     # a study says data = "inat21"
    inat21 = "inat21:/data/inat21/val"

    [models]                                   # a study says models = ["bioclip", "mine"]
    mine = "local-dir:/models/mine"

    [files]                                    # a study says tree = "birds"
    birds = "/data/trees/birds.nwk"

A name of one of these tables stands in a study for what the flag of the command line takes on this machine. The same
study runs on another machine with the site of that machine.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from bioclip_probe import encoders
from bioclip_probe.datasets import registry as datasets
from bioclip_probe.errors import DataError
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.probes.settings import ProbeSettings
from bioclip_probe.study.plan import Plan
from bioclip_probe.study.toml_values import check_key, converted_value, parse_toml, with_values

#: Name of the file beside the study, and the variable that names another one.
SITE_FILE, SITE_VARIABLE = "site.toml", "BIOCLIP_PROBE_SITE"
#: Settings of extraction that belong to a machine.
MACHINE_SETTINGS = ("device", "engine", "workers", "preparation", "batch_size", "shard_size")
#: Settings of extraction that belong to one run.
RUN_SETTINGS = ("redo", "progress")
NAMES = ("data", "models", "files")
DEFAULTS = ExtractionSettings()


@dataclass(frozen=True)
class Site:
    """The settings of one machine.

    Attributes
    ----------
    store : Path
        Where embeddings are kept.
    device : str
        Device of encoders, metrics, probes and projections.
    engine, workers, preparation, batch_size, shard_size
        As in `ExtractionSettings`.
    data, models, files : mapping from str to str
        What a name in a study stands for: a dataset and a model as the command line takes them, and the path of a
        phylogeny, a table of names or a table of attributes.

    Examples
    --------
    >>> Site(device="cuda").store
    PosixPath('store')
    """

    store: Path = Path("store")
    device: str = DEFAULTS.device
    engine: str = "local"
    workers: int | None = DEFAULTS.workers
    preparation: str = DEFAULTS.preparation
    batch_size: int | None = DEFAULTS.batch_size
    shard_size: int = DEFAULTS.shard_size
    data: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


def read_site(text: str, folder: Path = Path(), source: str = SITE_FILE) -> Site:
    r"""Return the site that the text of a site file describes.

    Parameters
    ----------
    text : str
    folder : Path
        The folder of the file, from which its relative paths count.
    source : str
        Name of the file, for messages.

    Raises
    ------
    DataError
        If a key is unknown or a value has the wrong type.

    Examples
    --------
    >>> read_site('device = "cpu"\n[data]\ninat21 = "inat21:val"', Path("/data")).data["inat21"]
    'inat21:/data/val'
    >>> read_site('devise = "cpu"')
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.DataError: site.toml: no setting 'devise'; did you mean device, ...
    """
    content = parse_toml(text, source)
    for key in content:
        check_key(key, [item.name for item in fields(Site)], source)
    tables = {name: _names(content.pop(name, {}), name, source) for name in NAMES}
    site = with_values(Site(), content, source)
    return replace(
        site,
        store=folder / site.store.expanduser() if "store" in content else site.store,
        data={name: data_in(folder, data) for name, data in tables["data"].items()},
        models={name: model_in(folder, model) for name, model in tables["models"].items()},
        files={name: str(folder / Path(path).expanduser()) for name, path in tables["files"].items()},
    )


def plan_at(site: Site, plan: Plan, folder: Path = Path(), progress: bool = True) -> Plan:
    """Return the plan of a study as this machine runs it: names become paths, and the site's settings are set.

    Parameters
    ----------
    site : Site
    plan : Plan
        As a study file has it, without settings of a machine.
    folder : Path
        The folder of the study file, from which its relative paths count.
    progress : bool
        Show progress.

    Raises
    ------
    DataError
        If the machine does not have the data or a file, with the entry of the site file that is missing.

    Examples
    --------
    >>> site = Site(device="cpu", data={"inat21": "inat21:/data/val"})
    >>> plan_at(site, Plan("inat21")).data
    'inat21:/data/val'
    """
    machine = {name: getattr(site, name) for name in MACHINE_SETTINGS}
    return replace(
        plan,
        data=_data_at(site, folder, plan.data),
        models=tuple(site.models.get(model) or model_in(folder, model) for model in plan.models),
        tree=_file_at(site, folder, plan.tree),
        tree_names=_file_at(site, folder, plan.tree_names),
        attributes=_file_at(site, folder, plan.attributes),
        extraction=replace(plan.extraction, **machine, progress=progress),
        measure=replace(plan.measure, device=site.device),
        probe=replace(plan.probe, device=site.device),
    )


def divided(plan: Plan, store: Path) -> tuple[Plan, Site]:
    """Return the plan of a study and its site, from a plan as one machine runs it; the reverse of `plan_at`.

    Parameters
    ----------
    plan : Plan
    store : Path

    Returns
    -------
    plan : Plan
        Each path is replaced by a name, and what belongs to a machine or to one run has its default.
    site : Site
        What the names stand for, with absolute paths.

    Examples
    --------
    >>> study, site = divided(Plan("inat21:/data/val", tree=Path("/data/birds.nwk")), Path("/scratch/store"))
    >>> study.data, study.tree, site.data, site.files
    ('inat21', PosixPath('birds'), {'inat21': 'inat21:/data/val'}, {'birds': '/data/birds.nwk'})
    """
    here, names = Path.cwd(), _NameTables()
    kind, colon, path = plan.data.partition(":")
    name = f"{kind}-{Path(path).stem}" if kind in ("table", "folder", "vectors") else kind
    machine = {name: getattr(plan.extraction, name) for name in MACHINE_SETTINGS}
    usual = {name: getattr(DEFAULTS, name) for name in (*MACHINE_SETTINGS, *RUN_SETTINGS)}
    study = replace(
        plan,
        data=names.add("data", name, data_in(here, plan.data)) if colon else plan.data,
        models=tuple(
            names.add("models", _name_of_model(model), model_in(here, model)) if _model_path(model) else model
            for model in plan.models
        ),
        tree=names.add_file(plan.tree),
        tree_names=names.add_file(plan.tree_names),
        attributes=names.add_file(plan.attributes),
        extraction=replace(plan.extraction, **usual),
        measure=replace(plan.measure, device=MeasureSettings().device),
        probe=replace(plan.probe, device=ProbeSettings().device),
    )
    kept = store if store == Site().store else here / store.expanduser()
    return study, Site(store=kept, **machine, data=names.data, models=names.models, files=names.files)


@dataclass(frozen=True)
class _NameTables:
    """The names that a site gives to paths."""

    data: dict[str, str] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    def add(self, table: str, name: str, path: str) -> str:
        """Add a name for a path, with a number behind it if another path has it already, and return it."""
        names: dict[str, str] = getattr(self, table)
        free = (f"{name}-{number}" if number > 1 else name for number in itertools.count(1))
        own = next(candidate for candidate in free if names.get(candidate, path) == path)
        names[own] = path
        return own

    def add_file(self, path: Path | None) -> Path | None:
        """Add a file by its name without its ending."""
        return None if path is None else Path(self.add("files", path.stem, str(Path.cwd() / path.expanduser())))


def hidden_settings(section: str) -> tuple[str, ...]:
    """Return the settings of a section of a plan that are not part of a study.

    Examples
    --------
    >>> hidden_settings("probe")
    ('device',)
    """
    return {"extraction": (*MACHINE_SETTINGS, *RUN_SETTINGS), "measure": ("device",), "probe": ("device",)}.get(
        section, ()
    )


def is_machine_path(text: str) -> bool:
    """Return True if a path means something else, or nothing, on another machine.

    Examples
    --------
    >>> is_machine_path("/data/val"), is_machine_path("~/val"), is_machine_path("birds.nwk")
    (True, True, False)
    """
    absolute = PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute()
    return absolute or text.startswith("~")


def path_in(value: str, kind: str) -> str:
    """Return the path in a dataset or a model as the command line takes them; empty if it holds none.

    Parameters
    ----------
    value : str
    kind : str
        ``data`` or ``models``.

    Examples
    --------
    >>> path_in("inat21:/data/val", "data"), path_in("mine=local-dir:models/mine", "models")
    ('/data/val', 'models/mine')
    >>> path_in("hf-hub:imageomics/bioclip", "models"), path_in("layer:2:transformers:./mine:cls", "models")
    ('', './mine')
    """
    return value.partition(":")[2] if kind == "data" else _model_path(value)


def data_in(folder: Path, data: str) -> str:
    """Return a dataset whose relative path counts from a folder.

    Examples
    --------
    >>> data_in(Path("/data"), "inat21:val"), data_in(Path("/data"), "world")
    ('inat21:/data/val', 'world')
    """
    kind, _, path = data.partition(":")
    return f"{kind}:{folder / Path(path).expanduser()}" if path else data


def model_in(folder: Path, model: str) -> str:
    """Return a model whose relative path counts from a folder.

    Examples
    --------
    >>> model_in(Path("/data"), "mine=quickgelu:local-dir:mine"), model_in(Path("/data"), "bioclip")
    ('mine=quickgelu:local-dir:/data/mine', 'bioclip')
    >>> model_in(Path("/data"), "transformers:./mine:cls")
    'transformers:/data/mine:cls'
    """
    path = _model_path(model)
    if not path:
        return model
    before, _, after = model.rpartition(path)
    return f"{before}{folder / Path(path).expanduser()}{after}"


def _model_path(model: str) -> str:
    """Return the path in a model: behind a scheme of local models, or in place of open_clip's tag.

    A folder of transformers is told from a model of the hub, which has one ``/``, by its beginning or by further ones.
    """
    folder = re.fullmatch(r"(?:.*:|.*=)?transformers:(.+):(?:cls|pooler|mean)", model)
    if folder:
        return folder[1] if folder[1][0] in "./~" or folder[1].count("/") > 1 else ""
    match = re.fullmatch(r"([\w.+-]+=)?(\w+:)*((local-dir|custom|vectors):|[^:/]+/(?=[/~]))(?P<path>.+)", model)
    return match["path"] if match else ""


def _name_of_model(model: str) -> str:
    """Return a name for a local model, other than those of the registry."""
    alias, equals, _ = model.partition("=")
    name = alias if equals else Path(_model_path(model).partition(".py:")[0]).stem
    return f"{name}-local" if name in encoders.known() else name


def _data_at(site: Site, folder: Path, data: str) -> str:
    """Return the dataset that a study names, as the command line takes it on this machine."""
    if data in site.data:
        return site.data[data]
    name, colon, _ = data.partition(":")
    if not colon and (name not in datasets.REGISTRY or datasets.REGISTRY[name].takes_path):
        form = datasets.REGISTRY[name].form if name in datasets.REGISTRY else "inat21:PATH"
        raise DataError(f"this machine has no data '{data}'; {_remedy('data', data, form)}")
    return data_in(folder, data)


def _file_at(site: Site, folder: Path, path: Path | None) -> Path | None:
    """Return the file that a study names, on this machine."""
    if path is None:
        return None
    here = Path(site.files.get(str(path), folder / path))
    if not here.exists():
        raise DataError(f"there is no file {here}; {_remedy('files', str(path), 'PATH')}")
    return here


def _remedy(table: str, name: str, value: str) -> str:
    """Return the advice to name something in the site file."""
    return f'say where it is: [{table}] "{name}" = "{value}" in {SITE_FILE}, or the file that {SITE_VARIABLE} names'


def _names(table: Any, name: str, source: str) -> dict[str, str]:
    """Return one of the tables of names, after a check of its types."""
    if not isinstance(table, Mapping):
        raise DataError(f"{source}: [{name}] must be a section")
    return {key: converted_value(value, str, f"{source}: {name}.{key}") for key, value in table.items()}
