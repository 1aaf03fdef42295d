"""The plan of a study: what it compares, on what, and with which settings. It touches no file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bioclip_probe import encoders, executors
from bioclip_probe.errors import ProbeError
from bioclip_probe.extraction.ready_vectors import VECTORS
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.probes.settings import ProbeSettings
from bioclip_probe.projections.settings import ProjectionSettings
from bioclip_probe.study.phylogeny import Phylogeny

WORLD_MODELS = ("world-taxonomic", "world-generic", "world-subset")
PAPER_MODELS = ("bioclip", "clip", "inat21-only")


@dataclass(frozen=True)
class Plan:
    """The contents of a study: what it compares, on what, and with which settings.

    Attributes
    ----------
    data : str
        A dataset, as `datasets.load` takes it: ``world``, ``inat21:PATH`` …
    models : tuple of str
        Encoders to compare, ``layer:1-12:MODEL`` for several layers of one; empty for the three of the paper (on
        ``world``: the world's three).
    controls : bool
        Measure pixels, colours and an untrained network beside them.
    tree : Path, optional
        A phylogeny of the taxa: Newick or Nexus.
    tree_unit : str
        Unit of its branch lengths, e.g. ``Myr``.
    tree_names : Path, optional
        A table of the names that taxa have in the tree, with the columns ``ours`` and ``theirs``.
    tree_at_genus : bool
        Put species that the tree lacks at the crown of their genus.
    confounds : tuple of str
        Columns such as photographer or kind of picture, that the geometry may follow instead of the tree.
    strata : tuple of str
        Columns inside whose values species are permuted, for tests that such a column cannot mislead.
    attributes : Path, optional
        A table of image ids with these columns; by default the file of ``table:FILE`` or ``vectors:FILE``.
    extraction : ExtractionSettings
    measure : MeasureSettings
    probe : ProbeSettings
    projection : ProjectionSettings

    Raises
    ------
    ProbeError
        If there is no such engine, a model is named twice, or names for a tree are given without a tree.

    Examples
    --------
    >>> Plan(data="inat21:val").compared
    ('bioclip', 'clip', 'inat21-only')
    >>> Plan(measure=MeasureSettings(metrics=("cophenetic_correlation",))).measure.metrics
    ('cophenetic_correlation',)
    """

    data: str = "world"
    models: tuple[str, ...] = ()
    controls: bool = True
    tree: Path | None = None
    tree_unit: str = "unknown"
    tree_names: Path | None = None
    tree_at_genus: bool = False
    confounds: tuple[str, ...] = ()
    strata: tuple[str, ...] = ()
    attributes: Path | None = None
    extraction: ExtractionSettings = field(default_factory=ExtractionSettings)
    measure: MeasureSettings = field(default_factory=MeasureSettings)
    probe: ProbeSettings = field(default_factory=ProbeSettings)
    projection: ProjectionSettings = field(default_factory=ProjectionSettings)

    def __post_init__(self) -> None:
        if isinstance(self.extraction.engine, str):
            executors.check_engine(self.extraction.engine)
        models = encoders.expand(self.models)
        twice = sorted({model for model in models if models.count(model) > 1})
        if twice:
            raise ProbeError(f"a model is named twice: {', '.join(twice)}")
        if self.tree is None and (self.tree_names is not None or self.tree_at_genus):
            raise ProbeError("--tree-names and --tree-at-genus say how names find the tips of a tree; give --tree FILE")

    @property
    def phylogeny(self) -> Phylogeny | None:
        """The file of the phylogeny, and how names find its tips; None without one."""
        return Phylogeny(self.tree, self.tree_unit, self.tree_names, self.tree_at_genus) if self.tree else None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of images that the study needs beside taxa."""
        return tuple(dict.fromkeys((*self.confounds, *self.strata)))

    @property
    def compared(self) -> tuple[str, ...]:
        """The models, without the controls."""
        if self.models:
            return encoders.expand(self.models)
        if self.data.startswith(VECTORS):
            return (self.data,)
        return WORLD_MODELS if self.data == "world" else PAPER_MODELS

    @property
    def encoders(self) -> tuple[str, ...]:
        """All encoders of the study: the models, then the controls. Ready vectors have no controls beside them."""
        if not self.controls or self.data.startswith(VECTORS):
            return self.compared
        return (*self.compared, *encoders.controls_for(self.compared))

    @property
    def templates(self) -> str | None:
        """The prompts in which the names of taxa are embedded; None if they are not embedded."""
        return self.probe.templates if self.probe.names or "zero_shot" in self.probe.probes else None
