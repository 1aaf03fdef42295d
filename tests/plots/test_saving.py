"""Figures as files: a picture, its table, its record."""

from __future__ import annotations

import json

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from bioclip_probe.plots import by_rank, save
from tests.support.measurement_tables import measurements


@pytest.mark.slow
def test_save_leaves_four_files_that_are_the_same_each_time(tmp_path):
    table = measurements().head(40)
    figure = by_rank(measurements(), ["cluster_purity"])
    record = {"seed": np.int64(3), "list": np.arange(2), "file": tmp_path / "x", "ä": 1.5}
    first = save(figure, table, record, tmp_path / "new" / "by_rank.v1")
    assert [path.name for path in first] == [f"by_rank.v1.{ending}" for ending in ("pdf", "png", "csv", "json")]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(path.name for path in first)
    assert first[0].read_bytes().startswith(b"%PDF")
    assert first[1].read_bytes().startswith(b"\x89PNG")
    assert json.loads(first[3].read_text(encoding="utf-8")) == {
        "seed": 3,
        "list": [0, 1],
        "file": str(tmp_path / "x"),
        "ä": 1.5,
    }
    read = pd.read_csv(first[2])
    np.testing.assert_array_equal(read["value"], table["value"])
    again = save(by_rank(measurements(), ["cluster_purity"]), table, record, tmp_path / "again")
    for one, other in zip(first, again, strict=True):
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.slow
def test_a_failed_save_leaves_what_was_there(tmp_path):
    figure = by_rank(measurements(), ["cluster_purity"])
    (tmp_path / "f.png").write_text("old")
    with pytest.raises(TypeError, match="holds a set"):
        save(figure, measurements(), {"bad": {1}}, tmp_path / "f")
    assert [path.name for path in tmp_path.iterdir()] == ["f.png"]
    assert (tmp_path / "f.png").read_text() == "old"


def test_a_figure_is_laid_out_once_for_both_files_and_keeps_its_layout_engine(tmp_path, monkeypatch):
    layouts, execute = [], ConstrainedLayoutEngine.execute
    monkeypatch.setattr(ConstrainedLayoutEngine, "execute", lambda self, figure: layouts.append(execute(self, figure)))
    figure = Figure(figsize=(2, 1), layout="constrained")
    figure.subplots().set_ylabel("purity")
    engine, dpi, before = figure.get_layout_engine(), figure.dpi, figure.axes[0].get_position().x0
    save(figure, pd.DataFrame({"value": [0.5]}), {}, tmp_path / "figure")
    assert len(layouts) == 1
    assert figure.axes[0].get_position().x0 != before  # the panel made room for its label
    assert figure.get_layout_engine() is engine and figure.dpi == dpi


def test_a_figure_is_saved_without_a_layout_engine_whatever_the_settings_of_the_user_are(tmp_path):
    plain, positions = pd.DataFrame({"value": [0.5]}), []
    for use in (False, True):
        figure = Figure(figsize=(2, 1), layout="constrained")
        figure.subplots().set_ylabel("purity")
        with mpl.rc_context({"figure.constrained_layout.use": use}):
            save(figure, plain, {}, tmp_path / f"figure-{use}")
        positions.append(figure.axes[0].get_position().bounds)
    assert positions[0] == positions[1]
    assert (tmp_path / "figure-True.png").read_bytes() == (tmp_path / "figure-False.png").read_bytes()
