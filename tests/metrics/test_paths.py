"""Answers of one probe at all ranks together: whole paths, joined from answers at each rank."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.metrics.answers import Answers
from bioclip_probe.metrics.paths import PathAnswers, path_accuracy
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.tables import RANKS
from bioclip_probe.tree import taxonomy
from tests.definitions import paths as definition
from tests.support.paths import all_right, check_row, images_of, path_answers, rows_by_metric

WHOLE = ("path_accuracy", "right_prefix", "consistent_pairs")


@pytest.mark.slow
@settings(max_examples=30)
@given(path_answers())
def test_scores_of_whole_paths_equal_their_definitions(answers):
    rows, images = rows_by_metric(answers), list(images_of(answers))
    assert len(rows) == len(WHOLE) + len(RANKS) - 1 + len(RANKS)
    definitions = (definition.all_right, definition.right_prefix, definition.consistent_pairs)
    for metric, score, fewest in zip(WHOLE, definitions, (1, 1, 2), strict=True):
        kept = [image for image in images if len(definition.known(*image)) >= fewest]
        check_row(rows[metric, "species"], [score(*image) for image in kept], len(images) - len(kept))


def test_answers_that_are_all_right_have_the_best_scores():
    rows = rows_by_metric(all_right())
    assert [rows[metric, "species"]["value"] for metric in WHOLE] == [1, 7, 1]
    assert rows["right_prefix", "species"]["note"].startswith("of 7.00 ranks known on average")


def test_answers_of_other_images_are_at_chance():
    """Their paths agree with themselves and with nothing else."""
    rows = rows_by_metric(all_right(n=3000).shuffled(np.random.default_rng(1)))
    for metric in WHOLE:
        row = rows[metric, "species"]
        assert row["value"] == pytest.approx(row["chance"], rel=0.2, abs=0.01), metric


def test_an_error_ends_the_prefix_and_a_hole_does_not():
    lineages = [
        ("Animalia", "Chordata", "Aves", "Piciformes", "Picidae", "Picus", "Picus viridis"),
        ("Animalia", "Chordata", "Mammalia", None, "Felidae", "Felis", "Felis catus"),
    ]
    placement = taxonomy(pd.DataFrame(lineages, columns=RANKS, dtype="str"))
    truth = np.stack([placement.at(rank) for rank in RANKS])
    predicted = truth.copy()
    family = RANKS.index("family")
    predicted[family, 0] = truth[family, 1]
    rows = rows_by_metric(PathAnswers(truth, predicted, placement))
    # The first image errs in its family, after four ranks; the second has no order, and six ranks right.
    assert rows["right_prefix", "species"]["value"] == (4 + 6) / 2
    assert rows["path_accuracy", "species"]["value"] == 0.5
    assert rows["consistent_pairs", "species"]["value"] == (4 / 6 + 5 / 5) / 2
    # The wrong family lies in another class, as its order is not known.
    assert rows["wrong_answer_severity", "family"]["value"] == 3


@pytest.mark.slow
@settings(max_examples=20)
@given(path_answers(), st.integers(0, 2**32 - 1))
def test_the_order_of_images_changes_nothing(answers, seed):
    order = np.random.default_rng(seed).permutation(len(answers.placement))
    reordered = PathAnswers(
        answers.truth[:, order], answers.predicted[:, order], answers.placement.take(order), answers.settings
    )
    rows, others = rows_by_metric(answers), rows_by_metric(reordered)
    for name, row in rows.items():
        for key in ("value", "n_images", "n_excluded"):
            assert row[key] == pytest.approx(others[name][key], nan_ok=True), (name, key)


def test_settings_decide_the_number_of_shuffles():
    """With one shuffle chance is the score of one shuffle: a whole number of images."""
    answers = all_right(n=64)
    (row,) = path_accuracy(answers, settings=MeasureSettings(n_shuffles=1))
    assert row.estimate.chance * 64 == pytest.approx(round(row.estimate.chance * 64))


# From answers at each rank.


def test_answers_at_ranks_are_joined_by_image():
    answers = all_right(n=80)
    random = np.random.default_rng(4)
    by_rank = {}
    for rank, own in zip(RANKS, answers.truth, strict=True):
        image = random.permutation(80)
        split = np.where((image % 3 == 0) & ((image % 2 == 0) | (rank != "genus")), "test", "train")
        n = np.zeros(80, dtype=np.int64)
        rows = (image, own[image], own[image], n + 1, n + 0.5, split, n, n)
        by_rank[rank] = Answers(*rows, answers.left_out)
    joined = PathAnswers.of(by_rank, answers.placement)
    tested = np.arange(0, 80, 3)
    np.testing.assert_array_equal(joined.left_out.group, answers.left_out.group[tested])
    np.testing.assert_array_equal(joined.truth[-1], answers.truth[-1, tested])
    genus = RANKS.index("genus")
    np.testing.assert_array_equal(joined.predicted[genus], np.where(tested % 2, -1, answers.truth[genus, tested]))
    missing = PathAnswers.of({rank: by_rank[rank] for rank in RANKS[:3]}, answers.placement)
    assert (missing.truth[3:] == -1).all() and missing.known[:3].all()


def test_folds_that_ask_about_an_image_twice_are_refused():
    twice = np.zeros(2, dtype=np.int64)
    rows = (twice, twice, twice, twice, twice + 0.5, np.full(2, "test"), np.arange(2), twice)
    answers = Answers(*rows, Jackknife("species", 1, twice))
    with pytest.raises(ValueError, match="several folds of one image"):
        PathAnswers.of({"genus": answers}, all_right().placement)


def test_without_images_there_are_rows_that_say_so():
    nothing = np.zeros((7, 0), dtype=np.int64)
    placement = all_right().placement.take(nothing[0])
    rows = rows_by_metric(PathAnswers(nothing, nothing, placement))
    assert all(np.isnan(row["value"]) and row["note"] for row in rows.values())
    with pytest.raises(ValueError, match="expected truth of shape"):
        PathAnswers(nothing[:3], nothing, placement)
