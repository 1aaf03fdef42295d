"""The commands that made a study, as a script of the shell."""

from __future__ import annotations

import shlex

from bioclip_probe.study.results import STUDY_FILE, Results

PROGRAM = "bioclip-probe"


def quoted(command: str) -> str:
    """Return a recorded command line, each word of it quoted for the shell where it needs to be.

    Parameters
    ----------
    command : str

    Returns
    -------
    str

    Examples
    --------
    >>> quoted("bioclip-probe measure --data 'table:my birds.csv'; rm x")
    "bioclip-probe measure --data 'table:my birds.csv;' rm x"
    """
    try:
        words = shlex.split(command)
    except ValueError:  # a quotation mark without its partner
        words = command.split()
    return shlex.join(words)


def commands_of(results: Results) -> list[str]:
    """Return the commands that made a study, in the order of their steps, each once.

    Parameters
    ----------
    results : Results

    Returns
    -------
    list of str
        Quoted for the shell. A study that ran from Python has the command that runs its study file, if it has one.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> results = two_models_measured()
    >>> record = {**results.record, "steps": {"measure": {"command": "bioclip-probe measure --out out"}}}
    >>> commands_of(replace(results, record=record))
    ['bioclip-probe measure --out out']
    """
    recorded = [quoted(str(step.get("command", ""))) for step in results.record["steps"].values()]
    commands = [command for command in dict.fromkeys(recorded) if command.split(" ")[0] == PROGRAM]
    if not commands and results.record.get("study"):
        commands = [shlex.join([PROGRAM, "run", STUDY_FILE, "--out", str(results.folder)])]
    return commands


def script_of(results: Results) -> str:
    """Return the commands that made a study as a script.

    Parameters
    ----------
    results : Results

    Returns
    -------
    str

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> print(script_of(two_models_measured()).splitlines()[0])
    #!/usr/bin/env bash
    """
    software = [
        f"# {_comment(name)} {_comment(version)}" for name, version in results.record.get("software", {}).items()
    ]
    commands = commands_of(results) or ["# It ran from Python, without a study file: no command is recorded."]
    mark = ["# Simulated: the pictures, the species and the models belong to the built-in world."] * results.simulated
    return "\n".join(
        [
            "#!/usr/bin/env bash",
            f"# The commands that made run {_comment(results.record['run'])}.",
            *mark,
            "# Software:",
            *(software or ["# not recorded"]),
            "set -euo pipefail",
            "",
            *commands,
            shlex.join([PROGRAM, "appendix", "--out", str(results.folder)]),
            "",
        ]
    )


def _comment(text: object) -> str:
    """Return a text as a part of a comment, which ends with its line."""
    return " ".join(str(text).split())
