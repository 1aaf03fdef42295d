import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioclip_probe.stats.all_pairs import clade_forms
from bioclip_probe.stats.all_pairs.clade_forms import CladeForms, CladePlan
from tests.support.strategies import trees
from tests.support.taxa import random_phylogeny, rng


def tips_below(tree, node: int) -> list[int]:
    return [place for place, tip in enumerate(tree.tips) if node <= tip < tree.stop[node]]


@given(trees())
def test_clades_come_after_those_they_hold_and_nodes_with_the_same_tips_are_one(tree):
    plan = CladePlan.of(tree)
    k, held = len(tree.tips), []
    for node, clade in enumerate(plan.clade):
        tips = tips_below(tree, node)
        assert tips == ([clade] if clade < k else list(range(*plan.spans[clade - k])))
    tips, starts, n_children = plan.loop
    for clade, (low, high) in enumerate(plan.spans):
        below = [held.pop() for _ in range(n_children[clade])]
        own = [*tips[starts[clade] : starts[clade + 1]].tolist(), *(tip for part in below for tip in part)]
        assert sorted(own) == list(range(low, high))
        held.append(own)
    assert len(held) <= 1


@given(trees(), st.integers(1, 5), st.sampled_from(("cpu", "cpu:0")))
def test_a_form_is_that_of_the_sum_over_the_tips_of_each_node(tree, d, device):
    k, draw = len(tree.tips), rng(d)
    values, signs = draw.standard_normal((k, d)), draw.choice([-1.0, 1.0], d)
    orders, weights = np.array([draw.permutation(k) for _ in range(3)]), draw.standard_normal((2, len(tree)))
    plan = CladePlan.of(tree)
    forms = CladeForms(plan, values, signs, device)
    expected = np.zeros((3, 2))
    for p, order in enumerate(orders):
        for node in range(len(tree)):
            total = values[order][tips_below(tree, node)].sum(axis=0)
            expected[p] += weights[:, node] * (signs @ total**2)
    np.testing.assert_allclose(forms.weighted(orders, plan.per_clade(weights)), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("device", ["cpu", "cpu:0"])
def test_threads_batches_and_blocks_change_nothing(monkeypatch, device):
    tree, draw = random_phylogeny(30, 2), rng()
    values, orders = draw.standard_normal((30, 200)), [np.array([draw.permutation(30)]) for _ in range(20)]
    forms = CladeForms(CladePlan.of(tree), values, np.ones(200), device)
    alone = np.concatenate([forms.of_clades(order) for order in orders])
    monkeypatch.setattr(clade_forms, "n_threads", lambda work: 3)
    assert np.array_equal(np.concatenate(list(forms.each(forms.of_clades, orders))), alone)
    np.testing.assert_allclose(forms.of_clades(np.concatenate(orders)), alone, rtol=1e-13)
    monkeypatch.setattr(clade_forms, "BLOCK", 7)
    other = CladeForms(forms.plan, values, np.ones(200), device)
    np.testing.assert_allclose(np.concatenate([other.of_clades(order) for order in orders]), alone, rtol=1e-12)


def test_one_order_at_a_time_where_the_tree_is_large_and_no_more_than_fit_in_memory():
    forms = CladeForms(CladePlan.of(random_phylogeny(30, 2)), np.ones((30, 4)), np.ones(4))
    assert forms.orders_at_once(1) == 1
    assert forms.orders_at_once(2**40) == clade_forms.MOST_ORDERS
    assert CladeForms(forms.plan, forms.values, forms.signs, "cpu:0").orders_at_once() >= 1


@pytest.mark.parametrize(("k", "relative"), [(99, 1e-13), (120, 1e-5)])
def test_rounded_columns_change_forms_of_many_groups_by_rounding_only(k, relative):
    tree, draw = random_phylogeny(k, 3), rng()
    values, signs = draw.standard_normal((k, 300)), np.append(-np.ones(298), (1.0, -1.0))
    orders = np.array([draw.permutation(k) for _ in range(3)])
    exact = CladeForms(CladePlan.of(tree), values, signs)
    rounded = CladeForms(exact.plan, values, signs, n_rounded=298)
    found, expected = rounded.of_clades(orders), exact.of_clades(orders)
    np.testing.assert_allclose(found, expected, rtol=relative)
    assert np.array_equal(found, expected) == (k < clade_forms.FEWEST_ROUNDED)
