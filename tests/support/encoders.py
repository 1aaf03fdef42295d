"""Made-up encoders under names that no registry knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bioclip_probe import encoders
from bioclip_probe.encoders import loading


def use_encoders(monkeypatch: pytest.MonkeyPatch, make: Callable[[str], Any]) -> None:
    """Let every name of a model stand for the encoder that `make` returns for it."""
    for module in (encoders, loading):
        monkeypatch.setattr(module, "resolve", lambda name: (name, f"test:{name}"))
        monkeypatch.setattr(module, "load", lambda name, *settings: make(name))
