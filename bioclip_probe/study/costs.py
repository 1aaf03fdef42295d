"""The time and the memory that measuring and projecting take, estimated before they run; for probes see `probes.costs`.

The estimate counts operations and multiplies them by the constants below, which were fitted to
`tests.benchmarks.bench_study` at several sizes on two cores of an AMD EPYC. On another machine an estimate may be off
by a factor; pieces of earlier runs, see `earlier_runs`, correct it.
"""

from __future__ import annotations

from math import log2

from bioclip_probe.metrics.registry import REGISTRY
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.probes import LEARNERS
from bioclip_probe.probes.costs import SampleSize
from bioclip_probe.probes.registry import LEAVE_ONE_OUT, SEEN, SEEN_CHILDREN, SHUFFLED, UNSEEN
from bioclip_probe.probes.settings import ProbeSettings

#: Processor seconds of one encoder in one space on the taxonomy: of each operation, see `_operations`.
CONSTANTS = {
    "fixed": 1.1,
    "products of images": 6e-11,
    "pairs of images": 2.5e-8,
    "permutations": 1.4e-9,
    "images": 1.9e-6,
    "clusters": 1.5e-10,
    "pairs of species": 1.9e-7,
}
#: Operations that run on the device, and how much faster a GPU does them than one core.
ON_DEVICE, GPU_FACTOR = ("products of images", "permutations", "clusters"), 100.0
#: Least share of the work that a few metrics take: what they share with the others.
LEAST_SHARE = 0.05
#: Work of pieces about pairs of encoders and about names, relative to their weights.
MEASURE_KINDS = {"and": 0.1, "beyond": 0.1, "names": 3.0}
#: Seconds to project one image, for each doubling of their number, and seconds of any projection.
PROJECTIONS = {"tsne": (2.5e-4, 0.05), "umap": (1e-4, 0.02), "pca": (1e-6, 0.02)}
#: Seconds until a method is loaded and compiled, once a process.
STARTS = {"umap": 10.0}
#: Work of the purity of all panels, relative to measuring an encoder.
PURITY_SHARE = 0.2
#: Seconds to score one answer about every image: of its ranks, and for each image; share of images that are tested.
SCORES, TESTED = (0.04, 2e-5), 0.2
#: Seconds to put the answers of one split into a table: of its ranks, and for each image.
TABLES = (0.02, 4e-5)
FOLDS_OF_CHILDREN = 5
#: Seconds of the figures and the page.
REPORT_SECONDS = (10.0, 40.0)
#: Bytes of the process without any data, and bytes for each number of an embedding while its encoder is measured.
BASE_MEMORY, WORKING_COPIES = 5e8, 24.0
#: Bytes for each number of the species' means, and how many of these numbers are worked on at once.
SPECIES_BYTES, SPECIES_NUMBERS = 1000.0, 5e5
#: Bytes of a prediction in memory.
PREDICTION_BYTES = 60.0


def measure_seconds(settings: MeasureSettings, size: SampleSize, n_cores: int = 1) -> float:
    """Return the seconds of one encoder in one space on the taxonomy, which is a piece of weight 1.

    Parameters
    ----------
    settings : MeasureSettings
    size : SampleSize
    n_cores : int
        Processors that work at the same time.

    Examples
    --------
    >>> small, large = SampleSize(1000, 512, (100,)), SampleSize(100_000, 512, (10_000,))
    >>> measure_seconds(MeasureSettings(), large) > 100 * measure_seconds(MeasureSettings(), small)
    True
    """
    operations = _operations(settings, size)
    seconds = 0.0
    for name, number in operations.items():
        faster = GPU_FACTOR if name in ON_DEVICE and settings.device != "cpu" else max(n_cores, 1)
        seconds += CONSTANTS[name] * number / (1 if name == "fixed" else faster)
    if not settings.metrics:
        return seconds
    return seconds * max(LEAST_SHARE, len(settings.metrics) / len(REGISTRY))


def _operations(settings: MeasureSettings, size: SampleSize) -> dict[str, float]:
    """Return the numbers of operations that measuring needs."""
    n, d, k = size.n_images, size.dimension, size.taxa[-1]
    permutations = settings.n_permutations + settings.n_primary_permutations
    drawn = min(k, settings.max_dendrogram_species)
    return {
        "fixed": 1.0,
        "products of images": float(n) * n * d,
        "pairs of images": float(n) * n,
        "permutations": float(permutations) * k * d,
        "images": float(n) * d,
        "clusters": float(n) * sum(size.taxa) * d,
        "pairs of species": float(settings.n_half_samples) * drawn * drawn,
    }


def project_seconds(method: str, n_images: int) -> float:
    """Return the seconds to project images into the plane.

    Parameters
    ----------
    method : str
        Name of the projection registry.
    n_images : int

    Examples
    --------
    >>> project_seconds("tsne", 10_000) > 5 * project_seconds("tsne", 1_000)
    True
    """
    each, fixed = PROJECTIONS[method]
    return fixed + each * n_images * log2(max(n_images, 2))


def score_seconds(settings: ProbeSettings, size: SampleSize, n_cores: int = 1) -> float:
    """Return the seconds to score all answers about one encoder.

    Parameters
    ----------
    settings : ProbeSettings
    size : SampleSize
    n_cores : int

    Examples
    --------
    >>> size = SampleSize(10_000, 512, (1, 2, 5, 20, 90, 400, 1_000))
    >>> score_seconds(ProbeSettings(n_deals=3), size) > score_seconds(ProbeSettings(n_deals=1), size)
    True
    """
    learners = len(set(settings.probes) & set(LEARNERS))
    answers = n_answers(settings) * learners + 2 * (len(settings.probes) - learners)
    fixed, each = SCORES
    return answers * (fixed + each * size.n_images / max(n_cores, 1))


def table_seconds(settings: ProbeSettings, n_images: int, n_cores: int = 1) -> float:
    """Return the seconds to put the answers of one probe that learns into a table.

    Examples
    --------
    >>> round(table_seconds(ProbeSettings(protocols=("seen",)), 1000), 2)
    0.06
    """
    children = {SEEN_CHILDREN, UNSEEN} & set(settings.protocols)
    n_splits = (SEEN in settings.protocols) * (1 + len(settings.shots)) + (SHUFFLED in settings.protocols)
    n_splits += FOLDS_OF_CHILDREN * settings.n_deals if children else 0
    n_splits += n_images if LEAVE_ONE_OUT in settings.protocols else 0
    fixed, each = TABLES
    return n_splits * (fixed + each * n_images / max(n_cores, 1))


def n_answers(settings: ProbeSettings) -> float:
    """Return how often a probe that learns answers about each image, at all ranks.

    Examples
    --------
    >>> n_answers(ProbeSettings(protocols=("seen",), shots=(1, 5)))
    1.4
    """
    answers = 0.0
    if SEEN in settings.protocols:
        answers += 1 + TESTED * len(settings.shots)
    if SHUFFLED in settings.protocols:
        answers += 1
    for protocol in (SEEN_CHILDREN, UNSEEN):
        answers += settings.n_deals if protocol in settings.protocols else 0
    return answers + (LEAVE_ONE_OUT in settings.protocols)


def study_memory(sizes: dict[str, SampleSize], n_predictions: float = 0.0, loaded: float = 0.0) -> float:
    """Return the peak of memory of a study in bytes.

    Parameters
    ----------
    sizes : dict from encoder name to SampleSize
        The vectors of all encoders are in memory at once, and one encoder is worked on.
    n_predictions : float
        Rows of predictions.
    loaded : float
        Bytes of the process with its encoders.

    Examples
    --------
    >>> study_memory({"bioclip": SampleSize(100_000, 512, (10_000,))}) < 6e9
    True
    """
    numbers = [size.n_images * size.dimension for size in sizes.values()]
    return (
        BASE_MEMORY + 4.0 * sum(numbers) + WORKING_COPIES * max(numbers, default=0) + PREDICTION_BYTES * n_predictions
    )
