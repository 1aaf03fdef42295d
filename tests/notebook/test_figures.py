"""The figures of a study are those of the registry, each with the types that an editor sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from bioclip_probe import plots
from bioclip_probe.errors import DataError, ProbeError
from bioclip_probe.notebook.figures import DrillDownFigure, StudyFigure, StudyFigures
from bioclip_probe.plots.registry import REGISTRY
from bioclip_probe.study.results import Results
from tests.support.drawn_study import CONTROLS, MODELS, tables
from tests.support.measurement_tables import texts


@pytest.fixture(scope="module")
def plot():
    layers = [f"layer:{number}:{model}" for number in (1, 2) for model in MODELS]
    encoders = [{"name": name, "id": name, "control": name in CONTROLS} for name in (*MODELS, *CONTROLS, *layers)]
    return StudyFigures(Results(Path("out"), {"dataset": {"simulated": True}, "encoders": encoders}, **tables()))


def test_every_figure_of_the_registry_is_declared_and_no_other():
    assert set(StudyFigures.__annotations__) == set(REGISTRY) == set(dir(StudyFigures.__new__(StudyFigures)))
    assert {name for name, kind in StudyFigures.__annotations__.items() if kind == "DrillDownFigure"} == {"drilldown"}


@pytest.mark.parametrize("name", ["headline", "endpoints", "drilldown_umap"])
def test_a_figure_is_that_of_the_plots(plot, name):
    figure = getattr(plot, name)
    assert (figure.title, figure.caption) == (REGISTRY[name].title, REGISTRY[name].notes)
    drawn = figure(width="single")
    expected = REGISTRY[name](plot._results, plots.FigureSettings(width="single"))
    assert texts(drawn) == texts(expected)
    assert drawn.get_figwidth() == expected.get_figwidth() == 3.4


def test_the_drill_down_is_drawn_by_the_method_that_is_named(plot):
    assert isinstance(plot.drilldown, DrillDownFigure)
    assert "UMAP" in " ".join(texts(plot.drilldown(method="umap")))
    assert "t-SNE" in " ".join(texts(plot.drilldown(method="tsne")))
    assert texts(plot.drilldown()) == texts(plot.drilldown(method="tsne"))
    with pytest.raises(DataError, match="the study was not projected by 'pca', but by tsne, umap"):
        plot.drilldown(method="pca")


def test_models_are_picked_and_wrong_names_are_one_line(plot):
    assert "CLIP" not in " ".join(texts(plot.headline(models=["bioclip"]))).replace("BioCLIP", "")
    with pytest.raises(ProbeError, match="no encoder 'clop'; did you mean clip"):
        plot.headline(models=["clop"])
    with pytest.raises(ProbeError, match="no width 'triple'"):
        plot.headline(width="triple")
    with pytest.raises(AttributeError, match="no figure 'headlin'; did you mean headline"):
        plot.headlin  # noqa: B018


def test_they_say_what_they_are(plot):
    assert repr(plot).startswith(f"{len(REGISTRY)} figures: accuracy_by_rank, ")
    assert repr(plot.headline).startswith("headline(width='double', …)")
    assert isinstance(plot.headline, StudyFigure)
