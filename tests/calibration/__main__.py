"""Run a part of the calibration study: ``python -m tests.calibration [tests | truths | coverage] [--out DIR]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

from bioclip_probe.study.covered_intervals import FILE
from tests.calibration import coverage, draws, figure, truths, verdicts
from tests.calibration.claims import FAILS
from tests.calibration.grounds import reason_missing
from tests.calibration.plan import study
from tests.calibration.publishing import publish


def main() -> int:
    """Run one part of the study, print its table and write it; exit status 1 if a truth does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.calibration", description=__doc__)
    what = "p-values, candidates for intervals and power; models whose answer is known; coverage of all intervals"
    parser.add_argument("part", nargs="?", default="tests", choices=("tests", "truths", "coverage"), help=what)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_const", dest="size", const="quick", help="a few draws, to see it run")
    size.add_argument("--long", action="store_const", dest="size", const="long", help="tests: what is committed")
    out_help = "a run continues from the draws that are there; default: %(default)s"
    parser.add_argument("--out", type=Path, default=Path("results/calibration"), help=out_help)
    parser.add_argument("--processes", type=int, default=2, help="0 makes the tables of the draws that are there")
    parser.add_argument("--only", default="", metavar="TEXT", help="truths: those with TEXT in their name")
    parser.add_argument("--draws", type=int, metavar="N", help="coverage: draws of a cell; default: 250, quick: 5")
    sizes = {"type": int, "nargs": "+", "metavar": "N", "default": coverage.SIZES}
    parser.add_argument("--species", **sizes, help="coverage: species in a sample; default: 40 80 300")
    trees = {"nargs": "+", "choices": coverage.KINDS, "default": coverage.KINDS}
    parser.add_argument("--trees", **trees, help="coverage: the trees; default: both")
    publish_help = "truths, coverage: write the table beside the README of the study, and its summary into it"
    parser.add_argument("--publish", action="store_true", help=publish_help)
    parts = {"nargs": "+", "choices": coverage.PARTS, "default": coverage.PARTS}
    parser.add_argument("--parts", **parts, help="coverage: metrics of embeddings, scores of a probe; default: both")
    options = parser.parse_args()
    return {"tests": run_tests, "truths": run_truths, "coverage": run_coverage}[options.part](options)


def run_truths(options: argparse.Namespace) -> int:
    """Measure the models whose answer is known, and print what does not hold."""
    judged = truths.study(
        "quick" if options.size == "quick" else "full", options.out, options.processes, only=options.only
    )
    print(f"\n{truths.report(judged)}")
    if options.publish:
        publish("truths", judged, truths.summary)
    return int((judged["verdict"] == FAILS).any())


def run_coverage(options: argparse.Namespace) -> int:
    """Count how often each interval holds its target, and print the least coverage of each number."""
    n_draws = options.draws or (5 if options.size == "quick" else coverage.N_DRAWS)
    covered = coverage.study(options.out, options.processes, n_draws, options.species, options.trees, options.parts)
    rows = coverage.pooled(covered)
    print(f"\n{coverage.summary(rows)}\n\nnot shown:\n{rows[rows['reason'] != ''].to_string(index=False)}")
    if options.publish:
        publish("coverage", rows, coverage.summary)
        coverage.covered_list(rows).to_csv(FILE, index=False)
    return 0


def run_tests(options: argparse.Namespace) -> int:
    """Run the study of p-values, of candidates for the interval, and of power."""
    size = options.size or "usual"
    planned = study(size)
    reasons = {ground: reason_missing(ground) for ground in {setting.ground for setting, _ in planned}}
    for reason in sorted(filter(None, reasons.values())):
        print(f"left out: {reason}")
    planned = [(setting, n) for setting, n in planned if not reasons[setting.ground]]

    def write(lines: dict[str, dict]) -> pd.DataFrame:
        table = verdicts.table(planned, lines)
        table.to_csv(options.out / "calibration.csv", index=False, float_format="%.4g")
        return table

    lines = draws.run(planned, options.out / f"draws-{size}.jsonl", options.processes, write)
    table = write(lines)
    for question, rows in table.groupby("question", sort=False):
        print(f"\n{question}\n{rows.dropna(axis=1, how='all').drop(columns='question').to_string(index=False)}")
    figure.save(table, options.out / "calibration")
    seconds = sum(line["seconds"] for line in lines.values())
    print(f"\n{len(table)} rows, {seconds:,.0f} s of one core; written to {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
