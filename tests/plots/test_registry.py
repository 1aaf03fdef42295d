"""The registry of figures: what each selects, and that each draws what it selects."""

from __future__ import annotations

import pandas as pd
import pytest

from bioclip_probe.errors import DataError, ProbeError
from bioclip_probe.metrics.registry import REGISTRY as METRICS
from bioclip_probe.plots import FigureSettings
from bioclip_probe.plots.entry import FigureEntry
from bioclip_probe.plots.figures import by_metric, endpoints, staircase
from bioclip_probe.plots.registry import REGISTRY, check_names
from bioclip_probe.plots.selection import OF_TWO_MODELS, measured
from tests.support.measurement_tables import coordinates, measurements, texts


def tables() -> dict[str, pd.DataFrame]:
    """Return the tables of a small study."""
    return {"measurements": measurements().assign(tree="taxonomy", split="all"), "coordinates": coordinates()}


def test_every_entry_has_what_a_reader_must_know_and_what_draws_it():
    for name, entry in REGISTRY.items():
        assert entry.name == name
        assert entry.title
        assert entry.notes.endswith(".")
        assert callable(entry.function)
        assert callable(entry.select)
        assert entry.table in ("measurements", "coordinates", "predictions")


def test_figures_draw_metrics_of_the_registry():
    groups = (by_metric.AGREEMENT, by_metric.WITHIN, by_metric.RELATIVES, by_metric.NEIGHBOURS, by_metric.TEXT)
    for group in (*groups, endpoints.METRICS, staircase.METRICS, OF_TWO_MODELS):
        assert set(group) <= set(METRICS)


@pytest.mark.parametrize("name", ["headline", "agreement", "purity_by_rank", "staircase", "drilldown"])
def test_a_figure_draws_the_rows_that_it_selects(name):
    rows, figure = REGISTRY[name].draw(tables(), FigureSettings(simulated=True))
    pd.testing.assert_frame_equal(rows, REGISTRY[name].select(tables(), FigureSettings()))
    assert len(rows)
    assert "simulated data" in texts(figure)


def test_an_entry_without_functions_cannot_be_drawn():
    with pytest.raises(ValueError, match="figure 'empty' has no function"):
        FigureEntry("empty", "Empty").draw(tables(), FigureSettings())


def test_of_several_projections_the_last_one_is_drawn_and_umap_on_its_own():
    both = pd.concat([coordinates(), coordinates().assign(mode="corrected")], ignore_index=True)
    both = pd.concat([both, both.assign(method="umap")], ignore_index=True)
    for name, method in (("drilldown", "tsne"), ("drilldown_umap", "umap")):
        rows = REGISTRY[name].select({"coordinates": both}, FigureSettings())
        assert set(rows["mode"]) == {"corrected"} and set(rows["method"]) == {method}
    with pytest.raises(DataError, match="no coordinates of tsne or pca to draw"):
        REGISTRY["drilldown"].select({"coordinates": both[:0]}, FigureSettings())


def test_other_trees_clades_and_pairs_of_encoders_are_left_out():
    plain = tables()["measurements"]
    row = plain[plain["metric"] == "cluster_purity"].head(1)
    extra = [row.assign(tree="birds"), row.assign(taxon="Animalia"), row.assign(encoder_b="clip")]
    mixed = {"measurements": pd.concat([plain, *extra], ignore_index=True)}
    pd.testing.assert_frame_equal(
        measured(mixed, ("cluster_purity",), {}), measured({"measurements": plain}, ("cluster_purity",), {})
    )


def test_a_figure_without_values_says_what_is_missing():
    with pytest.raises(DataError, match="no value of cka_calibrated or rsa_calibrated or mutual_knn_calibrated"):
        REGISTRY["similarity"].select(tables(), FigureSettings())
    one_curve = measurements().assign(tree="taxonomy", split="test", probe="linear", protocol="seen")
    with pytest.raises(DataError, match="--shots 1 2 5 10"):
        REGISTRY["sample_efficiency"].select({"measurements": one_curve}, FigureSettings())


def test_an_unknown_figure_is_refused_with_the_nearest_name():
    check_names(["headline", "staircase"])
    with pytest.raises(ProbeError, match="no figure 'headlines'; did you mean headline"):
        check_names(["headlines"])
