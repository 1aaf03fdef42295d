"""The study of coverage: small runs, and proof that it detects intervals that cover too rarely."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.calibration import coverage
from tests.calibration.coverage import FEWEST_INTERVALS, Block, Cell, blocks, covered_list, pooled, summary, table


def made_up_lines(jobs: list[Block], reach: float) -> dict[str, dict]:
    """Return draws of one number with standard error 1 on the way from chance to 1, and intervals of one reach."""
    rng = np.random.default_rng(0)
    lines = {}
    for job in jobs:
        chance = rng.uniform(0, 0.9, job.stop - job.start)  # it differs between samples, as the number of taxa does
        share = rng.standard_normal(len(chance))
        ends = [chance + (share + side) * (1 - chance) for side in (0, -reach, reach)]
        numbers = np.stack([*ends, chance], axis=1).tolist()
        nothing = [[0.5, None, None, None]] * len(chance)
        lines[job.key] = {"ground": "made up", "numbers": {"silhouette|family||": numbers, "knn_purity_1|||": nothing}}
    return lines


@pytest.mark.parametrize(("reach", "verdict"), [(1.96, "covers"), (1.2, "covers too rarely")])
def test_an_interval_is_listed_only_if_it_covers(reach, verdict):
    jobs = blocks([Cell("taxonomy", 40, 0.5)], 400)
    covered = table(jobs, made_up_lines(jobs, reach))
    row, without = covered.itertuples()
    assert row.verdict == verdict and row.draws == 400 and row.shown == 1
    assert row.coverage_low < row.coverage < row.coverage_high
    assert without.shown == 0 and np.isnan(without.coverage)
    rows = pooled(covered)
    assert covered_list(rows)["metric"].tolist() == ["silhouette"] * (verdict == "covers")
    assert ("`silhouette`" in summary(rows)) == (verdict == "covers")
    assert "knn_purity_1" not in summary(rows)


def test_of_few_intervals_nothing_is_known():
    jobs = blocks([Cell("taxonomy", 40, 0.5)], FEWEST_INTERVALS - 1)
    (reason,) = pooled(table(jobs, made_up_lines(jobs, reach=9)))["reason"]
    assert reason == "too few intervals to tell"


def test_intervals_are_judged_over_all_signals():
    jobs = blocks([Cell("taxonomy", 40, signal) for signal in (0.0, 0.5, 1.0)], 200)
    lines = {}
    for signal, reach in ((0.0, 1.4), (0.5, 9), (1.0, 9)):
        own = [job for job in jobs if job.cell.signal == signal]
        lines |= made_up_lines(own, reach)
    covered = table(jobs, lines)
    (row,) = pooled(covered).itertuples()
    assert row.intervals == 600 and row.lowest < row.coverage
    assert row.coverage > 0.93 and "surely" in row.reason


def test_each_clade_has_its_own_target_and_needs_some_draws():
    jobs = blocks([Cell("taxonomy", 40, 0.5)], 40)
    lines = made_up_lines(jobs, reach=4)
    for job, line in zip(jobs, lines.values(), strict=True):
        around = [[*(np.array(draw[:3]) + 9), 0.0] for draw in line["numbers"]["silhouette|family||"]]
        rare = around if job.start < 15 else [[None] * 4] * len(around)
        line["numbers"] = {"clade_correlation|family|||A>B": around, "clade_correlation|family|||A>C": rare}
    (row,) = table(jobs, lines).itertuples()
    assert row.draws == 40 and row.target > 8 and row.verdict == "covers"


def test_blocks_begin_with_some_draws_of_every_cell():
    cells = [Cell("taxonomy", 40, 0.0), Cell("dated tree", 40, 1.0)]
    jobs = blocks(cells, 12)
    assert [job.cell for job in jobs[:2]] == cells
    assert sum(job.stop - job.start for job in jobs) == 24
    assert len({job.key for job in jobs}) == len(jobs)


@pytest.mark.slow
@pytest.mark.parametrize("tree", coverage.KINDS)
def test_one_draw_gives_numbers_of_one_model_of_two_and_of_a_probe(tree, tmp_path, monkeypatch):
    monkeypatch.setattr(coverage, "SIGNALS", (0.5,))
    covered = coverage.study(tmp_path, 1, 2, sizes=(20,), trees=(tree,))
    found = set(covered["metric"])
    assert {"cophenetic_correlation", "cophenetic_correlation_difference", "rsa"} <= found
    ranked = {"knn_purity_1_adjusted", "macro_accuracy", "unseen_gap"} <= found
    assert ranked == (tree == "taxonomy")
    assert (covered.loc[covered["protocol"] == "", "draws"] <= 4).all() and covered["shown"].max() == 1
    protocols = {"seen", "seen-children", "unseen", "shuffled", "few-shot", "names"} if tree == "taxonomy" else set()
    assert set(covered["protocol"]) == {"", *protocols}
    written = pd.read_csv(tmp_path / "coverage.csv")
    assert len(written) == len(covered) and (tmp_path / "pooled.csv").exists()
