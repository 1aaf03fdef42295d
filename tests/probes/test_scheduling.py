"""Many splits learnt together: the same answers as one by one, for any number of threads and on a device of torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bioclip_probe import probes
from bioclip_probe.errors import DataError, ProbeError
from bioclip_probe.probes import scheduling
from bioclip_probe.probes.learning import LearnSettings, LearnTask
from bioclip_probe.probes.predictions import rank_with_probability
from bioclip_probe.probes.registry import LEARNERS
from bioclip_probe.probes.splits import limit_shots, split_by_image

PROBES = pytest.mark.parametrize("name", LEARNERS)


def made_up_images(n_taxa=6, per_taxon=12, d=8):
    """Return vectors and labels at two ranks; two lower taxa make one upper taxon."""
    random = np.random.default_rng(0)
    species = np.repeat(np.arange(n_taxa), per_taxon)
    vectors = 2 * random.standard_normal((n_taxa, d))[species] + random.standard_normal((len(species), d))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return vectors, np.stack([100 + species // 2, species])


def many_tasks(labels, **settings):
    """Return tasks with other splits, taxa of equal weight, few images, and a rank with one taxon only."""
    random = np.random.default_rng(1)
    split, other = split_by_image(labels, random), split_by_image(labels, random)
    few = np.stack([limit_shots(split[rank], labels[rank], 2, random) for rank in range(2)])
    one = np.where(labels == labels[:, :1], other, "")
    every = [LearnSettings(), LearnSettings(balanced=True, only_test=True), LearnSettings(refit=False), LearnSettings()]
    return [
        LearnTask(labels, own, replace(how, **settings))
        for own, how in zip((split, other, few, one), every, strict=True)
    ]


def assert_same(found, expected, only_test=False):
    rows = expected.split == "test" if only_test else slice(None)
    np.testing.assert_array_equal(found.predicted[rows], expected.predicted[rows])
    np.testing.assert_array_equal(found.place[rows], expected.place[rows])
    np.testing.assert_allclose(found.confidence[rows], expected.confidence[rows], rtol=1e-3)
    assert found.settings == expected.settings and found.note == expected.note


@PROBES
@pytest.mark.parametrize("n_processors", [1, 3])
def test_together_equals_one_by_one_for_any_number_of_threads(name, n_processors, monkeypatch):
    vectors, labels = made_up_images()
    tasks = many_tasks(labels)
    monkeypatch.setattr(scheduling, "available_processors", lambda: n_processors)
    together = list(probes.learn_tasks(name, vectors, tasks))
    for task, found in zip(tasks, together, strict=True):
        alone = probes.load(name)(vectors, task.labels, task.split, task.settings)
        for own, expected in zip(found, alone, strict=True):
            assert_same(own, expected)
    assert [own.note for own in together[-1]] == ["only one taxon to learn"] * 2


@PROBES
def test_torch_gives_the_answers_of_the_processors(name):
    vectors, labels = made_up_images()
    on_processors, on_device = (
        list(probes.learn_tasks(name, vectors, many_tasks(labels, device=device))) for device in ("cpu", "cpu:0")
    )
    for found, expected in zip(on_device, on_processors, strict=True):
        for own, other in zip(found, expected, strict=True):
            assert_same(own, other)


@PROBES
def test_only_test_images_are_named_where_nothing_else_is_asked(name):
    vectors, labels = made_up_images()
    (task, *_) = many_tasks(labels)
    whole, some = (
        next(probes.learn_tasks(name, vectors, [replace(task, settings=LearnSettings(only_test=only_test))]))
        for only_test in (False, True)
    )
    for own, expected in zip(some, whole, strict=True):
        assert_same(own, expected, only_test=True)
        assert (own.predicted[own.split != "test"] == -1).all()


def test_what_cannot_be_learnt_is_refused():
    vectors, labels = made_up_images()
    (task, *_) = many_tasks(labels)
    with pytest.raises(ProbeError, match="does not learn from a split"):
        probes.learn_tasks("simpleshot", vectors, [task])
    with pytest.raises(DataError, match="not finite"):
        list(probes.learn_tasks("linear", np.full_like(vectors, np.nan), [task]))
    assert list(probes.learn_tasks("linear", vectors, [])) == []


def test_torch_ranks_taxa_as_the_processors_do():
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(0)
    scores = np.round(random.standard_normal((50, 7)), 1)  # some are equal
    taxa, truth = np.arange(0, 14, 2), random.integers(0, 15, 50)
    expected = rank_with_probability(scores, taxa, truth)
    for own, other in zip(rank_with_probability(torch.from_numpy(scores), taxa, truth), expected, strict=True):
        np.testing.assert_allclose(own, other)
