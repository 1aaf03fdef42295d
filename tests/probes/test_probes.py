import inspect

import pytest

from bioclip_probe import probes
from bioclip_probe.errors import ProbeError


def test_catalogue_loads():
    table = probes.catalogue()
    assert table.columns.tolist() == ["name", "what"]
    for name in table["name"]:
        assert list(inspect.signature(probes.load(name)).parameters)[:3] == ["vectors", "labels", "split"]


def test_unknown_probe_names_the_nearest():
    with pytest.raises(ProbeError, match="no probe 'liner'; did you mean linear"):
        probes.load("liner")
    with pytest.raises(ProbeError, match="there is linear"):
        probes.load("zzz")
