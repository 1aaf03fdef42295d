"""The commands: each turns flags into one call of the package, and prints what comes out."""

from __future__ import annotations

import argparse
import logging
import time

from bioclip_probe.cli.flags import (
    extraction_settings,
    interval_settings,
    measure_settings,
    probe_settings,
    projection_settings,
)
from bioclip_probe.cli.printing import (
    print_entry,
    print_measurements,
    print_phylogeny,
    print_published,
    print_summary,
    print_table,
)
from bioclip_probe.errors import DataError
from bioclip_probe.probes.settings import ProbeSettings

# Modules that are slow to import are imported inside the commands: `--help` would wait for them.

log = logging.getLogger("bioclip_probe")


def reproduce(options: argparse.Namespace) -> None:
    """Run the whole study, draw the figures and bind the report."""
    from bioclip_probe import report, study

    start = time.perf_counter()
    plan = study.Plan(
        data=options.data,
        models=tuple(options.models),
        controls=not options.no_controls,
        tree=options.tree,
        tree_unit=options.tree_unit,
        confounds=tuple(options.confound),
        strata=tuple(options.within),
        attributes=options.attributes,
        extraction=extraction_settings(options),
        measure=measure_settings(options),
        probe=probe_settings(options),
        projection=projection_settings(options),
    )
    results = study.reproduce(plan, options.store, options.out)
    log.info("drawing the figures and binding the report")
    page = report.write(options.out)
    simulated = " (simulated: nothing here is about real organisms or models)" if results.simulated else ""
    print(f"\nHow well do embeddings follow the tree of life? {results.record['dataset']['name']}{simulated}\n")
    print_summary(results)
    if plan.tree:
        print_phylogeny(results, plan.tree.stem)
    print(f"\nReport: {page}   ({time.perf_counter() - start:.0f} s)")


def embed(options: argparse.Namespace) -> None:
    """Embed pictures, and the names of their taxa if asked for, into the store."""
    from bioclip_probe import datasets, study
    from bioclip_probe.extraction.embed import embed, embed_all_names
    from bioclip_probe.store.store import Store

    models = tuple(options.models)
    plan = study.Plan(options.data, models, not options.no_controls, extraction=extraction_settings(options))
    data, store = datasets.load(plan.data), Store(options.store)
    for encoder, summary in embed(data, plan.encoders, store, plan.extraction):
        rate = "" if summary.images_per_s != summary.images_per_s else f", {summary.images_per_s:.1f} images/s"
        print(
            f"{encoder['name']}: {summary.n_ok} embedded ({summary.n_reused} before), {summary.n_failed} failed{rate}"
        )
        print(f"  {summary.folder}")
    if options.names:
        for name, texts in embed_all_names(data, plan.encoders, store, plan.extraction):
            cut = f", {texts.n_truncated} of them longer than it reads" if texts.n_truncated else ""
            print(f"{name}: names of {texts.n_taxa} taxa, {texts.n_texts} different texts{cut}")
            print(f"  {texts.path}")


def status(options: argparse.Namespace) -> None:
    """Print how far each embedding in a store is, and what failed."""
    from bioclip_probe.store.status import status
    from bioclip_probe.store.store import open_store

    table = status(open_store(options.store))
    if table.empty:
        print(f"{options.store} is an empty store")
        return
    shown = table.assign(
        shards=table["shards_done"].astype("str") + "/" + table["n_shards"].astype("str"),
        MB=(table["bytes"] / 1e6).round(1),
        parity=table["parity"].map("{:.5f}".format).where(table["parity"].notna(), "-"),
    )
    columns = ["dataset", "encoder", "n_images", "n_ok", "n_failed", "n_missing", "state", "shards", "precision"]
    columns += ["parity", "dtype", "MB", "failures"]
    print_table(shown[columns].rename(columns=lambda name: name.removeprefix("n_")))


def verify(options: argparse.Namespace) -> int:
    """Print every finding of a check of the store; exit status 1 if there is one."""
    from bioclip_probe.store.store import open_store
    from bioclip_probe.store.verify import verify

    findings = verify(open_store(options.store), progress=not options.quiet)
    for finding in findings.itertuples():
        print(f"{finding.folder}: {finding.check}: {finding.finding}")
    if len(findings):
        print(f"{len(findings)} findings; damaged shards alone are done again by embed --repair")
        return 1
    print("whole and sound")
    return 0


def export(options: argparse.Namespace) -> None:
    """Write embeddings into a file of another program."""
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
    """Print or write the embeddings of the taxa of a rank."""
    import numpy as np

    from bioclip_probe import study
    from bioclip_probe.study import results

    if options.out:
        results.check_folder(options.out)  # before the long work
    models, silent = tuple(options.models), ProbeSettings(probes=())
    plan = study.Plan(options.data, models, controls=False, extraction=extraction_settings(options), probe=silent)
    sample = study.collect_sample(plan, options.store)
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
                print_table(table)


def measure(options: argparse.Namespace) -> None:
    """Measure how embeddings follow the tree, and print the summary."""
    from bioclip_probe import study

    plan = study.Plan(
        data=options.data,
        models=tuple(options.models),
        controls=not options.no_controls,
        tree=options.tree,
        tree_unit=options.tree_unit,
        confounds=tuple(options.confound),
        strata=tuple(options.within),
        attributes=options.attributes,
        extraction=extraction_settings(options),
        measure=measure_settings(options, tuple(options.metrics)),
        probe=ProbeSettings(probes=(), names=options.names, templates=options.templates),
    )
    results = study.run_steps(plan, options.store, options.out, ("measure",))
    if plan.measure.metrics:
        print_measurements(results, plan.measure.metrics)
        return
    print_summary(results)
    if plan.tree:
        print_phylogeny(results, plan.tree.stem)


def probe(options: argparse.Namespace) -> None:
    """Ask probes to name taxa, and print their accuracy."""
    from bioclip_probe import report, study

    plan = study.Plan(
        data=options.data,
        models=tuple(options.models),
        controls=not options.no_controls,
        extraction=extraction_settings(options),
        probe=probe_settings(options),
        measure=interval_settings(options),
    )
    results = study.run_steps(plan, options.store, options.out, ("probe",))
    for heading, table in report.tables_by_probe(results, "macro_accuracy"):
        print(f"{heading}\n")
        print_table(table)
        print()


def project(options: argparse.Namespace) -> None:
    """Project the drill-down of Section 4.6, and print the purity of its panels."""
    from bioclip_probe import study

    plan = study.Plan(
        data=options.data,
        models=tuple(options.models),
        controls=not options.no_controls,
        extraction=extraction_settings(options),
        probe=ProbeSettings(probes=()),
        measure=interval_settings(options),
        projection=projection_settings(options),
    )
    results = study.run_steps(plan, options.store, options.out, ("project",))
    measurements = results.table("measurements")
    purity = measurements[measurements["metric"] == "panel_purity"]
    print_table(purity[["encoder", "rank", "taxon", "value", "chance", "n_images"]])


def card(options: argparse.Namespace) -> None:
    """Run the tasks of BioCLIP's model card, and print its table."""
    from bioclip_probe import study
    from bioclip_probe.study import model_card

    plan = study.Plan(options.data, tuple(options.models), extraction=extraction_settings(options))
    results = model_card.run(options.folder, plan.compared, options.store, options.out, options.seed, plan.extraction)
    print_table(model_card.table(results))
    for note in results.record["dataset"]["notes"]:
        print(note)
    print()
    print_published(results)


def compare(options: argparse.Namespace) -> None:
    """Print published numbers beside those of a results folder."""
    from bioclip_probe.study import results

    print_published(results.read(options.out))


def figure(options: argparse.Namespace) -> None:
    """Draw figures from the tables of a results folder."""
    from bioclip_probe import report
    from bioclip_probe.plots.registry import check_names
    from bioclip_probe.study import results

    read = results.read(options.out)
    check_names(options.names)
    if options.names:
        for name in options.names:
            print(report.draw(read, name))
        return
    for name, drawn in report.draw_all(read).items():
        print(f"{name}: not drawn: {drawn}" if isinstance(drawn, str) else drawn)


def report(options: argparse.Namespace) -> None:
    """Draw the figures and bind a results folder into a page."""
    from bioclip_probe import report

    print(report.write(options.out))


def models(options: argparse.Namespace) -> None:
    """Print the models there are, and how to name any other."""
    from bioclip_probe import encoders

    table = encoders.catalogue()
    known = table["name"].isin(encoders.known())
    for heading, part, before in (("Known", table[known], ""), ("Any other is named so", table[~known], "e.g. ")):
        print(f"{heading}\n")
        for entry in part.fillna({"dimension": 0, "text": False}).itertuples():
            facts = (f"{entry.dimension}-d" if entry.dimension else "", "takes text too" if entry.text else "")
            print_entry(entry.name, entry.title, "; ".join(filter(None, (before + entry.id, *facts, entry.notes))))
        print()


def datasets(options: argparse.Namespace) -> None:
    """Print the datasets there are, and how to name them."""
    from bioclip_probe import datasets

    for entry in datasets.catalogue().itertuples():
        print_entry(entry.form, entry.title)


def audit(options: argparse.Namespace) -> None:
    """Print what is odd about the names of a dataset, and what a phylogeny lacks."""
    from bioclip_probe import datasets
    from bioclip_probe.tree import audit, match_species, read_trees

    dataset = datasets.load(options.data)
    tree = read_trees(options.tree, at_most=1)[0] if options.tree else None
    print(f"{dataset.name}: {len(dataset.images)} images")
    for note in dataset.notes:
        print(f"  {note}")
    findings = audit(dataset.images)
    if len(findings):
        print_table(findings)
    else:
        print("nothing odd was found")
    if tree is not None:
        counts = dataset.images["species"].value_counts().sort_index()
        matches = match_species(counts.index, tree).assign(n_images=counts.to_numpy())
        lacking = matches[~matches["matched"]]
        print(f"\n{options.tree.name}: {len(matches) - len(lacking)} of {len(matches)} species are tips of the tree")
        if len(lacking):
            print_table(lacking[["name", "n_images", "reason"]])
