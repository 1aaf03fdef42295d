"""Consistency of answers across ranks, and the severity of wrong answers."""

import numpy as np
import pytest
from hypothesis import given, settings

from bioclip_probe.metrics.consistency import ranks_apart
from bioclip_probe.metrics.paths import PathAnswers
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import patristic_distances
from tests.definitions import paths as definition
from tests.support.paths import all_right, check_row, images_of, path_answers, rows_by_metric


@pytest.mark.slow
@settings(max_examples=30)
@given(path_answers())
def test_consistency_and_severity_equal_their_definitions(answers):
    rows, images = rows_by_metric(answers), list(images_of(answers))
    for r, rank in enumerate(RANKS):
        named = [image for image in images if image[0][r] is not None]
        if r:
            inside = [definition.inside_above(answers.tree, *image, r) for image in named]
            defined = [one for one in inside if one is not None]
            check_row(rows["rank_consistency", rank], defined, len(named) - len(defined))
        answered = [(truth[r], predicted[r]) for truth, predicted in named if predicted[r] is not None]
        apart = [definition.ranks_apart(answers.tree, *pair, r) for pair in answered if pair[0] != pair[1]]
        check_row(rows["wrong_answer_severity", rank], apart, len(named) - len(answered))


def test_answers_that_are_all_right_are_consistent_and_none_is_wrong():
    rows = rows_by_metric(all_right())
    for r, rank in enumerate(RANKS):
        assert rows["wrong_answer_severity", rank]["note"] == "no answer is wrong"
        assert not r or rows["rank_consistency", rank]["value"] == 1


def test_answers_of_other_images_are_consistent_and_as_severe_as_chance():
    rows = rows_by_metric(all_right(n=3000).shuffled(np.random.default_rng(1)))
    for rank in RANKS[1:]:
        row = rows["wrong_answer_severity", rank]
        assert row["value"] == pytest.approx(row["chance"], rel=0.05), rank
        assert rows["rank_consistency", rank]["value"] == 1 > rows["rank_consistency", rank]["chance"]


def test_ranks_that_are_answered_independently_are_as_consistent_as_chance():
    answers, random = all_right(n=3000), np.random.default_rng(2)
    independent = np.stack([random.permutation(own) for own in answers.predicted])
    rows = rows_by_metric(PathAnswers(answers.truth, independent, answers.placement))
    for rank in RANKS[1:]:
        row = rows["rank_consistency", rank]
        assert row["value"] == pytest.approx(row["chance"], abs=0.03), rank


def test_near_misses_are_less_severe_than_far_ones():
    answers = all_right(600, 900)
    tree, random = answers.tree, np.random.default_rng(3)
    predicted = {"near": answers.predicted.copy(), "far": answers.predicted.copy()}
    tips = tree.tips
    for i, own in enumerate(answers.truth[-1]):
        sisters = tips[(tree.parent[tips] == tree.parent[own]) & (tips != own)]
        predicted["near"][-1, i] = random.choice(sisters) if len(sisters) else own
        predicted["far"][-1, i] = random.choice(tips)
    near, far = (
        rows_by_metric(PathAnswers(answers.truth, wrong, answers.placement))["wrong_answer_severity", "species"]
        for wrong in predicted.values()
    )
    assert near["value"] == 1 < near["chance"]
    assert far["value"] > 3


def test_ranks_apart_is_the_distance_on_the_tree():
    """The outsider: half of the path between two species, over whole ranks."""
    tree = all_right().tree
    distances = patristic_distances(tree)
    ancestors = np.stack([tree.ancestor_at(rank) for rank in RANKS])
    i, j = np.meshgrid(np.arange(len(tree.tips)), np.arange(len(tree.tips)))
    apart = ranks_apart(tree.tips[i.ravel()], tree.tips[j.ravel()], ancestors)
    np.testing.assert_allclose(apart, distances[i.ravel(), j.ravel()])
