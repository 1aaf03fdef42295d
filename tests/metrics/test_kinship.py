from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from bioclip_probe.metrics.image_pass import K_NEIGHBORS
from bioclip_probe.metrics.kinship import estimate_lca_depth, mistake_severity, neighbour_lca_depth
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.tree import patristic_distances
from tests.definitions import nearest as definition
from tests.support.made_up_vectors import unit_rows
from tests.support.settings import FEW
from tests.support.taxa import made_up, rng


def everything(vectors, placement, settings=FEW, **shared):
    subject = SharedResults(vectors, placement, settings, **shared)
    rows = neighbour_lca_depth(subject, placement) + mistake_severity(subject, placement)
    return {row.metric: row.estimate for row in rows}


def steps_between(placement):
    """Ranks below the common ancestor of the species of any two images."""
    species = placement.coarsen("species")
    tip = np.searchsorted(species.tree.tips, species.node)
    return patristic_distances(species.tree)[np.ix_(tip, tip)].round(6)


def depth_and_severity(steps, near):
    """Mean depth of the common ancestor with the neighbours; mean height where the nearest is of another species."""
    depth = [sum((7 - steps[row, other]) * share for other, share in each.items()) for row, (_, each) in near.items()]
    wrong = []
    for row, (candidates, each) in near.items():
        if any(steps[row, other] == 0 for other in candidates):
            wrong += [(share, steps[row, other]) for other, share in each.items() if steps[row, other] > 0]
    shares, heights = np.array(wrong).T if wrong else np.zeros((2, 0))
    return np.mean(depth), shares @ heights / shares.sum() if len(shares) else np.nan


def test_kinship_equals_its_definition_with_groups_left_out_and_without_each_group_of_species():
    vectors, placement = made_up(15, 60, 0.8, 0.5, 6)
    groups, steps = rng(4).integers(-1, 12, 60), steps_between(placement)
    settings = replace(FEW, n_groups=5)
    found = everything(vectors, placement, settings, groups=groups)
    left_out = SharedResults(vectors, placement, settings).jackknife().group
    for k in K_NEIGHBORS:
        for group in range(-1, 5):
            near = definition.neighborhoods(vectors, k, np.flatnonzero(left_out != group), groups)
            depth, severity = depth_and_severity(steps, near)
            estimate = found[f"neighbour_lca_depth_{k}"]
            assert (estimate.value if group < 0 else estimate.replicates[group]) == pytest.approx(depth)
            if k == 1:
                estimate = found["mistake_severity"]
                assert (estimate.value if group < 0 else estimate.replicates[group]) == pytest.approx(severity)
    near = definition.neighborhoods(vectors, 1, range(60), groups)
    able = [row for row in range(60) if any(steps[row, other] == 0 for other in near[row][0])]
    wrong = [row for row in able if all(steps[row, other] > 0 for other in near[row][1])]
    assert found["mistake_severity"].note.startswith(f"{len(wrong)} mistakes of {len(able)} images")
    assert found["mistake_severity"].n_images == len(wrong)


def test_chance_is_the_mean_over_all_permutations_of_species():
    vectors, placement = made_up(5, 15, 0.5, 1.0, 4)
    steps, species = steps_between(placement), np.unique(placement.node, return_inverse=True)[1]
    first = np.unique(species, return_index=True)[1]
    found = everything(vectors, placement)
    near = {k: definition.neighborhoods(vectors, k, range(15)) for k in K_NEIGHBORS}
    for k in K_NEIGHBORS:
        null = []
        for order in permutations(first):
            permuted = steps[np.ix_(np.array(order)[species], np.array(order)[species])]
            null.append(depth_and_severity(permuted, near[k]))
        depth, severity = np.mean(null, axis=0)
        assert found[f"neighbour_lca_depth_{k}"].chance == pytest.approx(depth)
        if k == 1:
            assert found["mistake_severity"].chance == pytest.approx(severity)
    assert {estimate.null for estimate in found.values()} == {"species"}


def test_a_memoriser_of_species_without_a_tree_is_at_chance_and_a_tree_lies_above():
    _, placement = made_up(60, 300)
    species = rng().standard_normal((len(placement.tree), 32))[placement.node]
    memoriser = everything(unit_rows(species + 0.9 * rng(1).standard_normal(species.shape)), placement)
    for name in ("neighbour_lca_depth_5", "neighbour_lca_depth_10", "mistake_severity"):
        assert memoriser[name].ci_low < memoriser[name].chance < memoriser[name].ci_high
    tree = everything(*made_up(60, 300, noise=1.5, d=32))
    assert tree["neighbour_lca_depth_10"].ci_low > tree["neighbour_lca_depth_10"].chance
    assert tree["mistake_severity"].ci_high < tree["mistake_severity"].chance


def test_a_group_that_holds_all_leaves_no_candidate():
    vectors, placement = made_up(15, 60, 0.8, 0.5, 6)
    found = everything(vectors, placement, groups=np.zeros(60, dtype=int))
    assert found["neighbour_lca_depth_1"].note == found["mistake_severity"].note == "no image has a candidate"


def test_undefined_says_why():
    vectors, placement = made_up(15, 60, noise=0.0)
    several = np.bincount(placement.node)[placement.node] > 1
    sure = everything(vectors[several], placement.take(several))["neighbour_lca_depth_1"]
    assert sure.value == pytest.approx(7) and 5 < sure.ci_low < 6
    few = everything(vectors, placement)["neighbour_lca_depth_1"]
    assert np.isnan(few.ci_low) and few.note == "no interval: 1 units (species) have a neighbour of another species"
    assert everything(vectors, placement)["mistake_severity"].note == "no nearest image is of another species"
    one = np.flatnonzero(placement.node == placement.node[0])
    assert everything(vectors[one], placement.take(one))["neighbour_lca_depth_1"].note == "only one taxon"
    genera = placement.take(np.arange(60))
    node = genera.tree.parent[genera.node]
    found = everything(vectors, type(genera)(genera.tree, node))["neighbour_lca_depth_5"]
    assert (found.note, found.n_excluded) == ("no image has a name at this rank", 60)


def test_lists_must_suffice_for_the_neighbours_that_are_asked_for():
    shared = SharedResults(*made_up(15, 60))
    with pytest.raises(ValueError, match="suffice for 1 to 10"):
        estimate_lca_depth(shared.neighbors("species"), 11, shared.jackknife(), FEW)
