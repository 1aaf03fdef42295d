"""Answers across ranks: whole paths, agreement of ranks, how far wrong answers are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.metrics.answers import Answers
from bioclip_probe.metrics.catalogue import CATALOGUE
from bioclip_probe.metrics.paths import PathAnswers, ranks_apart, score_paths
from bioclip_probe.tables import MEASUREMENTS, RANKS
from bioclip_probe.tree import patristic_distances, taxonomy
from tests.definitions import paths as definition
from tests.support.embedded import random_taxonomy
from tests.support.strategies import lineage_tables

WHOLE = ("path_accuracy", "right_prefix", "consistent_pairs")


def by_metric(rows) -> dict[tuple[str, str], dict]:
    assert len({(row["metric"], row["rank"]) for row in rows}) == len(rows)
    return {(row["metric"], row["rank"]): row for row in rows}


@st.composite
def asked(draw) -> PathAnswers:
    """Answers at all ranks in a taxonomy with holes: right, wrong, missing; maybe a rank without any."""
    placement = taxonomy(draw(lineage_tables(max_rows=14)))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = len(placement)
    truth = np.stack([placement.at(rank) for rank in RANKS])
    predicted = truth.copy()
    for r in range(len(RANKS)):
        nodes = np.flatnonzero(placement.tree.rank == r)
        if len(nodes):
            predicted[r] = np.where(random.random(n) < 0.4, random.choice(nodes, n), truth[r])
    predicted[random.random(truth.shape) < draw(st.sampled_from([0, 0.1]))] = -1
    truth[random.random(truth.shape) < 0.1] = -1
    if draw(st.booleans()):
        predicted[draw(st.integers(0, len(RANKS) - 1))] = -1
    return PathAnswers(truth, predicted, random.integers(0, 5, n), placement.tree)


def columns(answers: PathAnswers):
    """Each image as the definitions take it."""
    for truth, predicted in zip(answers.truth.T.tolist(), answers.predicted.T.tolist(), strict=True):
        yield tuple([None if node < 0 else node for node in side] for side in (truth, predicted))


@settings(max_examples=80)
@given(asked())
def test_numbers_are_their_definitions(answers):
    rows = score_paths(answers)
    MEASUREMENTS.frame([{"simulated": False, **row} for row in rows])
    found, images = by_metric(rows), list(columns(answers))
    assert len(found) == len(WHOLE) + len(RANKS) - 1 + len(RANKS)
    for metric, of, fewest in zip(
        WHOLE, (definition.all_right, definition.right_prefix, definition.consistent_pairs), (1, 1, 2), strict=True
    ):
        kept = [image for image in images if len(definition.known(*image)) >= fewest]
        check(found[metric, "species"], [of(*image) for image in kept], len(images) - len(kept))
    for r, rank in enumerate(RANKS):
        named = [image for image in images if image[0][r] is not None]
        if r:
            inside = [definition.inside_above(answers.tree, *image, r) for image in named]
            defined = [one for one in inside if one is not None]
            check(found["rank_consistency", rank], defined, len(named) - len(defined))
        answered = [(truth[r], predicted[r]) for truth, predicted in named if predicted[r] is not None]
        apart = [definition.ranks_apart(answers.tree, *pair, r) for pair in answered if pair[0] != pair[1]]
        check(found["wrong_answer_severity", rank], apart, len(named) - len(answered))


def check(row: dict, expected: list, n_excluded: int) -> None:
    assert row["n_excluded"] == n_excluded
    if not expected:
        assert np.isnan(row["value"]) and row["note"]
        return
    low, high = CATALOGUE[row["metric"]].bounds
    assert row["value"] == pytest.approx(np.mean(expected))
    assert row["n_images"] == len(expected) and low <= row["value"] <= high
    assert np.isnan(row["chance"]) or low <= row["chance"] <= high


def drawn(n_species: int = 60, n: int = 400, seed: int = 0) -> PathAnswers:
    """All right, in a taxonomy without holes."""
    placement = random_taxonomy(n_species, n, np.random.default_rng(seed))
    truth = np.stack([placement.at(rank) for rank in RANKS])
    return PathAnswers(truth, truth.copy(), placement.node, placement.tree)


def test_all_right_is_all_right():
    answers = drawn()
    found = by_metric(score_paths(answers))
    assert [found[metric, "species"]["value"] for metric in WHOLE] == [1, 7, 1]
    assert found["right_prefix", "species"]["note"] == "of 7.00 ranks known on average"
    for r, rank in enumerate(RANKS):
        assert found["wrong_answer_severity", rank]["note"] == "no answer is wrong"
        assert not r or found["rank_consistency", rank]["value"] == 1


def test_answers_of_other_images_are_at_chance():
    """They agree among themselves and with nothing else."""
    answers = drawn(n=3000)
    found = by_metric(score_paths(answers.shuffled(np.random.default_rng(1))))
    for metric in WHOLE:
        row = found[metric, "species"]
        assert row["value"] == pytest.approx(row["chance"], rel=0.2, abs=0.01), metric
    for rank in RANKS[1:]:
        row = found["wrong_answer_severity", rank]
        assert row["value"] == pytest.approx(row["chance"], rel=0.05), rank
        assert found["rank_consistency", rank]["value"] == 1 > found["rank_consistency", rank]["chance"]


def test_ranks_that_know_nothing_of_each_other_are_as_consistent_as_chance():
    answers, random = drawn(n=3000), np.random.default_rng(2)
    apart = np.stack([random.permutation(own) for own in answers.predicted])
    found = by_metric(score_paths(PathAnswers(answers.truth, apart, answers.units, answers.tree)))
    for rank in RANKS[1:]:
        row = found["rank_consistency", rank]
        assert row["value"] == pytest.approx(row["chance"], abs=0.03), rank


def test_near_misses_are_less_severe_than_far_ones():
    answers = drawn(600, 900)
    tree, random = answers.tree, np.random.default_rng(3)
    predicted = {"near": answers.predicted.copy(), "far": answers.predicted.copy()}
    tips = tree.tips
    for i, own in enumerate(answers.truth[-1]):
        sisters = tips[(tree.parent[tips] == tree.parent[own]) & (tips != own)]
        predicted["near"][-1, i] = random.choice(sisters) if len(sisters) else own
        predicted["far"][-1, i] = random.choice(tips)
    near, far = (
        by_metric(score_paths(PathAnswers(answers.truth, wrong, answers.units, tree)))[
            "wrong_answer_severity", "species"
        ]
        for wrong in predicted.values()
    )
    assert near["value"] == near["ci_low"] == near["ci_high"] == 1 < near["chance"]
    assert far["value"] > 3


def test_ranks_apart_is_the_distance_on_the_tree():
    """The outsider: half of the path between two species, over whole ranks."""
    tree = drawn().tree
    distances = patristic_distances(tree)
    ancestors = np.stack([tree.ancestor_at(rank) for rank in RANKS])
    i, j = np.meshgrid(np.arange(len(tree.tips)), np.arange(len(tree.tips)))
    found = ranks_apart(tree.tips[i.ravel()], tree.tips[j.ravel()], ancestors)
    np.testing.assert_allclose(found, distances[i.ravel(), j.ravel()])


def test_an_error_ends_the_prefix_and_a_hole_does_not():
    frame = lineage_frame()
    placement = taxonomy(frame)
    truth = np.stack([placement.at(rank) for rank in RANKS])
    predicted = truth.copy()
    wrong = RANKS.index("family")
    predicted[wrong, 0] = truth[wrong, 1]
    found = by_metric(score_paths(PathAnswers(truth, predicted, placement.node, placement.tree)))
    # The first image errs in its family, after four ranks; the second has no order, and six ranks right.
    assert found["right_prefix", "species"]["value"] == (4 + 6) / 2
    assert found["path_accuracy", "species"]["value"] == 0.5
    assert found["consistent_pairs", "species"]["value"] == (4 / 6 + 5 / 5) / 2
    # The wrong family lies in another class, as its order is not known.
    assert found["wrong_answer_severity", "family"]["value"] == 3


def lineage_frame():
    import pandas as pd

    rows = [
        ("Animalia", "Chordata", "Aves", "Piciformes", "Picidae", "Picus", "Picus viridis"),
        ("Animalia", "Chordata", "Mammalia", None, "Felidae", "Felis", "Felis catus"),
    ]
    return pd.DataFrame(rows, columns=RANKS, dtype="str")


@settings(max_examples=20)
@given(asked(), st.integers(0, 2**32 - 1))
def test_order_of_images_is_irrelevant(answers, seed):
    order = np.random.default_rng(seed).permutation(len(answers.units))
    turned = PathAnswers(answers.truth[:, order], answers.predicted[:, order], answers.units[order], answers.tree)
    for one, other in zip(score_paths(answers), score_paths(turned), strict=True):
        for key in ("value", "n_images", "n_excluded"):
            assert one[key] == pytest.approx(other[key], nan_ok=True), (one["metric"], key)


# From answers at each rank.


def test_answers_at_ranks_are_joined_by_image():
    answers = drawn(n=80)
    random = np.random.default_rng(4)
    by_rank = {}
    for rank, own in zip(RANKS, answers.truth, strict=True):
        image = random.permutation(80)
        split = np.where((image % 3 == 0) & ((image % 2 == 0) | (rank != "genus")), "test", "train")
        n = np.zeros(80, dtype=np.int64)
        by_rank[rank] = Answers(image, own[image], own[image], n + 1, n + 0.5, split, n, answers.units[image])
    joined = PathAnswers.of(by_rank, answers.tree)
    tested = np.arange(0, 80, 3)
    np.testing.assert_array_equal(joined.units, answers.units[tested])
    np.testing.assert_array_equal(joined.truth[-1], answers.truth[-1, tested])
    genus = RANKS.index("genus")
    np.testing.assert_array_equal(joined.predicted[genus], np.where(tested % 2, -1, answers.truth[genus, tested]))
    missing = PathAnswers.of({rank: by_rank[rank] for rank in RANKS[:3]}, answers.tree)
    assert (missing.truth[3:] == -1).all() and missing.known[:3].all()


def test_folds_that_ask_an_image_twice_are_refused():
    twice = np.zeros(2, dtype=np.int64)
    answers = Answers(twice, twice, twice, twice, twice + 0.5, np.full(2, "test"), np.arange(2), twice)
    with pytest.raises(ValueError, match="several folds of one image"):
        PathAnswers.of({"genus": answers}, drawn().tree)


def test_no_images_are_rows_that_say_so():
    nothing = np.zeros((7, 0), dtype=np.int64)
    rows = score_paths(PathAnswers(nothing, nothing, nothing[0], drawn().tree))
    assert all(np.isnan(row["value"]) and row["note"] for row in rows)
    with pytest.raises(ValueError, match="expected truth of shape"):
        PathAnswers(nothing[:3], nothing, nothing[0], drawn().tree)
