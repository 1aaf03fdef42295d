import math
from dataclasses import replace

import numpy as np
import pytest

from bioclip_probe.metrics.attainable import Simulation, attainable_cophenetic_correlation
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.resampling import jackknife_interval
from bioclip_probe.tree import Placement
from bioclip_probe.tree.newick import parse_newick
from tests.definitions import hierarchy
from tests.support.evolutions import evolved_images, spectrum
from tests.support.made_up_vectors import unit_rows
from tests.support.taxa import made_up, random_phylogeny, rng

FEW_DRAWS = MeasureSettings(n_attainable_draws=6)


def both(vectors, placement, settings=FEW_DRAWS):
    rows = attainable_cophenetic_correlation(vectors, placement, settings)
    assert [row.rank for row in rows] == ["species", "species"]
    return {row.metric.removesuffix("_cophenetic_correlation"): row.estimate for row in rows}


def drawn(shared, rng, n_draws: int) -> list:
    simulation = Simulation.of(shared.taxa("species"), shared.evolution)
    return [simulation.centroids(*simulation.normals(rng)) for _ in range(n_draws)]


def test_it_is_the_mean_of_the_correlations_of_the_draws():
    vectors, placement = made_up(20, 60)
    shared = SharedResults(vectors, placement, FEW_DRAWS)
    found, taxa = both(shared, placement), shared.taxa("species")
    rng = shared.stream("attainable_cophenetic_correlation")
    draws = drawn(shared, rng, FEW_DRAWS.n_attainable_draws)
    cpcc = [hierarchy.cophenetic_correlation(rows.vectors, Placement(rows.tree, rows.tree.tips)) for rows in draws]
    assert found["attainable"].value == pytest.approx(np.mean(cpcc), rel=1e-6)
    assert f"{np.std(cpcc):.2f}" in found["attainable"].note and math.isnan(found["attainable"].ci_low)
    assert found["relative"].value == pytest.approx(taxa.sums.correlation() / np.mean(cpcc), rel=1e-6)
    kept = shared.jackknife().of_tips(taxa) != 2
    left, _ = taxa.tree.subset(taxa.tree.tips[kept])
    cpcc_left = hierarchy.cophenetic_correlation(taxa.vectors[kept], Placement(left, left.tips))
    assert found["relative"].replicates[2] == pytest.approx(cpcc_left / np.mean(cpcc), rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("d", "kind", "noise"), [(64, "flat", 1.0), (128, "steep", 1.0)])
def test_brownian_motion_reaches_what_is_attainable_and_blindness_nothing(d, kind, noise):
    tree = random_phylogeny(80, 3)
    for signal in (1.0, 0.0):
        cpcc, attainable = [], []
        for seed in range(8):
            found = both(*evolved_images(tree, spectrum(kind, d), signal, noise, rng(seed)))
            cpcc.append(found["relative"].value * found["attainable"].value)
            attainable.append(found["attainable"].value)
        assert np.mean(cpcc) == pytest.approx(np.mean(attainable) if signal else 0, abs=0.1)


def test_more_directions_and_less_noise_can_attain_more():
    tree = random_phylogeny(80, 3)
    cells = ((4, 0.1), (64, 0.1), (64, 5.0))
    narrow, wide, noisy = (both(*evolved_images(tree, spectrum("flat", d), 0.5, noise, rng(1))) for d, noise in cells)
    assert wide["attainable"].value > narrow["attainable"].value + 0.1
    assert wide["attainable"].value > noisy["attainable"].value


def test_the_draws_have_the_spectrum_and_the_noise_of_the_embedding():
    vectors, placement = evolved_images(random_phylogeny(100, 3), spectrum("1/j", 32), 1.0, 1.0, rng(1))
    shared = SharedResults(vectors, placement, FEW_DRAWS)
    draws = drawn(shared, rng(2), 9)
    spread = [np.var(rows.vectors, axis=0).sum() for rows in draws]
    own = np.var(shared.taxa("species").vectors, axis=0).sum()
    assert np.mean(spread) == pytest.approx(own, rel=0.15)


def test_the_interval_and_its_units():
    vectors, placement = made_up(60, 200, 0.8)
    found = both(vectors, placement)["relative"]
    assert found.ci_low < found.value < found.ci_high and found.null == "species" and found.chance == 0
    assert (found.resampled, found.n_units) == ("species", 60)
    low, high = jackknife_interval(found.value, found.replicates)
    assert found.ci_low < low and high < found.ci_high and "error of the draws" in found.ci_method
    by_family = both(vectors, placement, replace(FEW_DRAWS, resample="family"))["relative"]
    assert by_family.resampled == "family" and by_family.ci_low != found.ci_low


def test_what_is_undefined_says_why():
    tree = parse_newick("(A:1,B:1,C:1,D:2);")
    star = both(unit_rows(rng().standard_normal((4, 3))), Placement(tree, tree.tips))
    assert all(math.isnan(one.value) and one.note for one in star.values())
    vectors, placement = evolved_images(random_phylogeny(40, 3), np.r_[1e-4, np.zeros(199)], 1.0, 300.0, rng(1), 2)
    hopeless = both(vectors, placement)
    assert math.isnan(hopeless["relative"].value) and hopeless["relative"].note
