"""The parser of the command line: commands and their flags."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from bioclip_probe import __version__
from bioclip_probe.cli import commands
from bioclip_probe.probes.registry import PROTOCOLS, REGISTRY
from bioclip_probe.probes.settings import DEFAULT_PROTOCOLS, USUAL_PROBES, USUAL_SHOTS
from bioclip_probe.tables import RANKS

_FOLDS = "folds of SimpleShot as published or independent; default: %(default)s"


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bioclip-probe",
        description="How well do vision models' embeddings follow the tree of life?",
        epilog="A first run needs no data: `bioclip-probe reproduce`. Each command has its own --help.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    known = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, what: str, *flags: Callable) -> argparse.ArgumentParser:
        sub = known.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
        for add in flags:
            add(sub)
        sub.add_argument("--quiet", action="store_true", help="say nothing but the result and what went wrong")
        sub.set_defaults(run=getattr(commands, name))
        return sub

    study = (_sources, _controls, _out)
    whole = "the whole study: embed, measure, probe, project, draw, report"
    command("reproduce", whole, *study, _tree, _projection, _resampling, _asking(USUAL_PROBES, USUAL_SHOTS))
    sub = command("embed", "embed pictures into the store", _sources, _controls)
    sub.add_argument("--names", action="store_true", help="and the names of all taxa, where a model takes text")
    command("status", "how far each embedding in a store is, and what failed", _store)
    command("verify", "check a store: hashes, counts, vectors, orphans; exit status 1 if amiss", _store)
    sub = command("export", "write embeddings as .parquet, .npz or .h5ad (AnnData)", _store)
    sub.add_argument("dataset", help="as `status` has it: NAME, or NAME@FINGERPRINT")
    sub.add_argument("encoder", help="the same")
    sub.add_argument("file", type=Path, metavar="FILE", help="ends in .parquet (emb-explorer), .npz or .h5ad")
    sub.add_argument("--results", type=Path, metavar="DIR", help="add the projections of a results folder to .h5ad")
    sub = command("taxa", "embeddings of the taxa of a rank: counts, spread, and their vectors", _sources)
    sub.add_argument("--rank", choices=RANKS, default="species", help="default: %(default)s")
    sub.add_argument("--out", type=Path, metavar="DIR", help="write ENCODER-RANK.csv and .npy there")
    sub = command("measure", "measure how embeddings follow the tree, at every rank", *study, _tree, _resampling)
    sub.add_argument("--names", action="store_true", help="and the names of all taxa, where a model takes text")
    _templates(sub)
    sub = command("probe", "ask probes to name taxa at every rank, and score them", *study, _asking(("linear",), ()))
    sub.add_argument("--mode", default="corrected", choices=("corrected", "paper"), help=_FOLDS)
    command("project", "the drill-down of Section 4.6 in the plane", *study, _projection)
    sub = command("card", "the zero-shot and few-shot tasks of BioCLIP's model card, in one table", _sources, _out)
    sub.add_argument(
        "folder", type=Path, metavar="DIR", help="with a folder a task: birds_525, plankton, rare_species …"
    )
    command("compare", "published numbers beside those of a results folder", _out)
    sub = command("figure", "draw figures from the tables of a results folder", _out)
    sub.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="headline, drilldown, staircase …; all by default, and a wrong name lists them",
    )
    command("report", "draw the figures and bind a results folder into report.html", _out)
    command("models", "the models there are, and how to name any other")
    command("datasets", "the datasets there are, and how to name them")
    sub = command("audit", "what is odd about the names of a dataset, and what a phylogeny lacks", _data, _tree)
    return parser


def _data(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--data",
        default="world",
        metavar="NAME[:PATH]",
        help="dataset, see `bioclip-probe datasets`; default: %(default)s",
    )


def _sources(sub: argparse.ArgumentParser) -> None:
    _data(sub)
    sub.add_argument(
        "--models",
        nargs="+",
        default=(),
        metavar="M",
        help="see `bioclip-probe models`; default: bioclip clip inat21-only, on the world its own three",
    )
    sub.add_argument(
        "--store",
        type=Path,
        default=Path("store"),
        metavar="DIR",
        help="where embeddings are kept; default: %(default)s",
    )
    sub.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N; default: %(default)s")
    sub.add_argument(
        "--precision",
        default="auto",
        choices=("auto", "fp32", "bf16", "fp16"),
        help="of the networks; auto is half precision where the hardware is fast at it and a check against fp32 "
        "passes; default: %(default)s",
    )
    sub.add_argument("--revision", metavar="REV", help="commit, tag or branch of the one model that is on the hub")
    sub.add_argument(
        "--engine",
        default="local",
        metavar="E",
        help="where pictures are embedded and pairs of images looked at: local, processes[:N], dask:ADDRESS, "
        "slurm[:JOBS]; default: %(default)s",
    )
    sub.add_argument("--batch-size", type=int, default=32, metavar="N", help="pictures at a time; default: %(default)s")
    sub.add_argument("--workers", type=int, metavar="N", help="threads that open pictures; default: by the processors")
    sub.add_argument(
        "--dtype",
        default="float32",
        choices=("float32", "float16"),
        help="how the store keeps vectors; float16 takes half the disk; default: %(default)s",
    )
    sub.add_argument(
        "--shard-size", type=int, default=1024, metavar="N",
        help="images a shard: what an interruption loses, and what an engine's worker is given; default: %(default)s",
    )  # fmt: skip
    sub.add_argument(
        "--max-failures", type=_limit, metavar="N|SHARE", help="stop once more images have failed: 100, or 1%%"
    )
    sub.add_argument("--retry-failed", action="store_true", help="do shards with failed images again")
    sub.add_argument("--repair", action="store_true", help="do damaged shards again; `verify` finds them")
    sub.add_argument("--seed", type=int, default=0, help="of resampling, splits and projections; default: %(default)s")


def _limit(text: str) -> float:
    """A number of images, or a share as 0.01 or 1%."""
    share = text.endswith("%")
    try:
        number = float(text.removesuffix("%")) / (100 if share else 1)
    except ValueError:
        number = -1.0
    if not 0 <= number < (1 if share else float("inf")):
        raise argparse.ArgumentTypeError(f"expected a number of images, or a share below 100%; got '{text}'")
    return number


def _store(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("store", type=Path, metavar="STORE", help="its folder")


def _controls(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--no-controls", action="store_true", help="leave out pixels, colours and the untrained network")


def _tree(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--tree", type=Path, metavar="FILE", help="a phylogeny of the species: Newick or Nexus")
    sub.add_argument("--tree-unit", default="unknown", metavar="UNIT", help="of its branch lengths, e.g. Myr")


def _resampling(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--per-species", type=int, metavar="N", help="measure N images of each species, drawn at random; default: all"
    )
    sub.add_argument(
        "--resample",
        default="species",
        choices=RANKS,
        help="what intervals of tree agreement resample: whole genera, say, where species are not independent; "
        "default: %(default)s",
    )


def _asking(learners: tuple[str, ...], shots: tuple[int, ...]) -> Callable:
    """The flags of what probes are asked, with the defaults of a command."""

    def add(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--probes", nargs="+", default=learners, metavar="P",
                         help=f"of {', '.join(REGISTRY)}; default: {' '.join(learners)}")  # fmt: skip
        sub.add_argument("--protocols", nargs="+", default=DEFAULT_PROTOCOLS, metavar="P",
                         help=f"of {', '.join(PROTOCOLS)}; default: {' '.join(DEFAULT_PROTOCOLS)}")  # fmt: skip
        sub.set_defaults(usual_shots=shots)
        sub.add_argument("--shots", nargs="*", type=int, metavar="K",
                         help="ask protocol seen again after K images of each taxon; default: "
                              + (" ".join(map(str, shots)) or "all images only"))  # fmt: skip
        _templates(sub)

    return add


def _templates(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--templates", default="plain", choices=("plain", "openai"),
        help="names in one prompt (plain), or the mean of the 81 that published numbers use; default: %(default)s",
    )  # fmt: skip


def _out(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--out", type=Path, default=Path("results"), metavar="DIR", help="results folder; default: %(default)s"
    )


def _projection(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--method", default="tsne", choices=("tsne", "umap", "pca"), help="default: %(default)s")
    sub.add_argument(
        "--mode",
        default="corrected",
        choices=("corrected", "paper"),
        help=f"outlier rule of Section 4.6; {_FOLDS}",
    )
