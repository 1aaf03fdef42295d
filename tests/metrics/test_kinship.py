import numpy as np
import pytest

from bioclip_probe.metrics.kinship import estimate_lca_depth, estimate_mistake_severity
from bioclip_probe.metrics.shared import K_NEIGHBORS
from bioclip_probe.stats.rows import Rows
from bioclip_probe.stats.sweep.sweep import sweep
from bioclip_probe.tree import Placement, patristic_distances
from tests.definitions.separation import neighbours_of
from tests.support.taxa import DEFAULT, made_up, random_phylogeny, rng


def everything(vectors, placement, groups=None):
    found = sweep(Rows.images(vectors, placement.coarsen("species")), anchors=True, k=10, groups=groups)
    severity = estimate_mistake_severity(found, rng(), DEFAULT)
    return estimate_lca_depth(found, rng(), DEFAULT) | {"mistake_severity": severity}


def steps_between(placement):
    """Ranks below the common ancestor of the species of any two images."""
    species = placement.coarsen("species")
    tip = np.searchsorted(species.tree.tips, species.node)
    return patristic_distances(species.tree)[np.ix_(tip, tip)].round(6)


def test_neighbours_are_their_definitions_with_groups_left_out():
    vectors, placement = made_up(15, 60, 0.8, 0.5, 6)
    groups = rng(4).integers(-1, 12, 60)
    steps = steps_between(placement)
    found = everything(vectors, placement, groups)
    near = [neighbours_of(vectors, 60, row, groups) for row in range(60)]
    for k in K_NEIGHBORS:
        expected = np.mean([np.mean([7 - steps[row, other] for other in near[row][:k]]) for row in range(60)])
        chance = np.mean([np.mean([7 - steps[row, other] for other in near[row]]) for row in range(60)])
        assert found[f"neighbour_lca_depth_{k}"].value == pytest.approx(expected, abs=1e-9)
        assert found[f"neighbour_lca_depth_{k}"].chance == pytest.approx(chance, abs=1e-9)
    able = [row for row in range(60) if any(steps[row, other] == 0 for other in near[row])]
    wrong = [row for row in able if steps[row, near[row][0]] > 0]
    others = [[steps[row, other] for other in near[row] if steps[row, other] > 0] for row in wrong]
    severity = found["mistake_severity"]
    assert severity.value == pytest.approx(np.mean([steps[row, near[row][0]] for row in wrong]), abs=1e-9)
    assert severity.chance == pytest.approx(np.mean([np.mean(each) for each in others]), abs=1e-9)
    assert severity.note == f"{len(wrong)} mistakes of {len(able)} images"


def test_a_group_that_holds_all_leaves_no_candidate():
    vectors, placement = made_up(15, 60, 0.8, 0.5, 6)
    found = everything(vectors, placement, np.zeros(60, dtype=int))
    assert found["neighbour_lca_depth_1"].note == found["mistake_severity"].note == "no image has a candidate"


def test_a_phylogeny_has_no_ranks_to_count():
    tree = random_phylogeny(12)
    rows = Rows.images(np.eye(12), Placement(tree, tree.tips))
    swept = sweep(rows, k=10)
    assert estimate_mistake_severity(swept, rng(), DEFAULT).note == "needs a taxonomy"


def test_a_sweep_without_neighbours_is_an_error():
    vectors, placement = made_up(15, 60)
    with pytest.raises(ValueError, match="pass k"):
        estimate_lca_depth(sweep(Rows.images(vectors, placement)), rng(), DEFAULT)
