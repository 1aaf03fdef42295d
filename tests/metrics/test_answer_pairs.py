"""Differences of answers: two protocols of one probe, or two models, on the same images."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from bioclip_probe.errors import DataError
from bioclip_probe.metrics.accuracies import top1_accuracy
from bioclip_probe.metrics.answer_pairs import ShuffledPair, UnseenPair, selectivity, unseen_gap
from bioclip_probe.metrics.answers import Answers
from bioclip_probe.metrics.differences import paired_differences
from bioclip_probe.metrics.suite import measure
from tests.definitions import scores as definition
from tests.support.answers import answers_in_folds, as_rows, made_answers, scores

PAIRS = (UnseenPair, ShuffledPair)


def difference(first: Answers, second: Answers) -> dict:
    """Return the row of the difference in accuracy between two models."""
    (row,) = as_rows(paired_differences(top1_accuracy(first), top1_accuracy(second)))
    return row


@pytest.mark.slow
@settings(max_examples=50)
@given(answers_in_folds(), answers_in_folds())
def test_paired_scores_equal_their_definition(a, b):
    found = {row["metric"]: row for pair in PAIRS for row in as_rows(measure(pair(a, b)))}
    assert list(found) == ["unseen_gap", "selectivity"]
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
        if name == "unseen_gap":
            expected = np.subtract(*(macro_accuracy_over(shared, side) for side in (a, b)))
        assert row["value"] == pytest.approx(expected)
        assert (row["metric"], row["n_images"]) == (name, len(shared))
        learnt = {image for side in (a, b) for image in side.image[side.split == "train"].tolist()}
        assert row["n_excluded"] == len((set(a.image) | set(b.image)) - set(shared) - learnt)
        assert -1 <= row["value"] <= 1
        assert np.isnan(row["p_value"]) == np.isnan(row["ci_low"])


def macro_accuracy_over(images: list, side: Answers) -> float:
    rows = (side.split == "test") & (side.truth >= 0) & (side.predicted >= 0) & np.isin(side.image, images)
    return definition.macro_accuracy(side.truth[rows], side.predicted[rows], side.fold[rows])


def models(random, skill_a, skill_b, n_species=40, n=200):
    species = np.arange(n) % n_species
    truth = species // 4
    sides = []
    for skill in (skill_a, skill_b):
        each = random.beta(4 * skill, 4 * (1 - skill), n_species)[species]
        sides.append(made_answers(truth, np.where(random.random(n) < each, truth, truth + 1), units=species))
    return sides


def test_a_difference_is_one_accuracy_less_the_other_and_changes_sign_with_their_order():
    a, b = models(np.random.default_rng(2), 0.8, 0.5)
    found, turned = difference(a, b), difference(b, a)
    of = [scores(side)["top1_accuracy"]["value"] for side in (a, b)]
    assert found["value"] == pytest.approx(of[0] - of[1]) == -turned["value"]
    assert found["p_value"] == pytest.approx(turned["p_value"]) and found["p_value"] < 0.01
    assert found["ci_low"] == pytest.approx(-turned["ci_high"]) and found["ci_low"] > 0
    assert (found["metric"], found["n_images"], found["n_taxa"]) == ("top1_accuracy_difference", 200, 10)


@pytest.mark.slow
def test_models_that_are_equally_good_seldom_differ():
    random = np.random.default_rng(11)
    p = [difference(*models(random, 0.6, 0.6))["p_value"] for _ in range(150)]
    assert np.mean(np.array(p) < 0.05) <= 0.08 and np.mean(np.array(p) < 0.5) > 0.35


def test_a_probe_that_knows_a_taxon_by_its_children_has_a_gap_and_no_selectivity():
    """The probe has learnt each child taxon that it saw, with whatever label the child was given."""
    species = np.arange(240) % 48
    genus, family = species // 4, species // 24
    seen = made_answers(family, family, units=species)
    unseen = made_answers(family, (family + genus) % 2, units=species, fold=species % 5)
    shuffled = made_answers(np.roll(family, 3), np.roll(family, 3), units=species)
    (gap,), (own,) = unseen_gap(UnseenPair(seen, unseen)), selectivity(ShuffledPair(seen, shuffled))
    assert gap.value > 0.3 and gap.estimate.ci_low > 0 and gap.estimate.p_value < 0.01
    assert own.value == 0 and not own.estimate.p_value < 1


@pytest.mark.slow
def test_the_gap_is_at_zero_where_children_that_were_seen_are_named_no_better():
    """Each child has its own skill, and seeds in 20 where the interval leaves out 0 are about one."""
    random, species = np.random.default_rng(5), np.arange(400) % 80
    truth, n_out = species // 10, 0
    for _ in range(150):
        skill = random.beta(2, 2, 80)[species]
        sides = [
            made_answers(truth, np.where(random.random(400) < skill, truth, 9), units=species, fold=species % 5)
            for _ in range(2)
        ]
        (gap,) = unseen_gap(UnseenPair(*sides))
        n_out += not gap.estimate.ci_low <= 0 <= gap.estimate.ci_high
    assert n_out / 150 < 0.09


def test_without_shared_images_there_is_a_row_that_says_so():
    nothing = made_answers(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    for pair in PAIRS:
        (row,) = as_rows(measure(pair(nothing, nothing)))
        assert np.isnan(row["value"]) and row["note"] == "no image is tested on both sides"


def test_answers_at_different_ranks_are_not_compared():
    genera = made_answers([0, 1], [0, 1])
    with pytest.raises(DataError, match="at genus and family"):
        UnseenPair(genera, replace(genera, rank="family"))
