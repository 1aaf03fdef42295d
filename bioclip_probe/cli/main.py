"""How a run of the command line starts and ends."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bioclip_probe.cli.parser import build_parser
from bioclip_probe.errors import ProbeError

log = logging.getLogger("bioclip_probe")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0, 1 if `verify` found something, 2 with one line that says what is wrong."""
    options = build_parser().parse_args(arguments)
    _speak(quiet=getattr(options, "quiet", False))
    try:
        with _stopped_by_sigterm():
            return options.run(options) or 0
    except ProbeError as error:
        print(f"bioclip-probe: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "bioclip-probe: interrupted; the shards written so far are kept, the same command goes on from there",
            file=sys.stderr,
        )
        return 130
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        sys.stderr.close()
        return 0
    except OSError as error:  # a full disk, a folder that may not be written
        print(f"bioclip-probe: {error.strerror or error}: {error.filename or ''}".rstrip(": "), file=sys.stderr)
        return 2


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """A polite kill, as SLURM sends before the time is up, ends a run as Control-C does."""
    if threading.current_thread() is not threading.main_thread():  # where signals cannot be handled
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _speak(quiet: bool) -> None:
    log.handlers.clear()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.WARNING if quiet else logging.INFO)
