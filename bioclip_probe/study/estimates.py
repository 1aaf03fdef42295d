"""Estimates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bioclip_probe.study.plan import Plan


@dataclass(frozen=True)
class Estimate:
    """The estimate of a plan."""

    obstacle: str = ""
    table: pd.DataFrame | None = None


def estimate(plan: Plan, store: Path, out: Path, steps: Sequence[str]) -> Estimate:
    """Return the estimate of a plan."""
    return Estimate(table=pd.DataFrame())
