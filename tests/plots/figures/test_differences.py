"""The figure of paired differences: which pairs it draws, and what it says of each."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.errors import DataError
from bioclip_probe.metrics.endpoints import PRIMARY
from bioclip_probe.metrics.registry import DIFFERENCE
from bioclip_probe.plots import FigureSettings
from bioclip_probe.plots.figures.differences import difference_rows, draw_differences
from bioclip_probe.tables import MEASUREMENTS
from tests.support.measurement_tables import texts

ENCODERS = ("a", "b", "pixels", "colours")
CONTROLS = FigureSettings(controls=("pixels", "colours"), simulated=True)


def compared(**changes: object) -> pd.DataFrame:
    """The differences of every two encoders in the primary endpoints on the taxonomy and on a phylogeny."""
    rows = []
    for endpoint in PRIMARY:
        for tree in ("taxonomy", "birds") if endpoint.on_phylogeny else ("taxonomy",):
            for number, first in enumerate(ENCODERS):
                for second in ENCODERS[number + 1 :]:
                    value = 0.1 if tree == "birds" else 0.2
                    row = {"metric": endpoint.metric + DIFFERENCE, "rank": endpoint.rank, "split": endpoint.split}
                    row |= {"probe": endpoint.probe, "protocol": endpoint.protocol, "tree": tree, "space": "raw"}
                    row |= {"encoder": first, "encoder_b": second, "value": value, "p_adjusted": 0.01}
                    row |= {"ci_low": value - 0.1, "ci_high": value + 0.1, "n_taxa": 80, "n_images": 400}
                    rows.append({**row, **changes})
    return MEASUREMENTS.frame(rows)


def test_endpoints_on_a_phylogeny_are_read_there():
    rows = difference_rows({"measurements": compared()})
    assert rows.groupby("endpoint")["value"].first().to_dict() == {
        "CPCC": 0.1,
        "Tree signal": 0.1,
        "1-NN among other species": 0.2,
        "Unseen children": 0.2,
    }
    assert len(rows) == 4 * 6


def test_pairs_of_models_and_the_first_model_with_each_control_are_drawn():
    figure = draw_differences(difference_rows({"measurements": compared()}), CONTROLS)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["a − b", "a − pixels", "a − colours"]
    assert len(figure.axes) == 4 and "simulated data" in texts(figure)


@pytest.mark.parametrize(("p", "face"), [(0.049, "full"), (0.05, "open"), (np.nan, "open")])
def test_full_dots_are_significant(p, face):
    figure = draw_differences(difference_rows({"measurements": compared(p_adjusted=p)}), CONTROLS)
    faces = {line.get_color() == "white" for line in figure.axes[0].lines if line.get_marker() == "o"}
    assert faces == {face == "open"}


def test_a_difference_without_interval_has_no_line_and_an_undefined_one_is_a_dash():
    figure = draw_differences(difference_rows({"measurements": compared(ci_low=np.nan)}), CONTROLS)
    assert not figure.axes[0].collections
    table = compared()
    table.loc[(table["encoder"] == "a") & (table["encoder_b"] == "b"), ["value", "ci_low", "ci_high"]] = np.nan
    figure = draw_differences(difference_rows({"measurements": table}), CONTROLS)
    assert [text.get_text() for text in figure.axes[0].texts] == ["–", "0.10", "0.10"]


def test_without_a_comparison_there_is_no_figure():
    with pytest.raises(DataError, match="no two models were compared"):
        difference_rows({"measurements": compared().assign(metric="silhouette")})
