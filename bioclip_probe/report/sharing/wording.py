"""Numbers of a submission in words: one form for model cards, evaluation results and boards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bioclip_probe.metrics.endpoints import TAXONOMY
from bioclip_probe.tables import RANKS, SMALLEST_P
from bioclip_probe.tree.placing import PLURALS

#: The sign in place of a number that is missing or undefined.
NONE = "–"
SIMULATED = "simulated: pictures of invented species; the numbers say nothing about life on Earth"


def heading(number: Mapping[str, Any]) -> str:
    """Return the heading of a number: its title, its rank if that is not species, its tree if that is not the taxonomy.

    Parameters
    ----------
    number : mapping
        An endpoint of a submission.

    Returns
    -------
    str

    Examples
    --------
    >>> heading({"title": "1-NN among other species", "rank": "family", "tree": "taxonomy"})
    '1-NN among other species, family'
    """
    rank = [number["rank"]] if number["rank"] != RANKS[-1] else []
    tree = [number["tree"]] if number["tree"] != TAXONOMY else []
    return ", ".join((number["title"], *rank, *tree))


def value_in_words(value: float | None) -> str:
    """Return a value with three decimals, or a dash.

    Examples
    --------
    >>> value_in_words(0.35129), value_in_words(None)
    ('0.351', '–')
    """
    return NONE if value is None else f"{value:.3f}"


def interval_in_words(number: Mapping[str, Any]) -> str:
    """Return the interval of a number, or the reason why it has none.

    Parameters
    ----------
    number : mapping
        An endpoint or a difference of a submission.

    Returns
    -------
    str

    Examples
    --------
    >>> interval_in_words({"interval": [0.309, 0.3954], "level": 0.95})
    '0.309 to 0.395'
    >>> interval_in_words({"interval": None, "no_interval_because": "9 units, needs at least 10"})
    'none: 9 units, needs at least 10'
    """
    if number["interval"] is None:
        return f"none: {number['no_interval_because']}"
    low, high = number["interval"]
    return f"{low:.3f} to {high:.3f}"


def level_in_words(number: Mapping[str, Any]) -> str:
    """Return the name of the interval of a number, with its nominal coverage where it is known.

    Examples
    --------
    >>> level_in_words({"level": 0.95}), level_in_words({"level": None})
    ('95 % interval', 'interval')
    """
    return "interval" if number["level"] is None else f"{100 * number['level']:g} % interval"


def p_in_words(p: float | None) -> str:
    """Return a p-value, or a dash.

    Examples
    --------
    >>> p_in_words(0.00012), p_in_words(0.04), p_in_words(None)
    ('< 0.001', '0.040', '–')
    """
    if p is None:
        return NONE
    return f"< {SMALLEST_P}" if p < SMALLEST_P else f"{p:.3f}"


def counts_in_words(number: Mapping[str, Any]) -> str:
    """Return how much data entered a number: the units that were resampled, and the images.

    Examples
    --------
    >>> counts_in_words({"n_units": 240, "unit": "species", "n_images": 1200})
    '240 species, 1,200 images'
    """
    unit = PLURALS.get(number["unit"], "units")
    counts = [(number["n_units"], unit), (number["n_images"], "images")]
    return ", ".join(f"{count:,} {noun}" for count, noun in counts if count is not None) or NONE
