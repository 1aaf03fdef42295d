"""The commands about stores, names and finished results; those that compute stand in `study_commands`.

Each turns flags into one call of the package, and prints what comes out.
"""

from __future__ import annotations

import argparse
import shlex

from bioclip_probe.cli.output import Output
from bioclip_probe.cli.plans import taxa_plan
from bioclip_probe.cli.printing import print_earlier_versions, print_published, status_for_readers
from bioclip_probe.errors import DataError

# Modules that are slow to import are imported inside the commands: `--help` would wait for them.


def status(options: argparse.Namespace, output: Output) -> None:
    """Print how far each embedding in a store is, and what failed."""
    from bioclip_probe.store.status import status
    from bioclip_probe.store.store import open_store

    store = open_store(options.store)
    table = status(store)
    output.table("embeddings", table, status_for_readers(table), empty=f"{options.store} is an empty store")
    print_earlier_versions(output, store)


def export(options: argparse.Namespace, output: Output) -> None:
    """Write embeddings into a file of another program."""
    from bioclip_probe.store.store import open_store
    from bioclip_probe.study import export

    what = (open_store(options.store), options.dataset, options.encoder, options.file)
    kind = options.file.suffix.lower()
    if kind == ".h5ad":
        output.line(str(export.to_anndata(*what, results=options.results)))
        return
    writers = {".parquet": export.to_parquet, ".npz": export.to_npz, ".csv": export.to_checksums}
    if kind not in writers:
        raise DataError(f"{options.file}: expected a file that ends in .parquet, .npz, .h5ad, or .csv for checksums")
    if options.results:
        raise DataError("--results adds projections to .h5ad only; drop it, or name such a file")
    output.line(str(writers[kind](*what)))


def taxa(options: argparse.Namespace, output: Output) -> None:
    """Print or write the embeddings of the taxa of a rank."""
    import numpy as np

    from bioclip_probe import study
    from bioclip_probe.study import results

    if options.out:
        results.check_folder(options.out)  # before the long work
    sample = study.collect_sample(taxa_plan(options), options.store)
    files = {}
    for name in sample.embeddings:
        table, means = study.taxa(sample, options.rank, name)
        output.rows(name, table)
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            stem = f"{options.out / name.replace('/', '-')}-{options.rank}"  # a name may hold a dot: bioclip-2.5
            table.to_csv(f"{stem}.csv", index=False)
            np.save(f"{stem}.npy", means, allow_pickle=False)
            files[name] = [f"{stem}.csv", f"{stem}.npy"]
            output.line(f"{name}: {len(table)} taxa of rank {options.rank}, {means.shape[1]}-d: {stem}.csv, .npy")
        else:
            output.line(f"{name}: {len(table)} taxa of rank {options.rank}")
            if len(table):
                output.table(name, table)
    output.fact("rank", options.rank)
    output.fact("files", files)


def card(options: argparse.Namespace, output: Output) -> None:
    """Run the tasks of BioCLIP's model card, and print its table."""
    from bioclip_probe import study
    from bioclip_probe.cli.flags import extraction_settings
    from bioclip_probe.study import model_card

    plan = study.Plan(options.data, tuple(options.models), extraction=extraction_settings(options))
    results = model_card.run(options.folder, plan.compared, options.store, options.out, options.seed, plan.extraction)
    output.table("card", model_card.table(results))
    output.fact("notes", results.record["dataset"]["notes"])
    for note in results.record["dataset"]["notes"]:
        output.line(note)
    output.line()
    print_published(output, results)


def figure(options: argparse.Namespace, output: Output) -> None:
    """Draw figures from the tables of a results folder."""
    from bioclip_probe import report
    from bioclip_probe.plots import FigureSettings
    from bioclip_probe.plots.registry import check_names
    from bioclip_probe.study import results

    read = results.read(options.out)
    check_names(options.names)
    settings = FigureSettings(width=options.width, space=options.space, tree=options.on_tree)
    if options.names:
        for name in options.names:
            output.line(str(report.draw(read, name, settings=settings)))
        return
    for name, drawn in report.draw_all(read, progress=not options.quiet, settings=settings).items():
        output.line(f"{name}: not drawn: {drawn}" if isinstance(drawn, str) else str(drawn))


def report(options: argparse.Namespace, output: Output) -> None:
    """Draw the figures and bind a results folder into a page."""
    from bioclip_probe import report

    output.line(str(report.write(options.out, progress=not options.quiet)))


def explorer(options: argparse.Namespace, output: Output) -> None:
    """Write the explorer of a results folder into it, and the strays that its report shows."""
    from bioclip_probe import report

    page = report.write_explorer(options.out, options.store, options.thumbnails, options.data, not options.quiet)
    output.line(str(page))


def appendix(options: argparse.Namespace, output: Output) -> None:
    """Write the reproduction appendix of a results folder."""
    from bioclip_probe.report.appendix.folder import write
    from bioclip_probe.study import results

    folder = write(results.read(options.out), options.to, progress=not options.quiet)
    output.line(str(folder))
    output.line(f"a paper of its own: cd {shlex.quote(str(folder))} && latexmk -pdf main.tex")


def models(options: argparse.Namespace, output: Output) -> None:
    """Print the models there are, and how to name any other."""
    from bioclip_probe import encoders

    table = encoders.catalogue()
    known = table["name"].isin(encoders.known())
    output.rows("models", table[known])
    output.rows("forms", table[~known])
    for heading, part, before in (("Known", table[known], ""), ("Any other is named so", table[~known], "e.g. ")):
        output.line(f"{heading}\n")
        for entry in part.fillna({"dimension": 0, "text": False}).itertuples():
            facts = (f"{entry.dimension}-d" if entry.dimension else "", "takes text too" if entry.text else "")
            about = "; ".join(filter(None, (before + entry.id, *facts, entry.notes)))
            output.entry(entry.name, entry.title, about)
        output.line()


def datasets(options: argparse.Namespace, output: Output) -> None:
    """Print the datasets there are, and how to name them."""
    from bioclip_probe import datasets

    table = datasets.catalogue()
    output.rows("datasets", table)
    for entry in table.itertuples():
        output.entry(entry.form, entry.title)
