"""The pages of the documentation: links lead to files, each metric is explained once, nothing asks the network."""

import importlib
import re
import sys

import pytest

from bioclip_probe.metrics.registry import DIFFERENCE
from bioclip_probe.metrics.registry import REGISTRY as METRICS
from tests.support.documents import DOCS, PAGES, ROOT

LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)\s]*)?\)")
METRIC = re.compile(r"^```\{metric\}(.*)$", re.M)


@pytest.fixture
def extension(monkeypatch):
    """Import an extension of the documentation by its name."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(DOCS / "_extensions")])
    return importlib.import_module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page):
    targets = [page.parent / target for target in LINK.findall(page.read_text("utf-8"))]
    assert [str(target) for target in targets if not target.exists()] == []


def test_each_metric_is_explained_on_one_page():
    explained = [
        name for page in DOCS.rglob("*.md") for line in METRIC.findall(page.read_text("utf-8")) for name in line.split()
    ]
    assert sorted(explained) == sorted(name for name in METRICS if not name.endswith(DIFFERENCE))


@pytest.mark.parametrize(
    "page", sorted((DOCS / "explanation" / "metrics").glob("[!i]*.md")), ids=lambda page: page.stem
)
def test_a_page_of_metrics_says_when_to_trust_them_when_not_and_names_the_null(page):
    text = page.read_text("utf-8")
    assert "**Trust" in text
    assert "**Do not" in text or "**not**" in text
    assert "**Null" in text


def test_docs_hold_sources_only():
    kinds = {path.suffix for path in DOCS.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert kinds <= {".md", ".py", ".rst", ".css"}


def test_what_a_browser_loads_from_the_network_is_found(extension):
    offline = extension("offline")
    for text in (
        '<script async="async" src="https://cdn.jsdelivr.net/npm/mathjax@3/es5/tex-mml-chtml.js"></script>',
        "<script src=//cdnjs.com/x.js></script>",
        '<link rel="stylesheet" type="text/css" href="https://fonts.googleapis.com/css" />',
        '<link href="http://a.b/c.css" rel="stylesheet">',
        "@font-face { src: url(https://a.b/c.woff2) }",
        '@import "https://a.b/c.css";',
        '<img alt="x" src="https://a.b/c.png">',
    ):
        assert len(offline.loaded_from_network(text)) == 1, text
    for text in (
        '<a href="https://arxiv.org/abs/2311.18803">paper</a>',
        '<script src="../_static/tex-svg.js"></script>',
        '<link rel="canonical" href="https://a.b/c.html">',
        "code { background: url(data:image/svg+xml;base64,AA) }",
    ):
        assert offline.loaded_from_network(text) == [], text


def test_links_of_staged_pages_hold_where_the_pages_stand(extension):
    with_links = extension("staging").with_links
    page = DOCS / "how-to" / "own-data.md"
    text = "[a](../glossary.md#x) [b](../../CONTRIBUTING.md) [c](../../Makefile) ![d](../../figures/e.png) [f](https://g.h)"
    assert with_links(text, page) == (
        "[a](/glossary.md#x) [b](/project/contributing.md) "
        "[c](https://github.com/bioclip-probe/bioclip_probe/blob/main/Makefile) ![d](/figures/e.png) [f](https://g.h)"
    )
    assert with_links("![a](plate.jpg)", ROOT / "bioclip_probe" / "world" / "README.md") == "![a](plate.jpg)"


def test_a_page_that_is_included_loses_its_title_and_no_comment_in_code(extension):
    without_title = extension("staging").without_title
    assert (
        without_title("# Title\n\n## A\n\n```sh\n# comment\n```\n\n# B\n")
        == "\n## A\n\n```sh\n# comment\n```\n\n## B\n"
    )
