import inspect

import numpy as np
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


@pytest.mark.parametrize("name", probes.LEARNERS)
def test_without_refit_val_is_only_chosen_by(name):
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 10)
    vectors = (random.standard_normal((4, 6))[labels] + random.standard_normal((40, 6))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    split = np.tile(["train", "train", "val", "test", "test"], 8)
    learn, one = probes.load(name), (5,) if name == "knn" else (0.1,)  # one strength: val has nothing to choose
    moved = np.where((split == "val")[:, None], -vectors, vectors)
    answers = [
        learn(given, labels[None], split[None], grid=one, refit=refit)[0].predicted[split == "test"]
        for refit in (False, True)
        for given in (vectors, moved)
    ]
    np.testing.assert_array_equal(answers[0], answers[1])
    assert np.any(answers[2] != answers[3])
