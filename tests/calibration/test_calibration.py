"""The short version of the calibration study, and proof that the study detects a broken method."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.stats.all_pairs.moments import pearson
from bioclip_probe.tree import patristic_distances
from tests.calibration import draws, figure, methods, resumable, verdicts
from tests.calibration.designs import DESIGNS, Scene
from tests.calibration.grounds import clades_at, ground, subtree
from tests.calibration.intervals import CANDIDATES, Resampled
from tests.calibration.plan import LARGE, Setting, study

pytestmark = pytest.mark.slow


def measured(setting: Setting, method: str, n_draws: int, settings: MeasureSettings | None = None) -> pd.DataFrame:
    """Return the rows of one method in one setting, computed in this process."""
    planned = [(replace(setting, methods=(method,)), n_draws)]
    lines = {chunk.key: draws.outcomes(chunk, settings) for chunk in draws.chunks(planned)}
    return verdicts.table(planned, lines)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("design", "n", "method"),
    [
        ("no signal", 30, "CPCC"),
        ("no signal", 30, "all images"),
        ("no signal", 30, "balanced"),
        ("no signal", 30, "K_mult"),
        ("signal elsewhere", 30, "CPCC"),
        ("signal elsewhere", 30, "all images"),
        ("signal down to order", 60, "CPCC within orders"),
        ("twice the same", 30, "CPCC difference"),
        ("unrelated", 30, "between encoders"),
        ("one of two", 30, "between encoders"),
        ("no signal", 30, "λ"),
        ("no signal", 100, "heritable share"),
    ],
)
def test_p_is_uniform_where_there_is_no_signal(design, n, method):
    table = measured(Setting("null", "world", design, n, 4), method, 80)
    assert not table["undefined"].any()
    assert (table["verdict"] == "holds").all(), table[["method", "rate", "ks_p", "verdict"]]


@pytest.mark.slow
def test_the_study_detects_a_test_that_takes_pairs_as_independent():
    (row,) = measured(Setting("null", "world", "signal elsewhere", 100, 4), "pairs as independent", 400).itertuples()
    assert row.verdict == "rejects too often"


def test_cpcc_is_undefined_on_a_star():
    (row,) = measured(Setting("null", "star", "no signal", 12, 4), "CPCC", 5).itertuples()
    assert row.undefined == 5
    assert row.verdict.startswith("undefined")


def test_the_correlation_over_images_is_defined_and_never_significant_on_a_star():
    (row,) = measured(Setting("null", "star", "no signal", 12, 4), "all images", 5).itertuples()
    assert row.undefined == 0
    assert row.rate == 0


def test_signal_is_found_and_ranked():
    planned = [
        (Setting("power", "world", "signal", 30, 16, signal, "species", ("CPCC",)), 20) for signal in (0.0, 0.5, 1)
    ]
    table = verdicts.table(planned, {chunk.key: draws.outcomes(chunk) for chunk in draws.chunks(planned)})
    power, order = table[table["question"] == "power"], table[table["question"] == "order"]
    assert power["rate"].iloc[0] < 0.3 and power["rate"].iloc[2] == 1
    assert power["mean"].is_monotonic_increasing
    assert order["rate"].iloc[0] == 1  # λ of 0.5 is ranked above 0
    assert list(zip(order["than"], order["signal"], strict=True)) == [(0.0, 0.5), (0.5, 1.0)]  # in order of λ


@pytest.mark.slow
def test_intervals_cover_and_the_study_detects_one_that_does_not(monkeypatch):
    def a_third(resampled: Resampled) -> tuple[float, float]:
        low, high = CANDIDATES["percentile"](resampled)
        value = resampled.value
        return value - (value - low) / 3, value + (high - value) / 3

    monkeypatch.setitem(CANDIDATES, "a third", a_third)
    setting = Setting("coverage", "world", "signal", 40, 16)
    table = measured(setting, "CPCC", 100, MeasureSettings(n_bootstrap=199)).set_index("interval")
    assert set(table.index) == set(CANDIDATES)
    assert (table["verdict"] == "covers too rarely").to_dict() == {name: name == "a third" for name in CANDIDATES}
    assert np.allclose(table["rate"] + table["below"] + table["above"], 1)


def test_verdicts_tell_uniform_p_values_from_others():
    rng = np.random.default_rng(0)
    uniform = (rng.integers(0, 200, 2_000) + 1) / 200
    for p, verdict in (
        (uniform, "holds"),
        (uniform**2, "rejects too often"),
        (np.maximum(uniform, 0.2), "rejects too rarely"),
        (np.where(uniform > 0.5, 0.4, uniform), "rejects too often"),  # right at 0.05, wrong above it
        (np.ones(500), "rejects too rarely"),
    ):
        assert verdicts.test_columns("null", np.stack([p, p], axis=1))["verdict"] == verdict
    nothing = verdicts.test_columns("null", np.full((5, 2), np.nan))
    assert nothing["undefined"] == 5 and nothing["verdict"].startswith("undefined")


@pytest.mark.parametrize(("hits", "n"), [(0, 20), (20, 20), (3, 40), (51, 1000)])
def test_clopper_pearson_intervals_equal_those_of_scipy(hits, n):
    expected = binomtest(hits, n).proportion_ci(0.95, "exact")
    assert verdicts.clopper_pearson(hits, n) == pytest.approx((expected.low, expected.high))
    assert verdicts.clopper_pearson(0, 0) == (0.0, 1.0)


def test_the_target_is_the_correlation_of_expected_sums_over_pairs_in_samples():
    world = ground("world")
    picked = np.arange(18)
    tree, unit = subtree(world.tree, picked), np.repeat(np.arange(6), 3)
    population = DESIGNS["signal"](Scene(tree, world.cut, 5, 1.0), np.random.default_rng(1))
    taxa = methods.centroids(population.vectors, population.placement)
    c, t = 1 - taxa.directions @ taxa.directions.T, patristic_distances(tree)
    sums = np.zeros(6)
    for drawn in itertools.combinations(range(6), 3):
        rows = np.flatnonzero(np.isin(unit, drawn))
        upper = np.triu_indices(len(rows), 1)
        x, y = t[np.ix_(rows, rows)][upper], c[np.ix_(rows, rows)][upper]
        sums += [len(x), x.sum(), y.sum(), (x * x).sum(), (y * y).sum(), (x * y).sum()]
    target = methods.INTERVALS["CPCC"].target
    assert target(population, unit, 3) == pytest.approx(pearson(*sums))
    everything = np.arange(18)  # a sample of all units has the plain value
    assert target(population, unit, 6) == pytest.approx(target(population, everything, 7))


def test_an_order_of_a_taxonomy_is_its_clade_at_the_cut():
    world = ground("world")
    assert np.array_equal(clades_at(world.tree, world.cut), world.tree.ancestor_at("order")[world.tree.tips])


def test_a_subtree_keeps_distances():
    world = ground("world")
    picked = np.array([0, 3, 50, 51, 120, 239])
    expected = patristic_distances(world.tree)[np.ix_(picked, picked)]
    dated = replace(world.tree, unit="Myr")  # nodes with one child are removed from it
    for tree in (subtree(world.tree, picked), subtree(dated, picked)):
        assert np.allclose(patristic_distances(tree), expected)
    assert len(subtree(dated, picked)) < len(subtree(world.tree, picked))


def test_an_interrupted_study_continues(tmp_path, capsys):
    setting = Setting("null", "world", "no signal", 12, 4, methods=("pairs as independent",))
    file = tmp_path / "draws.jsonl"
    uninterrupted = draws.run([(setting, 40)], file, 1, lambda lines: None)
    first, second = file.read_text().splitlines()
    file.write_text(first + "\n" + second[:30])
    continued = draws.run([(setting, 40)], file, 1, lambda lines: None)
    assert {key: line["outcomes"] for key, line in continued.items()} == {
        key: line["outcomes"] for key, line in uninterrupted.items()
    }
    assert "1 of them to do" in capsys.readouterr().out
    assert resumable.read(file).keys() == uninterrupted.keys()


def test_every_method_and_ground_of_the_plan_exists_and_the_table_is_drawn():
    for size in ("quick", "usual", "long"):
        for setting, n_draws in study(size):
            known = methods.INTERVALS if setting.question == "coverage" else methods.TESTS
            assert set(setting.methods) <= set(known) and setting.methods
            assert setting.design in DESIGNS and n_draws > 0
            assert setting.ground in LARGE or len(ground(setting.ground).tree.tips) >= setting.n
    rng = np.random.default_rng(0)
    planned = study("quick")
    lines = {}
    for chunk in draws.chunks(planned):
        n = chunk.stop - chunk.start
        names = CANDIDATES if chunk.setting.question == "coverage" else [""]
        numbers = (
            np.sort(rng.random((n, 3)), axis=1)[:, [0, 2, 1]]
            if chunk.setting.question == "coverage"
            else rng.random((n, 2))
        )
        lines[chunk.key] = {"outcomes": dict.fromkeys(names, numbers.tolist()), "target": 0.5}
    table = verdicts.table(planned, lines)
    assert set(table["question"]) == {"type I", "hazard", "coverage", "power", "order"}
    assert len(figure.draw(table).get_axes()) == 7
