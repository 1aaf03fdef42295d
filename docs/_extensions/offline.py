"""A check of the built pages: a browser that opens them asks the network for nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

#: What a browser loads by itself, if it is on another machine. Links that a reader follows are none of it.
ELSEWHERE = r"""["']?\s*(?:https?:)?//"""
LOADED = re.compile(
    rf"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc\s*=\s*{ELSEWHERE}"
    rf"|<link\b(?=[^>]*\brel\s*=\s*[\"']?(?:stylesheet|preload|modulepreload|icon|preconnect|dns-prefetch))"
    rf"[^>]*\bhref\s*=\s*{ELSEWHERE}"
    rf"|@import\s+{ELSEWHERE}|\burl\(\s*{ELSEWHERE}",
    re.IGNORECASE,
)


def loaded_from_network(text: str) -> list[str]:
    """Return the places of a page or a style sheet that a browser would load from the network."""
    return [text[found.start() : found.end() + 60].split("\n")[0] for found in LOADED.finditer(text)]


def findings(folder: Path) -> list[str]:
    """Return what the pages and style sheets of a folder would load from the network, with their paths."""
    pages = sorted(path for path in folder.rglob("*") if path.suffix in (".html", ".css"))
    return [
        f"{path.relative_to(folder)}: {finding}"
        for path in pages
        for finding in loaded_from_network(path.read_text("utf-8"))
    ]


def check(app: Sphinx, error: Exception | None) -> None:
    """Stop the build if a page would load something from the network."""
    from sphinx.errors import ExtensionError

    if error is None and app.builder.format == "html" and (lines := findings(Path(app.outdir))):
        raise ExtensionError("pages that need a network:\n" + "\n".join(lines[:20]))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
