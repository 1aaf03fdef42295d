"""Probes: what can be read off frozen embeddings. Each takes vectors, labels and a split, and returns `Predictions`.

To add one, write ``probes/<name>.py`` with a function ``(vectors, labels, split) -> Predictions``, add a line to
`CATALOGUE`, and a test.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module

import pandas as pd

from bioclip_probe.errors import ProbeError

CATALOGUE = {
    "linear": ("linear:linear_probe", "logistic regression, C chosen on val"),
}


def catalogue() -> pd.DataFrame:
    """The probes: name and what it does."""
    return pd.DataFrame([(name, what) for name, (_, what) in CATALOGUE.items()], columns=["name", "what"])


def load(name: str) -> Callable:
    """The probe called `name`.

    Raises
    ------
    ProbeError
        If there is none of that name.
    """
    if name not in CATALOGUE:
        near = get_close_matches(name, CATALOGUE, n=3, cutoff=0.4)
        raise ProbeError(f"no probe '{name}'; {'did you mean' if near else 'there is'} {', '.join(near or CATALOGUE)}?")
    module, function = CATALOGUE[name][0].split(":")
    return getattr(import_module(f"{__name__}.{module}"), function)
