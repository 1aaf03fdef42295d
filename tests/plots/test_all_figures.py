"""Every figure of the registry, from a whole study and from awkward ones: it draws, or it says why it cannot."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.text import Text

from bioclip_probe import plots
from bioclip_probe.errors import DataError
from bioclip_probe.plots import FigureSettings
from bioclip_probe.plots.registry import REGISTRY
from bioclip_probe.plots.settings import HEIGHTS, WIDTHS
from tests.support.drawn_study import CONTROLS, tables
from tests.support.measurement_tables import texts

NAMES = list(REGISTRY)
#: Figures that compare two models.
OF_TWO = {"differences", "clades"}


@pytest.fixture(scope="module")
def study():
    return tables()


def type_sizes(figure) -> set[float]:
    """The sizes of all type that a figure prints."""
    return {text.get_fontsize() for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()}


@pytest.mark.parametrize(
    "width", ["single", *(pytest.param(width, marks=pytest.mark.slow) for width in ("double", "slide"))]
)
@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_drawn_at_every_width_with_type_that_can_be_read(study, name, width):
    figure = getattr(plots, name)(study, FigureSettings(controls=CONTROLS, width=width))
    assert "simulated data" in texts(figure) or name in {"strays", "calibration", "drilldown", "drilldown_umap"}
    assert figure.get_figwidth() <= WIDTHS[width] + 1e-9
    assert figure.get_figheight() <= HEIGHTS[width] + 1e-9
    smallest = 11 if width == "slide" else 6
    assert min(type_sizes(figure)) >= smallest


@pytest.mark.parametrize("name", NAMES)
def test_one_model_alone_is_drawn_without_being_blown_up(name):
    entry = REGISTRY[name]
    one = tables(("bioclip",), ())
    if name in {*OF_TWO, "similarity", "controls"}:
        with pytest.raises(DataError):
            entry(one)
        return
    figure = entry(one)
    assert figure.get_figheight() <= 6
    assert max(type_sizes(figure)) < 9


@pytest.mark.parametrize("name", [name for name, entry in REGISTRY.items() if entry.table == "measurements"])
def test_numbers_that_are_all_undefined_are_refused(study, name):
    undefined = study["measurements"].assign(value=np.nan, ci_low=np.nan, ci_high=np.nan, chance=np.nan)
    with pytest.raises(DataError):
        REGISTRY[name]({**study, "measurements": undefined})


@pytest.mark.parametrize("name", NAMES)
def test_a_study_without_phylogeny_with_missing_ranks_and_undefined_numbers_is_drawn(study, name):
    table = study["measurements"]
    table = table[table["tree"].eq("taxonomy") & ~table["rank"].isin(["class", "order"])].copy()
    undefined = np.random.default_rng(0).random(len(table)) < 0.3
    table.loc[undefined, ["value", "ci_low", "ci_high"]] = np.nan
    REGISTRY[name]({**study, "measurements": table}, FigureSettings(controls=CONTROLS))


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_without_its_table_says_so(name):
    with pytest.raises(DataError, match="and there is none"):
        REGISTRY[name]({})


@pytest.mark.parametrize("name", ["endpoints", "headline", "agreement", "signal", "alignment"])
def test_the_tree_can_be_chosen_and_stands_on_the_figure(study, name):
    of_birds, of_taxonomy = (
        " ".join(texts(REGISTRY[name](study, FigureSettings(controls=CONTROLS, tree=tree))))
        for tree in ("", "taxonomy")
    )
    assert ("tree: birds" in of_birds) is (name != "agreement")  # none of its numbers was measured on that tree
    assert "birds" not in of_taxonomy
    with pytest.raises(DataError, match="nothing was measured on the tree 'fish'; the table has: taxonomy, birds"):
        REGISTRY[name](study, FigureSettings(tree="fish"))


@pytest.mark.parametrize("name", ["endpoints", "signal", "variance", "within_ranks", "purity_by_rank", "staircase"])
def test_the_space_can_be_chosen(study, name):
    rows, _ = REGISTRY[name].draw(study, FigureSettings(controls=CONTROLS, space="centred"))
    assert "centred" in set(rows["space"])
    assert "raw" not in set(rows["space"])
