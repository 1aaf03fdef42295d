"""The commands: each a thin layer over functions that a notebook calls as well; what each prints is here.

`bioclip_probe.cli.parser` reads the command line and calls them.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import textwrap
import time
from pathlib import Path

from bioclip_probe.errors import DataError

log = logging.getLogger("bioclip_probe")


def _plan(options: argparse.Namespace):
    from bioclip_probe.study.plan import Plan

    given = vars(options)
    fields = {name: given[name] for name in Plan.__dataclass_fields__ if name in given}
    redo = [kind for kind, flag in (("failed", "retry_failed"), ("damaged", "repair")) if given.get(flag)]
    fields |= {name: tuple(given.get(name) or ()) for name in ("probes", "protocols", "shots")}
    if given.get("shots") is None and "seen" in fields["protocols"]:
        fields["shots"] = options.usual_shots
    chosen = {"models": tuple(options.models), "controls": not given.get("no_controls", True), "redo": tuple(redo)}
    return Plan(**{**fields, **chosen})


def _collected(options: argparse.Namespace):
    """The sample a command works on; what is wrong with `--out` is said before the long work."""
    from bioclip_probe import study
    from bioclip_probe.study import results

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


def reproduce(options: argparse.Namespace) -> None:
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


def embed(options: argparse.Namespace) -> None:
    from bioclip_probe import datasets
    from bioclip_probe.extraction import embed
    from bioclip_probe.extraction.settings import ExtractionSettings
    from bioclip_probe.store.store import Store

    plan = _plan(options)
    data, store = datasets.load(plan.data), Store(options.store)
    settings = ExtractionSettings(**plan.extraction(), progress=not options.quiet)
    for encoder, result in embed.embed(data, plan.encoders(), store, settings):
        rate = "" if result.images_per_s != result.images_per_s else f", {result.images_per_s:.1f} images/s"
        print(f"{encoder['name']}: {result.n_ok} embedded ({result.n_reused} before), {result.n_failed} failed{rate}")
        print(f"  {result.folder}")
    if options.names:
        for name, found in embed.embed_all_names(data, plan.encoders(), store, settings):
            cut = f", {found.n_truncated} of them longer than it reads" if found.n_truncated else ""
            print(f"{name}: names of {found.n_taxa} taxa, {found.n_texts} different texts{cut}")
            print(f"  {found.path}")


def status(options: argparse.Namespace) -> None:
    from bioclip_probe.store import verify
    from bioclip_probe.store.store import open_store

    table = verify.status(open_store(options.store))
    if table.empty:
        print(f"{options.store} is an empty store")
        return
    shown = table.assign(
        shards=table["shards_done"].astype("str") + "/" + table["n_shards"].astype("str"),
        MB=(table["bytes"] / 1e6).round(1),
        parity=table["parity"].map("{:.5f}".format).where(table["parity"].notna(), "-"),
    )
    columns = ["dataset", "encoder", "n_images", "n_ok", "n_failed", "n_missing", "state", "shards", "precision"]
    _show(shown[[*columns, "parity", "dtype", "MB", "failures"]].rename(columns=lambda name: name.removeprefix("n_")))


def verify(options: argparse.Namespace) -> int:
    """Exit status 1 where something was found."""
    from bioclip_probe.store import verify
    from bioclip_probe.store.store import open_store

    found = verify.verify(open_store(options.store), progress=not options.quiet)
    for finding in found.itertuples():
        print(f"{finding.folder}: {finding.check}: {finding.finding}")
    if len(found):
        print(f"{len(found)} findings; damaged shards alone are done again by embed --repair")
        return 1
    print("whole and sound")
    return 0


def export(options: argparse.Namespace) -> None:
    from bioclip_probe.store.store import open_store
    from bioclip_probe.study import export

    what = (open_store(options.store), options.dataset, options.encoder, options.file)
    kind = options.file.suffix.lower()
    if kind == ".h5ad":
        print(export.to_anndata(*what, results=options.results))
        return
    writers = {".parquet": export.to_parquet, ".npz": export.to_npz}
    if kind not in writers:
        raise DataError(f"{options.file}: expected a file that ends in .parquet, .npz or .h5ad")
    if options.results:
        raise DataError("--results adds projections to .h5ad only; drop it, or name such a file")
    print(writers[kind](*what))


def taxa(options: argparse.Namespace) -> None:
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


def measure(options: argparse.Namespace) -> None:
    import pandas as pd

    from bioclip_probe import executors, report, study
    from bioclip_probe.study import results

    start, sample = time.perf_counter(), _collected(options)
    results.held(options.out, sample.run)
    with executors.open_executor(options.engine) as executor:
        measured = study.measure(sample, options.seed, options.resample, executor)
    tables = [
        measured,
        study.compare(sample, options.seed, options.resample),
        study.texts(sample, seed=options.seed),
    ]
    settings = {"seed": options.seed, "per_species": options.per_species, "resample": options.resample}
    step = study.step(sample, "measure", time.perf_counter() - start, **settings)
    found = results.write(options.out, step, measurements=pd.concat(tables, ignore_index=True))
    _show(report.summary(found).dropna(axis=1, how="all"))
    _show_phylogeny(found, options.tree)


def probe(options: argparse.Namespace) -> None:
    from bioclip_probe import report, study
    from bioclip_probe.study import probing, results, scoring

    start, sample, plan = time.perf_counter(), _collected(options), _plan(options)
    results.held(options.out, sample.run)
    predictions = probing.ask(sample, plan)
    scores = scoring.score(sample, predictions, plan.seed)
    asked = {"probes": plan.probes, "protocols": plan.protocols, "shots": plan.shots, "templates": plan.prompts()}
    step = study.step(sample, "probe", time.perf_counter() - start, seed=plan.seed, **asked)
    found = results.write(options.out, step, predictions=predictions, measurements=scores)
    for heading, table in report.by_probe(found, "top1_accuracy"):
        print(f"{heading}\n")
        _show(table)
        print()


def project(options: argparse.Namespace) -> None:
    from bioclip_probe import study
    from bioclip_probe.study import results

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


def card(options: argparse.Namespace) -> None:
    from bioclip_probe.study import model_card as model_card

    plan = _plan(options)
    where = {key: value for key, value in plan.extraction().items() if key != "redo"}
    shown = {"seed": plan.seed, "progress": not options.quiet}
    found = model_card.run(options.folder, plan.compared(), options.store, options.out, **shown, **where)
    _show(model_card.table(found))
    for note in found.record["dataset"]["notes"]:
        print(note)
    print()
    _show_published(found)


def compare(options: argparse.Namespace) -> None:
    from bioclip_probe.study import results

    _show_published(results.read(options.out))


def _show_published(found) -> None:
    """Published numbers that a run covers, beside its own."""
    from bioclip_probe.report import gallery
    from bioclip_probe.study import published

    beside = published.compare(gallery.table_of(found, "measurements"), found.record)
    for row in beside.itertuples():
        asked = (row.probe, row.protocol, f"{row.shots}-shot" if row.shots == row.shots else "", row.rank, row.metric)
        about = ", ".join(str(part) for part in asked if part and part == part)
        _list(
            str(row.encoder),
            f"{row.dataset}: {about}",
            f"published {row.published:.3f} ({row.source}), here {row.measured:.3f}, difference {row.difference:+.3f}",
            "done alike" if row.matches and not row.differs_in else f"differs in: {row.differs_in}",
        )
    print(published.coverage(beside, found.record))


def figure(options: argparse.Namespace) -> None:
    from bioclip_probe import report
    from bioclip_probe.study import results

    found = results.read(options.out)
    report.check_names(options.names)
    if options.names:
        for name in options.names:
            print(report.draw(found, name))
        return
    for name, drawn in report.draw_all(found).items():
        print(f"{name}: not drawn: {drawn}" if isinstance(drawn, str) else drawn)


def report(options: argparse.Namespace) -> None:
    from bioclip_probe import report

    print(report.write(options.out))


def models(options: argparse.Namespace) -> None:
    from bioclip_probe import encoders

    table = encoders.catalogue()
    known = table["name"].isin(encoders.known())
    for heading, part, before in (("Known", table[known], ""), ("Any other is named so", table[~known], "e.g. ")):
        print(f"{heading}\n")
        for entry in part.fillna({"dimension": 0, "text": False}).itertuples():
            facts = (f"{entry.dimension}-d" if entry.dimension else "", "takes text too" if entry.text else "")
            _list(entry.name, entry.title, "; ".join(filter(None, (before + entry.id, *facts, entry.notes))))
        print()


def datasets(options: argparse.Namespace) -> None:
    from bioclip_probe import datasets

    for entry in datasets.catalogue().itertuples():
        _list(entry.how, entry.what)


def _list(name: str, *lines: str) -> None:
    """A name, and beside it what there is to say, as wide as the terminal."""
    width = max(min(shutil.get_terminal_size().columns, 120), 60)
    beside = [part for line in lines for part in textwrap.wrap(line, width - 28, break_on_hyphens=False)]
    for first, part in zip((name, *[""] * len(beside)), beside, strict=False):
        print(f"{first:<28}{part}")


def audit(options: argparse.Namespace) -> None:
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
