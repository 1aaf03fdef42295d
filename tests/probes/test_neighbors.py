"""The vote of the nearest neighbours: its plain definition and scikit-learn as witnesses, ties, and invariances."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from bioclip_probe.errors import DataError
from bioclip_probe.probes import neighbors
from bioclip_probe.probes.learning import LearnSettings
from bioclip_probe.probes.neighbors import GRID, knn
from bioclip_probe.probes.splits import split_by_image
from tests.definitions import closed_form as definition


def units(rng, n, d):
    vectors = rng.standard_normal((n, d))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def made_up_images(seed=0, n_taxa=6, per_taxon=15, d=8, signal=1.0):
    """Return vectors, labels at two ranks (two lower taxa make one upper taxon), and their split."""
    rng = np.random.default_rng(seed)
    species = rng.permutation(np.repeat(np.arange(n_taxa), per_taxon))
    labels = np.stack([100 + species // 2, species])
    vectors = signal * rng.standard_normal((n_taxa, d))[species] + rng.standard_normal((len(species), d))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return vectors, labels, split_by_image(labels, rng)


@pytest.mark.slow
@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([1, 2, 3, 8]), st.booleans())
def test_equals_its_definition(seed, coarse, k, balanced):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(8, 20))
    # Unit vectors along the axes have exact products, so that the definition has the same ties.
    along_axes = (np.eye(3)[rng.integers(0, 3, n)] * rng.choice([-1, 1], (n, 1))).astype(np.float32)
    vectors = along_axes if coarse else units(rng, n, 3)
    labels = rng.integers(0, 4, n)
    labels[:2] = 0, 1
    split = rng.choice(["train", "val", "test"], n)
    split[:4] = "train", "train", "val", "test"
    (found,) = knn(vectors, labels[None], split[None], LearnSettings((k,), balanced=balanced))
    learnt = np.flatnonzero(split != "test")
    for row in range(n):
        ballots = definition.vote(vectors, labels, learnt.tolist(), row, k, balanced)
        taxa = [taxon for _, _, taxon in ballots]
        assert found.predicted[row] == taxa[0]
        assert found.place[row] == (taxa.index(labels[row]) + 1 if labels[row] in taxa else 0)
        assert found.confidence[row] == pytest.approx(ballots[0][0] / sum(votes for votes, _, _ in ballots))


def test_equals_scikit_learn_where_votes_are_not_equal():
    vectors, labels, split = made_up_images(n_taxa=5, per_taxon=40)
    for found, own, part in zip(knn(vectors, labels, split), labels, split, strict=True):
        train, val, test = (part == name for name in ("train", "val", "test"))
        k = found.settings["k"]
        model = KNeighborsClassifier(k, metric="cosine", algorithm="brute").fit(vectors[~test], own[~test])
        share = model.predict_proba(vectors[test])
        clear = np.sum(share == share.max(axis=1, keepdims=True), axis=1) == 1
        assert clear.mean() > 0.8
        np.testing.assert_array_equal(found.predicted[test][clear], model.predict(vectors[test])[clear])
        np.testing.assert_allclose(found.confidence[test], share.max(axis=1))
        model = KNeighborsClassifier(1, metric="cosine", algorithm="brute").fit(vectors[train], own[train])
        assert found.settings["val_accuracy"][0] == model.score(vectors[val], own[val])


def test_the_number_of_neighbours_is_the_best_on_val_and_the_largest_of_equals():
    vectors, labels, split = made_up_images()
    for rank, found in enumerate(knn(vectors, labels, split)):
        val = split[rank] == "val"
        without_test = np.where(split[rank] == "test", "", split[rank])
        swapped = np.where(val, "test", without_test)
        swapped[np.flatnonzero(swapped == "train")[0]] = (
            "val"  # without a val image nothing can be chosen; with refit it votes too
        )
        by_itself = [
            np.mean(
                knn(vectors, labels[[rank]], swapped[None], LearnSettings((k,)))[0].predicted[val] == labels[rank, val]
            )
            for k in GRID
        ]
        assert found.settings["val_accuracy"] == pytest.approx(by_itself)
        best = max(by_itself)
        assert found.settings["k"] == max(k for k, value in zip(GRID, by_itself, strict=True) if value == best)


def test_ranks_together_equal_each_rank_alone_and_blocks_change_nothing():
    vectors, labels, split = made_up_images()
    labels[1, ::7] = -1  # so that the ranks learn from different images
    labels, split = np.stack([*labels, labels[0] // 2]), np.stack([*split, split[0]])
    together = knn(vectors, labels, split)
    for rank, found in enumerate(together):
        (alone,) = knn(vectors, labels[[rank]], split[[rank]], block=7)
        np.testing.assert_array_equal(found.predicted, alone.predicted)
        np.testing.assert_array_equal(found.place, alone.place)
        np.testing.assert_array_equal(found.confidence, alone.confidence)
        assert found.settings == alone.settings


@pytest.mark.parametrize("most_near", [0, 1, 7, 30])
@pytest.mark.parametrize("only_test", [True, False])
def test_neighbours_that_are_searched_again_for_a_split_change_nothing(monkeypatch, most_near, only_test):
    vectors, labels, split = made_up_images(n_taxa=8, per_taxon=12)
    vectors[5] = vectors[::11][3]  # equally near
    split[1, labels[0] == 100] = np.where(np.arange(24) % 2, "val", "test")  # all relatives are left out
    settings = LearnSettings(only_test=only_test)
    expected = knn(vectors, labels, split, settings)
    monkeypatch.setattr(neighbors, "MOST_NEAR", most_near)
    for found, own in zip(knn(vectors, labels, split, settings), expected, strict=True):
        for name in ("predicted", "place", "confidence"):
            np.testing.assert_array_equal(getattr(found, name), getattr(own, name))
        assert found.settings == own.settings


def test_order_rotation_and_names_change_nothing_and_inputs_stay():
    arrays = vectors, labels, split = made_up_images()
    for array in arrays:
        array.setflags(write=False)
    order, names = np.random.default_rng(3).permutation(len(vectors)), np.array([7, 9, 1, 0, 20, 3])
    turned = np.linalg.qr(np.random.default_rng(4).standard_normal((8, 8)))[0]
    (one,) = knn(vectors, labels[1:], split[1:])
    (other,) = knn((vectors @ turned)[order].astype(np.float32), names[labels[1:, order]], split[1:, order])
    np.testing.assert_array_equal(names[one.predicted[order]], other.predicted)
    np.testing.assert_array_equal(one.place[order], other.place)
    json.dumps(one.settings)


@pytest.mark.slow
def test_signal_is_learnt_and_shuffled_labels_give_chance():
    vectors, labels, split = made_up_images(n_taxa=10, per_taxon=40, signal=3.0)
    test = split[1] == "test"
    assert np.mean(knn(vectors, labels, split)[1].predicted[test] == labels[1, test]) > 0.9
    rng, null = np.random.default_rng(1), []
    for _ in range(10):
        shuffled = rng.permutation(labels[1])[None]
        split = split_by_image(shuffled, rng)
        null.append(
            np.mean(knn(vectors, shuffled, split)[0].predicted[split[0] == "test"] == shuffled[split == "test"])
        )
    assert abs(np.mean(null) - 0.1) < 0.05


def test_test_images_have_no_vote():
    vectors, labels, split = made_up_images()
    test = split[0] == "test"
    one = knn(vectors, labels, split)[1]
    other = knn(np.where(test[:, None], vectors[::-1], vectors), np.where(test, labels[:, ::-1], labels), split)[1]
    np.testing.assert_array_equal(other.predicted[~test], one.predicted[~test])
    assert other.settings == one.settings


def test_equal_images_all_vote_and_the_first_is_the_nearest():
    vectors = np.tile(units(np.random.default_rng(0), 1, 4), (8, 1))
    labels = np.array([[5, 5, 3, 3, 9, 5, 3, 9]])
    split = np.array([["train", "val", "train", "train", "train", "val", "test", "test"]])
    (found,) = knn(vectors, labels, split, LearnSettings((50,)))
    assert found.predicted[6:].tolist() == [5, 5] and found.place[6:].tolist() == [2, 3]
    np.testing.assert_allclose(found.confidence[6:], 3 / 6)
    (found,) = knn(vectors, labels, split, LearnSettings((4,)))  # two votes each for 5 and 3: the lower number wins
    assert found.predicted[6:].tolist() == [3, 3] and found.place[6:].tolist() == [1, 0]
    (found,) = knn(vectors, labels, split, LearnSettings((1,)))
    assert found.predicted[6:].tolist() == [5, 5] and found.place[6:].tolist() == [0, 0]


def test_images_without_a_name_take_no_part():
    vectors, labels, split = made_up_images()
    nameless = np.arange(len(vectors)) % 7 == 0
    found = knn(vectors, np.where(nameless, -1, labels), split)[1]
    assert np.all(found.split[nameless] == "") and np.all(found.predicted[nameless] == -1)
    assert np.all(found.place[nameless] == 0) and np.isnan(found.confidence[nameless]).all()
    alone = knn(vectors[~nameless], labels[:, ~nameless], split[:, ~nameless])[1]
    np.testing.assert_array_equal(found.predicted[~nameless], alone.predicted)


def test_a_rank_that_cannot_be_learnt_states_the_reason_and_the_others_are_learnt():
    vectors, labels, split = made_up_images()
    found = knn(vectors, np.stack([np.zeros_like(labels[0]), labels[1]]), split)
    assert found[0].note == "only one taxon to learn" and np.all(found[0].predicted == -1)
    assert found[1].note == "" and np.all(found[1].predicted[split[1] != ""] >= 0)
    (none,) = knn(vectors, labels[1:], np.where(split[1:] == "val", "train", split[1:]))
    assert none.note == "no image in val"


def test_errors_name_what_is_wrong():
    vectors, labels, split = made_up_images()
    with pytest.raises(ValueError, match="got holdout"):
        knn(vectors, labels, np.where(split == "test", "holdout", split))
    with pytest.raises(ValueError, match="at least 1 neighbour"):
        knn(vectors, labels, split, LearnSettings((0, 1)))
    vectors[2, 0] = np.nan
    with pytest.raises(DataError, match="row 2"):
        knn(vectors, labels, split)


@pytest.mark.parametrize("coarse", [True, False])
def test_torch_finds_the_same_neighbours_ties_and_all(coarse):
    vectors, labels, split = made_up_images(n_taxa=8, per_taxon=30)
    if coarse:  # more rows are equally near than are looked at
        vectors = np.eye(8, dtype=np.float32)[np.arange(len(vectors)) % 3]
    for found, expected in zip(
        knn(vectors, labels, split, LearnSettings(device="cpu:0")), knn(vectors, labels, split), strict=True
    ):
        np.testing.assert_array_equal(found.predicted, expected.predicted)
        np.testing.assert_array_equal(found.place, expected.place)
        assert found.settings == expected.settings
