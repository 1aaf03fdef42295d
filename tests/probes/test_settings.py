"""The settings of probes refuse what cannot be run."""

from __future__ import annotations

import pytest

from bioclip_probe.errors import ProbeError
from bioclip_probe.probes.registry import LEARNERS, PROTOCOLS, REGISTRY
from bioclip_probe.probes.settings import USUAL_SHOTS, ProbeSettings


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(ProbeError, match="no protocol 'sen'; did you mean seen"):
        ProbeSettings(("linear",), ("sen",))
    with pytest.raises(ProbeError, match=r"no probe 'liner'; did you mean linear\?"):
        ProbeSettings(("liner",))
    with pytest.raises(ProbeError, match="unknown mode 'papers'; expected one of: corrected, paper"):
        ProbeSettings(mode="papers")
    with pytest.raises(ProbeError, match="templates are plain or openai; got 'clip'"):
        ProbeSettings(templates="clip")


def test_shots_are_counts_of_train_images_in_protocol_seen():
    with pytest.raises(ProbeError, match="at least 1; got 1, 0"):
        ProbeSettings(("linear",), ("seen",), (1, 0))
    with pytest.raises(ProbeError, match="name it too"):
        ProbeSettings(("linear",), ("unseen",), (1,))
    assert ProbeSettings(("linear",), ("unseen", "seen"), (1,)).shots == (1,)
    assert ProbeSettings(shots=USUAL_SHOTS).shots == (1, 2, 5, 10)


def test_children_are_dealt_at_least_once():
    with pytest.raises(ProbeError, match="at least once; got 0"):
        ProbeSettings(n_deals=0)


def test_a_negative_seed_is_refused():
    with pytest.raises(ProbeError, match="the seed must be 0 or more; got -1"):
        ProbeSettings(seed=-1)


def test_every_probe_and_protocol_can_be_named():
    settings = ProbeSettings(tuple(REGISTRY), tuple(PROTOCOLS))
    assert set(LEARNERS) < set(settings.probes)
