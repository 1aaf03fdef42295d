"""Reports of small studies, and what their pages load and link to."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from bioclip_probe import report
from bioclip_probe.probes.settings import ProbeSettings
from bioclip_probe.study import results, run, steps
from bioclip_probe.study.sample import Sample
from tests.support.small_study import plan


class Page(HTMLParser):
    """The tags of a page, what it loads by itself, and where a reader may go from it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag and its links."""
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.add(value or "")
            if name == "href" and tag == "a":
                self.links.append(value or "")
            elif name in ("src", "href", "srcset", "data", "action", "poster", "background", "ping"):
                self.loads.append(value or "")


def page_of(folder: Path) -> tuple[str, Page]:
    """Return the text of the report of a results folder, and what is in it."""
    text = (folder / "report.html").read_text("utf-8")
    return text, Page(text)


def write_study(sample: Sample, out: Path) -> Path:
    """Run all steps of the small study on a sample, with one quick probe, write its report, and return the folder."""
    small = plan(out, probe=ProbeSettings(probes=("lda",), protocols=("seen",)))
    for name, step in (("measure", steps.measure_step), ("probe", steps.probe_step), ("project", steps.project_step)):
        result = step(sample, small)
        results.write(out, run.run_record(sample, small, name, result, 0.0), result.tables)
    report.write(out)
    return out
