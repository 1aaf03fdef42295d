"""The parser of the command line: one line a command, with its flags."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from bioclip_probe import __version__
from bioclip_probe.cli import commands
from bioclip_probe.cli.flags import (
    AddFlags,
    add_card,
    add_columns,
    add_controls,
    add_data,
    add_export,
    add_figures,
    add_intervals,
    add_measuring,
    add_metrics,
    add_mode,
    add_names,
    add_out,
    add_projection,
    add_sources,
    add_store,
    add_taxa,
    add_templates,
    add_tree,
    adder_of_probing,
)
from bioclip_probe.probes.settings import USUAL_SHOTS, ProbeSettings


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; `options.run` is the function of the chosen command."""
    parser = argparse.ArgumentParser(
        prog="bioclip-probe",
        description="How well do vision models' embeddings follow the tree of life?",
        epilog="A first run needs no data: `bioclip-probe reproduce`. Each command has its own --help.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    known = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(run: Callable, what: str, *flags: AddFlags) -> argparse.ArgumentParser:
        sub = known.add_parser(run.__name__, help=what, description=f"{what[0].upper()}{what[1:]}.")
        for add in flags:
            add(sub)
        sub.add_argument("--quiet", action="store_true", help="print the result and what went wrong, nothing else")
        sub.set_defaults(run=run)
        return sub

    study = (add_sources, add_controls, add_out)
    usual, linear = ProbeSettings(shots=USUAL_SHOTS), ProbeSettings(probes=("linear",))
    whole = "the whole study: embed, measure, probe, project, draw, report"
    command(
        commands.reproduce, whole, *study, add_tree, add_columns, add_projection, add_measuring, adder_of_probing(usual)
    )
    command(commands.embed, "embed pictures into the store", add_sources, add_controls, add_names)
    command(commands.status, "how far each embedding in a store is, and what failed", add_store)
    command(commands.verify, "check a store: hashes, counts, vectors, orphans; exit status 1 if amiss", add_store)
    command(commands.export, "write embeddings as .parquet, .npz or .h5ad (AnnData)", add_store, add_export)
    command(commands.taxa, "embeddings of the taxa of a rank: counts, spread, and their vectors", add_sources, add_taxa)
    measuring = (*study, add_tree, add_columns, add_measuring, add_metrics, add_names, add_templates)
    command(commands.measure, "measure how embeddings follow the tree, at every rank", *measuring)
    probing = (*study, adder_of_probing(linear), add_mode, add_intervals)
    command(commands.probe, "ask probes to name taxa at every rank, and score them", *probing)
    command(commands.project, "the drill-down of Section 4.6 in the plane", *study, add_projection, add_intervals)
    tasks = "the zero-shot and few-shot tasks of BioCLIP's model card, in one table"
    command(commands.card, tasks, add_sources, add_out, add_card)
    command(commands.compare, "published numbers beside those of a results folder", add_out)
    command(commands.figure, "draw figures from the tables of a results folder", add_out, add_figures)
    command(commands.report, "draw the figures and bind a results folder into report.html", add_out)
    command(commands.models, "the models there are, and how to name any other")
    command(commands.datasets, "the datasets there are, and how to name them")
    command(commands.audit, "what is odd about the names of a dataset, and what a phylogeny lacks", add_data, add_tree)
    return parser
