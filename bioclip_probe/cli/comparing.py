"""The commands `compare`, for two models of a results folder, and `published`, for its numbers and published ones."""

from __future__ import annotations

import argparse
import itertools

from bioclip_probe.cli.output import Output
from bioclip_probe.cli.printing import print_published
from bioclip_probe.errors import DataError
from bioclip_probe.tables import SMALLEST_P

# Modules that are slow to import are imported inside the commands: `--help` would wait for them.

#: Columns that are printed; ``--json`` has all of them.
SHOWN = ["metric", "tree", "rank", "value", "value_b", "difference", "ci_low", "ci_high", "p_adjusted", "n_taxa"]


def add_compared(sub: argparse.ArgumentParser) -> None:
    """Add the two models that are compared, and the metrics."""
    text = "two models of the folder; by default every two that are not controls"
    sub.add_argument("compared", nargs="*", metavar="MODEL", help=text)
    text = "compare in these alone, by the names in measurements.csv; default: the primary endpoints at every rank"
    sub.add_argument("--metrics", nargs="+", default=(), metavar="NAME", help=text)


def compare(options: argparse.Namespace, output: Output) -> None:
    """Print how two models of a results folder differ: each number, the paired difference, its interval, p and n."""
    import pandas as pd

    from bioclip_probe.study import results
    from bioclip_probe.study.pairs import differences

    found = results.read(options.out)
    measured = found.table("measurements")
    names = found.encoders
    models = options.compared or found.models or names
    if len(models) < 2 or (options.compared and len(models) > 2):
        raise DataError(f"expected two models to compare; got {', '.join(models)}; the folder has {', '.join(names)}")
    tables = []
    for first, second in itertools.combinations(models, 2):
        table = differences(measured, first, second, options.metrics)
        tables.append(table.assign(encoder=first, encoder_b=second))
        p = table["p_adjusted"].map("{:.3f}".format).mask(table["p_adjusted"] < SMALLEST_P, f"<{SMALLEST_P}")
        shown = table.assign(p_adjusted=p.where(table["p_adjusted"].notna(), "-"))[SHOWN]
        if len(set(table["tree"])) == 1:
            shown = shown.drop(columns="tree")
        output.line(f"{first} less {second}\n")
        output.part().table("differences", table, shown.rename(columns={"value": first, "value_b": second}))
        output.line()
    output.rows("differences", pd.concat(tables))


def published(options: argparse.Namespace, output: Output) -> None:
    """Print published numbers beside those of a results folder."""
    from bioclip_probe.study import results

    print_published(output, results.read(options.out))
