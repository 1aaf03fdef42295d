"""The primary endpoints: four numbers that the registry knows, on the right tree."""

from __future__ import annotations

import pytest

from bioclip_probe.metrics.endpoints import PRIMARY, primary_tree
from bioclip_probe.metrics.registry import DIFFERENCE, REGISTRY
from bioclip_probe.tables import RANKS


def test_there_are_four_and_models_are_compared_in_each():
    assert len(PRIMARY) == 4 and len({endpoint.title for endpoint in PRIMARY}) == 4
    for endpoint in PRIMARY:
        assert endpoint.rank in RANKS
        for name in (endpoint.metric, f"{endpoint.metric}{DIFFERENCE}", *endpoint.beside):
            assert name in REGISTRY, name
        assert REGISTRY[endpoint.metric].better == "higher"
        assert (REGISTRY[endpoint.metric].subject == "answers") == (endpoint.probe is not None)


@pytest.mark.parametrize(
    ("trees", "expected"),
    [
        (["taxonomy"], "taxonomy"),
        ([], "taxonomy"),
        (["taxonomy", "true tree"], "true tree"),
        (["true tree", "birds", "taxonomy", "birds, 100 trees"], "birds"),
    ],
)
def test_the_tree_that_a_user_gave_comes_first(trees, expected):
    assert primary_tree(trees) == expected
