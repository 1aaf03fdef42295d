import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.tree import patristic_distances
from bioclip_probe.tree.grafting import graft
from bioclip_probe.tree.newick import parse_newick
from tests.support.strategies import trees


def distance(tree, a: str, b: str) -> float:
    names = tree.name[tree.tips].tolist()
    return patristic_distances(tree)[names.index(a), names.index(b)]


def test_a_new_tip_hangs_from_the_crown_of_its_genus_and_is_as_deep_as_the_others():
    tree = parse_newick("((Felis_catus:2,(Felis_silvestris:1,Felis_lybica:1):1):3,Puma_concolor:5);")
    grown, new_index, tips = graft(tree, [1], ["Felis nigripes"])
    assert grown.is_ultrametric
    assert distance(grown, "Felis nigripes", "Felis_catus") == distance(grown, "Felis nigripes", "Felis_lybica") == 4
    assert distance(grown, "Felis nigripes", "Puma_concolor") == 10
    assert grown.name[tips].tolist() == ["Felis nigripes"]
    assert grown.name[new_index].tolist() == tree.name.tolist()


def test_beside_a_single_tip_it_hangs_from_the_middle_of_the_branch():
    grown, _, _ = graft(parse_newick("((Felis_catus:3,Lynx_lynx:3):2,Puma_concolor:5);"), [4, 4], ["Puma a", "Puma b"])
    assert grown.is_ultrametric
    assert distance(grown, "Puma a", "Puma_concolor") == distance(grown, "Puma a", "Puma b") == 5
    assert distance(grown, "Puma a", "Felis_catus") == 10


@settings(max_examples=50)
@given(trees(min_nodes=2), st.data())
def test_old_distances_stay_whatever_is_grafted(tree, data):
    crowns = data.draw(st.lists(st.integers(1, len(tree) - 1), max_size=4))
    grown, new_index, tips = graft(tree, crowns, [f"new {i}" for i in range(len(crowns))])
    assert grown.name[new_index].tolist() == tree.name.tolist()
    assert grown.depth[new_index] == pytest.approx(tree.depth)
    assert len(grown.tips) == len(tree.tips) + len(crowns)
    assert set(tips) <= set(grown.tips.tolist())
    old = np.flatnonzero(np.isin(grown.tips, new_index))
    assert patristic_distances(grown)[np.ix_(old, old)] == pytest.approx(patristic_distances(tree), abs=1e-9)
