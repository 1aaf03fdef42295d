"""Calibration: the bins, and what they hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.plots import FigureSettings
from bioclip_probe.plots.figures.calibration import N_BINS, calibration_rows, draw_calibration


def answers(**changes) -> pd.DataFrame:
    confidence = np.arange(1, 101) / 100
    table = pd.DataFrame({"encoder": "clip", "probe": "linear", "protocol": "unseen", "rank": "family", "split": "test",
                          "shots": None, "confidence": confidence, "truth": "A", "predicted": "A"})  # fmt: skip
    table.loc[::2, "predicted"] = "B"
    return table.assign(**changes)


def test_bins_hold_equally_many_answers_and_their_means():
    rows = calibration_rows({"predictions": answers()}, FigureSettings())
    assert len(rows) == N_BINS
    assert set(rows["n_answers"]) == {10}
    assert rows["confidence"].tolist() == pytest.approx([0.055 + 0.1 * k for k in range(10)])
    assert set(rows["correct"]) == {0.5}


def test_equal_confidences_share_a_bin():
    assert len(calibration_rows({"predictions": answers(confidence=0.5)}, FigureSettings())) == 1


def test_a_model_is_a_line_beside_the_diagonal_and_other_answers_are_left_out():
    rows = calibration_rows({"predictions": answers()}, FigureSettings())
    diagonal, line = draw_calibration(rows, FigureSettings()).axes[0].lines
    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]
    np.testing.assert_allclose(line.get_xydata(), rows[["confidence", "correct"]])
    for changes in ({"split": "train"}, {"rank": "genus"}, {"shots": 5}, {"confidence": np.nan}, {"probe": "knn"}):
        with pytest.raises(DataError, match="no probe gave probabilities at family"):
            calibration_rows({"predictions": answers(**changes)}, FigureSettings())
