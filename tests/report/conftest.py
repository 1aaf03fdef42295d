"""The browser of the system, in which pages are opened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.browsers import ARGUMENTS, NAMES, path_of_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The browser of the system; tests are skipped without one, but not where REQUIRE_BROWSER says so."""
    path = path_of_browser()
    if path is None:
        reason = f"no browser on this system: none of {', '.join(NAMES)}"
        pytest.fail(reason) if os.environ.get("REQUIRE_BROWSER") else pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()
