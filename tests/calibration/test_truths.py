"""The short version of the table of truths, and proof that its claims detect wrong numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.calibration import coverage, known, publishing, truths
from tests.calibration.claims import CHANCE, FAILS, HOLDS, MISSING, NO_INTERVAL, OPEN, UNDEFINED, Claim, Number
from tests.calibration.truths import NUMBERS, TEXTS, Draw, plan, table, work


@pytest.mark.slow
@pytest.mark.parametrize("name", plan("short"))
def test_numbers_of_a_model_whose_answer_is_known_are_right(name):
    truth = plan("short")[name]
    draws = [Draw("short", name, number) for number in range(truth.n_draws)]
    judged = table([replace(truth, pool="")], {draw.key: work(draw) for draw in draws})
    wrong = judged[judged["verdict"].isin([FAILS, MISSING])]
    assert len(judged)
    assert wrong.empty, wrong.dropna(axis=1, how="all").to_string()


def rows(values: np.ndarray, low: float = np.nan, high: float = np.nan, p: np.ndarray | None = None) -> pd.DataFrame:
    """Return the rows of one number in several draws, whose intervals reach so far below and above it."""
    frame = pd.DataFrame(dict.fromkeys(TEXTS, ""), index=range(len(values)))
    frame = frame.assign(**dict.fromkeys(NUMBERS, np.nan), truth="made up", draw=range(len(values)))
    frame = frame.assign(metric="silhouette", rank="species", tree="taxonomy", encoder="model", chance=0.5)
    ends = {"ci_low": values - low, "ci_high": values + high, "p_value": np.nan if p is None else p}
    return frame.assign(value=values, **ends)


def verdict(kind: str, frame: pd.DataFrame, truth: float | str = 0.5, tolerance: float = 0.06) -> str:
    """Return the verdict about these rows."""
    return Claim(Number("silhouette"), kind, truth, tolerance).judge(frame)["verdict"]


def test_an_interval_fails_if_it_misses_more_often_than_chance_allows():
    values = np.random.default_rng(0).normal(0.5, 1, 60)
    assert verdict("interval", rows(values, 1.96, 1.96)) == HOLDS
    assert verdict("interval", rows(values, 1.96, 1.96), CHANCE) == HOLDS
    assert verdict("interval", rows(values, 1.0, 1.0)) == FAILS
    assert verdict("interval", rows(values)).startswith(NO_INTERVAL)


def test_a_mean_fails_only_if_the_draws_can_tell():
    rng = np.random.default_rng(0)
    assert verdict("mean", rows(rng.normal(0.5, 0.02, 20))) == HOLDS
    assert verdict("mean", rows(rng.normal(0.7, 0.02, 20))) == FAILS
    assert verdict("mean", rows(np.array([0.3, 0.9, 0.8]))) == OPEN
    assert verdict("mean", rows(np.array([0.9]))) == OPEN


def test_small_p_values_that_are_too_frequent_fail():
    p = np.random.default_rng(0).random(200)
    values = np.zeros(200)
    assert verdict("uniform", rows(values, p=p)) == HOLDS
    assert verdict("uniform", rows(values, p=p**3)) == FAILS
    assert verdict("uniform", rows(values)) == "no p"


def test_a_difference_must_be_told_apart_in_most_draws():
    assert verdict("apart", rows(np.full(20, 0.3), 0.1, 0.1)) == HOLDS
    assert verdict("apart", rows(np.full(20, 0.3), 0.4, 0.4)) == FAILS


def test_a_metric_that_does_not_exist_is_missing():
    frame = rows(np.zeros(3))
    assert Claim(Number("none"), "value").judge(frame)["verdict"] == MISSING
    undefined = frame.assign(value=np.nan, note="needs at least 3 taxa, found 2")
    assert verdict("value", undefined) == f"{UNDEFINED}: needs at least 3 taxa, found 2"


def test_made_up_species_are_on_an_ultrametric_tree_and_in_its_taxonomy():
    species = known.made_up_species(80, np.random.default_rng(0))
    tree, tips = species.placed_on(known.DATED)
    assert tree.is_ultrametric and len(np.unique(tips)) == 80
    taxonomy, _ = species.placed_on("taxonomy")
    assert len(taxonomy.tips) == 80
    for rank, below in zip(species.lineages, species.lineages.columns[1:], strict=False):
        assert species.lineages.groupby(below)[rank].nunique().max() == 1
    ages = [tree.depth.max() - depth for depth in tree.depth[tree.parent[tips]]]
    assert min(ages) > 0


@pytest.mark.parametrize("shape", ["flat", "decaying", "steep"])
def test_species_and_scatter_have_the_variance_they_should(shape):
    models = known.evolving(np.random.default_rng(0), 200, 20, known.Evolution(0.0, 64, shape, scatter=0.5))
    images = models.vectors["brownian"].reshape(200, 20, 64)
    assert images.var(axis=1, ddof=1).sum(axis=1).mean() == pytest.approx(0.25, rel=0.05)
    assert images.mean(axis=1).var(axis=0).sum() == pytest.approx(1 + 0.25 / 20, rel=0.2)


def test_the_files_of_a_model_can_be_read(tmp_path):
    models = known.memoriser(np.random.default_rng(0), 12, 2)
    (name,), tree = models.write(tmp_path)
    assert name == f"vectors:{tmp_path / 'memoriser.npz'}"
    assert tree.read_text().count("_") == 12


def test_an_interrupted_table_of_truths_continues(tmp_path, capsys, monkeypatch):
    truth = replace(plan("short")["habitat, taxonomy"], n_draws=2)
    monkeypatch.setattr(truths, "plan", lambda size: {truth.name: truth})
    monkeypatch.setattr(truths, "work", made_up_line)
    file = tmp_path / "truths-short.jsonl"
    judged = truths.study("short", tmp_path, 1)
    first, second = file.read_text().splitlines()
    file.write_text(first + "\n" + second[:30])
    pd.testing.assert_frame_equal(truths.study("short", tmp_path, 1), judged)
    assert "1 of them to do" in capsys.readouterr().out
    assert "no claim fails" in truths.report(judged.assign(verdict=HOLDS))


def test_the_page_holds_the_tables_that_are_committed():
    page, folder = publishing.README.read_text(), publishing.FOLDER
    for name, summary in (("truths", truths.summary), ("coverage", coverage.summary)):
        assert publishing.section(page, name)
        if (folder / f"{name}.csv").exists():
            assert publishing.section(page, name) == summary(publishing.published(name)).strip()


def test_a_section_of_a_page_is_replaced():
    page = "before\n<!-- truths -->\nold\n<!-- end of truths -->\nafter"
    renewed = publishing.with_section(page, "truths", "| new |\n")
    assert publishing.section(renewed, "truths") == "| new |"
    assert renewed.startswith("before\n") and renewed.endswith("\nafter")
    with pytest.raises(ValueError, match="no section"):
        publishing.with_section(page, "coverage", "")
    table = pd.DataFrame({"number": ["a"], "share": [0.5], "none": [np.nan]})
    assert publishing.markdown(table).splitlines()[-1] == "| a | 0.500 |  |"


def made_up_line(draw: Draw) -> dict:
    """Return the line of a draw without measuring anything."""
    frame = rows(np.array([0.5 + draw.number]))[[*TEXTS, *NUMBERS]]
    return {"rows": {name: frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in frame}}
