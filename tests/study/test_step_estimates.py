"""The lines of an estimate, their sum, and how a reader sees them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.study.step_estimates import (
    COLUMNS,
    NAN,
    Estimate,
    StepEstimate,
    duration,
    duration_range,
    size,
)

LINES = (
    StepEstimate("embed", "clip", "0 of 9 images", "9 images", (1.0, 4.0), "two timed batches", 2e9, 100.0),
    StepEstimate("embed", "pixels", "9 of 9 images", ""),
    StepEstimate("measure", "clip", "", "2 pieces", (10.0, 50.0), "cost of each operation", 3e9, NAN),
)


def test_the_sum_adds_times_and_disk_and_takes_the_largest_memory() -> None:
    whole = Estimate(LINES)
    assert whole.seconds == (11.0, 54.0)
    assert (whole.memory, whole.disk) == (3e9, 100.0)
    assert whole.complete
    assert list(whole.table.columns) == list(COLUMNS)
    assert whole.shown.iloc[-1].tolist() == ["sum", "", "", "", "11–54 s", "", "3.0 GB", "100 B"]
    assert whole.shown.iloc[1].tolist() == ["embed", "pixels", "9 of 9 images", "-", "-", "-", "-", "-"]


def test_a_part_of_unknown_time_makes_the_sum_a_lower_bound() -> None:
    unknown = StepEstimate("embed", "far", "", "9 images", (NAN, NAN), "not timed", NAN, 100.0)
    whole = Estimate((*LINES, unknown))
    assert not whole.complete
    assert whole.shown["time"].tolist()[-2:] == ["unknown", "at least 11 s"]
    assert Estimate((unknown,)).shown["time"].tolist() == ["unknown", "unknown"]


@given(st.floats(0, 1e7), st.floats(0, 1e7))
def test_durations_grow_and_name_their_unit(one: float, other: float) -> None:
    low, high = sorted((one, other))
    units = ["s", "min", "h"]
    first, last = (duration(value).split()[-1] for value in (low, high))
    assert units.index(first) <= units.index(last)
    assert duration_range(low, high).endswith(duration(high))


@pytest.mark.parametrize(("n_bytes", "text"), [(0, "0 B"), (1023, "1.0 kB"), (4e6, "4.0 MB"), (7e10, "70.0 GB")])
def test_sizes(n_bytes: float, text: str) -> None:
    assert size(n_bytes) == text
    assert size(math.nan) == "unknown"
