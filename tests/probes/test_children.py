"""Deals of children: what is never learnt from, what is asked about in every fold, and noise that scores chance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.probes import load
from bioclip_probe.probes.children import hold_out_children
from bioclip_probe.probes.learning import LearnSettings

seeds = st.integers(0, 2**32 - 1)


def nested(random, n):
    """Return taxa and children; some are missing."""
    low = random.integers(0, 9, n)
    labels, children = 10 + low // 2, 20 + low
    for array in (labels, children):
        array[random.random(n) < 0.1] = -1
    return labels, children


@pytest.mark.slow
@settings(max_examples=150)
@given(seeds, st.integers(0, 60), st.integers(4, 6), st.booleans())
def test_a_child_that_is_held_out_is_never_learnt_from(seed, n, n_folds, grouped):
    random = np.random.default_rng(seed)
    labels, children = nested(random, n)
    groups = random.integers(-1, 8, n) if grouped else None
    folds = hold_out_children(labels, children, random, n_folds, groups)
    assert folds.shape == (n_folds, n)
    named = (labels >= 0) & (children >= 0)
    for fold in folds:
        learnt, seen, unseen = np.isin(fold, ["train", "val"]), fold == "seen", fold == "unseen"
        assert not set(children[learnt]) & set(children[unseen])
        assert set(children[seen]) <= set(children[learnt])
        assert set(labels[unseen]) == set(labels[learnt])
        if groups is not None:
            assert not set(groups[learnt & (groups >= 0)]) & set(groups[(seen | unseen) & (groups >= 0)])
    for taxon in np.unique(labels[named]):
        own = named & (labels == taxon)
        sizes = np.unique(children[own], return_counts=True)[1]
        if len(sizes) < 2:
            assert np.all(folds[:, own] == "")
        elif groups is None:
            assert np.all(np.sum(folds[:, own] == "unseen", axis=1) > 0), "asked in every fold"
            assert np.all(np.sum(folds[:, own] == "unseen", axis=0) > 0), "by every image"
            for child, size in zip(np.unique(children[own]), sizes, strict=True):
                times = np.sum(folds[:, own & (children == child)] == "seen", axis=0)
                assert np.all(times == (1 if size > 1 else 0))


def test_children_are_dealt_to_folds_evenly():
    children = np.repeat(np.arange(50), 4)
    folds = hold_out_children(children // 10, children, np.random.default_rng(0))
    for fold in folds:
        for taxon in range(5):
            own = fold[children // 10 == taxon]
            assert [np.sum(own == name) for name in ("unseen", "seen", "train", "val")] == [8, 8, 18, 6]
    with pytest.raises(ValueError, match="at least 4 folds"):
        hold_out_children(children // 10, children, np.random.default_rng(0), n_folds=3)


def test_taxa_with_two_children_take_val_from_the_images_they_learn_from():
    children = np.repeat(np.arange(6), 10)
    for fold in hold_out_children(children // 2, children, np.random.default_rng(0)):
        for taxon in range(3):
            own = fold[children // 2 == taxon]
            assert np.sum(own == "unseen") == 10 and np.sum(own == "val") == 1
            assert np.sum(own == "train") + np.sum(own == "seen") == 9


@pytest.mark.slow
@pytest.mark.parametrize("learner", ["linear", "ridge", "lda", "knn"])
def test_noise_scores_chance_whatever_the_sizes_of_taxa(learner):
    """Four taxa of very unequal size: averaged over taxa, both ways of asking are at a quarter, and do not differ."""
    sizes = {0: [3, 3], 1: [4, 2, 6], 2: [8] * 6, 3: [5] * 12}
    children = np.repeat(np.arange(23), [size for taxon in sizes.values() for size in taxon])
    labels = np.repeat(np.arange(4), [sum(taxon) for taxon in sizes.values()])
    recall = {"seen": [], "unseen": []}
    for seed in range(12):
        random = np.random.default_rng(seed)
        vectors = random.standard_normal((len(labels), 12)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        for fold in hold_out_children(labels, children, random):
            tested = np.isin(fold, ["seen", "unseen"])
            split = np.where(tested, "test", fold)
            (found,) = load(learner)(vectors, labels[None], split[None], LearnSettings(balanced=True))
            for asked, own in recall.items():
                of = fold == asked
                taxa = np.unique(labels[of])
                own.append(np.mean([np.mean(found.predicted[of & (labels == t)] == t) for t in taxa]))
    for values in recall.values():
        assert abs(np.mean(values) - 0.25) < 3 * np.std(values) / np.sqrt(len(values))
