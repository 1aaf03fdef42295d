import math
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from threadpoolctl import threadpool_limits

from bioclip_probe.stats.rows import Rows
from bioclip_probe.stats.sweep import binning, comparison, histograms, scoring, sweep
from bioclip_probe.stats.sweep.points import Points
from bioclip_probe.stats.sweep.replicates import Replicates
from bioclip_probe.tree import Placement, Tree, patristic_distances
from tests.definitions import hierarchy as pairings
from tests.definitions import retrieval as definitions
from tests.definitions.tree import path_length
from tests.support.made_up_vectors import random_taxonomy, signal_vectors, unit_rows, vectors_on_trees


def images(n_species=40, n_images=240, seed=0, d=8, noise=0.4):
    rng = np.random.default_rng(seed)
    placement = random_taxonomy(n_species, n_images, rng)
    return Rows.images(signal_vectors(placement, d, 0.8, noise, rng), placement), rng


def distances(rows):
    """Tree and embedding distance of all rows at tips, the latter so rounded that equal ones are equal."""
    at = np.flatnonzero(rows.tips >= 0)
    node = rows.tree.tips[rows.tips[at]]
    t = np.array([[round(path_length(rows.tree, a, b), 6) for b in node] for a in node]).reshape(len(at), len(at))
    vectors = np.asarray(rows.vectors, dtype=float)[at]
    c = np.array([[pairings.cosine_distance(u, v) for v in vectors] for u in vectors]).reshape(len(at), len(at))
    return at, t, c


def replicates(rows, group, n_orders=0, n_anchors=10**6, seed=1):
    """Jackknife groups, and permutations of the tips."""
    plain = Replicates.jackknife(group, int(group.max(initial=0)) + 1)
    return plain.with_permutations(rows, np.random.default_rng(seed), n_orders, n_anchors) if n_orders else plain


def is_unambiguous(c, t, widest, highest):
    """No distance lies within rounding of the edge of its cell, and no two differ without differing in their cells.

    Such a draw has no one right answer.
    """
    for values, cells in ((c, binning.N_CELLS / widest), (t, (binning.N_TREE_CELLS - 1) / (highest or 1))):
        values = np.unique(values)
        if not (np.abs(values * cells % 1 - 0.5) > 1e-2).all():
            return False
        gaps = np.diff(values)
        if not ((gaps < 1e-7) | (gaps > 2 / cells)).all():
            return False
    return True


def cases(swept_rows):
    at, t, c = distances(swept_rows)
    c = np.round(c, 6)
    for i, row in enumerate(at):
        yield row, [(float(t[i, j]), float(c[i, j])) for j in range(len(at)) if j != i]


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(vectors_on_trees(max_images=6))
def test_scores_and_counts_agree_with_their_definitions(made):
    vectors, placement = made
    rows = Rows.images(vectors, placement)
    at, t, c = distances(rows)
    widest = Points.of(np.asarray(vectors), at).bound
    assume(is_unambiguous(c, t, widest, 2 * rows.tree.depth[rows.tree.tips].max()))
    group = np.where(rows.tips >= 0, rows.tips % 3, -1)
    found = sweep.sweep(rows, replicates(rows, group), anchors=True)
    steps = sorted({0.0, *np.unique(t).tolist()})
    assert found.joint.steps == pytest.approx(steps, abs=1e-3)
    tied = np.zeros(found.tied.shape)
    for row, others in cases(rows):
        scores = found.scores[row]
        check_scores(scores, others, steps)
        if len(others) <= 4:
            tied += scores_of([(s, 0.0) for s, _ in others], steps)
    if len(at) <= 5:
        np.testing.assert_allclose(found.tied, tied, atol=1e-9)
    assert np.isnan(found.scores[rows.tips < 0]).all()
    check_counts(found, group, t, c, at, steps)
    check_sums_without_each_group(found, group, t, c, at, steps)


def scores_of(others, steps):
    """All scores of an anchor from its list."""
    scores = np.zeros((scoring.N_SCORES, len(steps)))
    for level, step in enumerate(steps):
        scores[scoring.SIZE, level] = sum(s == step for s, _ in others)
        scores[[scoring.RIGHT, scoring.TRIPLETS], level] = definitions.triplets(others, step)
        scores[scoring.TIED, level] = sum(c == d for s, c in others for r, d in others if s == step < r) / 2
        for first, candidates in ((scoring.AP, others), (scoring.AP_OTHER, definitions.other_species(others))):
            if any(s <= step for s, _ in candidates):
                precisions = definitions.average_precision(candidates, step), definitions.r_precision(candidates, step)
                scores[first : first + 3, level] = *precisions, 1
    expected = definitions.hierarchical_ap(others, steps) if len(steps) > 1 else math.nan
    if math.isfinite(expected):
        scores[[scoring.HIERARCHICAL_AP, scoring.SCORED_HIERARCHICAL], 0] = expected, 1
    return scores


def check_scores(scores, others, steps):
    """The scores of an anchor against their definitions."""
    np.testing.assert_allclose(scores, scores_of(others, steps), atol=1e-9)


def check_sums_without_each_group(found, group, t, c, at, steps):
    """Sums of scores over the anchors that are left, with the candidates that are left."""
    c = np.round(c, 6)
    for left_out in range(len(found.without_group)):
        kept = [i for i, row in enumerate(at) if group[row] != left_out]
        lists = [[(float(t[i, j]), float(c[i, j])) for j in kept if j != i] for i in kept]
        expected = sum((scores_of(others, steps) for others in lists), np.zeros(found.tied.shape))
        np.testing.assert_allclose(found.without_group[left_out], expected, atol=1e-9)


def check_counts(found, group, t, c, at, steps):
    """The joint histogram, whole and without each group: its counts and the rank statistics that follow."""
    for left_out in (None, *range(len(found.joint.by_group))):
        counts = found.joint.counts if left_out is None else found.joint.without_group(left_out)
        kept = [i for i, row in enumerate(at) if left_out is None or group[row] != left_out]
        pairing = [(float(t[i, j]), round(float(c[i, j]), 6)) for i, j in combinations(kept, 2)]
        assert counts.sum(axis=1).tolist() == [sum(s == step for s, _ in pairing) for step in steps]
        assert histograms.kendall_tau_b(counts) == pytest.approx(definitions.kendall_tau_b(pairing), nan_ok=True)
        expected = pairings.spearman(pairing)
        assert histograms.spearman(counts) == pytest.approx(expected, abs=1e-9, nan_ok=True)
        met = [step for step in steps if any(s == step for s, _ in pairing)]
        auc, error = histograms.neighboring_auc(counts)
        for near, far in pairwise(met):
            lists = ([c for s, c in pairing if s == step] for step in (near, far))
            assert auc[steps.index(near)] == pytest.approx(definitions.auc(*lists))
            assert 0 <= error[steps.index(near)] <= 0.5


def test_bins_hide_no_more_triplets_than_are_reported_as_tied():
    rows, _ = images(noise=1.0)
    found = sweep.sweep(rows, anchors=True)
    c = 1 - np.asarray(rows.vectors, float) @ np.asarray(rows.vectors, float).T
    t = patristic_distances(rows.tree)[np.ix_(rows.tips, rows.tips)]
    for anchor in range(0, 240, 12):
        others = np.arange(240) != anchor
        ts, cs = t[anchor, others], c[anchor, others]
        for level, step in enumerate(found.joint.steps):
            near, far = cs[np.isclose(ts, step)], cs[ts > step + 1e-6]
            exact = np.sum(near[:, None] < far)
            hidden = found.scores[anchor, scoring.TIED, level]
            assert abs(found.scores[anchor, scoring.RIGHT, level] - exact) <= hidden + 1e-9


def test_binned_statistics_agree_with_scipy_and_scikit_learn():
    from scipy.stats import kendalltau, spearmanr
    from sklearn.metrics import average_precision_score

    rows, _ = images(noise=1.0)
    found = sweep.sweep(rows, anchors=True)
    c = 1 - np.asarray(rows.vectors, float) @ np.asarray(rows.vectors, float).T
    t = patristic_distances(rows.tree)[np.ix_(rows.tips, rows.tips)]
    upper = np.triu_indices(240, 1)
    assert histograms.spearman(found.joint.counts) == pytest.approx(spearmanr(t[upper], c[upper])[0], abs=1e-5)
    assert histograms.kendall_tau_b(found.joint.counts) == pytest.approx(kendalltau(t[upper], c[upper])[0], abs=2e-4)
    for anchor in range(0, 240, 30):
        others = np.arange(240) != anchor
        for level, step in enumerate(found.joint.steps):
            relevant = t[anchor, others] < step + 1e-6
            if relevant.any():
                expected = average_precision_score(relevant, -c[anchor, others])
                assert found.scores[anchor, scoring.AP, level] == pytest.approx(expected, abs=5e-3)


def test_a_torch_device_counts_the_same_pairs():
    rows, _ = images()
    several = replicates(rows, rows.tips % 5, 3, 50)
    for anchors in (True, False):
        here = sweep.sweep(rows, several, anchors=anchors)
        there = sweep.sweep(rows, several, anchors=anchors, workers=sweep.SweepWorkers(device="cpu:0"))
        # Another order of summation may move a pair to the next bin.
        assert np.abs(here.joint.by_group - there.joint.by_group).sum() <= 1e-3 * here.joint.by_group.sum()
        assert np.abs(here.joint.within_group - there.joint.within_group).sum() <= 1e-3 * here.joint.within_group.sum()
        np.testing.assert_array_equal(here.joint.counts.sum(axis=1), there.joint.counts.sum(axis=1))
        np.testing.assert_allclose(here.scores, there.scores, rtol=1e-3, atol=1e-2)
        np.testing.assert_allclose(here.without_group, there.without_group, rtol=1e-3, atol=1e-2)
        np.testing.assert_allclose(here.permuted, there.permuted, rtol=1e-3, atol=1e-2)
        np.testing.assert_allclose(here.permuted_counts.sum(axis=2), there.permuted_counts.sum(axis=2))


@pytest.mark.slow
def test_the_number_of_threads_does_not_change_a_bit():
    """Two threads of the linear algebra give other last digits in products of rows as long as these."""
    rows, _ = images(n_images=2400, d=600)
    found = []
    for ours, of_algebra in ((1, 1), (1, 2), (2, 2), (5, 2)):
        with threadpool_limits(of_algebra):
            workers = sweep.SweepWorkers(n_threads=ours)
            found.append(sweep.sweep(rows, replicates(rows, rows.tips % 4, 2, 500), anchors=True, workers=workers))
    for other in found[1:]:
        np.testing.assert_array_equal(other.joint.counts, found[0].joint.counts)
        for name in ("scores", "without_group", "permuted", "permuted_counts", "tied"):
            np.testing.assert_array_equal(getattr(other, name), getattr(found[0], name))


@pytest.mark.slow
def test_an_error_in_one_thread_stops_the_others(monkeypatch):
    rows, _ = images()
    seen = []

    def compare_rows(products, start, inputs, totals, out, anchors):
        seen.append(start)
        raise ZeroDivisionError

    monkeypatch.setattr(comparison, "compare_rows", compare_rows)
    with pytest.raises(ZeroDivisionError):
        sweep.sweep(rows, workers=sweep.SweepWorkers(n_threads=2, block=1))
    assert len(seen) <= 10


@pytest.mark.parametrize("block", [1, 7, 240])
def test_the_block_size_does_not_change_the_result(block):
    rows, _ = images()
    in_one_block = sweep.sweep(rows, anchors=True)
    blocked = sweep.sweep(rows, anchors=True, workers=sweep.SweepWorkers(n_threads=3, block=block))
    assert np.abs(in_one_block.joint.by_group - blocked.joint.by_group).sum() <= 40  # rounding next to an edge
    np.testing.assert_allclose(in_one_block.scores, blocked.scores, rtol=1e-3, atol=1e-2)


def precisions(sums):
    """Numbers that are made of sums of scores."""
    ratios = [(scoring.RIGHT, scoring.TRIPLETS), (scoring.HIERARCHICAL_AP, scoring.SCORED_HIERARCHICAL)]
    ratios += [(scoring.AP, scoring.SCORED), (scoring.AP_OTHER, scoring.SCORED_OTHER)]
    ratios += [(scoring.R_PRECISION, scoring.SCORED), (scoring.R_PRECISION_OTHER, scoring.SCORED_OTHER)]
    return np.array([sums[above] / np.maximum(sums[below], 1) for above, below in ratios])


def test_scores_without_a_group_are_those_of_a_sweep_over_the_rest():
    rows, _ = images(n_images=600, noise=1.0)
    group = rows.tips % 6
    found = sweep.sweep(rows, replicates(rows, group), anchors=True)
    for left_out in range(6):
        kept = group != left_out
        node = rows.tree.tips[rows.tips[kept]]
        alone = sweep.sweep(Rows.images(rows.vectors[kept], Placement(rows.tree, node)), anchors=True)
        level = [int(np.argmin(np.abs(found.joint.steps - step))) for step in alone.joint.steps]
        got, expected = found.without_group[left_out][:, level], alone.sums
        for exact in (scoring.TRIPLETS, scoring.SCORED, scoring.SCORED_OTHER, scoring.SIZE):
            np.testing.assert_array_equal(got[exact], expected[exact])
        if len(level) == len(found.joint.steps):  # else the relevance of hierarchical AP counts other levels
            np.testing.assert_allclose(precisions(got), precisions(expected), atol=5e-3)
        assert np.mean(np.abs(precisions(got) - precisions(expected))[[0, 2, 3, 4, 5]]) < 5e-4


def test_scores_on_a_permuted_tree_are_those_of_rows_that_moved():
    rows, _ = images(noise=1.0)
    several = replicates(rows, rows.tips % 2, n_orders=3)
    found = sweep.sweep(rows, several, anchors=True)
    for order, sums, counts in zip(several.orders, found.permuted, found.permuted_counts, strict=True):
        moved = sweep.sweep(Rows(rows.tree, rows.vectors, order[rows.tips], order[rows.groups]), anchors=True)
        for exact in (scoring.TRIPLETS, scoring.SCORED, scoring.SCORED_OTHER, scoring.SIZE):
            np.testing.assert_array_equal(sums[exact], moved.sums[exact])
        np.testing.assert_allclose(precisions(sums), precisions(moved.sums), atol=5e-3)  # coarse bins
        np.testing.assert_array_equal(counts.sum(axis=1), moved.joint.counts.sum(axis=1))
        expected = histograms.spearman(moved.joint.counts)
        assert histograms.spearman(counts) == pytest.approx(expected, abs=1e-3)


def test_species_are_not_permuted_on_an_uneven_tree():
    rows, rng = images()
    tree = rows.tree
    uneven = Tree(tree.parent, tree.length * rng.uniform(0.5, 1.5, len(tree)), tree.name, tree.rank)
    rows = Rows(uneven, rows.vectors, rows.tips, rows.groups)
    with pytest.raises(ValueError, match="equally deep"):
        sweep.sweep(rows, replicates(rows, rows.tips % 2, n_orders=1), anchors=True)


def test_the_order_of_rows_does_not_matter():
    rows, rng = images()
    order = rng.permutation(240)
    shuffled = Rows(rows.tree, rows.vectors[order], rows.tips[order], rows.groups[order])
    a, b = sweep.sweep(rows, anchors=True), sweep.sweep(shuffled, anchors=True)
    np.testing.assert_array_equal(a.joint.counts, b.joint.counts)
    np.testing.assert_allclose(a.scores[order], b.scores, rtol=1e-12)


def test_embeddings_that_nearly_coincide_keep_their_order():
    """An untrained network gives such embeddings, with cosine distances around 1e-5."""
    rows, _ = images()
    far = sweep.sweep(rows, anchors=True)
    vectors = unit_rows(np.eye(9)[8] + 3e-3 * np.pad(np.asarray(rows.vectors, float), ((0, 0), (0, 1))))
    near = sweep.sweep(Rows(rows.tree, vectors, rows.tips, rows.groups), anchors=True)
    assert near.joint.edges[-1] < 1e-4
    expected = histograms.spearman(far.joint.counts)
    assert histograms.spearman(near.joint.counts) == pytest.approx(expected, abs=1e-4)
    np.testing.assert_allclose(near.scores[:, scoring.AP], far.scores[:, scoring.AP], atol=0.02)


def test_levels_of_a_phylogeny_hold_equal_shares_of_pairs():
    rng = np.random.default_rng(1)
    placement = random_taxonomy(300, 300, rng)
    tree = placement.tree
    length = tree.length * rng.uniform(0.5, 1.5, len(tree))
    length[0] = 0
    uneven = type(tree)(tree.parent, length, tree.name, tree.rank, "Myr")
    vectors = signal_vectors(placement, 8, 0.8, 0.0, rng)
    rows = Rows.images(vectors, type(placement)(uneven, placement.node))
    joint = sweep.sweep(rows).joint
    assert joint.binned and len(joint.steps) <= binning.N_LEVELS
    shares = joint.counts.sum(axis=1) / joint.counts.sum()
    assert np.sort(shares)[-1] < 0.05
    from scipy.stats import spearmanr

    upper = np.triu_indices(300, 1)
    c = (1 - vectors.astype(float) @ vectors.T.astype(float))[upper]
    t = patristic_distances(uneven)[np.ix_(rows.tips, rows.tips)][upper]
    assert histograms.spearman(joint.counts) == pytest.approx(spearmanr(t, c)[0], abs=1e-3)


def test_inputs_are_unchanged():
    rows, _ = images()
    before = rows.vectors.copy(), rows.tips.copy()
    sweep.sweep(rows, anchors=True)
    assert np.array_equal(rows.vectors, before[0]) and np.array_equal(rows.tips, before[1])
