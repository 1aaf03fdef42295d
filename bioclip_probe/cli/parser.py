"""The parser of the command line: one line a command, with its flags."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from bioclip_probe import __version__
from bioclip_probe.cli import auditing, commands, comparing, sharing, study_commands
from bioclip_probe.cli.completion import PrintCompletion
from bioclip_probe.cli.flags import (
    AddFlags,
    add_appendix,
    add_audit,
    add_card,
    add_columns,
    add_controls,
    add_data,
    add_dry_run,
    add_explorer,
    add_export,
    add_figures,
    add_intervals,
    add_json,
    add_max_memory,
    add_measuring,
    add_metrics,
    add_mode,
    add_names,
    add_names_only,
    add_no_explorer,
    add_out,
    add_overwrite,
    add_projection,
    add_sources,
    add_store,
    add_study,
    add_study_file,
    add_taxa,
    add_templates,
    add_tree,
    adder_of_probing,
)
from bioclip_probe.cli.notebooks import add_notebooks, notebooks
from bioclip_probe.cli.one_line import OneLineParser
from bioclip_probe.cli.verifying import add_verify, verify
from bioclip_probe.probes.settings import USUAL_SHOTS, ProbeSettings

EPILOG = """A first run needs no data: `bioclip-probe reproduce`. Each command has its own --help.

The shell completes commands, flags and files once it has this script:
  bash  bioclip-probe --print-completion bash > ~/.local/share/bash-completion/completions/bioclip-probe
  zsh   bioclip-probe --print-completion zsh > ~/.zfunc/_bioclip-probe      (with ~/.zfunc in fpath)
  tcsh  bioclip-probe --print-completion tcsh > ~/.bioclip-probe.tcsh       (sourced in ~/.tcshrc)"""


def build_parser() -> OneLineParser:
    """Return the parser of all commands; `options.run` is the function of the chosen command."""
    parser = OneLineParser(
        prog="bioclip-probe",
        description="How well do vision models' embeddings follow the tree of life?",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument("--print-completion", action=PrintCompletion)
    known = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)

    def command(run: Callable, what: str, *flags: AddFlags) -> argparse.ArgumentParser:
        sub = known.add_parser(run.__name__, help=what, description=f"{what[0].upper()}{what[1:]}.")
        for add in flags:
            add(sub)
        sub.add_argument("--quiet", action="store_true", help="print results and errors only")
        add_max_memory(sub)
        sub.set_defaults(run=run, json=False)
        return sub

    _add_study_commands(command)
    _add_other_commands(command)
    return parser


def _add_study_commands(command: Callable) -> None:
    """Add the commands that embed and compute."""
    shared, landing = (add_sources, add_controls), (add_out, add_overwrite, add_dry_run, add_json)
    usual, linear = ProbeSettings(shots=USUAL_SHOTS), ProbeSettings(probes=("linear",))
    whole = (*shared, add_tree, add_columns, add_projection, add_measuring, adder_of_probing(usual))
    what = "run a whole study: embed, measure, probe, project, draw, report, explorer"
    command(study_commands.reproduce, what, *whole, *landing, add_no_explorer)
    command(study_commands.run, "run the studies of a study file, see init", add_study, *landing, add_no_explorer)
    command(study_commands.init, "write a study file from the flags of reproduce", add_study_file, *whole)
    embedding = (*shared, add_names, add_dry_run, add_json)
    command(study_commands.embed, "embed pictures into the store", *embedding)
    measuring = (*shared, add_tree, add_columns, add_measuring, add_metrics, add_names, add_templates)
    what = "measure how far embeddings follow the tree, at every rank"
    command(study_commands.measure, what, *measuring, *landing)
    probing = (*shared, adder_of_probing(linear), add_mode, add_intervals)
    what = "name taxa by probes at every rank, and score them"
    command(study_commands.probe, what, *probing, *landing)
    what = "project images into the plane: the drill-down of Section 4.6"
    command(study_commands.project, what, *shared, add_projection, add_intervals, *landing)


def _add_other_commands(command: Callable) -> None:
    """Add the commands about stores, names and finished results."""
    command(commands.status, "show the progress of each embedding in a store, and its failures", add_store, add_json)
    what = "check a results folder (files, numbers, vectors) or a store; exit status 1 if a check does not pass"
    command(verify, what, add_verify, add_json)
    command(commands.export, "write embeddings as .parquet, .npz or .h5ad (AnnData)", add_store, add_export)
    what = "print the taxa of a rank with counts and spread, or write them with their vectors"
    command(commands.taxa, what, add_sources, add_taxa, add_json)
    what = "run the zero-shot and few-shot tasks of BioCLIP's model card, in one table"
    command(commands.card, what, add_sources, add_out, add_card, add_json)
    what = "compare two models of a results folder: the paired difference in each number, its interval, p and n"
    command(comparing.compare, what, add_out, comparing.add_compared, add_json)
    command(comparing.published, "print published numbers beside those of a results folder", add_out, add_json)
    command(commands.figure, "draw figures from the tables of a results folder", add_out, add_figures)
    command(commands.report, "draw the figures and bind a results folder into report.html", add_out)
    what = "write explorer.html, a page to walk through a results folder, from all life to one picture"
    command(commands.explorer, what, add_out, add_explorer)
    what = "write the reproduction appendix of a paper, in LaTeX and Markdown, from a results folder"
    command(commands.appendix, what, add_out, add_appendix)
    what = "write the files of a study that can be shared: model cards, .eval_results, a zip; nothing is uploaded"
    command(sharing.share, what, sharing.add_share, add_json)
    what = "write a page of many submissions: a table for each endpoint, with intervals, ties and controls"
    command(sharing.board, what, sharing.add_board, add_json)
    what = "copy the notebooks of the package to a folder and open JupyterLab there"
    command(notebooks, what, add_notebooks)
    command(commands.models, "list the models, and the forms that name any other", add_json)
    command(commands.datasets, "list the datasets, and the forms that name them", add_json)
    what = "check the names of a dataset, and list those that a phylogeny lacks"
    command(auditing.audit, what, add_data, add_names_only, add_tree, add_audit, add_json)
