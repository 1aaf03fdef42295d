"""The browser of the system, which tests start; none is downloaded."""

from __future__ import annotations

import os
import shutil

NAMES = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome")
#: The superuser of a container has no sandbox.
ARGUMENTS = ["--no-sandbox"] if os.name == "posix" and os.getuid() == 0 else []


def path_of_browser() -> str | None:
    """Return the path of the browser; None if there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)
