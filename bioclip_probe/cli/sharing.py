"""The commands `share`, for the files of a study that can be published, and `board`, for many submissions."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bioclip_probe.cli.output import Output
from bioclip_probe.errors import DataError, printable, shorten, some

if TYPE_CHECKING:
    import pandas as pd

# Modules that are slow to import are imported inside the commands: `--help` would wait for them.


def add_share(sub: argparse.ArgumentParser) -> None:
    """Add the arguments of `share`."""
    sub.add_argument("results", type=Path, metavar="RESULTS", help="a results folder")
    sub.add_argument("--to", type=Path, metavar="DIR", help="where the files go; default: RESULTS/share")
    sub.add_argument("--who", default="", metavar="NAME", help="person or laboratory that submits")
    text = "licence of the numbers, an SPDX identifier such as CC-BY-4.0; not of pictures or weights"
    sub.add_argument("--licence", default="", metavar="SPDX", help=text)
    text = "dataset of Hugging Face's Hub that holds the benchmark, for .eval_results"
    sub.add_argument("--benchmark", metavar="OWNER/NAME", help=text)
    sub.add_argument("--url", default="", metavar="URL", help="where the results can be seen, for .eval_results")


def add_board(sub: argparse.ArgumentParser) -> None:
    """Add the arguments of `board`."""
    text = "submissions, results folders and zips, in it and below; or one such file"
    sub.add_argument("folder", type=Path, metavar="FOLDER", help=text)
    text = "the page; default: board.html in FOLDER, or beside the file"
    sub.add_argument("--to", type=Path, metavar="FILE", help=text)
    text = "recompute the numbers of results folders from the vectors in --store"
    sub.add_argument("--verify", action="store_true", help=text)
    text = "the store with the vectors of the studies; default: %(default)s"
    sub.add_argument("--store", type=Path, default=Path("store"), metavar="DIR", help=text)


def share(options: argparse.Namespace, output: Output) -> None:
    """Write what can be shared of a results folder, and print what it holds and what it does not."""
    from bioclip_probe.report.sharing import Origin
    from bioclip_probe.report.sharing import share as write_shared

    benchmark = {"benchmark": options.benchmark} if options.benchmark is not None else {}
    origin = Origin(who=options.who, licence=options.licence, url=options.url, **benchmark)
    shared = write_shared(options.results, options.to, origin)
    for name, paths in (("cards", shared.cards), ("evaluations", shared.evaluations)):
        output.fact(name, paths)
        for path in paths:
            output.line(str(path))
    for name, path in (("submission", shared.submission), ("archive", shared.archive)):
        output.fact(name, path)
        output.line(str(path))
    output.fact("archive_members", shared.members)
    output.fact("archive_left_out", shared.left_out)
    output.line(f"\nThe archive holds {', '.join(shared.members)}.")
    output.line("It does not hold:")
    for name, reason in shared.left_out.items():
        output.line(f"  {name}: {reason}")
    output.line("Absolute paths, arguments of commands and addresses of clusters are cut out of its records.")
    output.line("Nothing was uploaded.")


def board(options: argparse.Namespace, output: Output) -> None:
    """Write the page of many submissions, and print the place of each model and the submissions that stand apart."""
    from bioclip_probe.report.sharing import read_board

    board = read_board(options.folder, _verifier(options.store) if options.verify else None)
    if not board.sections and not board.apart:
        reasons = some((f"{file.source}: {file.reasons[0]}" for file in board.refused), 2)
        raise DataError(f"no valid submission in {options.folder} ({reasons}); `share` writes one as submission.json")
    beside = options.folder if options.folder.is_dir() else options.folder.parent
    page = board.write(options.to or beside / "board.html")
    table = board.table()
    apart = [{"file": ", ".join(one.sources), "reason": reason} for one, reason in board.apart]
    apart += [{"file": file.source, "reason": reason} for file in board.refused for reason in file.reasons]
    output.fact("page", page)
    output.fact("apart", apart)
    output.table("board", table, _for_readers(table), empty="no submission can stand in a table")
    for one in apart:
        output.line(printable(f"apart: {one['file']}: {one['reason']}"))
    output.line(str(page))


def _verifier(store: Path) -> Callable[[Path], bool]:
    """Return a function that recomputes the numbers of a results folder from the vectors in a store."""
    from bioclip_probe.study.verification.checking import verify

    return lambda folder: verify(folder, store, "numbers").passed


def _for_readers(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table of a board with the columns and digits that a reader needs."""
    ends = [table[name].map("{:.3f}".format, na_action="ignore") for name in ("ci_low", "ci_high")]
    names = {name: table[name].map(lambda text: shorten(printable(text), 60)) for name in ("model", "submitted_by")}
    shown = table.assign(
        **names,
        endpoint=table["endpoint"].map(printable).where(~table.duplicated(["section", "metric"]), ""),
        place=table["place"].where(~table["control"].astype(bool), "control"),
        value=table["value"].map("{:.3f}".format, na_action="ignore"),
        interval=ends[0] + " to " + ends[1],
    )
    return shown[["section", "endpoint", "place", "model", "value", "interval", "status", "submitted_by"]]
