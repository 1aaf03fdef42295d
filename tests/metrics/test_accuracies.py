"""Scores of the answers of one probe at one rank: over folds, and in clades."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, top_k_accuracy_score

from bioclip_probe import metrics
from bioclip_probe.metrics.accuracies import clade_accuracy
from bioclip_probe.metrics.answers import Answers
from bioclip_probe.metrics.registry import REGISTRY
from bioclip_probe.metrics.suite import measure
from tests.definitions import scores as definition
from tests.support.answers import answers_in_folds, as_rows, in_families, made_answers, scores

# One probe.


@pytest.mark.slow
@settings(max_examples=80)
@given(answers_in_folds(), st.booleans())
def test_scores_equal_their_definitions(given_answers, balanced):
    found = scores(replace(given_answers, balanced=balanced))
    assert list(found) == ["top1_accuracy", "top5_accuracy", "macro_accuracy", "calibration_error"]
    a = given_answers
    folds = definition.accuracy_in_folds(a.image, a.truth, a.predicted, a.split, a.fold)
    right = [right for fold in folds.values() for right in fold.values()]
    if not right:
        assert all(np.isnan(row["value"]) and row["note"] for row in found.values())
        return
    top1 = found["top1_accuracy"]
    assert top1["value"] == pytest.approx(np.mean(right))
    assert top1["n_images"] == len(set().union(*folds.values()))
    assert ("sd over folds" in top1["note"]) == (len(right) > top1["n_images"])
    if "sd over folds" in top1["note"]:
        told = float(top1["note"].split("sd over folds ")[1].split()[0])
        assert told == pytest.approx(np.std([np.mean(list(fold.values())) for fold in folds.values()]), abs=1e-4)
    counted = (a.split == "test") & (a.truth >= 0) & (a.predicted >= 0)
    n_taxa = len(set(a.truth[a.truth >= 0]))
    if balanced:
        assert top1["chance"] == pytest.approx(1 / n_taxa)
    macro = found["macro_accuracy"]
    assert macro["value"] == pytest.approx(
        definition.macro_accuracy(a.truth[counted], a.predicted[counted], a.fold[counted])
    )
    assert macro["chance"] == pytest.approx(1 / n_taxa)
    among = counted & (a.place >= 1) & (a.place <= 5)
    if n_taxa < 6:
        assert np.isnan(found["top5_accuracy"]["value"]) and "at least 6 taxa" in found["top5_accuracy"]["note"]
    else:
        assert found["top5_accuracy"]["value"] == pytest.approx(among.sum() / counted.sum())
        assert found["top5_accuracy"]["value"] >= top1["value"]
        assert found["top5_accuracy"]["chance"] >= top1["chance"] - 1e-12
    told_error = found["calibration_error"]["value"]
    truth = a.truth[counted].tolist()
    weight = [1 / truth.count(taxon) for taxon in truth] if balanced else None
    expected = definition.calibration_error(a.confidence[counted], right_of(a)[counted], weight)
    assert told_error == pytest.approx(expected)
    for name, row in found.items():
        low, high = REGISTRY[name].bounds
        assert np.isnan(row["value"]) or low <= row["value"] <= high
        assert row["n_images"] + row["n_excluded"] <= len(set(a.image))


def right_of(a: Answers) -> np.ndarray:
    return a.truth == a.predicted


def test_scores_equal_those_of_scikit_learn():
    random = np.random.default_rng(0)
    truth, support = random.integers(0, 12, 200), random.random((200, 12))
    support[np.arange(200), truth] += 0.4
    place = 1 + np.sum(support > support[np.arange(200), truth][:, None], axis=1)
    found = scores(made_answers(truth, support.argmax(axis=1), place=place))
    assert found["top1_accuracy"]["value"] == accuracy_score(truth, support.argmax(axis=1))
    assert found["top5_accuracy"]["value"] == top_k_accuracy_score(truth, support, k=5)
    assert found["calibration_error"]["note"] == "the probe gives no probabilities"


def test_the_number_is_the_mean_over_folds_that_ask_equally_many():
    """As few-shot results are published: mean and population standard deviation over folds."""
    random = np.random.default_rng(1)
    image = np.concatenate([random.choice(40, 30, replace=False) for _ in range(5)])
    fold, truth = np.repeat(np.arange(5), 30), image % 4
    predicted = np.where(random.random(150) < 0.6, truth, (truth + 1) % 4)
    given_answers = made_answers(truth, predicted, image=image, fold=fold, units=image // 4)
    found = scores(replace(given_answers, balanced=True))["top1_accuracy"]
    of_folds = [np.mean((truth == predicted)[fold == f]) for f in range(5)]
    assert found["value"] == pytest.approx(np.mean(of_folds))
    assert found["note"] == f"sd over folds {np.std(of_folds):.4f} (population)"
    assert found["n_images"] == len(set(image)) and found["chance"] == 0.25


def test_chance_comes_from_train_then_from_the_images_tested():
    """Taxon 1 is the most frequent in train, taxon 0 in train and val, from which the probe is learnt."""
    truth = np.array([1, 1, 0, 0, 0, 0, 0, 1])
    split = np.array(["train", "train", "train", "val", "val", "test", "test", "test"])
    found = scores(made_answers(truth, truth, split))
    assert found["top1_accuracy"]["chance"] == pytest.approx(2 / 3)
    truth = np.array([0, 0, 0, 1])
    for balanced, expected in ((False, 0.75), (True, 0.5)):
        found = scores(replace(made_answers(truth, truth), balanced=balanced))
        assert found["top1_accuracy"]["chance"] == expected


@pytest.mark.slow
def test_answers_by_chance_are_at_chance():
    random = np.random.default_rng(3)
    truth = random.choice(8, 4000, p=np.arange(1, 9) / 36)
    order = np.argsort(random.random((4000, 8)), axis=1)
    place = 1 + np.argmax(order == truth[:, None], axis=1)
    found = scores(replace(made_answers(truth, order[:, 0], place=place), balanced=True))
    for name in ("top1_accuracy", "top5_accuracy", "macro_accuracy"):
        assert found[name]["value"] == pytest.approx(found[name]["chance"], abs=0.03), name


def scored(**changes) -> dict[str, dict]:
    given = {
        "truth": np.array([0, 0, 0, 1, 1, 1, -1]),
        "predicted": np.array([0, 0, 0, 1, 1, 0, -1]),
        "split": np.array(["train", "val", "test", "train", "val", "test", ""]),
        "units": np.array([0, 0, 0, 1, 1, 1, 2]),
    }
    return scores(made_answers(**{**given, **changes}))


def test_predictions_are_scored_on_test_images():
    found = scored()
    assert found["top1_accuracy"]["value"] == found["macro_accuracy"]["value"] == 0.5
    for row in found.values():
        assert (row["split"], row["n_images"], row["n_excluded"]) == ("test", 2, 1)
        assert "left out" not in row["note"]


def test_a_number_about_a_remnant_says_so():
    found = scored(split=np.array(["train", "", "test", "", "", "", ""]))
    assert "5 of 7 images are left out" in found["top1_accuracy"]["note"]


def test_units_are_counted_among_tested_images_and_groups_are_those_of_all():
    """Two probes that answer about different images leave out the same groups."""
    truth = np.arange(40) % 4
    answers = made_answers(truth, truth, units=np.arange(40) // 2)
    part = answers.take(np.arange(24))
    whole, few = (metrics.macro_accuracy(each)[0].estimate for each in (answers, part))
    assert (whole.n_units, few.n_units) == (20, 12)
    assert len(whole.replicates) == len(few.replicates) == 20


def test_children_that_were_held_out_have_the_species_null_and_a_p_value():
    species = np.arange(200) % 40
    truth = species // 10
    predicted = np.where(np.random.default_rng(0).random(200) < 0.6, truth, 0)
    seen = scores(made_answers(truth, predicted, units=species))["macro_accuracy"]
    unseen = scores(replace(made_answers(truth, predicted, units=species), unseen=True))["macro_accuracy"]
    assert (seen["null"], unseen["null"]) == ("images", "species")
    assert np.isnan(seen["p_value"]) and unseen["p_value"] < 0.001
    assert unseen["ci_low"] > unseen["chance"] == 0.25


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"truth": np.array([0] * 6 + [-1])}, "only one taxon"),
        ({"truth": np.full(7, -1)}, "no image has a name at this rank"),
        ({"split": np.full(7, "")}, "no taxon has the images or child taxa that the split needs"),
        ({}, "the probe had only one taxon to learn, or a part of its split is empty"),
    ],
)
def test_a_probe_without_answers_has_no_accuracy(changes, reason):
    for row in scored(predicted=np.full(7, -1), **changes).values():
        assert np.isnan(row["value"]) and np.isnan(row["chance"])
        assert row["note"].startswith(reason) and row["split"] == "test"


def test_a_fold_whose_probe_could_not_be_trained_is_left_out_and_noted():
    truth = np.array([0, 1, 0, 1])
    given_answers = made_answers(truth, [0, 1, -1, -1], fold=np.array([0, 0, 1, 1]))
    for row in scores(given_answers).values():
        assert (row["n_images"], row["n_excluded"]) == (2, 2)
        assert "2 answers are missing where the probe had too little to learn from" in row["note"]
    assert scores(given_answers)["top1_accuracy"]["value"] == 1


def test_without_answers_there_is_a_row_that_says_so():
    nothing = made_answers(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    assert all(np.isnan(row["value"]) and row["note"] for row in scores(nothing).values())
    placed = in_families(nothing, abs)
    assert clade_accuracy(placed, placed.placement) == []


def test_arrays_of_different_lengths_are_refused_and_none_can_be_changed():
    with pytest.raises(ValueError, match="expected place of shape"):
        made_answers([0, 1], [0, 1], place=np.zeros(3))
    kept = made_answers([0, 1], [0, 1])
    with pytest.raises(ValueError, match="read-only"):
        kept.truth[0] = 5


@pytest.mark.slow
@settings(max_examples=25)
@given(answers_in_folds(), st.integers(0, 2**32 - 1))
def test_the_order_of_rows_changes_nothing(given_answers, seed):
    order = np.random.default_rng(seed).permutation(len(given_answers.image))
    rows, reordered = scores(given_answers), scores(given_answers.take(order))
    for one, other in zip(rows.values(), reordered.values(), strict=True):
        for key in ("value", "ci_low", "ci_high", "n_images", "n_taxa", "n_excluded", "note"):
            same = one[key] == other[key] if key == "note" else one[key] == pytest.approx(other[key], nan_ok=True)
            assert same, key


# Clades.


FAMILIES = {0: 7, 1: 7, 2: 8, 3: -1, 4: -1, 5: 9, 6: 9}


def test_clades_with_two_tested_taxa_have_their_accuracy():
    truth = np.array([0, 0, 1, 2, 2, 3, 4, 5, 6, 6])
    split = np.array(["test"] * 8 + ["train", "test"])
    predicted = np.array([0, 1, 1, 2, 2, 3, 4, 0, 6, 6])
    placed = in_families(made_answers(truth, predicted, split, units=truth.copy()), FAMILIES.__getitem__)
    rows = as_rows(clade_accuracy(placed, placed.placement))
    assert [(row["taxon"], row["n_images"], row["n_taxa"]) for row in rows] == [("||||F7", 3, 2), ("||||F9", 2, 2)]
    assert [row["value"] for row in rows] == pytest.approx([2 / 3, 1 / 2])
    assert all(np.isnan(row["ci_low"]) and "no interval" in row["note"] for row in rows), "two or three species"
    assert [row for row in as_rows(measure(placed)) if row["metric"] == "clade_accuracy"] == rows


def test_the_highest_rank_and_answers_without_a_taxonomy_have_no_clades():
    kingdoms = replace(in_families(made_answers([0, 1], [0, 1]), abs), rank="kingdom")
    assert clade_accuracy(kingdoms, kingdoms.placement) == []
    assert "clade_accuracy" not in {row.metric for row in measure(made_answers([0, 1], [0, 1]))}


@pytest.mark.slow
@settings(max_examples=30)
@given(answers_in_folds())
def test_accuracies_of_clades_add_up_to_that_of_all(given_answers):
    """With every taxon in a clade of many, the mean over clades, weighted by answers, is the accuracy of all."""
    tested = given_answers.tested
    placed = in_families(given_answers, lambda taxon: taxon // 4)
    rows = as_rows(clade_accuracy(placed, placed.placement))
    family = {row["taxon"]: int(row["taxon"].removeprefix("||||F")) for row in rows}
    total = sum(row["value"] * np.sum(tested.truth // 4 == family[row["taxon"]]) for row in rows)
    counted = np.isin(tested.truth // 4, list(family.values()))
    assert total == pytest.approx(tested.right[counted].sum())


def test_inputs_are_left_as_they_are():
    given_answers = made_answers(np.arange(6) % 2, np.zeros(6, dtype=np.int64))
    before = replace(given_answers, truth=given_answers.truth.copy())
    scores(given_answers)
    np.testing.assert_array_equal(given_answers.truth, before.truth)
    assert metrics.Answers is Answers
