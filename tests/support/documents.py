"""The pages of the documentation as tests read them: their fenced blocks, and their links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md")))
FENCE = re.compile(r"^(?:<!-- (?P<mark>[a-z-]+) -->\n)?```(?P<language>[a-z]+)\n(?P<text>.*?)^```$", re.M | re.S)
PROGRAM = "bioclip-probe"


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, with the mark in a comment on the line before it: ``run`` or ``dry-run``."""

    page: Path
    line: int
    language: str
    text: str
    mark: str

    @property
    def name(self) -> str:
        """The page and the line of the block."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def commands(self) -> Iterator[tuple[list[str], str]]:
        """Yield the arguments of each command of this package, and the output that follows it in a console block."""
        prompt = "$ " if self.language == "console" else ""
        lines = self.text.replace("\\\n", " ").split("\n")
        starts = [i for i, line in enumerate(lines) if line.startswith(f"{prompt}{PROGRAM} ")]
        for start in starts:
            words = shlex.split(lines[start].removeprefix(prompt), comments=True)
            after = [i for i, line in enumerate(lines) if i > start and line.startswith("$ ")]
            output = lines[start + 1 : min(after, default=len(lines))] if prompt else []
            yield [word for word in words[1:] if word != "&"], "\n".join(output).strip()


def blocks(*languages: str) -> list[Block]:
    """Return the fenced blocks in some languages of all pages."""
    found = []
    for page in PAGES:
        text = page.read_text("utf-8")
        for match in FENCE.finditer(text):
            if match["language"] in languages:
                line = text.count("\n", 0, match.start()) + 1
                found.append(Block(page, line, match["language"], match["text"], match["mark"] or ""))
    return found
