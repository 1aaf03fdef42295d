"""Pages of made-up studies, opened in the browser of the system."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bioclip_probe.report.explorer.page import explore, page_of
from bioclip_probe.study import run_steps
from bioclip_probe.study.examples import corvid_plan
from tests.support.explorer_study import made_up_contents, made_up_thumbnails

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

#: Opens a page: a name of `pages` with a hash, and options of the browser's context.
Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pages of a made-up study, one whose names are markup, and three birds without pictures."""
    folder = tmp_path_factory.mktemp("pages")
    contents = made_up_contents()
    page_of(contents, made_up_thumbnails(len(contents.images))).write(folder / "study.html")
    hostile = "</script><script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\"><!--"
    contents = made_up_contents(prefix=hostile, title=hostile)
    page_of(contents, made_up_thumbnails(len(contents.images))).write(folder / "hostile.html")
    run_steps(corvid_plan(folder), folder / "store", folder / "out", ["project"])
    explore(folder / "out", folder / "store", progress=False).write(folder / "birds.html")
    return folder


@pytest.fixture
def open_page(browser: Browser, pages: Path) -> Iterator[Open]:
    """A function that opens a page and waits until it is ready; errors and requests of the page fail the test."""
    contexts, errors, requests = [], [], []

    def open_page(name: str = "study.html", **options: Any) -> Page:
        settings = {"viewport": {"width": 1300, "height": 900}, "reduced_motion": "reduce", **options}
        context = browser.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: requests.append(request.url))
        page.goto(f"file://{pages}/{name}")
        page.wait_for_selector("html[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not errors
    assert all(url.startswith(("file:", "data:", "blob:", "about:")) for url in requests), requests
    assert [url for url in requests if url.startswith("file:")] == [
        url for url in requests if url.partition("#")[0].endswith(".html")
    ]
