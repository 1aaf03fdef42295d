"""The short version of the calibration study, and proof that the study can find a broken method."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from bioclip_probe.stats.all_pairs.moments import pearson
from bioclip_probe.tree import patristic_distances
from tests.calibration import draws, figure, methods, verdicts
from tests.calibration.designs import DESIGNS, Scene
from tests.calibration.grounds import clades_at, cut_down, ground, missing
from tests.calibration.intervals import CANDIDATES, Resampled
from tests.calibration.plan import Setting, study


def measured(setting: Setting, method: str, n_draws: int) -> pd.DataFrame:
    """The rows of one method in one setting, in this process."""
    setting = replace(setting, methods=(method,))
    planned = [(setting, n_draws)]
    lines = {chunk.key: draws.outcomes(chunk) for chunk in draws.chunks(planned)}
    return verdicts.table(planned, lines)


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
        ("one of two", 30, "residual"),
    ],
)
def test_p_is_uniform_where_there_is_no_signal(design, n, method):
    found = measured(Setting("null", "world", design, n, 4), method, 80)
    assert not found["undefined"].any()
    assert (found["verdict"] == "holds").all(), found[["method", "rate", "ks_p", "verdict"]]


def test_the_study_finds_a_test_that_takes_pairs_as_independent():
    (row,) = measured(Setting("null", "world", "signal elsewhere", 100, 4), "pairs as independent", 400).itertuples()
    assert row.verdict == "rejects too often"


def test_a_star_is_never_significant():
    for method in ("CPCC", "all images"):
        (row,) = measured(Setting("null", "star", "no signal", 12, 4), method, 5).itertuples()
        assert row.undefined == 5 or row.rate == 0


def test_signal_is_found_and_ranked():
    planned = [
        (Setting("power", "world", "signal", 30, 16, signal, "species", ("CPCC",)), 20) for signal in (0.0, 0.5, 1)
    ]
    found = verdicts.table(planned, {chunk.key: draws.outcomes(chunk) for chunk in draws.chunks(planned)})
    power, order = found[found["question"] == "power"], found[found["question"] == "order"]
    assert power["rate"].iloc[0] < 0.3 and power["rate"].iloc[2] == 1
    assert power["mean"].is_monotonic_increasing
    assert order["rate"].iloc[0] == 1  # λ of 0.5 above 0; neighbours come in order
    assert list(zip(order["than"], order["signal"], strict=True)) == [(0.0, 0.5), (0.5, 1.0)]


def test_intervals_cover_and_the_study_finds_those_that_do_not(monkeypatch):
    monkeypatch.setattr("tests.calibration.intervals.N_BOOTSTRAP", 199)

    def too_short(of: Resampled) -> tuple[float, float]:
        low, high = CANDIDATES["percentile"](of)
        return of.value - (of.value - low) / 3, of.value + (high - of.value) / 3

    monkeypatch.setitem(CANDIDATES, "a third", too_short)
    found = measured(Setting("coverage", "world", "signal", 40, 16), "CPCC", 100).set_index("interval")
    assert set(found.index) == set(CANDIDATES)
    assert (found["verdict"] == "covers too rarely").to_dict() == {name: name == "a third" for name in CANDIDATES}
    assert np.allclose(found["rate"] + found["below"] + found["above"], 1)


def test_uniform_and_other_p():
    rng = np.random.default_rng(0)
    uniform = (rng.integers(0, 200, 2_000) + 1) / 200
    for p, verdict in (
        (uniform, "holds"),
        (uniform**2, "rejects too often"),
        (np.maximum(uniform, 0.2), "rejects too rarely"),
        (np.where(uniform > 0.5, 0.4, uniform), "rejects too often"),  # right at 0.05, wrong above it
        (np.ones(500), "rejects too rarely"),
    ):
        assert verdicts._test("null", np.stack([p, p], axis=1))["verdict"] == verdict
    nothing = verdicts._test("null", np.full((5, 2), np.nan))
    assert nothing["undefined"] == 5 and nothing["verdict"].startswith("undefined")


@pytest.mark.parametrize(("hits", "n"), [(0, 20), (20, 20), (3, 40), (51, 1000)])
def test_clopper_pearson_as_scipy_has_it(hits, n):
    expected = binomtest(hits, n).proportion_ci(0.95, "exact")
    assert verdicts.clopper_pearson(hits, n) == pytest.approx((expected.low, expected.high))
    assert verdicts.clopper_pearson(0, 0) == (0.0, 1.0)


def test_the_target_is_what_sums_over_pairs_are_in_samples_of_so_many_units():
    stand = ground("world")
    picked = np.arange(18)
    tree, unit = cut_down(stand.tree, picked), np.repeat(np.arange(6), 3)
    made = DESIGNS["signal"](Scene(tree, stand.cut, 5, 1.0), np.random.default_rng(1))
    taxa = methods.centroids(made.vectors, made.placement)
    c, t = 1 - taxa.directions @ taxa.directions.T, patristic_distances(tree)
    sums = np.zeros(6)
    for drawn in itertools.combinations(range(6), 3):
        rows = np.flatnonzero(np.isin(unit, drawn))
        upper = np.triu_indices(len(rows), 1)
        x, y = t[np.ix_(rows, rows)][upper], c[np.ix_(rows, rows)][upper]
        sums += [len(x), x.sum(), y.sum(), (x * x).sum(), (y * y).sum(), (x * y).sum()]
    target = methods.INTERVALS["CPCC"].target
    assert target(made, unit, 3) == pytest.approx(pearson(*sums))
    assert target(made, unit, 6) == pytest.approx(target(made, np.arange(18), 7))  # all of them: plain


def test_what_is_called_an_order_is_one_on_a_taxonomy():
    stand = ground("world")
    assert np.array_equal(clades_at(stand.tree, stand.cut), stand.tree.ancestor_at("order")[stand.tree.tips])


def test_a_tree_cut_down_keeps_its_distances():
    stand = ground("world")
    picked = np.array([0, 3, 50, 51, 120, 239])
    whole = patristic_distances(stand.tree)[np.ix_(picked, picked)]
    dated = replace(stand.tree, unit="Myr")  # of which nodes of one child are taken out
    for tree in (cut_down(stand.tree, picked), cut_down(dated, picked)):
        assert np.allclose(patristic_distances(tree), whole)
    assert len(cut_down(dated, picked)) < len(cut_down(stand.tree, picked))


def test_a_study_that_was_cut_off_goes_on(tmp_path, capsys):
    setting = Setting("null", "world", "no signal", 12, 4, methods=("pairs as independent",))
    store = tmp_path / "draws.jsonl"
    whole = draws.run([(setting, 40)], store, 1, lambda lines: None)
    first, second = store.read_text().splitlines()
    store.write_text(first + "\n" + second[:30])
    again = draws.run([(setting, 40)], store, 1, lambda lines: None)
    assert {key: line["outcomes"] for key, line in again.items()} == {
        key: line["outcomes"] for key, line in whole.items()
    }
    assert "1 of them to do" in capsys.readouterr().out
    assert draws.read(store).keys() == whole.keys()


def test_every_method_of_the_plan_exists_and_the_table_is_drawn():
    for size in ("quick", "usual", "long"):
        for setting, n_draws in study(size):
            known = methods.INTERVALS if setting.question == "coverage" else methods.TESTS
            assert set(setting.methods) <= set(known) and setting.methods
            assert setting.design in DESIGNS and missing(setting.ground) is not None and n_draws > 0
    rng = np.random.default_rng(0)
    planned = study("quick")
    lines = {}
    for chunk in draws.chunks(planned):
        n = chunk.stop - chunk.start
        names = CANDIDATES if chunk.setting.question == "coverage" else [""]
        ends = (
            np.sort(rng.random((n, 3)), axis=1)[:, [0, 2, 1]]
            if chunk.setting.question == "coverage"
            else rng.random((n, 2))
        )
        lines[chunk.key] = {"outcomes": dict.fromkeys(names, ends.tolist()), "target": 0.5}
    found = verdicts.table(planned, lines)
    assert set(found["question"]) == {"type I", "hazard", "coverage", "power", "order"}
    assert len(figure.draw(found).get_axes()) == 7
