"""The figures of a study: ``study.plot.NAME(…)`` draws the figure NAME of the registry from the study's tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bioclip_probe.errors import DataError, ProbeError
from bioclip_probe.study.results import Results
from bioclip_probe.tables import check_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bioclip_probe.plots.entry import FigureEntry
    from bioclip_probe.plots.settings import FigureSettings

# The registry of figures imports matplotlib: it is imported when a figure is drawn.


class StudyFigure:
    """One figure of a study; call it to draw it.

    Parameters
    ----------
    name : str
        A figure of `bioclip_probe.plots`.
    results : Results

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> StudyFigure("headline", two_models_measured()).title
    'Cophenetic correlation (CPCC) with the tree of life'
    """

    def __init__(self, name: str, results: Results) -> None:
        self.name, self._results = name, results

    @property
    def title(self) -> str:
        """Its heading."""
        return self._entry(self.name).title

    @property
    def caption(self) -> str:
        """Its caption, in sentences."""
        return self._entry(self.name).notes

    def __call__(
        self,
        *,
        width: str = "double",
        models: Sequence[str] | None = None,
        space: str = "raw",
        tree: str = "",
        title: str = "",
    ) -> Figure:
        """Return the figure.

        Parameters
        ----------
        width : {'double', 'single', 'slide'}
            A page (7.1 in), a column (3.4 in) or a slide (13.33 in).
        models : sequence of str, optional
            Encoders to draw, in this order; all of them by default.
        space : {'raw', 'centred'}
            Embeddings as they are, or with their mean removed.
        tree : str
            As in the column ``tree`` of the measurements; by default the primary tree.
        title : str
            Heading; every figure has one of its own by default.

        Raises
        ------
        DataError
            If the study does not hold what the figure draws.
        """
        return self._drawn(self.name, self._results, _settings(width, models, space, tree, title))

    def __repr__(self) -> str:
        return f"{self.name}(width='double', …): {self.title}"

    def _drawn(self, name: str, results: Results, settings: FigureSettings) -> Figure:
        for model in settings.models or ():
            check_name("encoder", model, results.encoders)
        figure = self._entry(name)(results, settings)
        show_in_notebooks(type(figure))
        return figure

    @staticmethod
    def _entry(name: str) -> FigureEntry:
        from bioclip_probe.plots.registry import REGISTRY

        return REGISTRY[name]


class DrillDownFigure(StudyFigure):
    """The drill-down of Section 4.6, by any method that the study has projected with; call it to draw it.

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> DrillDownFigure("drilldown", two_models_measured()).name
    'drilldown'
    """

    def __call__(
        self,
        *,
        width: str = "double",
        models: Sequence[str] | None = None,
        space: str = "raw",
        tree: str = "",
        title: str = "",
        method: str = "",
    ) -> Figure:
        """Return the figure.

        Parameters
        ----------
        width, models, space, tree, title
            As for every figure.
        method : {'tsne', 'umap', 'pca'}
            By default the first one of the study.

        Raises
        ------
        DataError
            If the study was not projected by the method.
        """
        coordinates = self._results.table("coordinates")
        methods = coordinates["method"].unique().tolist()
        method = method or methods[0]
        if method not in methods:
            raise DataError(f"the study was not projected by '{method}', but by {', '.join(methods)}")
        results = replace(self._results, coordinates=coordinates[coordinates["method"] == method])
        name = "drilldown_umap" if method == "umap" else self.name
        return self._drawn(name, results, _settings(width, models, space, tree, title))


class StudyFigures:
    """The figures of a study, each a method that draws it; ``dir(study.plot)`` lists them.

    Parameters
    ----------
    results : Results

    Examples
    --------
    >>> from bioclip_probe.report.examples import two_models_measured
    >>> "headline" in dir(StudyFigures(two_models_measured()))
    True
    """

    # For type checkers and editors; a test compares them with the registry.
    accuracy_by_rank: StudyFigure
    agreement: StudyFigure
    alignment: StudyFigure
    calibration: StudyFigure
    clades: StudyFigure
    controls: StudyFigure
    differences: StudyFigure
    drilldown: DrillDownFigure
    drilldown_umap: StudyFigure
    endpoints: StudyFigure
    headline: StudyFigure
    layers: StudyFigure
    projection: StudyFigure
    purity_by_rank: StudyFigure
    relatives: StudyFigure
    sample_efficiency: StudyFigure
    signal: StudyFigure
    similarity: StudyFigure
    staircase: StudyFigure
    strays: StudyFigure
    text_side: StudyFigure
    variance: StudyFigure
    within_ranks: StudyFigure
    zero_shot: StudyFigure

    def __init__(self, results: Results) -> None:
        self._results = results

    if not TYPE_CHECKING:  # type checkers know the figures above, and refuse any other

        def __getattr__(self, name: str) -> StudyFigure:
            if name.startswith("_"):
                raise AttributeError(name)
            from bioclip_probe.plots.registry import REGISTRY

            try:
                check_name("figure", name, REGISTRY)
            except ProbeError as error:
                raise AttributeError(str(error)) from None
            return (DrillDownFigure if name == "drilldown" else StudyFigure)(name, self._results)

    def __dir__(self) -> list[str]:
        return list(type(self).__annotations__)

    def __repr__(self) -> str:
        return f"{len(dir(self))} figures: {', '.join(dir(self))}"


def _settings(width: str, models: Sequence[str] | None, space: str, tree: str, title: str) -> FigureSettings:
    from bioclip_probe.plots.settings import FigureSettings

    return FigureSettings(models=models, title=title, width=width, space=space, tree=tree)


def show_in_notebooks(figure_class: type[Figure]) -> None:
    """Teach Jupyter to show a figure as the value of a cell; ``%matplotlib inline`` is then not needed.

    Parameters
    ----------
    figure_class : type

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> show_in_notebooks(Figure)  # no notebook, nothing to do
    """
    import sys

    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    formatters = getattr(getattr(shell, "display_formatter", None), "formatters", {})
    if "image/png" not in formatters or figure_class in formatters["image/png"].type_printers:
        return
    from IPython.core.pylabtools import print_figure

    def as_png(figure: Figure) -> bytes:
        return print_figure(figure, fmt="png", bbox_inches=None, dpi=150)

    formatters["image/png"].for_type(figure_class, as_png)
