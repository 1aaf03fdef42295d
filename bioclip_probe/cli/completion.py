"""Completion of commands, flags, files and folders in a shell, by a script that `shtab` makes from the parser.

The script is made by the program that is installed, not when a package is built: so it fits the version that runs, and
a wheel has no file for it outside its own folder. `bioclip-probe --help` says where each shell wants it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

SHELLS = ("bash", "zsh", "tcsh")
#: Names of arguments that are folders; every other path is a file.
FOLDERS = ("DIR", "STORE")


class PrintCompletion(argparse.Action):
    """The flag that prints the completion script of a shell and ends the program."""

    def __init__(self, option_strings: list[str], dest: str, **_: Any) -> None:
        text = "print the completion script of a shell"
        super().__init__(option_strings, argparse.SUPPRESS, choices=SHELLS, default=argparse.SUPPRESS, help=text)

    def __call__(self, parser: argparse.ArgumentParser, *values: Any) -> None:
        """Print the script for the shell that was named."""
        print(completion_script(parser, values[1]))
        parser.exit()


def completion_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the completion script of a parser.

    Parameters
    ----------
    parser : ArgumentParser
    shell : str
        ``bash``, ``zsh`` or ``tcsh``.

    Examples
    --------
    >>> from bioclip_probe.cli.parser import build_parser
    >>> "--n-bootstrap" in completion_script(build_parser(), "bash")
    True
    """
    import shtab

    names, functions = _names(), []
    for flag, words in names.items():
        functions.append(f"_bioclip_probe_{flag}() {{ compgen -W '{' '.join(words)}' -- \"$1\"; }}")
    for action in _all_actions(parser):
        if isinstance(action.metavar, str) and ":" in action.metavar:
            action.metavar = action.dest.upper()  # zsh would read the colon as the end of the name
        if action.type is Path:
            complete = shtab.DIRECTORY if action.metavar in FOLDERS else shtab.FILE
        elif action.dest in names:
            complete = {"bash": f"_bioclip_probe_{action.dest}", "zsh": f"({' '.join(names[action.dest])})"}
        else:
            continue
        action.complete = complete  # type: ignore[attr-defined]
    return shtab.complete(parser, shell, preamble="\n".join(functions) if shell == "bash" else "")


def _names() -> dict[str, list[str]]:
    """Return the names that a flag may be followed by, among others such as paths."""
    from bioclip_probe import encoders
    from bioclip_probe.datasets.registry import REGISTRY as DATASETS
    from bioclip_probe.metrics.registry import REGISTRY as METRICS
    from bioclip_probe.probes.registry import PROTOCOLS
    from bioclip_probe.probes.registry import REGISTRY as PROBES

    return {
        "data": [f"{name}:" if entry.takes_path else name for name, entry in DATASETS.items()],
        "models": encoders.known(),
        "metrics": list(METRICS),
        "probes": list(PROBES),
        "protocols": list(PROTOCOLS),
    }


def _all_actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the arguments of a parser and of all its commands."""
    actions = []
    for action in parser._actions:
        actions.append(action)
        if isinstance(action, argparse._SubParsersAction):
            actions += [inner for sub in action.choices.values() for inner in _all_actions(sub)]
    return actions
