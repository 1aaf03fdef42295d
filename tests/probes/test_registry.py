"""The registry of probes: its functions, its names, and that importing it is cheap."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest

from bioclip_probe import probes
from bioclip_probe.errors import ProbeError
from bioclip_probe.probes.centroid import few_shot
from bioclip_probe.probes.closed_form import lda, ridge
from bioclip_probe.probes.learning import LearnSettings
from bioclip_probe.probes.linear import linear
from bioclip_probe.probes.neighbors import knn
from bioclip_probe.probes.registry import LEARNERS, PROTOCOLS, REGISTRY, catalogue, load

FUNCTIONS = {"linear": linear, "ridge": ridge, "lda": lda, "knn": knn}


def made_up_embeddings():
    """Return vectors of four taxa with ten images each, their taxa and their split."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 10)
    vectors = (random.standard_normal((4, 6))[labels] + random.standard_normal((40, 6))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, labels, np.tile(["train", "train", "val", "test", "test"], 8)


def test_the_catalogue_has_a_row_for_each_probe():
    table = catalogue()
    assert table.columns.tolist() == ["name", "title", "notes"]
    assert table["name"].tolist() == list(REGISTRY)
    assert (table["title"] != "").all()


def test_names_of_entries_are_their_keys():
    for registry in (REGISTRY, PROTOCOLS):
        assert [entry.name for entry in registry.values()] == list(registry)


def test_probes_that_learn_share_one_signature():
    assert set(FUNCTIONS) == set(LEARNERS)
    for name in LEARNERS:
        for function in (load(name), FUNCTIONS[name]):
            assert list(inspect.signature(function).parameters)[:4] == ["vectors", "labels", "split", "settings"]


@pytest.mark.parametrize("name", LEARNERS)
def test_the_function_of_an_entry_is_its_probe(name):
    vectors, labels, split = made_up_embeddings()
    settings = LearnSettings(refit=False)
    one, other = (f(vectors, labels[None], split[None], settings)[0] for f in (load(name), FUNCTIONS[name]))
    np.testing.assert_array_equal(one.predicted, other.predicted)
    assert one.settings == other.settings


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(ProbeError, match=r"no probe 'liner'; did you mean linear\?"):
        load("liner")
    with pytest.raises(ProbeError, match="no probe 'zzz'; there is linear"):
        load("zzz")
    with pytest.raises(ProbeError, match="'simpleshot' does not learn from a split"):
        load("simpleshot")


@pytest.mark.parametrize("name", LEARNERS)
def test_without_refit_val_images_only_choose_the_hyperparameter(name):
    vectors, labels, split = made_up_embeddings()
    one = (5,) if name == "knn" else (0.1,)  # one value: val has nothing to choose
    moved = np.where((split == "val")[:, None], -vectors, vectors)
    answers = [
        load(name)(given, labels[None], split[None], LearnSettings(one, refit))[0].predicted[split == "test"]
        for refit in (False, True)
        for given in (vectors, moved)
    ]
    np.testing.assert_array_equal(answers[0], answers[1])
    assert np.any(answers[2] != answers[3])


def test_registry_and_settings_import_no_array_library():
    heavy = "{'numpy', 'pandas', 'scipy', 'sklearn', 'torch'}"
    code = f"import sys, bioclip_probe.probes.settings; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_package_offers_modules_and_names():
    assert probes.centroid.few_shot is few_shot
    assert probes.load is load
    assert {"linear", "registry", "ProbeSettings", "REGISTRY"} <= set(dir(probes))
