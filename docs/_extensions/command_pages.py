"""The directive ``{commands}``: every command with its flags, from the parser of the command line itself."""

from __future__ import annotations

import argparse

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from bioclip_probe.cli.parser import build_parser


def commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command."""
    (known,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return dict(known.choices)


def arguments(parser: argparse.ArgumentParser) -> list[tuple[str, str]]:
    """Return each argument of a command as it is written, and what it does."""
    formatter = parser._get_formatter()
    lines = []
    for action in parser._actions:
        if action.help == argparse.SUPPRESS or isinstance(action, argparse._HelpAction):
            continue
        written = formatter._format_action_invocation(action)
        lines.append((written, formatter._expand_help(action) if action.help else ""))
    return lines


def with_code(text: str) -> list[nodes.Node]:
    """Return a text as nodes, with what stands in backticks as code."""
    parts = text.split("`")
    return [nodes.literal("", part) if i % 2 else nodes.Text(part) for i, part in enumerate(parts)]


class Commands(SphinxDirective):
    """A section for each command, with a list of its arguments."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        sections: list[nodes.Node] = []
        for name, parser in commands(build_parser()).items():
            section = nodes.section(ids=[f"command-{name}"], names=[name])
            section += nodes.title("", "", nodes.literal("", name))
            section += nodes.paragraph("", parser.description or "")
            flags = nodes.definition_list(classes=["flags"])
            for written, what in arguments(parser):
                term = nodes.term("", "", nodes.literal("", written))
                text = nodes.paragraph("", "", *with_code(what))
                flags += nodes.definition_list_item("", term, nodes.definition("", text))
            section += flags
            self.state.document.note_explicit_target(section)
            sections.append(section)
        return sections


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
