"""Scores of answers: one probe, over folds, in clades, and two protocols or two models on the same images."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest
from sklearn.metrics import accuracy_score, top_k_accuracy_score

from bioclip_probe import metrics
from bioclip_probe.metrics.answers import (
    Answers,
    clade_accuracies,
    compare_answers,
    score_answers,
    selectivity,
    unseen_gap,
)
from bioclip_probe.metrics.catalogue import CATALOGUE
from bioclip_probe.tables import MEASUREMENTS
from tests.definitions import scores as definition

PAIRED = {"unseen_gap": unseen_gap, "selectivity": selectivity}


def answers(truth, predicted, split="test", units=None, **given) -> Answers:
    """Answers with what is not given as plain as can be."""
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    n = len(truth)
    return Answers(
        given.get("image", np.arange(n)),
        truth,
        predicted,
        given.get("place", (truth == predicted).astype(np.int64)),
        given.get("confidence", np.full(n, np.nan)),
        np.full(n, split) if isinstance(split, str) else np.asarray(split),
        given.get("fold", np.zeros(n, dtype=np.int64)),
        np.arange(n) if units is None else np.asarray(units),
    )


def by_metric(rows) -> dict[str, dict]:
    assert len({row["metric"] for row in rows}) == len(rows)
    return {row["metric"]: row for row in rows}


@st.composite
def folded(draw, n_images: int = 25) -> Answers:
    """Answers over folds, some images in none, some unnamed, some not answered; a fold may be without any answer."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_folds, n_taxa = draw(st.integers(1, 4)), draw(st.integers(1, 9))
    own, species = random.integers(-1, n_taxa, n_images), random.integers(0, 6, n_images)
    image, fold = np.tile(np.arange(n_images), n_folds), np.repeat(np.arange(n_folds), n_images)
    truth = own[image]
    predicted = np.where(random.random(len(image)) < 0.5, truth, random.integers(0, n_taxa, len(image)))
    predicted[fold == draw(st.integers(0, 5))] = -1
    place = np.where(predicted == truth, 1, random.integers(0, 12, len(image)) + 1)
    split = random.choice(["test", "test", "train", ""], len(image))
    kept = random.random(len(image)) < draw(st.sampled_from([0.6, 1.0]))
    return Answers(
        image, truth, predicted, place, random.uniform(0.1, 1, len(image)), split, fold, species[image]
    ).take(kept)


# One probe.


@settings(max_examples=80)
@given(folded(), st.booleans())
def test_scores_are_their_definitions(given_answers, balanced):
    rows = score_answers(given_answers, "genus", balanced=balanced)
    MEASUREMENTS.frame([{"simulated": False, **row} for row in rows])
    found = by_metric(rows)
    assert list(found) == ["top1_accuracy", "top5_accuracy", "macro_accuracy", "calibration_error"]
    a = given_answers
    folds = definition.accuracy_in_folds(a.image, a.truth, a.predicted, a.split, a.fold)
    right = [right for fold in folds.values() for right in fold.values()]
    if not right:
        assert all(np.isnan(row["value"]) and row["note"] for row in rows)
        return
    top1 = found["top1_accuracy"]
    assert top1["value"] == pytest.approx(np.mean(right))
    assert top1["n_images"] == len(set().union(*folds.values()))
    assert ("sd over folds" in top1["note"]) == (len(right) > top1["n_images"])
    if "sd over folds" in top1["note"]:
        told = float(top1["note"].split("sd over folds ")[1].split()[0])
        assert told == pytest.approx(np.std([np.mean(list(fold.values())) for fold in folds.values()]), abs=1e-4)
    counted = (a.split == "test") & (a.truth >= 0) & (a.predicted >= 0)
    taxa, learnt = set(a.truth[counted]), a.truth[(a.split == "train") & (a.truth >= 0)]
    if balanced:
        assert top1["chance"] == pytest.approx(1 / len(taxa))
    among = counted & (a.place >= 1) & (a.place <= 5)
    if len(taxa | set(learnt)) < 6:
        assert np.isnan(found["top5_accuracy"]["value"]) and "at least 6 taxa" in found["top5_accuracy"]["note"]
    else:
        assert found["top5_accuracy"]["value"] == pytest.approx(among.sum() / counted.sum())
        assert found["top5_accuracy"]["value"] >= top1["value"]
        assert found["top5_accuracy"]["chance"] >= top1["chance"] - 1e-12
    told_error = found["calibration_error"]["value"]
    assert told_error == pytest.approx(definition.calibration_error(a.confidence[counted], right_of(a)[counted]))
    for name, row in found.items():
        low, high = CATALOGUE[name].bounds
        assert np.isnan(row["value"]) or low <= row["value"] <= high
        assert row["n_images"] + row["n_excluded"] <= len(set(a.image))


def right_of(a: Answers) -> np.ndarray:
    return a.truth == a.predicted


def test_scores_are_scikit_learns():
    random = np.random.default_rng(0)
    truth, scores = random.integers(0, 12, 200), random.random((200, 12))
    scores[np.arange(200), truth] += 0.4
    place = 1 + np.sum(scores > scores[np.arange(200), truth][:, None], axis=1)
    found = by_metric(score_answers(answers(truth, scores.argmax(axis=1), place=place), "genus"))
    assert found["top1_accuracy"]["value"] == accuracy_score(truth, scores.argmax(axis=1))
    assert found["top5_accuracy"]["value"] == top_k_accuracy_score(truth, scores, k=5)
    assert found["calibration_error"]["note"] == "the probe gives no probabilities"


def test_the_number_is_the_mean_over_folds_that_ask_equally_many():
    """As few-shot results are published: mean and population standard deviation over folds."""
    random = np.random.default_rng(1)
    image = np.concatenate([random.choice(40, 30, replace=False) for _ in range(5)])
    fold, truth = np.repeat(np.arange(5), 30), image % 4
    predicted = np.where(random.random(150) < 0.6, truth, (truth + 1) % 4)
    given_answers = answers(truth, predicted, image=image, fold=fold, units=image // 4)
    found = by_metric(score_answers(given_answers, "species", balanced=True))["top1_accuracy"]
    of_folds = [np.mean((truth == predicted)[fold == f]) for f in range(5)]
    assert found["value"] == pytest.approx(np.mean(of_folds))
    assert found["note"] == f"sd over folds {np.std(of_folds):.4f} (population)"
    assert found["n_images"] == len(set(image)) and found["chance"] == 0.25


def test_chance_comes_from_train_then_from_the_images_tested():
    """Taxon 1 is the most frequent in train, taxon 0 in train and val, from which the probe is learnt."""
    truth = np.array([1, 1, 0, 0, 0, 0, 0, 1])
    split = np.array(["train", "train", "train", "val", "val", "test", "test", "test"])
    found = by_metric(score_answers(answers(truth, truth, split), "genus"))
    assert found["top1_accuracy"]["chance"] == pytest.approx(2 / 3)
    truth = np.array([0, 0, 0, 1])
    for balanced, expected in ((False, 0.75), (True, 0.5)):
        found = by_metric(score_answers(answers(truth, truth), "genus", balanced=balanced))
        assert found["top1_accuracy"]["chance"] == expected


def test_answers_by_chance_are_at_chance():
    random = np.random.default_rng(3)
    truth = random.choice(8, 4000, p=np.arange(1, 9) / 36)
    order = np.argsort(random.random((4000, 8)), axis=1)
    place = 1 + np.argmax(order == truth[:, None], axis=1)
    found = by_metric(score_answers(answers(truth, order[:, 0], place=place), "genus", balanced=True))
    for name in ("top1_accuracy", "top5_accuracy", "macro_accuracy"):
        assert found[name]["value"] == pytest.approx(found[name]["chance"], abs=0.03), name


def scored(**changes) -> dict[str, dict]:
    given = {
        "truth": np.array([0, 0, 0, 1, 1, 1, -1]),
        "predicted": np.array([0, 0, 0, 1, 1, 0, -1]),
        "split": np.array(["train", "val", "test", "train", "val", "test", ""]),
        "units": np.array([0, 0, 0, 1, 1, 1, 2]),
    }
    return by_metric(score_answers(answers(**{**given, **changes}), "genus"))


def test_predictions_are_scored_on_test_images():
    found = scored()
    assert found["top1_accuracy"]["value"] == found["macro_accuracy"]["value"] == 0.5
    for row in found.values():
        assert (row["split"], row["n_images"], row["n_excluded"]) == ("test", 2, 1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"truth": np.array([0] * 6 + [-1])}, "only one taxon"),
        ({"truth": np.full(7, -1)}, "no image has a name at this rank"),
        ({"split": np.full(7, "")}, "no taxon has the images or child taxa that the split needs"),
        ({}, "the probe had only one taxon to learn, or a part of its split is empty"),
    ],
)
def test_a_probe_that_names_nothing_has_no_accuracy(changes, reason):
    for row in scored(predicted=np.full(7, -1), **changes).values():
        assert np.isnan(row["value"]) and np.isnan(row["chance"])
        assert row["note"] == reason and row["split"] == "test"


def test_a_fold_that_could_not_be_learnt_is_left_out_and_told():
    truth = np.array([0, 1, 0, 1])
    given_answers = answers(truth, [0, 1, -1, -1], fold=np.array([0, 0, 1, 1]))
    for row in score_answers(given_answers, "genus"):
        assert (row["n_images"], row["n_excluded"]) == (2, 2)
        assert "2 answers are missing where the probe had too little to learn from" in row["note"]
    assert by_metric(score_answers(given_answers, "genus"))["top1_accuracy"]["value"] == 1


def test_no_rows_are_a_row_that_says_so():
    nothing = answers(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    rows = [*score_answers(nothing, "genus"), unseen_gap(nothing, nothing, "genus")]
    rows += compare_answers(nothing, nothing, "genus")
    assert all(np.isnan(row["value"]) and row["note"] for row in rows)
    assert clade_accuracies(nothing, nothing.truth, str, "genus") == []


def test_arrays_of_other_lengths_are_refused_and_none_can_be_changed():
    with pytest.raises(ValueError, match="expected place of shape"):
        answers([0, 1], [0, 1], place=np.zeros(3))
    kept = answers([0, 1], [0, 1])
    with pytest.raises(ValueError, match="read-only"):
        kept.truth[0] = 5


@settings(max_examples=25)
@given(folded(), st.integers(0, 2**32 - 1))
def test_order_of_rows_is_irrelevant(given_answers, seed):
    order = np.random.default_rng(seed).permutation(len(given_answers.image))
    for one, other in zip(
        score_answers(given_answers, "genus"), score_answers(given_answers.take(order), "genus"), strict=True
    ):
        for key in ("value", "ci_low", "ci_high", "n_images", "n_taxa", "n_excluded", "note"):
            same = one[key] == other[key] if key == "note" else one[key] == pytest.approx(other[key], nan_ok=True)
            assert same, key


# Clades.


def test_clades_with_two_tested_taxa_have_their_accuracy():
    clade = np.array([7, 7, 7, 8, 8, -1, -1, 9, 9, 9])
    truth = np.array([0, 0, 1, 2, 2, 3, 4, 5, 6, 6])
    split = np.array(["test"] * 8 + ["train", "test"])
    predicted = np.array([0, 1, 1, 2, 2, 3, 4, 0, 6, 6])
    units = truth.copy()
    rows = clade_accuracies(answers(truth, predicted, split, units), clade, lambda node: f"clade {node}", "genus")
    assert [(row["taxon"], row["n_images"], row["n_taxa"]) for row in rows] == [("clade 7", 3, 2), ("clade 9", 2, 2)]
    assert [row["value"] for row in rows] == pytest.approx([2 / 3, 1 / 2])
    assert all(row["ci_low"] <= row["value"] <= row["ci_high"] for row in rows)


@settings(max_examples=30)
@given(folded())
def test_clades_add_up_to_the_whole(given_answers):
    """Every taxon in a clade of many: accuracies, weighed by their answers, are the accuracy of all."""
    clade = given_answers.truth // 4
    tested = given_answers.tested
    rows = clade_accuracies(given_answers, clade, str, "genus")
    total = 0.0
    for row in rows:
        total += row["value"] * np.sum(tested.truth // 4 == int(row["taxon"]))
    counted = np.isin(tested.truth // 4, [int(row["taxon"]) for row in rows])
    assert total == pytest.approx(tested.right[counted].sum())


# Two protocols, two models.


@settings(max_examples=50)
@given(folded(), folded())
def test_paired_scores_are_their_definition(a, b):
    found = {name: of(a, b, "genus") for name, of in PAIRED.items()}
    sides = []
    for side in (a, b):
        of_image = {}
        for fold in definition.accuracy_in_folds(
            side.image, side.truth, side.predicted, side.split, side.fold
        ).values():
            for image, right in fold.items():
                of_image.setdefault(image, []).append(right)
        sides.append(of_image)
    for name, row in found.items():
        if not set(sides[0]) & set(sides[1]):
            assert np.isnan(row["value"]) and row["note"] == "no image is tested on both sides"
            continue
        expected, shared = definition.paired_difference(*sides)
        assert row["value"] == pytest.approx(expected)
        assert (row["metric"], row["n_images"]) == (name, len(shared))
        assert row["n_images"] + row["n_excluded"] == len(set(a.image) | set(b.image))
        assert -1 <= row["value"] <= 1 and np.isnan(row["p_value"])


@settings(max_examples=30)
@given(folded())
def test_a_model_does_not_differ_from_itself(given_answers):
    (row,) = compare_answers(given_answers, given_answers, "genus")
    if len(given_answers.tested.image):
        assert (row["value"], row["p_value"]) == (0, 1)
        assert np.isnan(row["ci_low"]) or row["ci_low"] == row["ci_high"] == 0


def models(random, skill_a, skill_b, n_species=40, n=200):
    species = np.arange(n) % n_species
    truth = species // 4
    sides = []
    for skill in (skill_a, skill_b):
        each = random.beta(4 * skill, 4 * (1 - skill), n_species)[species]
        sides.append(answers(truth, np.where(random.random(n) < each, truth, truth + 1), units=species))
    return sides


def test_a_difference_is_one_less_the_other_and_turns_its_sign():
    a, b = models(np.random.default_rng(2), 0.8, 0.5)
    (found,), (turned,) = compare_answers(a, b, "genus"), compare_answers(b, a, "genus")
    of = [by_metric(score_answers(side, "genus"))["top1_accuracy"]["value"] for side in (a, b)]
    assert found["value"] == pytest.approx(of[0] - of[1]) == -turned["value"]
    assert found["p_value"] == turned["p_value"] < 0.01
    assert found["ci_low"] == pytest.approx(-turned["ci_high"]) and found["ci_low"] > 0
    assert (found["metric"], found["n_images"], found["n_taxa"]) == ("top1_accuracy_difference", 200, 10)


def test_differences_pair_images_within_folds():
    """In folds that ask unequally many, each answer counts once, as it does in the accuracies."""
    image, fold = np.array([0, 1, 2, 0, 3]), np.array([0, 0, 0, 1, 1])
    a = answers([0, 0, 0, 0, 0], [0, 1, 1, 1, 0], image=image, fold=fold, units=image)
    b = answers([0, 0, 0, 0, 0], [0, 1, 1, 0, 1], image=image, fold=fold, units=image)
    (found,) = compare_answers(a, b, "genus")
    assert (found["value"], found["n_images"]) == (0, 4)
    missing = b.take(np.arange(4))
    (found,) = compare_answers(a, missing, "genus")
    assert (found["value"], found["n_images"], found["n_excluded"]) == (-0.25, 3, 1)


def test_p_is_uniform_where_models_are_alike():
    random, p = np.random.default_rng(11), []
    for seed in range(120):
        a, b = models(random, 0.6, 0.6)
        p.append(compare_answers(a, b, "genus", seed)[0]["p_value"])
    assert kstest(p, "uniform").pvalue > 0.001


def test_a_probe_that_adds_up_children_has_a_gap_and_no_selectivity():
    """It knows by heart each child that it met, whatever it is told that the child belongs to."""
    species = np.arange(120) % 12
    genus, family = species // 2, species // 6
    seen = answers(family, family, units=species)
    unseen = answers(family, (family + genus) % 2, units=species, fold=species % 5)
    shuffled = answers(np.roll(family, 3), np.roll(family, 3), units=species)
    gap, own = unseen_gap(seen, unseen, "family"), selectivity(seen, shuffled, "family")
    assert gap["value"] > 0.3 and gap["ci_low"] > 0
    assert own["value"] == 0


def test_inputs_stay():
    given_answers = answers(np.arange(6) % 2, np.zeros(6, dtype=np.int64))
    before = replace(given_answers, truth=given_answers.truth.copy())
    score_answers(given_answers, "genus")
    clade_accuracies(given_answers, np.zeros(6, dtype=np.int64), str, "genus")
    np.testing.assert_array_equal(given_answers.truth, before.truth)
    assert metrics.Answers is Answers
