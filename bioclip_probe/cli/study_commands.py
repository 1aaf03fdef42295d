"""The commands that embed and compute: each turns flags into one call of the study, and prints what comes out."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bioclip_probe.cli.output import Output
from bioclip_probe.cli.plans import embed_plan, measure_plan, probe_plan, project_plan, whole_plan
from bioclip_probe.cli.printing import (
    add_run,
    print_accuracies,
    print_estimate,
    print_matches,
    print_measurements,
    print_notes,
    print_phylogeny,
    print_purities,
    print_summary,
)
from bioclip_probe.errors import DataError, ProbeError
from bioclip_probe.processes import start_server

if TYPE_CHECKING:
    from bioclip_probe.study import Plan
    from bioclip_probe.study.results import Results
    from bioclip_probe.study.site_file import Site

# Modules that are slow to import are imported inside the commands: `--help` would wait for them.

log = logging.getLogger("bioclip_probe")

STEPS = ("measure", "probe", "project")


def reproduce(options: argparse.Namespace, output: Output) -> int:
    """Run the whole study, write the explorer, draw the figures and bind the report."""
    plan = whole_plan(options)
    if options.dry_run:
        return _dry_run(plan, options.store, options.out, STEPS, output, options.overwrite)
    _reproduce(plan, options.store, options.out, output, options)
    return 0


def run(options: argparse.Namespace, output: Output) -> int:
    """Run every study of a study file."""
    from bioclip_probe.study.results import STUDY_FILE
    from bioclip_probe.study.site_file import plan_at
    from bioclip_probe.study.study_file import read_studies

    file = options.study
    missing = f"there is no study file {file}; `bioclip-probe init {file}` writes one"
    studies = read_studies(_text_of(file, missing), file.name, options.changes)
    if any((options.out / study.label / STUDY_FILE).absolute() == file.absolute() for study in studies):
        raise DataError(f"{file} is where its results would be stored; name another file, or another --out")
    site = _site_of(options)
    plans = [plan_at(site, study.plan, file.parent, progress=not options.quiet) for study in studies]
    parts, status = [], 0
    for study, plan in zip(studies, plans, strict=True):
        if study.label:
            output.line(f"\n{study.label}")
            log.info("study %s", study.label)
        part, out = output.part(), options.out / study.label
        if options.dry_run:
            status = max(status, _dry_run(plan, site.store, out, STEPS, part, options.overwrite))
        else:
            _reproduce(plan, site.store, out, part, options, study.text)
        parts.append({"label": study.label, "sha256": study.sha256, **part.content()})
    output.fact("studies", parts)
    return status


def init(options: argparse.Namespace, output: Output) -> None:
    """Write a study file, and a site file if something belongs to this machine."""
    from bioclip_probe.study.site_file import SITE_FILE, Site, divided
    from bioclip_probe.study.study_text import GRID, site_text, study_text

    plan, site = divided(whole_plan(options), options.store)
    texts = {options.study: study_text(plan) + GRID}
    if site != Site():
        texts[options.study.parent / SITE_FILE] = site_text(site)
    for path in texts:
        if path.exists():
            raise DataError(f"{path} is there already; name another file, or remove it")
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        output.line(str(path))


def _text_of(path: Path, missing: str) -> str:
    """Return the text of a file."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(missing) from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not text in UTF-8") from None


def _site_of(options: argparse.Namespace) -> Site:
    """Return the site of this machine: the file that a flag or a variable names, or the one beside the study."""
    from bioclip_probe.study.site_file import SITE_FILE, SITE_VARIABLE, Site, read_site

    named = options.site or os.environ.get(SITE_VARIABLE)
    path = Path(named) if named else options.study.parent / SITE_FILE
    if not named and not path.exists():
        return Site()
    return read_site(_text_of(path, f"there is no site file {path}"), path.parent, path.name)


def _dry_run(plan: Plan, store: Path, out: Path, steps: Sequence[str], output: Output, overwrite: bool = False) -> int:
    """Print what steps of a plan would take; return 2 if they would stop."""
    from bioclip_probe.study.estimates import estimate

    print_estimate(output, estimated := estimate(plan, store, out, steps, overwrite))
    if estimated.obstacle:
        print(f"bioclip-probe: {estimated.obstacle}", file=sys.stderr)
        return 2
    return 0


def _reproduce(plan: Plan, store: Path, out: Path, output: Output, options: argparse.Namespace, text: str = "") -> None:
    """Run one whole study and print its summary."""
    # The server imports what other processes need while this process imports the same and embeds.
    start_server(("bioclip_probe.report.gallery", "bioclip_probe.study.piece_processes"))
    from bioclip_probe import report, study

    start = time.perf_counter()
    results = study.reproduce(plan, store, out, options.overwrite, text)
    with report.drawing(results) as figures:  # other processes draw while this one writes the explorer
        explorer = None if options.no_explorer else _explorer(results, store, plan)
        log.info("drawing the figures and binding the report")
        page = report.write(out, plan.extraction.progress, figures)
    simulated = " (simulated: nothing here is about real organisms or models)" if results.simulated else ""
    output.line(f"\nHow well do embeddings follow the tree of life? {results.record['dataset']['name']}{simulated}\n")
    add_run(output, results)
    output.fact("report", page)
    print_summary(output, results)
    if plan.phylogeny:
        print_phylogeny(output, results, plan.phylogeny.name)
    print_notes(output, results)
    output.line(f"\nReport: {page}   ({time.perf_counter() - start:.0f} s)")
    if explorer:
        output.fact("explorer", explorer)
        output.line(f"Explorer: {explorer}")
    else:
        output.line(f"To explore it: bioclip-probe explorer --out {out} --store {store}")


def _explorer(results: Results, store: Path, plan: Plan) -> Path | None:
    """Write the explorer of a study of few images; None if it is not written."""
    from bioclip_probe import report
    from bioclip_probe.report.explorer.settings import MOST_PICTURES

    n_images = results.record["dataset"]["n_usable"]
    if n_images > MOST_PICTURES:
        log.info("the explorer of %s images is not written by itself", f"{n_images:,}")
        return None
    log.info("writing the explorer")
    try:
        return report.write_explorer(results.folder, store, data=plan.data, progress=plan.extraction.progress)
    except ProbeError as error:  # the numbers are there: the report is bound all the same
        log.warning("no explorer is written: %s", error)
        return None


def embed(options: argparse.Namespace, output: Output) -> int:
    """Embed pictures, and the names of their taxa if asked for, into the store."""
    import pandas as pd

    from bioclip_probe import datasets
    from bioclip_probe.extraction.embed import embed, embed_all_names
    from bioclip_probe.store.earlier_versions import known_as
    from bioclip_probe.store.store import Store

    plan = embed_plan(options)
    if options.dry_run:
        return _dry_run(plan, options.store, options.store, (), output)
    store = Store(options.store)
    data = known_as(store, datasets.load(plan.data, plan.lineages))
    rows = []
    for encoder, summary in embed(data, plan.encoders, store, plan.extraction):
        rows.append(
            {
                "encoder": encoder["name"],
                "n_ok": summary.n_ok,
                "n_reused": summary.n_reused,
                "n_failed": summary.n_failed,
                "images_per_s": summary.images_per_s,
                "folder": str(summary.folder),
            }
        )
        rate = "" if summary.images_per_s != summary.images_per_s else f", {summary.images_per_s:.1f} images/s"
        done = f"{summary.n_ok} embedded ({summary.n_reused} before), {summary.n_failed} failed{rate}"
        output.line(f"{encoder['name']}: {done}")
        output.line(f"  {summary.folder}")
    output.rows("embeddings", pd.DataFrame(rows))
    names = []
    for name, texts in embed_all_names(data, plan.encoders, store, plan.extraction) if options.names else ():
        names.append({"encoder": name, "n_taxa": texts.n_taxa, "n_texts": texts.n_texts, "path": str(texts.path)})
        cut = f", {texts.n_truncated} of them longer than it reads" if texts.n_truncated else ""
        output.line(f"{name}: names of {texts.n_taxa} taxa, {texts.n_texts} different texts{cut}")
        output.line(f"  {texts.path}")
    if options.names and not names:
        log.warning("--names does nothing: none of the models takes text")
    output.rows("names", pd.DataFrame(names))
    return 0


def measure(options: argparse.Namespace, output: Output) -> int:
    """Measure how embeddings follow the tree, and print the summary."""
    from bioclip_probe import study

    plan = measure_plan(options)
    if options.dry_run:
        return _dry_run(plan, options.store, options.out, ("measure",), output, options.overwrite)
    results = study.run_steps(plan, options.store, options.out, ("measure",), options.overwrite)
    add_run(output, results)
    if plan.measure.metrics:
        if plan.phylogeny:
            print_matches(output, results, plan.phylogeny.name)
        print_measurements(output, results, plan.measure.metrics)
        print_notes(output, results)
        return 0
    print_summary(output, results)
    if plan.phylogeny:
        print_phylogeny(output, results, plan.phylogeny.name)
    print_notes(output, results)
    return 0


def probe(options: argparse.Namespace, output: Output) -> int:
    """Ask probes to name taxa, and print their accuracy."""
    from bioclip_probe import study

    plan = probe_plan(options)
    if options.dry_run:
        return _dry_run(plan, options.store, options.out, ("probe",), output, options.overwrite)
    results = study.run_steps(plan, options.store, options.out, ("probe",), options.overwrite)
    add_run(output, results)
    print_accuracies(output, results)
    print_notes(output, results)
    return 0


def project(options: argparse.Namespace, output: Output) -> int:
    """Project the drill-down of Section 4.6, and print the purity of its panels."""
    from bioclip_probe import study

    plan = project_plan(options)
    if options.dry_run:
        return _dry_run(plan, options.store, options.out, ("project",), output, options.overwrite)
    results = study.run_steps(plan, options.store, options.out, ("project",), options.overwrite)
    add_run(output, results)
    print_purities(output, results)
    print_notes(output, results)
    return 0
