"""The canvas of a panel of the explorer at rest, and the golden picture of it.

``python -m tests.support.panel_picture`` draws the golden picture anew, into the file below. Look at it before it is
committed.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from bioclip_probe.report.explorer.page import page_of
from bioclip_probe.report.explorer.thumbnails import Thumbnails
from tests.support.browsers import ARGUMENTS, path_of_browser
from tests.support.explorer_study import made_up_contents

if TYPE_CHECKING:
    from playwright.sync_api import Page

GOLDEN = Path(__file__).parents[1] / "report" / "explorer" / "golden" / "panel.png"
SIZE = 240


def panel_picture(page: Page, panel: int = 2) -> np.ndarray:
    """Return the pixels of a panel at rest, (240, 240, 4) uint8; the panel of the third model has much overlap."""
    text = page.evaluate(
        """([number, size]) => {
          const panel = explorer.panels[number];
          panel.canvas.style.width = panel.canvas.style.height = `${size}px`;
          panel.resize();
          panel.draw(true);
          return panel.canvas.toDataURL("image/png").split(",")[1];
        }""",
        [panel, SIZE],
    )
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGBA"))


def main() -> None:
    """Draw the golden picture."""
    from playwright.sync_api import sync_playwright

    contents = made_up_contents()
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        study = page_of(contents, Thumbnails.none(len(contents.images))).write(Path(folder) / "study.html")
        browser = playwright.chromium.launch(executable_path=path_of_browser(), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1300, "height": 900}, reduced_motion="reduce")
        page.goto(f"file://{study}")
        page.wait_for_selector("html[data-ready]")
        Image.fromarray(panel_picture(page)).save(GOLDEN, optimize=True)
        browser.close()


if __name__ == "__main__":
    main()
