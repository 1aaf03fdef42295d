"""The command `verify`: a results folder in three depths, or a store."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

from bioclip_probe.cli.output import Output
from bioclip_probe.cli.printing import print_earlier_versions
from bioclip_probe.errors import DataError
from bioclip_probe.study.verification.outcome import DEPTHS
from bioclip_probe.study.verification.settings import VerifySettings

# Modules that are slow to import are imported inside the commands: `--help` would wait for them.


def add_verify(sub: argparse.ArgumentParser) -> None:
    """Add the arguments of a verification."""
    text = "a results folder, or a store"
    sub.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help=text)
    text = "the store with the vectors of the results; without FOLDER, the store to check"
    sub.add_argument("--store", type=Path, metavar="DIR", help=text)
    text = "how deep; each depth includes those before it; default: numbers with --store, else files"
    sub.add_argument("--depth", choices=DEPTHS, help=text)
    known = {item.name: item for item in fields(VerifySettings)}

    def setting(flag: str, name: str, **more: Any) -> None:
        text = known[name].metadata["help"]
        text += "; default: %(default)s" if "type" in more and known[name].default is not None else ""
        sub.add_argument(flag, default=known[name].default, help=text, **more)

    setting("--data", "data", metavar="NAME[:PATH]")
    setting("--tree", "tree", type=Path, metavar="FILE")
    setting("--models", "models", nargs="+", metavar="NAME[=ID]")
    setting("--all", "everything", action="store_true")
    setting("--pictures", "n_pictures", type=int, metavar="N")
    setting("--rounding", "rounding", type=float, metavar="X")


def verify(options: argparse.Namespace, output: Output) -> int:
    """Print which depths of a verification passed, or every finding of a check of a store.

    The exit status is 1 if something that was asked for did not pass.
    """
    folder = options.folder
    if folder is None and options.store is None:
        raise DataError("expected a results folder, a store, or both: bioclip-probe verify RESULTS --store STORE")
    is_study = folder is not None and (folder / "runs.json").is_file()
    if folder is not None and not is_study and not (folder / "store.json").is_file():
        raise DataError(f"{folder} holds neither results (no runs.json) nor a store (no store.json)")
    if not is_study:
        if options.depth:
            raise DataError("--depth is about results; name their folder before --store")
        return _verify_store(folder or options.store, options, output)
    return _verify_results(folder, options, output)


def _verify_results(folder: Path, options: argparse.Namespace, output: Output) -> int:
    """Print which depths of a results folder passed."""
    from bioclip_probe import provenance
    from bioclip_probe.study.submission_file import submitted_digest
    from bioclip_probe.study.verification.checking import verify

    settings = VerifySettings(
        options.data,
        options.tree,
        tuple(options.models),
        options.all,
        options.pictures,
        options.rounding,
        progress=not options.quiet,
    )
    verification = verify(folder, options.store, options.depth, settings)
    for name, value in verification.to_dict().items():
        output.fact(name, value)
    output.fact("date", provenance.now())
    output.fact("numbers_sha256", submitted_digest(folder))  # so that `board` knows which numbers were verified
    protocol = verification.protocol or {}
    output.line(f"protocol: {protocol.get('id', 'none, so that the numbers are not comparable with others')}")
    for line in str(verification).splitlines():
        output.line(line)
    return 0 if verification.passed else 1


def _verify_store(path: Path, options: argparse.Namespace, output: Output) -> int:
    """Print every finding of a check of a store."""
    from bioclip_probe.store.store import open_store
    from bioclip_probe.store.verify import verify

    store = open_store(path)
    findings = verify(store, progress=not options.quiet)
    output.rows("findings", findings)
    print_earlier_versions(output, store)
    for finding in findings.itertuples():
        output.line(f"{finding.folder}: {finding.check}: {finding.finding}")
    if len(findings):
        output.line(f"{len(findings)} findings; embed --repair embeds damaged shards again, and only those")
        return 1
    output.line("no damage found")
    return 0
