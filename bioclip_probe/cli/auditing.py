"""The command `audit`: what is odd about the names of a dataset, its exact copies, and what a phylogeny lacks.

It needs no pictures: a table of names is enough.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bioclip_probe.cli.output import Output
from bioclip_probe.cli.printing import print_copies
from bioclip_probe.errors import DataError, one_line
from bioclip_probe.tables import LINEAGES

if TYPE_CHECKING:
    import pandas as pd

    from bioclip_probe.datasets import Dataset
    from bioclip_probe.study.phylogeny import TreeSample

# Modules that are slow to import are imported inside the commands: `--help` would wait for them.

#: Names without a tip that are printed; `--out` writes all of them.
MOST_SHOWN = 20
FINDINGS, COPIES, MATCHES, NAMES = "findings.csv", "copies.csv", "tree-matches.csv", "tree-names.csv"


def audit(options: argparse.Namespace, output: Output) -> None:
    """Print what is odd about the names of a dataset, its exact copies, and what a phylogeny lacks."""
    from bioclip_probe.study.phylogeny import Phylogeny
    from bioclip_probe.tree import audit

    if options.out and options.out.exists() and not options.out.is_dir():
        raise DataError(f"cannot write to {options.out}: it is not a folder")
    phylogeny = (
        options.tree and Phylogeny(options.tree, options.tree_unit, options.tree_names, options.tree_at_genus).read()
    )
    dataset = _load(options.data, options.lineages)
    output.fact("dataset", {"name": dataset.name, "n_images": len(dataset.images), "notes": list(dataset.notes)})
    output.line(f"{dataset.name}: {len(dataset.images)} images")
    for note in dataset.notes:
        output.line(f"  {note}")
    findings = audit(dataset.images)
    output.table("findings", findings, empty="nothing odd was found in the names")
    written = {FINDINGS: findings}
    if not options.names_only:
        written[COPIES] = print_copies(output, dataset)
    if phylogeny:
        written.update(_audit_tree(phylogeny, options.tree.name, dataset.images, output))
    if options.out:
        _write(options.out, written, output)
    elif NAMES in written and len(written[NAMES]):
        output.line("  --out DIR writes all names without a tip, with suggestions, as a table for --tree-names")


def _load(data: str, lineages: str) -> Dataset:
    """Return the dataset, or the names of a table without pictures."""
    from bioclip_probe import datasets
    from bioclip_probe.datasets import names

    kind, _, path = data.partition(":")
    table = Path(path).expanduser()
    if kind == "table" and path and names.has_only_names(table):
        dataset = names.load_names(table)
        return dataset if lineages == LINEAGES[0] else dataset.as_given()
    return datasets.load(data, lineages)


def _audit_tree(phylogeny: TreeSample, name: str, images: pd.DataFrame, output: Output) -> dict[str, pd.DataFrame]:
    """Print which names are tips of a tree, which are not, and what would help; return the tables to write."""
    from bioclip_probe.tree.placing import PLURALS, rank_of_matches
    from bioclip_probe.tree.suggestions import suggest_names

    matches = phylogeny.match(images)
    rank, lacking = rank_of_matches(matches), matches[~matches["matched"]]
    suggestions = suggest_names(matches, phylogeny.trees[phylogeny.lead])
    notes = phylogeny.notes_on(matches, images)
    output.rows("matches", matches)
    output.rows("tree_names", suggestions)
    output.fact("tree", {"name": name, "rank": rank, "n_taxa": len(matches), "notes": notes})
    plural = PLURALS[rank]
    output.line(f"\n{name}: {len(matches) - len(lacking)} of {len(matches)} {plural} are tips of the tree")
    for note in notes:
        output.line(f"  {note}")
    if len(lacking) and not output.as_json:
        _print_lacking(lacking, suggestions, bool(phylogeny.rules.at_genus), output)
    return {MATCHES: matches, NAMES: suggestions}


def _print_lacking(lacking: pd.DataFrame, suggestions: pd.DataFrame, at_genus: bool, output: Output) -> None:
    """Print the names without a tip, those of most images first, and what would help."""
    from bioclip_probe.tree.matching import KINDS

    if len(lacking) > MOST_SHOWN:
        output.line(f"{len(lacking)} names without a tip:")
        for kind, n in lacking["kind"].value_counts().items():
            output.line(f"  {n}: {KINDS[str(kind)]}")
        output.line(f"Those of most images, {MOST_SHOWN} of {len(lacking)}:")
    shown = lacking.sort_values("n_images", ascending=False, kind="stable").head(MOST_SHOWN)
    theirs = suggestions.set_index("ours")["theirs"]
    output.table("lacking", shown[["name", "n_images", "reason"]].assign(suggestion=shown["name"].map(theirs)))
    n_suggested = int(suggestions["theirs"].ne("").sum())
    if n_suggested:
        output.line(f"  {n_suggested} of them have a suggestion; --tree-names FILE takes the right ones (ours,theirs)")
    n_at_genus = int(lacking["kind"].eq("no tip").sum())
    if n_at_genus and not at_genus:
        output.line(f"  {n_at_genus} have relatives of their genus in the tree; --tree-at-genus puts them beside these")


def _write(folder: Path, written: dict[str, pd.DataFrame], output: Output) -> None:
    """Write tables into a folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in written.items():
            table.to_csv(folder / name, index=False)
    except OSError as error:
        raise DataError(f"cannot write to {folder}: {one_line(error)}") from None
    output.fact("files", [str(folder / name) for name in written])
    output.line(f"  written to {folder}: {', '.join(written)}")
    if NAMES in written:
        output.line(f"  look through {folder / NAMES}, delete wrong rows, and give it as --tree-names")
