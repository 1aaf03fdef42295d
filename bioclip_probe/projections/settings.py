"""The settings of projections, with their defaults and their help; light, so that the command line reads them."""

from __future__ import annotations

from dataclasses import dataclass, field

from bioclip_probe.errors import ProbeError
from bioclip_probe.projections.modes import check_mode
from bioclip_probe.projections.registry import REGISTRY
from bioclip_probe.tables import DEFAULT_SEED, check_no_text


@dataclass(frozen=True)
class ProjectionSettings:
    """Settings of the drill-down of Section 4.6.

    Attributes
    ----------
    methods : tuple of str
        Names of the projection registry; each is drawn on its own.
    mode : str
        ``paper`` follows the authors' script: scikit-learn's t-SNE, and an outlier rule with one degree of freedom.
        ``corrected`` uses openTSNE and two degrees, the dimension of the plane.
    seed : int
        Each panel draws from a random stream of its own.
    n_seeds : int
        Panels of at most `repeat_up_to` images are projected by so many seeds, which gives the spread of the numbers in
        the plane, and once more from vectors without structure, which gives their control. With 1, all are projected
        once. Drawn is the first.
    repeat_up_to : int
        Images. The default keeps the cost small: with three seeds, a small panel is projected four times.

    Raises
    ------
    ProbeError
        If a name is unknown or given twice, none is given, the seed is negative, or there is no seed.

    Examples
    --------
    >>> ProjectionSettings(methods=("pca",)).mode
    'corrected'
    >>> ProjectionSettings(methods=("tnse",))
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ProbeError: unknown projection 'tnse'; expected one of: tsne, umap, pca
    """

    methods: tuple[str, ...] = field(
        default=("tsne", "umap"), metadata={"help": "methods that project images into the plane"}
    )
    mode: str = field(default="corrected", metadata={"help": "t-SNE and outlier rule: as the authors', or corrected"})
    seed: int = DEFAULT_SEED
    n_seeds: int = field(
        default=3,
        metadata={"help": "seeds by which small panels are projected: the spread of numbers in the plane"},
    )
    repeat_up_to: int = field(default=100, metadata={"help": "most images of a panel that is projected by all seeds"})

    def __post_init__(self) -> None:
        check_no_text("methods", self.methods)
        known = ", ".join(REGISTRY)
        if not self.methods:
            raise ProbeError(f"expected at least one projection of: {known}")
        for method in self.methods:
            if method not in REGISTRY:
                raise ProbeError(f"unknown projection '{method}'; expected one of: {known}")
            if self.methods.count(method) > 1:
                raise ProbeError(f"the projection '{method}' is named twice")
        check_mode(self.mode)
        if self.seed < 0:
            raise ProbeError(f"the seed must be 0 or more; got {self.seed}")
        if self.n_seeds < 1:
            raise ProbeError(f"a panel is projected by one seed or more; got {self.n_seeds}")
