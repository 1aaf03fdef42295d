"""Flags of the command line, and the settings that they become.

The default and the help of a flag are those of a field of its settings, where they stand once.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

from bioclip_probe.extraction.settings import DTYPES, PRECISIONS, PREPARATIONS, ExtractionSettings
from bioclip_probe.limits import DEFAULT_BYTES, format_size, parse_size
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.probes.registry import PROTOCOLS
from bioclip_probe.probes.registry import REGISTRY as PROBES
from bioclip_probe.probes.settings import TEMPLATES, ProbeSettings
from bioclip_probe.projections.modes import MODES
from bioclip_probe.projections.registry import REGISTRY as PROJECTIONS
from bioclip_probe.projections.settings import ProjectionSettings
from bioclip_probe.report.explorer.settings import MOST_PICTURES, THUMBNAILS
from bioclip_probe.tables import LINEAGES, RANKS

Settings = type[ExtractionSettings] | type[MeasureSettings] | type[ProbeSettings] | type[ProjectionSettings]
AddFlags = Callable[[argparse.ArgumentParser], None]


def _setting(
    sub: argparse.ArgumentParser,
    settings: Settings,
    name: str,
    *,
    type: Callable[[str], Any] = str,
    choices: Collection[str] | None = None,
    metavar: str | None = None,
) -> None:
    """Add the flag of one field of some settings, with the field's default and help."""
    declared = next(item for item in fields(settings) if item.name == name)
    default = None if declared.default is MISSING else declared.default
    text = declared.metadata["help"]
    if default is not None:
        text += "; default: %(default)s"
    flag = "--" + name.replace("_", "-")
    sub.add_argument(flag, type=type, choices=choices, metavar=metavar, default=default, help=text)


def _switch(sub: argparse.ArgumentParser, settings: Settings, name: str) -> None:
    """Add the flag of one field that is true or false, with the field's help."""
    declared = next(item for item in fields(settings) if item.name == name)
    sub.add_argument("--" + name.replace("_", "-"), action="store_true", help=declared.metadata["help"])


def add_data(sub: argparse.ArgumentParser) -> None:
    """Add the flag of the dataset."""
    help = "dataset, see `bioclip-probe datasets`; default: %(default)s"
    sub.add_argument("--data", default="world", metavar="NAME[:PATH]", help=help)
    help = "fill a rank that an image lacks where other images of its taxon agree, or leave it; default: %(default)s"
    sub.add_argument("--lineages", default=LINEAGES[0], choices=LINEAGES, help=help)


def add_names_only(sub: argparse.ArgumentParser) -> None:
    """Add the flag of an audit that reads no picture."""
    text = "read no picture: exact copies are not looked for"
    sub.add_argument("--names-only", action="store_true", help=text)


def add_max_memory(sub: argparse.ArgumentParser) -> None:
    """Add the flag of the memory that one file may take."""
    help = f"memory that one small file may take, a picture or a table; default: {format_size(DEFAULT_BYTES)}"
    sub.add_argument("--max-memory", type=_size, metavar="SIZE", help=help)


def _size(text: str) -> int:
    """Return the bytes of a size such as 4GB."""
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_sources(sub: argparse.ArgumentParser) -> None:
    """Add the flags of data, models, store and extraction, and the seed."""
    add_data(sub)
    models = "see `bioclip-probe models`; default: bioclip clip inat21-only, on the world its own three"
    sub.add_argument("--models", nargs="+", default=(), metavar="M", help=models)
    store = "where embeddings are kept; default: %(default)s"
    sub.add_argument("--store", type=Path, default=Path("store"), metavar="DIR", help=store)
    _setting(sub, ExtractionSettings, "device")
    _setting(sub, ExtractionSettings, "precision", choices=PRECISIONS)
    _setting(sub, ExtractionSettings, "revision", metavar="REV")
    _setting(sub, ExtractionSettings, "engine", metavar="E")
    _setting(sub, ExtractionSettings, "batch_size", type=int, metavar="N")
    _setting(sub, ExtractionSettings, "workers", type=int, metavar="N")
    _setting(sub, ExtractionSettings, "preparation", choices=PREPARATIONS)
    _setting(sub, ExtractionSettings, "dtype", choices=DTYPES)
    _setting(sub, ExtractionSettings, "shard_size", type=int, metavar="N")
    _setting(sub, ExtractionSettings, "max_failures", type=_limit, metavar="N|SHARE")
    sub.add_argument("--retry-failed", action="store_true", help="do shards with failed images again")
    sub.add_argument("--repair", action="store_true", help="do damaged shards again; `verify` finds them")
    _setting(sub, MeasureSettings, "seed", type=int)


def _limit(text: str) -> float:
    """Return a number of images, or a share such as 0.01 or 1%."""
    share = text.endswith("%")
    try:
        number = float(text.removesuffix("%")) / (100 if share else 1)
    except ValueError:
        number = -1.0
    if not 0 <= number < (1 if share else float("inf")):
        raise argparse.ArgumentTypeError(f"expected a number of images, or a share below 100%; got '{text}'")
    return number


def extraction_settings(options: argparse.Namespace) -> ExtractionSettings:
    """Return the settings of extraction that the flags of `add_sources` say."""
    flags = (("failed", options.retry_failed), ("damaged", options.repair))
    return ExtractionSettings(
        device=options.device,
        precision=options.precision,
        revision=options.revision,
        engine=options.engine,
        batch_size=options.batch_size,
        workers=options.workers,
        preparation=options.preparation,
        shard_size=options.shard_size,
        dtype=options.dtype,
        max_failures=options.max_failures,
        redo=tuple(kind for kind, wanted in flags if wanted),
        progress=not options.quiet,
    )


def add_store(sub: argparse.ArgumentParser) -> None:
    """Add the argument of the store."""
    sub.add_argument("store", type=Path, metavar="STORE", help="its folder")


def add_export(sub: argparse.ArgumentParser) -> None:
    """Add the arguments of an export."""
    sub.add_argument("dataset", help="as `status` has it: NAME, or NAME@FINGERPRINT")
    sub.add_argument("encoder", help="the same")
    text = "ends in .parquet (emb-explorer), .npz or .h5ad; .csv for the sha256 of each picture, as sum-buddy writes it"
    sub.add_argument("file", type=Path, metavar="FILE", help=text)
    sub.add_argument("--results", type=Path, metavar="DIR", help="add the projections of a results folder to .h5ad")


def add_taxa(sub: argparse.ArgumentParser) -> None:
    """Add the flags of the taxa of a rank."""
    sub.add_argument("--rank", choices=RANKS, default="species", help="default: %(default)s")
    sub.add_argument("--out", type=Path, metavar="DIR", help="write ENCODER-RANK.csv and .npy there")


def add_controls(sub: argparse.ArgumentParser) -> None:
    """Add the flag that leaves out the controls."""
    sub.add_argument("--no-controls", action="store_true", help="leave out pixels, colours and the untrained network")


def add_tree(sub: argparse.ArgumentParser) -> None:
    """Add the flags of a phylogeny."""
    tree = "a phylogeny of the taxa, or a sample: Newick or Nexus; or a distance matrix: CSV"
    sub.add_argument("--tree", type=Path, metavar="FILE", help=tree)
    sub.add_argument("--tree-unit", default="unknown", metavar="UNIT", help="of its branch lengths, e.g. Myr")
    names = "table of the names that taxa have in the tree, with columns ours and theirs; audit --out suggests one"
    sub.add_argument("--tree-names", type=Path, metavar="FILE", help=names)
    at_genus = "put species that the tree lacks at the crown of their genus"
    sub.add_argument("--tree-at-genus", action="store_true", help=at_genus)


def add_columns(sub: argparse.ArgumentParser) -> None:
    """Add the flags of further columns of the images."""
    confound = "columns that embeddings may follow instead of the tree: photographer, place, kind of picture"
    sub.add_argument("--confound", nargs="+", default=(), metavar="COLUMN", help=confound)
    within = "columns inside whose values species are permuted, for tests that such a column cannot mislead"
    sub.add_argument("--within", nargs="+", default=(), metavar="COLUMN", help=within)
    table = "table of image ids with these columns; default: the file of table:FILE or vectors:FILE"
    sub.add_argument("--attributes", type=Path, metavar="FILE", help=table)


def add_measuring(sub: argparse.ArgumentParser) -> None:
    """Add the flags of what is measured, and of the intervals."""
    _setting(sub, MeasureSettings, "per_species", type=int, metavar="N")
    add_intervals(sub)


def add_intervals(sub: argparse.ArgumentParser) -> None:
    """Add the flags of intervals and p-values."""
    _setting(sub, MeasureSettings, "resample", choices=RANKS)
    _setting(sub, MeasureSettings, "n_permutations", type=int, metavar="N")
    _setting(sub, MeasureSettings, "n_primary_permutations", type=int, metavar="N")
    _setting(sub, MeasureSettings, "n_bootstrap", type=int, metavar="N")
    _setting(sub, MeasureSettings, "level", type=float, metavar="SHARE")


def add_metrics(sub: argparse.ArgumentParser) -> None:
    """Add the flag that names metrics."""
    text = "measure these alone, by the names in measurements.csv; default: all"
    sub.add_argument("--metrics", nargs="+", default=(), metavar="NAME", help=text)


def measure_settings(options: argparse.Namespace, metrics: tuple[str, ...] = ()) -> MeasureSettings:
    """Return the settings of the metrics that the flags of `add_measuring` say."""
    settings = interval_settings(options)
    return replace(settings, metrics=metrics, per_species=options.per_species)


def interval_settings(options: argparse.Namespace) -> MeasureSettings:
    """Return the settings of intervals and p-values that the flags of `add_intervals` say."""
    return MeasureSettings(
        resample=options.resample,
        seed=options.seed,
        device=options.device,
        level=options.level,
        n_permutations=options.n_permutations,
        n_primary_permutations=options.n_primary_permutations,
        n_bootstrap=options.n_bootstrap,
    )


def add_names(sub: argparse.ArgumentParser) -> None:
    """Add the flag that embeds names."""
    sub.add_argument("--names", action="store_true", help="and the names of all taxa, where a model takes text")


def add_templates(sub: argparse.ArgumentParser) -> None:
    """Add the flag of the prompts."""
    _setting(sub, ProbeSettings, "templates", choices=TEMPLATES)


def add_mode(sub: argparse.ArgumentParser) -> None:
    """Add the flag of the folds."""
    _setting(sub, ProbeSettings, "mode", choices=MODES)


def adder_of_probing(usual: ProbeSettings) -> AddFlags:
    """Return a function that adds the flags of the probes, with the defaults of one command."""

    def add(sub: argparse.ArgumentParser) -> None:
        probes = f"of {', '.join(PROBES)}; default: {' '.join(usual.probes)}"
        sub.add_argument("--probes", nargs="+", default=usual.probes, metavar="P", help=probes)
        protocols = f"of {', '.join(PROTOCOLS)}; default: {' '.join(usual.protocols)}"
        sub.add_argument("--protocols", nargs="+", default=usual.protocols, metavar="P", help=protocols)
        sub.set_defaults(usual_shots=usual.shots)
        default = " ".join(map(str, usual.shots)) or "all images only"
        shots = f"ask protocol seen again after K images of each taxon; default: {default}"
        sub.add_argument("--shots", nargs="*", type=int, metavar="K", help=shots)
        _setting(sub, ProbeSettings, "n_deals", type=int, metavar="N")
        _switch(sub, ProbeSettings, "own_split")
        add_templates(sub)

    return add


def probe_settings(options: argparse.Namespace) -> ProbeSettings:
    """Return the settings of the probes that the flags of `adder_of_probing` say."""
    protocols = tuple(options.protocols)
    shots = options.shots
    if shots is None:
        shots = options.usual_shots if "seen" in protocols else ()
    return ProbeSettings(
        probes=tuple(options.probes),
        protocols=protocols,
        shots=tuple(shots),
        mode=options.mode,
        templates=options.templates,
        n_deals=options.n_deals,
        own_split=options.own_split,
        seed=options.seed,
        device=options.device,
    )


def add_projection(sub: argparse.ArgumentParser) -> None:
    """Add the flags of the projection."""
    usual = ProjectionSettings().methods
    methods = f"methods that project images into the plane: {', '.join(PROJECTIONS)}; default: {' '.join(usual)}"
    sub.add_argument("--methods", nargs="+", default=usual, choices=tuple(PROJECTIONS), metavar="NAME", help=methods)
    text = (
        "paper: scikit-learn's t-SNE, outliers by one degree of freedom, folds of SimpleShot as published; corrected: "
        "openTSNE, two degrees, independent folds; default: %(default)s"
    )
    sub.add_argument("--mode", default=ProjectionSettings().mode, choices=MODES, help=text)
    _setting(sub, ProjectionSettings, "n_seeds", type=int, metavar="N")
    _setting(sub, ProjectionSettings, "repeat_up_to", type=int, metavar="N")


def projection_settings(options: argparse.Namespace) -> ProjectionSettings:
    """Return the settings of the projection that the flags of `add_projection` say."""
    return ProjectionSettings(
        methods=tuple(options.methods),
        mode=options.mode,
        seed=options.seed,
        n_seeds=options.n_seeds,
        repeat_up_to=options.repeat_up_to,
    )


def add_card(sub: argparse.ArgumentParser) -> None:
    """Add the folder of the card's tasks."""
    text = "with a folder a task: birds_525, plankton, rare_species …"
    sub.add_argument("folder", type=Path, metavar="DIR", help=text)


def add_out(sub: argparse.ArgumentParser) -> None:
    """Add the flag of the results folder."""
    text = "results folder; default: %(default)s"
    sub.add_argument("--out", type=Path, default=Path("results"), metavar="DIR", help=text)


def add_audit(sub: argparse.ArgumentParser) -> None:
    """Add the folder for the tables of an audit."""
    text = "write the findings, what matched a tree, and a table of names with suggestions there"
    sub.add_argument("--out", type=Path, metavar="DIR", help=text)


def add_overwrite(sub: argparse.ArgumentParser) -> None:
    """Add the flag that lets the results of another run be replaced."""
    text = "replace the results of another run in --out; finished pieces that fit are used all the same"
    sub.add_argument("--overwrite", action="store_true", help=text)


def add_figures(sub: argparse.ArgumentParser) -> None:
    """Add the names of figures."""
    text = "headline, drilldown, staircase …; all by default, and a wrong name lists them"
    sub.add_argument("names", nargs="*", metavar="NAME", help=text)
    width = "single (a column, 3.4 in), double (a page, 7.1 in; the default) or slide"
    sub.add_argument("--width", choices=["single", "double", "slide"], default="double", help=width)
    space = "embeddings as they are (raw, the default), or with their mean removed"
    sub.add_argument("--space", choices=["raw", "centred"], default="raw", help=space)
    tree = "read numbers on this tree: taxonomy, or the name of the phylogeny in the tables; by default the primary "
    tree += "endpoints are read on the phylogeny where there is one"
    sub.add_argument("--on-tree", default="", metavar="NAME", help=tree)


def add_no_explorer(sub: argparse.ArgumentParser) -> None:
    """Add the flag that leaves out the explorer."""
    text = f"do not write explorer.html; studies of more than {MOST_PICTURES:,} images have it by `explorer` only"
    sub.add_argument("--no-explorer", action="store_true", help=text)


def add_explorer(sub: argparse.ArgumentParser) -> None:
    """Add the flags of the explorer."""
    text = "the store with the vectors of the study; default: %(default)s"
    sub.add_argument("--store", type=Path, default=Path("store"), metavar="DIR", help=text)
    text = "where the pictures are now, if they were moved since the study ran"
    sub.add_argument("--data", default="", metavar="NAME:PATH", help=text)
    text = "pictures with a thumbnail; auto: all up to 10,000, else one a species; default: %(default)s"
    sub.add_argument("--thumbnails", default=THUMBNAILS[0], choices=THUMBNAILS, help=text)


def add_appendix(sub: argparse.ArgumentParser) -> None:
    """Add the flag of the folder of an appendix."""
    text = "folder of the appendix; default: appendix in the results folder"
    sub.add_argument("--to", type=Path, metavar="DIR", help=text)


def add_json(sub: argparse.ArgumentParser) -> None:
    """Add the flag of output for programs."""
    text = "print one JSON object for a program, with the version of its schema; the log stays on standard error"
    sub.add_argument("--json", action="store_true", help=text)


def add_dry_run(sub: argparse.ArgumentParser) -> None:
    """Add the flag that only estimates."""
    text = "compute nothing: print what is there, what would run, and its time, memory and disk; exit status 2 and the "
    text += "reason if it would stop"
    sub.add_argument("--dry-run", action="store_true", help=text)


def add_study(sub: argparse.ArgumentParser) -> None:
    """Add the arguments of a study that a file describes."""
    sub.add_argument("study", type=Path, metavar="FILE", help="the study file; a [grid] in it makes several studies")
    text = "paths, device and engine of this machine; default: the file that BIOCLIP_PROBE_SITE names, or site.toml "
    text += "beside the study"
    sub.add_argument("--site", type=Path, metavar="FILE", help=text)
    text = "a setting that replaces the file's, e.g. measure.seed=3; may be given several times"
    sub.add_argument("--set", action="append", default=[], dest="changes", metavar="NAME=VALUE", help=text)


def add_study_file(sub: argparse.ArgumentParser) -> None:
    """Add the path of a new study file."""
    sub.usage = "bioclip-probe init [FILE] [flags of reproduce]"
    text = "the new study file; what belongs to this machine goes into site.toml beside it; default: %(default)s"
    sub.add_argument("study", nargs="?", type=Path, default=Path("study.toml"), metavar="FILE", help=text)
