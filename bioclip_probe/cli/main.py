"""The entry point of the command line: parse, run one command, and end with a clear line and status."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bioclip_probe.cli.idle_flags import idle_flags
from bioclip_probe.cli.output import Output
from bioclip_probe.cli.parser import build_parser
from bioclip_probe.errors import ProbeError, one_line
from bioclip_probe.limits import allow_memory, max_memory

log = logging.getLogger("bioclip_probe")

#: Where a command that was stopped goes on from when it is given again; the others begin anew.
KEPT = {
    **dict.fromkeys(("reproduce", "run", "measure", "probe", "project"), "finished shards and pieces"),
    **dict.fromkeys(("embed", "taxa", "card"), "finished shards"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process by default.

    Returns
    -------
    int
        0; 1 if `verify` found something; 2 with one line that says what is wrong; 130 if interrupted.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    _set_up_log(quiet=getattr(options, "quiet", False))
    for sentence in idle_flags(options, parser.changed(options)):
        log.warning(sentence)
    try:
        with _stopped_by_sigterm(), allow_memory(options.max_memory or max_memory()):
            output = Output(options.command, options.json)
            with output.only_json():
                status = options.run(options, output) or 0
            output.close()
            return status
    except ProbeError as error:
        print(f"bioclip-probe: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"bioclip-probe: interrupted{_kept(options.command)}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        sys.stderr.close()
        return 0
    except OSError as error:  # a full disk, a folder that may not be written
        reason = f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")
        print(f"bioclip-probe: {reason}{_kept(options.command)}", file=sys.stderr)
        return 2
    except MemoryError as error:
        fewer = "fewer --workers and a smaller --batch-size take less"
        print(f"bioclip-probe: not enough memory ({one_line(error)}); {fewer}{_kept(options.command)}", file=sys.stderr)
        return 2


def _kept(command: str) -> str:
    """Return what a stopped command leaves to go on from, as the end of a sentence."""
    return f"; {KEPT[command]} are kept, and the same command goes on from there" if command in KEPT else ""


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """End a run on SIGTERM, as SLURM sends it before the time is up, in the same way as on Control-C."""
    if threading.current_thread() is not threading.main_thread():  # where signals cannot be handled
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _set_up_log(quiet: bool) -> None:
    """Log to standard error: everything, or warnings only."""
    log.handlers.clear()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.WARNING if quiet else logging.INFO)
