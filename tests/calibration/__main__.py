"""Run the calibration study: ``python -m tests.calibration [--quick | --long] [--out DIR]``."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from tests.calibration import draws, figure, verdicts
from tests.calibration.grounds import reason_missing
from tests.calibration.plan import study


def main() -> None:
    """Run the study, print its table, and write the table and the figure."""
    parser = argparse.ArgumentParser(prog="python -m tests.calibration", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_const", dest="size", const="quick", help="a few draws, to see it run")
    size.add_argument("--long", action="store_const", dest="size", const="long", help="the study that is committed")
    out_help = "a run continues from the draws that are there; default: %(default)s"
    parser.add_argument("--out", type=Path, default=Path("results/calibration"), help=out_help)
    parser.add_argument("--processes", type=int, default=2)
    parser.set_defaults(size="usual")
    options = parser.parse_args()

    planned = study(options.size)
    reasons = {ground: reason_missing(ground) for ground in {setting.ground for setting, _ in planned}}
    for reason in sorted(filter(None, reasons.values())):
        print(f"left out: {reason}")
    planned = [(setting, n) for setting, n in planned if not reasons[setting.ground]]

    def write(lines: dict[str, dict]) -> pd.DataFrame:
        table = verdicts.table(planned, lines)
        table.to_csv(options.out / "calibration.csv", index=False, float_format="%.4g")
        return table

    lines = draws.run(planned, options.out / f"draws-{options.size}.jsonl", options.processes, write)
    table = write(lines)
    for question, rows in table.groupby("question", sort=False):
        print(f"\n{question}\n{rows.dropna(axis=1, how='all').drop(columns='question').to_string(index=False)}")
    figure.save(table, options.out / "calibration")
    seconds = sum(line["seconds"] for line in lines.values())
    print(f"\n{len(table)} rows, {seconds:,.0f} s of one core; written to {options.out}")


if __name__ == "__main__":
    main()
