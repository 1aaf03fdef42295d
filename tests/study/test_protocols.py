"""Splits of the protocols, and the warning of work that will take hours."""

from __future__ import annotations

import pytest

from bioclip_probe.probes.settings import ProbeSettings
from bioclip_probe.study import protocols
from bioclip_probe.study.protocols import tasks_of_protocols
from tests.support.evolved import evolved_sample

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("seconds", "is_long"), [(7 * 3600, True), (60, False)])
def test_hours_of_logistic_regression_are_told_before_they_pass(seconds, is_long, monkeypatch, caplog):
    monkeypatch.setattr(protocols, "probe_seconds", lambda settings, size, n_cores: {"linear": float(seconds)})
    with caplog.at_level("WARNING"):
        tasks = list(tasks_of_protocols(evolved_sample(scatter=0.5), ProbeSettings()))
    assert len(tasks) == 17, "the work is done as it was asked for"
    told = [message for message in caplog.messages if "--probes lda ridge" in message]
    assert len(told) == is_long
    assert not told or "about 7 hours" in told[0]
