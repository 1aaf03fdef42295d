from dataclasses import fields, replace

import pytest

from bioclip_probe.errors import ProbeError
from bioclip_probe.metrics.settings import MeasureSettings

COUNTS = [field.name for field in fields(MeasureSettings) if field.name.startswith(("n_", "max_", "min_"))]


@pytest.mark.parametrize("name", COUNTS)
def test_a_count_below_one_is_refused_by_its_name(name):
    with pytest.raises(ProbeError, match=f"{name} must be at least 1; got 0"):
        replace(MeasureSettings(), **{name: 0})
    replace(MeasureSettings(), **{name: 1})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": -1}, "seed must be 0 or more; got -1"),
        ({"level": 95}, "between 0 and 1; got 95"),
        ({"level": 0}, "between 0 and 1; got 0"),
        ({"resample": "clan"}, "got 'clan'"),
        ({"per_species": 0}, "at least 1 image a species; got 0"),
    ],
)
def test_what_is_out_of_range_is_refused_in_one_line(change, message):
    with pytest.raises(ProbeError, match=message) as error:
        MeasureSettings(**change)
    assert "\n" not in str(error.value)
