import subprocess
import sys

import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.extraction.settings import ExtractionSettings


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"batch_size": 0}, "must be at least 1; got 0 and None"),
        ({"workers": 0}, "must be at least 1; got None and 0"),
        ({"preparation": "fork"}, "cannot be prepared in 'fork'; expected auto, threads, processes"),
        ({"shard_size": 0}, "a shard holds at least 1 image; got 0"),
        ({"max_failures": -0.5}, "must be 0 or more, or a share below 1; got -0.5"),
        ({"redo": ("all",)}, "cannot redo 'all'; expected one of: failed, damaged"),
    ],
)
def test_settings_out_of_range_are_refused(wrong, reason):
    with pytest.raises(DataError, match=reason):
        ExtractionSettings(**wrong)


def test_the_settings_need_neither_pandas_nor_torch():
    heavy = "{'numpy', 'pandas', 'torch'}"
    code = f"import sys, bioclip_probe.extraction.settings; sys.exit(not {heavy}.isdisjoint(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
