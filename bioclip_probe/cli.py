"""The command line: each command a thin layer over functions that a notebook calls as well."""

from __future__ import annotations

import argparse
import logging
import shutil
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bioclip_probe import __version__
from bioclip_probe.errors import ProbeError
from bioclip_probe.tables import RANKS

log = logging.getLogger("bioclip_probe")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, or 2 with one line that says what is wrong."""
    options = _parser().parse_args(arguments)
    _speak(quiet=getattr(options, "quiet", False))
    try:
        with _stopped_by_sigterm():
            options.run(options)
    except ProbeError as error:
        print(f"bioclip-probe: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "bioclip-probe: interrupted; the shards written so far are kept, the same command goes on from there",
            file=sys.stderr,
        )
        return 130
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        sys.stderr.close()
        return 0
    except OSError as error:  # a full disk, a folder that may not be written
        print(f"bioclip-probe: {error.strerror or error}: {error.filename or ''}".rstrip(": "), file=sys.stderr)
        return 2
    return 0


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """A polite kill, as SLURM sends before the time is up, ends a run as Control-C does."""
    if threading.current_thread() is not threading.main_thread():  # where signals cannot be handled
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _speak(quiet: bool) -> None:
    log.handlers.clear()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.WARNING if quiet else logging.INFO)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bioclip-probe",
        description="How well do vision models' embeddings follow the tree of life?",
        epilog="A first run needs no data: `bioclip-probe reproduce`. Each command has its own --help.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, run: Callable, what: str, *flags: Callable) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
        for add in flags:
            add(sub)
        sub.add_argument("--quiet", action="store_true", help="say nothing but the result and what went wrong")
        sub.set_defaults(run=run)
        return sub

    study = (_sources, _controls, _out)
    whole = "the whole study: embed, measure, probe, project, draw, report"
    command("reproduce", _reproduce, whole, *study, _tree, _projection, _resampling)
    command("embed", _embed, "embed pictures into the store", _sources, _controls)
    sub = command("taxa", _taxa, "embeddings of the taxa of a rank: counts, spread, and their vectors", _sources)
    sub.add_argument("--rank", choices=RANKS, default="species", help="default: %(default)s")
    sub.add_argument("--out", type=Path, metavar="DIR", help="write ENCODER-RANK.csv and .npy there")
    command("measure", _measure, "measure how embeddings follow the tree, at every rank", *study, _tree, _resampling)
    command("probe", _probe, "linear probes at every rank, and their accuracy", *study)
    command("project", _project, "the drill-down of Section 4.6 in the plane", *study, _projection)
    sub = command("figure", _figure, "draw figures from the tables of a results folder", _out)
    sub.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="headline, drilldown, staircase …; all by default, and a wrong name lists them",
    )
    command("report", _report, "draw the figures and bind a results folder into report.html", _out)
    command("models", _models, "the models there are, and how to name any other")
    command("datasets", _datasets, "the datasets there are, and how to name them")
    sub = command("audit", _audit, "what is odd about the names of a dataset, and what a phylogeny lacks", _data, _tree)
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
        help="where pictures are embedded: local, processes[:N], dask:ADDRESS, slurm[:JOBS]; default: %(default)s",
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
    number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if number < 0 or (text.endswith("%") and number >= 1):
        raise ValueError
    return number


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
        help="outlier rule of Section 4.6; default: %(default)s",
    )


def _plan(options: argparse.Namespace):
    from bioclip_probe.study import Plan

    given = vars(options)
    fields = {name: given[name] for name in Plan.__dataclass_fields__ if name in given}
    redo = [kind for kind, flag in (("failed", "retry_failed"), ("damaged", "repair")) if given.get(flag)]
    chosen = {"models": tuple(options.models), "controls": not given.get("no_controls", True), "redo": tuple(redo)}
    return Plan(**{**fields, **chosen})


def _collected(options: argparse.Namespace):
    """The sample a command works on; what is wrong with `--out` is said before the long work."""
    from bioclip_probe import results, study

    if options.out:
        results.check_folder(options.out)
    return study.sample_of(_plan(options), options.store, progress=not options.quiet)


def _show(table) -> None:
    if table.empty:
        print("no number of the summary is defined here; the notes in measurements.csv say why")
        return
    print(table.to_string(index=table.index.name is not None, na_rep="-", float_format="{:.3f}".format))


def _show_phylogeny(found, tree: Path | None) -> None:
    """How far embeddings follow the phylogeny of ``--tree``: the summary is about the taxonomy."""
    from bioclip_probe import report

    if tree is None:
        return
    matches = found.record["trees"][tree.stem]["matches"]
    print(
        f"\n{tree.stem}: {sum(match['matched'] for match in matches)} of {len(matches)} species are tips of the tree\n"
    )
    _show(report.by_tree(found, tree.stem))


def _reproduce(options: argparse.Namespace) -> None:
    from bioclip_probe import report, study

    start = time.perf_counter()
    found = study.reproduce(_plan(options), options.store, options.out, progress=not options.quiet)
    log.info("drawing the figures and binding the report")
    page = report.write(options.out)
    simulated = " (simulated: nothing here is about real organisms or models)" if found.simulated else ""
    print(f"\nHow well do embeddings follow the tree of life? {found.record['dataset']['name']}{simulated}\n")
    _show(report.summary(found))
    _show_phylogeny(found, options.tree)
    print(f"\nReport: {page}   ({time.perf_counter() - start:.0f} s)")


def _embed(options: argparse.Namespace) -> None:
    from bioclip_probe import datasets, sample
    from bioclip_probe.store import Store

    plan = _plan(options)
    data, store = datasets.load(plan.data), Store(options.store)
    done = sample.embed(data, plan.encoders(), store, progress=not options.quiet, **plan.extraction())
    for encoder, result in done:
        rate = "" if result.images_per_s != result.images_per_s else f", {result.images_per_s:.1f} images/s"
        print(f"{encoder['name']}: {result.n_ok} embedded ({result.n_reused} before), {result.n_failed} failed{rate}")
        print(f"  {result.folder}")


def _taxa(options: argparse.Namespace) -> None:
    import numpy as np

    from bioclip_probe import study

    sample = _collected(options)
    for name in sample.embeddings:
        table, means = study.taxa(sample, options.rank, name)
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            stem = f"{options.out / name.replace('/', '-')}-{options.rank}"  # a name may hold a dot: bioclip-2.5
            table.to_csv(f"{stem}.csv", index=False)
            np.save(f"{stem}.npy", means, allow_pickle=False)
            print(f"{name}: {len(table)} taxa of rank {options.rank}, {means.shape[1]}-d: {stem}.csv, .npy")
        else:
            print(f"{name}: {len(table)} taxa of rank {options.rank}")
            if len(table):
                _show(table)


def _measure(options: argparse.Namespace) -> None:
    import pandas as pd

    from bioclip_probe import report, results, study

    start, sample = time.perf_counter(), _collected(options)
    results.held(options.out, sample.run)
    tables = [of(sample, options.seed, options.resample) for of in (study.measure, study.compare)]
    settings = {"seed": options.seed, "per_species": options.per_species, "resample": options.resample}
    step = study.step(sample, "measure", time.perf_counter() - start, **settings)
    found = results.write(options.out, step, measurements=pd.concat(tables, ignore_index=True))
    _show(report.summary(found).dropna(axis=1, how="all"))
    _show_phylogeny(found, options.tree)


def _probe(options: argparse.Namespace) -> None:
    from bioclip_probe import report, results, study

    start, sample = time.perf_counter(), _collected(options)
    results.held(options.out, sample.run)
    predictions = study.probe(sample, seed=options.seed)
    scores = study.score(sample, predictions, options.seed)
    step = study.step(sample, "probe", time.perf_counter() - start, seed=options.seed)
    found = results.write(options.out, step, predictions=predictions, measurements=scores)
    _show(report.by_rank(found, "top1_accuracy"))


def _project(options: argparse.Namespace) -> None:
    from bioclip_probe import results, study

    start, sample = time.perf_counter(), _collected(options)
    results.held(options.out, sample.run)
    compared = study.compared_in(sample, _plan(options))
    coordinates = study.project(sample, options.method, options.mode, options.seed, compared)
    purity = study.measure_panels(sample, coordinates, options.seed)
    drawn = study.panels(sample, options.method, options.mode, options.seed, compared)
    settings = {"method": options.method, "mode": options.mode, "seed": options.seed, "panels": drawn}
    step = study.step(sample, "project", time.perf_counter() - start, **settings)
    results.write(options.out, step, coordinates=coordinates, measurements=purity)
    _show(purity.loc[purity["metric"] == "panel_purity", ["encoder", "rank", "taxon", "value", "chance", "n_images"]])


def _figure(options: argparse.Namespace) -> None:
    from bioclip_probe import report, results

    found = results.read(options.out)
    report.check_names(options.names)
    if options.names:
        for name in options.names:
            print(report.draw(found, name))
        return
    for name, drawn in report.draw_all(found).items():
        print(f"{name}: not drawn: {drawn}" if isinstance(drawn, str) else drawn)


def _report(options: argparse.Namespace) -> None:
    from bioclip_probe import report

    print(report.write(options.out))


def _models(options: argparse.Namespace) -> None:
    from bioclip_probe import encoders

    table = encoders.catalogue()
    known = table["name"].isin(encoders.known())
    for heading, part, before in (("Known", table[known], ""), ("Any other is named so", table[~known], "e.g. ")):
        print(f"{heading}\n")
        for entry in part.fillna({"dimension": 0, "text": False}).itertuples():
            facts = (f"{entry.dimension}-d" if entry.dimension else "", "takes text too" if entry.text else "")
            _list(entry.name, entry.what, "; ".join(filter(None, (before + entry.id, *facts, entry.notes))))
        print()


def _datasets(options: argparse.Namespace) -> None:
    from bioclip_probe import datasets

    for entry in datasets.catalogue().itertuples():
        _list(entry.how, entry.what)


def _list(name: str, *lines: str) -> None:
    """A name, and beside it what there is to say, as wide as the terminal."""
    width = max(min(shutil.get_terminal_size().columns, 120), 60)
    beside = [part for line in lines for part in textwrap.wrap(line, width - 28, break_on_hyphens=False)]
    for first, part in zip((name, *[""] * len(beside)), beside, strict=False):
        print(f"{first:<28}{part}")


def _audit(options: argparse.Namespace) -> None:
    from bioclip_probe import datasets
    from bioclip_probe.tree import audit, match_species, read_tree

    dataset = datasets.load(options.data)
    tree = read_tree(options.tree) if options.tree else None
    print(f"{dataset.name}: {len(dataset.images)} images")
    for note in dataset.notes:
        print(f"  {note}")
    found = audit(dataset.images)
    if len(found):
        _show(found)
    else:
        print("nothing odd was found")
    if tree is not None:
        counts = dataset.images["species"].value_counts().sort_index()
        matches = match_species(counts.index, tree).assign(n_images=counts.to_numpy())
        lacking = matches[~matches["matched"]]
        print(f"\n{options.tree.name}: {len(matches) - len(lacking)} of {len(matches)} species are tips of the tree")
        if len(lacking):
            _show(lacking[["name", "n_images", "reason"]])
