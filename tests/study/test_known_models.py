"""The public models whose answer is known come out of `measure` as what they are, which a notebook tells as a story."""

from __future__ import annotations

import numpy as np
import pytest

import bioclip_probe as bp
from bioclip_probe.world import known_models as known

CPCC, NEIGHBORS = "cophenetic_correlation", ("knn_purity_1", "knn_purity_1_other_species")
METRICS = (CPCC, "pagel_lambda", "effective_dimension", *NEIGHBORS)
SETTINGS = bp.MeasureSettings(metrics=METRICS, n_permutations=99, n_primary_permutations=99, n_bootstrap=99)
SIGNAL, D = 0.6, 32


@pytest.fixture(scope="module")
def values():
    """The value and the chance level of each metric, by rank, encoder and metric."""
    lineages = bp.world.taxa()
    frame = lineages.loc[lineages.index.repeat(3)].reset_index(drop=True)
    placement, rng = bp.tree.taxonomy(frame), np.random.default_rng(1)
    vectors = {
        "evolved": known.evolved(placement, rng, SIGNAL, D),
        "few directions": known.evolved(placement, rng, SIGNAL, 4),
        "one trait": known.one_trait(placement, rng, D),
        "memoriser": known.memoriser(placement, rng, D),
    }
    table = bp.measure(bp.from_arrays(vectors, frame, simulated=True), SETTINGS)
    assert table["simulated"].all()
    raw = table[table["space"] == "raw"].set_index(["rank", "encoder", "metric"]).sort_index()
    return raw[["value", "chance", "p_value"]]


@pytest.mark.slow
def test_signal_is_that_of_the_model_and_one_trait_has_all_of_it_in_one_direction(values):
    species = values.loc["species", "value"]
    assert species["evolved", "pagel_lambda"] == pytest.approx(SIGNAL, abs=0.06)
    assert species["few directions", "pagel_lambda"] == pytest.approx(SIGNAL, abs=0.2)
    assert species["memoriser", "pagel_lambda"] < 0.05
    assert species["one trait", "pagel_lambda"] > 0.9 and species["one trait", "effective_dimension"] < 2
    assert species["evolved", "effective_dimension"] > D / 2


@pytest.mark.slow
def test_cpcc_depends_on_the_number_of_directions_and_one_trait_beats_its_null(values):
    species = values.loc["species"]
    of_wide, of_narrow = (species.loc[(name, CPCC), "value"] for name in ("evolved", "few directions"))
    assert of_wide > of_narrow + 0.1
    assert species.loc[("one trait", CPCC), "p_value"] == pytest.approx(1 / 100)
    assert abs(species.loc[("memoriser", CPCC), "value"]) < 0.05


@pytest.mark.slow
def test_a_memoriser_knows_families_by_its_species_only(values):
    family = values.loc["family"].loc["memoriser"]
    assert family.loc["knn_purity_1", "value"] > 0.99 and family.loc["knn_purity_1", "chance"] > 0.99
    among_others = family.loc["knn_purity_1_other_species"]
    assert among_others["value"] == pytest.approx(among_others["chance"], abs=0.03)
    assert values.loc[("family", "evolved", "knn_purity_1_other_species"), "value"] > 10 * among_others["chance"]
