import inspect

import pytest

from bioclip_probe import probes
from bioclip_probe.errors import ProbeError


def test_catalogue_loads():
    table = probes.catalogue()
    assert table.columns.tolist() == ["name", "what"]
    for name in probes.LEARNERS:
        assert list(inspect.signature(probes.load(name)).parameters)[:3] == ["vectors", "labels", "split"]


def test_unknown_names_are_told_with_the_nearest():
    with pytest.raises(ProbeError, match=r"no probe 'liner'; did you mean linear\?"):
        probes.load("liner")
    with pytest.raises(ProbeError, match="no probe 'zzz'; there is linear"):
        probes.load("zzz")
    with pytest.raises(ProbeError, match="'simpleshot' does not learn from a split"):
        probes.load("simpleshot")
    with pytest.raises(ProbeError, match="no protocol 'sen'; did you mean seen"):
        probes.check(["linear"], ["sen"])


def test_shots_are_counts_of_images_seen():
    with pytest.raises(ProbeError, match="at least 1; got 1, 0"):
        probes.check(["linear"], ["seen"], [1, 0])
    with pytest.raises(ProbeError, match="name it too"):
        probes.check(["linear"], ["unseen"], [1])
    probes.check(["linear"], ["unseen", "seen"], [1])
