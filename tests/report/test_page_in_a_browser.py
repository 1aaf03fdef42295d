"""The report in the browser of the system: what it requests, its widths, its contrast, and what it is on paper."""

from __future__ import annotations

import itertools
import re

import pytest

from tests.support.color_vision import contrast
from tests.support.page_texts import TEXTS

pytestmark = pytest.mark.slow

#: Elements that reach beyond the page, outside regions that scroll.
BEYOND = """(width) => [...document.body.querySelectorAll("*")]
  .filter((element) => !element.closest(".scroll") && element.getBoundingClientRect().right > width + 1)
  .map((element) => element.outerHTML.slice(0, 80))"""


@pytest.fixture
def open_report(browser, small_study):
    """A function that opens the report; a request that leaves the page, or an error, fails the test."""
    contexts, requests, errors = [], [], []

    def open_report(width=1100, height=900, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(f"file://{small_study}/out/report.html")
        return page

    yield open_report
    for context in contexts:
        context.close()
    assert not errors
    loaded = [url for url in requests if not url.startswith("data:")]
    assert all(re.fullmatch(r"file://.*/(report|explorer)\.html(#.*)?", url) for url in loaded), loaded


def test_no_request_leaves_the_page_until_a_reader_follows_a_link(open_report):
    page = open_report()
    assert (
        page.evaluate("performance.getEntriesByType('resource').filter((r) => !r.name.startsWith('data:')).length") == 0
    )
    page.locator("nav a", has_text="Explorer").click()
    page.wait_for_selector("html[data-ready]")


@pytest.mark.parametrize("width", [360, 380, 1100])
def test_nothing_reaches_beyond_the_page(open_report, width):
    page = open_report(width)
    page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(BEYOND, width) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(open_report, scheme):
    texts = open_report(color_scheme=scheme).evaluate(TEXTS)
    assert len(texts) > 200
    weak = [(tag, ink, paper) for tag, ink, paper in texts if contrast(ink[:3], paper[:3]) < 4.5]
    assert weak == []


def test_each_sentence_leads_to_its_row(open_report):
    page = open_report()
    links = page.locator(".answer a")
    assert links.count() > 0
    for number in range(links.count()):
        links.nth(number).click()
        row = page.locator(links.nth(number).get_attribute("href"))
        assert row.is_visible(), "the folded table opens"
        assert row.get_attribute("id") == page.evaluate("document.querySelector(':target').id")


def test_what_a_screen_reader_needs_is_there(open_report):
    page = open_report()
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.evaluate("[...document.images].filter((image) => !image.alt).length") == 0
    figures = page.evaluate("[...document.querySelectorAll('figure img')].map((image) => image.alt)")
    assert min(map(len, figures)) > 60, "a figure says what it shows"
    assert page.evaluate("[...document.querySelectorAll('table')].filter((table) => !table.caption).length") == 0
    assert page.evaluate("document.querySelectorAll('th:not([scope])').length") == 0
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((element) => element.id)")
    assert len(ids) == len(set(ids))
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map((one) => Number(one.tagName[1]))")
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in itertools.pairwise(levels))
    names = "[...document.querySelectorAll('nav, [role=region]')].filter((one) => !one.ariaLabel).length"
    assert page.evaluate(names) == 0


def test_on_paper_all_is_open_and_nothing_is_cut(open_report):
    page = open_report(width=700)  # A4 less its margins
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= 700
    beyond = """() => [...document.querySelectorAll("td, th, img, li, p")]
      .filter((one) => one.getBoundingClientRect().right > 701).map((one) => one.outerHTML.slice(0, 80))"""
    assert page.evaluate(beyond) == []
    assert page.locator("#evidence table").bounding_box()["height"] > 50
    assert page.locator("#methods").bounding_box()["height"] > 5
    assert not page.locator("nav").is_visible()
    scroll = "[...document.querySelectorAll('.scroll')].filter((one) => getComputedStyle(one).overflowX !== 'visible')"
    assert page.evaluate(f"{scroll}.length") == 0
