import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.errors import DataError
from bioclip_probe.metrics import reliability as module
from bioclip_probe.metrics.reliability import NAMES
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.rows import Rows
from bioclip_probe.tree import Placement, brownian
from tests.definitions import hierarchy as pairs
from tests.definitions import reliability as definitions
from tests.support.made_up_vectors import random_taxonomy, unit_rows, unit_vectors, vectors_on_trees
from tests.support.taxa import DEFAULT, cophenetic_correlation, rng, star_phylogeny

pytestmark = pytest.mark.slow


def noise_ceiling(vectors, placement, rng):
    jackknife = Jackknife.of("species", placement.node, np.random.default_rng(9))
    return module.estimate_noise_ceiling(vectors, placement, jackknife, rng, DEFAULT)


def scattered(noise=1.0, n_species=60, counts=6, d=16, seed=0):
    """Species evolved along a tree, their images about them, and the correlation of the noiseless species."""
    draw = rng(seed)
    tree = random_taxonomy(n_species, n_species, draw).tree
    placement = Placement(tree, np.repeat(tree.tips, counts))
    species = brownian(tree, d, draw, 0.8)
    scale = noise * np.sqrt(tree.depth.max())
    images = species[placement.node] + scale * draw.standard_normal((len(placement), d))
    truth = Rows.taxa(unit_rows(species[tree.tips]), Placement(tree, tree.tips)).sums.correlation()
    return unit_rows(images), placement, truth


# What the numbers are.


@st.composite
def pairs_of_images(draw, max_species: int = 7):
    """Two images of each species, so that both halves are known but for which is which."""
    vectors, placement = draw(vectors_on_trees(max_images=max_species))
    again = draw(unit_vectors(len(placement)))
    d = max(vectors.shape[1], again.shape[1])
    both = [np.pad(each, ((0, 0), (0, d - each.shape[1]))) for each in (vectors, again)]
    node = np.where(
        np.isin(np.arange(len(placement)), np.unique(placement.node, return_index=True)[1]), placement.node, -1
    )
    return np.concatenate(both), Placement(placement.tree, np.r_[node, node])


@settings(max_examples=35)
@given(pairs_of_images())
def test_reliability_is_the_correlation_of_the_halves_that_were_dealt(case):
    vectors, placement = case
    dealt = []

    def kept(*args, deals=module.random_halves):
        for a, b in deals(*args):
            dealt.append((a, b))
            yield a, b

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "random_halves", kept)
        found = noise_ceiling(vectors, placement, rng())
    taxa = pairs.images_of_taxa(placement)
    if len(taxa) < 3:
        assert all(e.note.startswith("needs at least 3 taxa with two images") for e in found.values())
        return
    r = []
    for a, b in dealt:
        for x, y, images in zip(a, b, taxa.values(), strict=True):
            one, other = (vectors[image] for image in images)
            assert np.allclose(np.sort([x, y], axis=0), np.sort([one, other], axis=0))
        r.append(definitions.half_correlation([([x], [y]) for x, y in zip(a, b, strict=True)]))
    value = found["split_half_reliability"].value
    assert len(r) == DEFAULT.n_halves and value == pytest.approx(np.mean(r), abs=1e-6, nan_ok=True)
    if value > 0.1:
        assert found["noise_ceiling"].value == pytest.approx(definitions.ceiling(value))
        try:
            expected = definitions.disattenuated(vectors, placement, value)
        except ZeroDivisionError:  # two images cancel out
            expected = math.nan
        assert found[NAMES[2]].value == pytest.approx(expected, abs=1e-6, nan_ok=True)
    else:
        assert all(math.isnan(found[name].value) and found[name].note for name in NAMES[1:])


def test_halves_are_of_each_species_and_as_even_as_can_be():
    vectors, placement, _ = scattered(counts=np.arange(60) % 4 + 2)
    species = np.searchsorted(placement.tree.tips, placement.node)
    coded = np.concatenate([np.eye(60)[species], np.eye(len(vectors))], axis=1)
    seen = set()
    for a, b in module.random_halves(coded, species, rng(), DEFAULT.n_halves):
        images = [side[:, 60:] > 0 for side in (a, b)]
        assert not np.any(images[0] & images[1]) and np.array_equal(
            np.any(images[0] | images[1], axis=0), np.ones(len(vectors))
        )
        for side in (a, b):
            assert np.array_equal(side[:, :60] > 0, np.eye(60) > 0)
        sizes = images[0].sum(axis=1) - images[1].sum(axis=1)
        assert set(sizes) <= {0, 1}
        seen.add(images[0].tobytes())
    assert len(seen) == DEFAULT.n_halves


# What they claim.


@pytest.mark.parametrize(("noise", "counts"), [(0.5, 6), (1.0, 6), (2.0, 20), (1.0, "uneven")])
def test_the_corrected_value_is_that_of_the_noiseless_species(noise, counts):
    counts = rng(3).integers(2, 30, 100) if counts == "uneven" else counts
    raw, corrected, true = [], [], []
    for seed in range(6):
        vectors, placement, truth = scattered(noise, 100, counts, 24, seed)
        found = noise_ceiling(vectors, placement, rng(seed))
        raw.append(Rows.taxa(vectors, placement).sums.correlation())
        corrected.append(found[NAMES[2]].value)
        true.append(truth)
    assert np.mean(raw) < np.mean(true)
    assert abs(np.mean(corrected) - np.mean(true)) < 0.06 * np.mean(true)
    assert abs(np.mean(corrected) - np.mean(true)) < 0.7 * abs(np.mean(raw) - np.mean(true))


def test_more_scatter_lowers_the_ceiling_and_more_images_raise_it():
    ceilings = [noise_ceiling(*scattered(noise)[:2], rng())["noise_ceiling"] for noise in (0.1, 0.5, 1.0, 1.5)]
    values = [found.value for found in ceilings]
    assert values == sorted(values, reverse=True) and values[0] > 0.99 and values[-1] < 0.85
    more = noise_ceiling(*scattered(1.5, counts=24)[:2], rng())["noise_ceiling"]
    assert more.value > values[-1] + 0.1
    for found in ceilings:
        assert found.ci_low < found.value < found.ci_high <= 1
        assert (found.resampled, found.n_units) == ("species", 60) and "jackknife" in found.ci_method


def test_images_that_coincide_leave_cpcc_as_it_is():
    vectors, placement, _ = scattered(noise=0.0)
    found = noise_ceiling(vectors, placement, rng())
    plain = cophenetic_correlation(vectors, placement, rng()).value
    assert [found[name].value for name in NAMES] == pytest.approx([1, 1, plain])


def test_images_that_know_no_species_have_no_reliability():
    _, placement, _ = scattered(n_species=40)
    draws = [unit_rows(rng(seed).standard_normal((len(placement), 16))) for seed in range(12)]
    found = [noise_ceiling(vectors, placement, rng(seed)) for seed, vectors in enumerate(draws)]
    values = [each["split_half_reliability"].value for each in found]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))
    low = [each for each in found if each["split_half_reliability"].value < 0.1]
    assert len(low) > 6 and all("hardly agree" in each[name].note for each in low for name in NAMES[1:])


def test_the_order_of_rows_a_rotation_and_what_is_not_there_do_not_matter():
    vectors, placement, _ = scattered()
    order = rng(5).permutation(len(vectors))
    turn = np.linalg.qr(rng(1).standard_normal((16, 16)))[0]
    found = noise_ceiling(vectors, placement, rng())
    other = noise_ceiling((vectors @ turn)[order], placement.take(order), rng())
    for name in NAMES:
        for a, b in zip(astuple(found[name]), astuple(other[name]), strict=True):
            assert a == b if isinstance(a, str) else a == pytest.approx(b, abs=1e-7, nan_ok=True)
    assert all(len(found[name].replicates) == 20 for name in NAMES)


def test_species_with_one_image_are_left_out_and_counted():
    vectors, placement, _ = scattered(counts=np.r_[np.full(50, 4), np.ones(10, dtype=int)])
    node = placement.node.copy()
    node[0] = -1
    found = noise_ceiling(vectors, Placement(placement.tree, node), rng())
    for estimate in found.values():
        assert (estimate.n_images, estimate.n_taxa, estimate.n_excluded) == (199, 50, 11)
        assert estimate.note == "10 species with one image left out"
    alone = noise_ceiling(vectors[1:200], placement.take(np.arange(1, 200)), rng())
    assert [found[n].value for n in NAMES] == pytest.approx([alone[n].value for n in NAMES])


def test_inputs_stay_and_results_repeat():
    vectors, placement, _ = scattered()
    before = vectors.copy()
    vectors.flags.writeable = False
    one, other = noise_ceiling(vectors, placement, rng()), noise_ceiling(vectors, placement, rng())
    assert {n: e.value for n, e in one.items()} == {n: e.value for n, e in other.items()}
    assert np.array_equal(vectors, before)


def test_the_unit_that_is_asked_for_is_left_out():
    vectors, placement, _ = scattered(n_species=80)
    shared = SharedResults(vectors.astype(np.float32), placement, MeasureSettings(resample="family"))
    found = {row.metric: row.estimate for row in module.noise_ceiling(shared, placement)}
    n_families = len(np.unique(placement.at("family")))
    assert {(estimate.resampled, estimate.n_units) for estimate in found.values()} == {("family", n_families)}
    assert [found[name].null for name in NAMES] == ["images", "", "species"]
    kept = shared.jackknife().group != 4
    taxa = Rows.taxa(vectors[kept], placement.take(kept))
    by_ceiling = found[NAMES[2]].replicates[4] * found[NAMES[1]].replicates[4]
    assert by_ceiling == pytest.approx(taxa.sums.correlation(), abs=1e-6)


def test_species_that_follow_the_tree_perfectly_reach_the_ceiling_on_average_and_may_exceed_it():
    """The ceiling is an estimate and no bound: noiseless distances are those of the tree itself."""
    over = []
    for seed in range(10):
        draw = rng(seed)
        tree = random_taxonomy(60, 60, rng(100)).tree
        placement = Placement(tree, np.repeat(tree.tips, 4))
        edges = np.zeros((len(tree), len(tree)))
        for node in range(1, len(tree)):  # an axis for each branch: squared distance is the length of the path
            edges[node] = edges[tree.parent[node]]
            edges[node, node] = np.sqrt(tree.length[node])
        x = edges[placement.node] + 0.15 * draw.standard_normal((len(placement), len(tree)))
        found = noise_ceiling(unit_rows(x), placement, draw)
        over.append(found[NAMES[2]].value)
    assert abs(np.mean(over) - 1) < 0.05 and max(over) > 1


# Where they do not exist.


def test_few_species_flat_vectors_and_images_that_cancel_out():
    vectors, placement, _ = scattered()
    two = np.flatnonzero(placement.node < placement.tree.tips[2])
    for rows in (two, two[:0]):
        for estimate in noise_ceiling(vectors[rows], placement.take(rows), rng()).values():
            assert estimate.note.startswith("needs at least 3 taxa with two images")
    for flat in (np.full_like(vectors, 0.25), np.full_like(vectors, 0.25, dtype=np.float32)):
        assert all("do not vary" in e.note for e in noise_ceiling(flat, placement, rng()).values())
    opposite = vectors * np.where(np.arange(len(vectors)) % 2, -1, 1)[:, None]
    opposite[:6] = [vectors[0], -vectors[0], vectors[0], -vectors[0], vectors[0], -vectors[0]]
    found = noise_ceiling(opposite, placement, rng())
    assert all(math.isnan(e.value) or e.note == "" for e in found.values())


def test_a_star_has_a_ceiling_but_no_correlation_to_correct():
    vectors, _, _ = scattered()
    tree = star_phylogeny(60)
    found = noise_ceiling(vectors, Placement(tree, np.repeat(tree.tips, 6)), rng())
    assert math.isfinite(found["noise_ceiling"].value)
    assert math.isnan(found[NAMES[2]].value) and "does not vary" in found[NAMES[2]].note


def test_vectors_that_are_not_finite_are_refused_and_named():
    vectors, placement, _ = scattered()
    vectors[[4, 6], 1] = np.nan, np.inf
    with pytest.raises(DataError, match="4, 6"):
        noise_ceiling(vectors, placement, rng())
