"""Splits: every taxon in all subsets, groups together, as the dataset has it, labels shuffled, shots limited."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.probes.inputs import SUBSETS
from bioclip_probe.probes.splits import (
    given_subsets,
    leave_one_out,
    limit_shots,
    shuffle_children,
    split_as_given,
    split_by_image,
)

seeds = st.integers(0, 2**32 - 1)


def nested(random, n, holes=0.0):
    """Return labels at three ranks, each taxon inside one of the rank above; some are missing."""
    low = random.integers(0, 9, n)
    labels = np.stack([low // 6, 10 + low // 2, 20 + low])
    labels[random.random(labels.shape) < holes] = -1
    return labels


@pytest.mark.slow
@settings(max_examples=150)
@given(seeds, st.integers(0, 60), st.integers(1, 8))
def test_at_one_rank_every_taxon_is_in_all_subsets_at_its_share(seed, n, n_taxa):
    random = np.random.default_rng(seed)
    labels = random.integers(-1, n_taxa, n)
    before = labels.copy()
    (split,) = split_by_image(labels[None], random)
    np.testing.assert_array_equal(labels, before)
    assert set(split) <= {*SUBSETS, ""}
    assert np.all(split[labels < 0] == "")
    for taxon in range(n_taxa):
        held = split[labels == taxon]
        if len(held) < 3:
            assert np.all(held == "")
            continue
        counts = np.array([np.sum(held == part) for part in SUBSETS])
        assert counts.sum() == len(held)
        assert counts.min() >= 1
        assert np.all(np.abs(counts - len(held) * np.array([0.6, 0.2, 0.2])) <= 1.01)


@pytest.mark.slow
@settings(max_examples=150)
@given(seeds, st.integers(0, 80), st.sampled_from([0.0, 0.2]))
def test_an_image_is_in_one_subset_at_all_ranks(seed, n, holes):
    random = np.random.default_rng(seed)
    labels = nested(random, n, holes)
    split = split_by_image(labels, random)
    for image in range(n):
        assert len(set(split[:, image]) - {""}) <= 1
    for rank, own in enumerate(labels):
        assert np.all(split[rank][own < 0] == "")
        for taxon in np.unique(own[own >= 0]):
            assert set(split[rank][own == taxon]) in (set(SUBSETS), {""})  # in all three subsets, or in none


def test_the_lowest_rank_has_its_shares_and_so_have_higher_ranks():
    low = np.repeat(np.arange(40), 5)
    labels = np.stack([low // 20, low // 4, low])
    split = split_by_image(labels, np.random.default_rng(3))
    for own, part in zip(labels, split, strict=True):
        for taxon in np.unique(own):
            counts = [np.sum(part[own == taxon] == name) for name in SUBSETS]
            assert counts == [0.6 * sum(counts), 0.2 * sum(counts), 0.2 * sum(counts)]


def test_where_species_are_too_small_their_families_are_split():
    labels = np.stack([np.repeat([0, 1], 30), np.arange(60)])
    family, species = split_by_image(labels, np.random.default_rng(0))
    assert np.all(species == "")
    for taxon in (0, 1):
        counts = [np.sum(family[labels[0] == taxon] == name) for name in SUBSETS]
        assert counts == [18, 6, 6]


@settings(max_examples=150)
@given(seeds, st.integers(1, 60), st.integers(1, 30))
def test_groups_stay_together(seed, n, n_groups):
    random = np.random.default_rng(seed)
    labels, groups = nested(random, n), random.integers(-1, n_groups, n)
    split = split_by_image(labels, random, groups=groups)
    for group in range(n_groups):
        assert len(set(split[:, groups == group].ravel()) - {""}) <= 1


@pytest.mark.parametrize(("n", "expected"), [(3, [1, 1, 1]), (4, [2, 1, 1]), (5, [3, 1, 1]), (10, [6, 2, 2])])
def test_small_taxa_are_in_all_subsets(n, expected):
    (split,) = split_by_image(np.zeros((1, n), dtype=np.int64), np.random.default_rng(0))
    assert [np.sum(split == part) for part in SUBSETS] == expected


def test_repeats_with_the_seed_and_differs_without():
    labels = np.repeat(np.arange(5), 20)[None]
    one, same, other = (split_by_image(labels, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.any(one != other)


@pytest.mark.parametrize("fractions", [(0.5, 0.5, 0.5), (0.8, 0.2, 0.0), (0.5, 0.5)])
def test_fractions_are_checked(fractions):
    with pytest.raises(ValueError, match="three positive fractions"):
        split_by_image(np.zeros((1, 5), dtype=np.int64), np.random.default_rng(0), fractions)


@settings(max_examples=100)
@given(seeds, st.integers(1, 60), st.booleans(), st.booleans())
def test_a_given_split_is_kept_and_val_is_drawn_from_train_alone(seed, n, has_val, grouped):
    random = np.random.default_rng(seed)
    labels = nested(random, n, holes=0.1)
    words = ["Training", "TEST", "unlabelled", *(["Validation"] if has_val else [])]
    given_words = random.choice(words, n)
    groups = random.integers(-1, 8, n) if grouped else None
    split = split_as_given(labels, given_words, random, groups)
    both = {"Training", "TEST"} <= set(given_words) or {"Training", "Validation"} <= set(given_words)
    test_word = "TEST" if "TEST" in given_words else "Validation"
    for own, of_rank in zip(labels, split, strict=True):
        assert np.all(of_rank[own < 0] == "")
        assert np.all(given_words[of_rank == "test"] == test_word)
        learnt = np.isin(of_rank, ["train", "val"])
        assert set(given_words[learnt]) <= {"Training", "Validation"}
        assert set(own[learnt]) == set(own[of_rank == "test"])
        for taxon in np.unique(own[own >= 0]) if both else ():
            mine = given_words[own == taxon]
            able = np.any(mine == test_word) and (np.any(mine == "Training") or np.any(mine == "Validation"))
            if test_word == "TEST" and able:
                assert np.sum(of_rank[own == taxon] == "test") == np.sum(mine == "TEST")
        if grouped and not has_val:
            for group in range(8):
                assert not {"train", "val"} <= set(of_rank[(groups == group) & (given_words == "Training")])
    if not both:
        assert np.all(split == "")


def test_without_given_val_images_a_fifth_of_train_is_val_in_every_taxon():
    low = np.repeat(np.arange(10), 20)
    given_words = np.where(np.arange(200) % 2, "train", "test")
    split = split_as_given(np.stack([low // 5, low]), given_words, np.random.default_rng(0))
    for own, of_rank in zip(np.stack([low // 5, low]), split, strict=True):
        for taxon in np.unique(own):
            counts = [np.sum(of_rank[own == taxon] == name) for name in SUBSETS]
            assert counts == [0.4 * np.sum(own == taxon), 0.1 * np.sum(own == taxon), 0.5 * np.sum(own == taxon)]


def test_words_that_are_no_split_are_no_split():
    for words in (["seen", "unseen"], ["train", "extra"], ["test"], ["", "test"]):
        assert set(given_subsets(np.array(words))) == {""}
    assert given_subsets(np.array([" Valid ", "dev", "training", "Testing"])).tolist() == [
        "val",
        "val",
        "train",
        "test",
    ]


@settings(max_examples=100)
@given(seeds, st.integers(0, 40))
def test_shuffled_children_stay_together_and_taxa_keep_their_number(seed, n):
    random = np.random.default_rng(seed)
    _, labels, children = nested(random, n, holes=0.1)
    shuffled = shuffle_children(labels, children, random)
    named = (labels >= 0) & (children >= 0)
    np.testing.assert_array_equal(shuffled >= 0, named)
    pairs, new = {}, {}
    for own, child, other in zip(labels[named], children[named], shuffled[named], strict=True):
        pairs.setdefault((own, child), set()).add(other)
        new[own, child] = other
    assert all(len(found) == 1 for found in pairs.values())
    assert sorted(own for own, _ in pairs) == sorted(new.values())


@settings(max_examples=100)
@given(seeds, st.integers(0, 40), st.integers(1, 6))
def test_limited_splits_are_nested_and_leave_val_and_test_alone(seed, n, shots):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 4, n)
    split = random.choice([*SUBSETS, ""], n)
    few, more = (limit_shots(split, labels, k, np.random.default_rng(seed)) for k in (shots, shots + 1))
    for taxon in range(4):
        had = np.sum(split[labels == taxon] == "train")
        assert np.sum(few[labels == taxon] == "train") == min(had, shots)
    assert np.all((few != "train") | (more == "train"))
    kept = split != "train"
    np.testing.assert_array_equal(few[kept], split[kept])
    assert set(few[~kept]) <= {"train", ""}


@settings(max_examples=100)
@given(seeds, st.integers(0, 25), st.booleans())
def test_each_image_is_left_out_once(seed, n, grouped):
    random = np.random.default_rng(seed)
    labels = random.integers(-1, 6, n)
    groups = random.integers(-1, 5, n) if grouped else None
    tested = []
    for split in leave_one_out(labels, random, groups):
        (one,) = np.flatnonzero(split == "test")
        tested.append(one)
        learnt = np.isin(split, ["train", "val"])
        assert labels[one] in labels[learnt]
        if grouped and groups[one] >= 0:
            assert groups[one] not in groups[learnt]
        assert np.all(labels[learnt] >= 0)
    alone = [
        image
        for image in range(n)
        if labels[image] < 0
        or not any(
            labels[other] == labels[image] and (not grouped or groups[other] < 0 or groups[other] != groups[image])
            for other in range(n)
            if other != image
        )
    ]
    assert tested == [image for image in range(n) if image not in alone]
