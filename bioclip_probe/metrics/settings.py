"""The settings of metrics, with their defaults and their help; light, so that the command line reads them."""

from __future__ import annotations

from dataclasses import dataclass, field

from bioclip_probe.errors import ProbeError
from bioclip_probe.stats.defaults import LEVEL, N_BOOTSTRAP, N_GROUPS, N_PERMUTATIONS
from bioclip_probe.tables import DEFAULT_SEED, RANKS, check_no_text
from bioclip_probe.torch_device import check_device


@dataclass(frozen=True)
class MeasureSettings:
    """Settings of the metrics: which are measured, and how intervals and p-values are drawn.

    Attributes
    ----------
    metrics : tuple of str
        Names of the metric registry; empty for all of them.
    resample : str
        Rank whose taxa all intervals leave out whole: ``species``, or ``genus`` or ``family`` where species are not
        independent.
    per_species : int, optional
        Measure this many images of each species, drawn at random; species with fewer are left out.
    seed : int
        Every number draws from a stream of its own, made of the seed, its name and its rank.
    device : str
        Device on which heavy products are computed: ``cpu``, ``cuda``, ``cuda:N``, or ``auto`` for a GPU if there is
        one. It changes numbers by rounding only.
    level : float
        Nominal coverage of the confidence intervals.
    n_permutations : int
        Permutations of species: p-values and chance of correlations with the tree and of K_mult.
    n_primary_permutations : int
        Permutations of species for the p-values of the primary endpoints, which are numbers of raw embeddings of the
        whole dataset. In the centred space and in parts of the dataset, a study draws `n_permutations` for them.
    n_null_permutations : int
        Permutations of species for the chance level of numbers whose chance has no formula.
    n_null_anchors : int
        Images, drawn at random, that are scored as anchors for that chance level of retrieval; with fewer, all are.
    n_bootstrap : int
        Bootstrap replicates.
    n_groups : int
        Groups of taxa that the delete-group jackknife leaves out, at most.
    n_label_permutations : int
        Permutations of labels over images, for the chance of cluster purity at species, at each start of k-means.
    n_model_permutations : int
        Permutations of species between two encoders, for the null of CKA, RSA and mutual neighbours.
    n_mutual_neighbors : int
        Nearest species of each species that two encoders are compared on.
    n_calibration_draws : int
        Answers drawn from a calibrated probe, for the chance of the calibration error.
    n_shuffles : int
        Shuffles of answers, for the chance of consistency between ranks.
    n_halves : int
        Times that the images of each species are divided into two halves, for the noise ceiling.
    n_attainable_draws : int
        Embeddings that are simulated for the attainable CPCC.
    n_hyperbolicity_species, n_hyperbolicity_draws : int
        Species of one draw, and draws, of the delta hyperbolicity.
    n_geodesic_neighbors, n_geodesic_species : int
        Nearest species that the graph of geodesic distances joins, and how many species are drawn where there are more.
    max_recluster : int
        With more images times taxa, k-means clusters have no interval, which would need them without each group.
    max_dendrogram_species : int
        With more species the dendrogram has no interval, which needs the dendrogram of each half sample.
    n_half_samples : int
        Random halves of the jackknife groups, for the intervals of dendrograms.
    min_clade_species : int
        A clade with fewer species has no correlation of its own: three species have three pairs, five have ten.

    Raises
    ------
    ProbeError
        If a number is out of its range, or the rank or the device is unknown.

    Examples
    --------
    >>> MeasureSettings(n_permutations=99).n_permutations
    99
    >>> MeasureSettings(level=95)
    Traceback (most recent call last):
        ...
    bioclip_probe.errors.ProbeError: the level of an interval lies between 0 and 1; got 95
    """

    metrics: tuple[str, ...] = field(default=(), metadata={"help": "measure these alone; default: all"})
    resample: str = field(
        default=RANKS[-1],
        metadata={
            "help": "rank whose taxa all intervals leave out whole: genera, say, where species are not independent"
        },
    )
    per_species: int | None = field(
        default=None, metadata={"help": "measure N images of each species, drawn at random; default: all"}
    )
    seed: int = field(default=DEFAULT_SEED, metadata={"help": "seed of resampling, splits and projections"})
    device: str = "cpu"
    level: float = field(default=LEVEL, metadata={"help": "nominal coverage of the intervals"})
    n_permutations: int = field(
        default=N_PERMUTATIONS, metadata={"help": "permutations of species for p-values and chance"}
    )
    n_primary_permutations: int = field(
        default=9999, metadata={"help": "permutations of species for the p-values of the primary endpoints"}
    )
    n_null_permutations: int = 20
    n_null_anchors: int = 2000
    n_bootstrap: int = field(default=N_BOOTSTRAP, metadata={"help": "bootstrap replicates"})
    n_groups: int = field(default=N_GROUPS, metadata={"help": "most groups that the jackknife leaves out"})
    n_label_permutations: int = 20
    n_model_permutations: int = 199
    n_mutual_neighbors: int = 10
    n_calibration_draws: int = 99
    n_shuffles: int = 19
    n_halves: int = 10
    n_attainable_draws: int = 20
    n_hyperbolicity_species: int = 100
    n_hyperbolicity_draws: int = 40
    n_geodesic_neighbors: int = 10
    n_geodesic_species: int = 1000
    max_recluster: int = 5_000_000
    max_dendrogram_species: int = 2000
    n_half_samples: int = 40
    min_clade_species: int = 5

    def __post_init__(self) -> None:
        check_no_text("metrics", self.metrics)
        check_device(self.device)
        if self.seed < 0:
            raise ProbeError(f"the seed must be 0 or more; got {self.seed}")
        if not 0 < self.level < 1:
            raise ProbeError(f"the level of an interval lies between 0 and 1; got {self.level}")
        if self.resample not in RANKS:
            raise ProbeError(f"intervals resample taxa of a rank ({', '.join(RANKS)}); got '{self.resample}'")
        if self.per_species is not None and self.per_species < 1:
            raise ProbeError(f"expected at least 1 image a species; got {self.per_species}")
        counts = {
            "n_permutations": self.n_permutations,
            "n_primary_permutations": self.n_primary_permutations,
            "n_null_permutations": self.n_null_permutations,
            "n_null_anchors": self.n_null_anchors,
            "n_bootstrap": self.n_bootstrap,
            "n_groups": self.n_groups,
            "n_label_permutations": self.n_label_permutations,
            "n_model_permutations": self.n_model_permutations,
            "n_mutual_neighbors": self.n_mutual_neighbors,
            "n_calibration_draws": self.n_calibration_draws,
            "n_shuffles": self.n_shuffles,
            "n_halves": self.n_halves,
            "n_attainable_draws": self.n_attainable_draws,
            "n_hyperbolicity_species": self.n_hyperbolicity_species,
            "n_hyperbolicity_draws": self.n_hyperbolicity_draws,
            "n_geodesic_neighbors": self.n_geodesic_neighbors,
            "n_geodesic_species": self.n_geodesic_species,
            "max_recluster": self.max_recluster,
            "max_dendrogram_species": self.max_dendrogram_species,
            "n_half_samples": self.n_half_samples,
            "min_clade_species": self.min_clade_species,
        }
        for name, count in counts.items():
            if count < 1:
                raise ProbeError(f"{name} must be at least 1; got {count}")
