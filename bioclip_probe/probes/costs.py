"""The processor time that probes will take, estimated before they run.

The estimate is made of the numbers of operations that the probes need, and of the constants below. These are processor
seconds of one core with AVX-512 (a virtual one of a busy machine), each the best of several runs with one thread of
linear algebra; `tests.benchmarks.bench_probes --costs` prints them for any machine. The numbers of evaluations are
those of the built-in world's encoders. An estimate is good to a factor of two or so: the optimiser of the linear probe
needs more steps for some embeddings than for others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bioclip_probe.probes.registry import LEAVE_ONE_OUT, SEEN, SEEN_CHILDREN, SHUFFLED, UNSEEN
from bioclip_probe.probes.settings import ProbeSettings

#: Multiplications with additions a second in products, on one core, in float32 and in float64.
FLOAT32_RATE, FLOAT64_RATE = 5e10, 2.5e10
#: The same in float32 on a GPU: half of the data sheet of an H100. It was not measured.
GPU_RATE = 1.5e13
#: Seconds to go once over a score (of an image and a taxon): in a softmax, and to rank taxa.
SOFTMAX_PASS, RANK_PASS = 2.6e-9, 6e-9
#: Seconds of one evaluation for each number of the features, and of one step of the optimiser for each weight.
FEATURE_PASS, STEP_PASS = 6e-10, 2e-8
#: Seconds to find the principal axes, for each number of the dimension cubed.
AXES = 3e-10
#: Evaluations of the linear probe's objective for all values of C and the final fit, of all images and of few shots.
EVALUATIONS, EVALUATIONS_OF_SHOTS = 120, 100
#: Seconds of an evaluation that do not depend on the size.
OVERHEAD = 4e-5
#: Seconds to count the votes of the neighbours of an image.
VOTE = 8e-6
#: Values of the hyperparameter among which ridge regression and LDA choose.
GRID_OF_CLOSED_FORM = 8
#: Share of the images that is learnt from, where other images are asked about and where children of taxa are.
LEARNT, LEARNT_OF_CHILDREN = 0.65, 0.45
#: Share of the images that is val, that asks neighbours, and that has too few among its nearest and searches again.
VAL, ASKED, SEARCHED_AGAIN = 0.2, 0.6, 0.2
FOLDS_OF_CHILDREN, FOLDS_OF_SHOTS = 5, 10
#: Above this many seconds the linear probe is called long, and what is exact and fast is named.
LONG = 1800.0


@dataclass(frozen=True)
class SampleSize:
    """The size of a sample, from which the cost of probes is estimated.

    Attributes
    ----------
    n_images : int
    dimension : int
        Length of the embeddings.
    taxa : tuple of int
        Number of taxa at each rank, from kingdom to species.

    Examples
    --------
    >>> SampleSize(100_000, 512, (3, 13, 51, 273, 1_103, 4_884, 10_000)).n_images
    100000
    """

    n_images: int
    dimension: int
    taxa: tuple[int, ...]


@dataclass(frozen=True)
class _Fit:
    """One probe at one rank: images learnt from, taxa, and whether it learns from few images a taxon."""

    n_learnt: float
    n_taxa: int
    few: bool = False


def probe_seconds(settings: ProbeSettings, size: SampleSize, n_cores: int = 1) -> dict[str, float]:
    """Return the seconds that each probe will take for one encoder.

    Parameters
    ----------
    settings : ProbeSettings
        On another device than ``cpu`` the linear probe is estimated for a GPU.
    size : SampleSize
    n_cores : int
        Processors that work at the same time.

    Returns
    -------
    dict from str to float
        Seconds by the name of the probe, in the order of the settings.

    Examples
    --------
    >>> whole = SampleSize(100_000, 512, (3, 13, 51, 273, 1_103, 4_884, 10_000))
    >>> seconds = probe_seconds(ProbeSettings(probes=("linear", "lda")), whole, n_cores=2)
    >>> seconds["linear"] > 10 * seconds["lda"]
    True
    """
    fits, cores = list(_fits(settings, size)), max(n_cores, 1)
    seconds = {}
    for name in settings.probes:
        if name == "linear" and settings.device != "cpu":
            seconds[name] = sum(_linear(fit, size, GPU_RATE) for fit in fits)
        elif name == "linear":
            seconds[name] = sum(_linear(fit, size, FLOAT32_RATE) for fit in fits) / cores
        elif name in ("ridge", "lda"):
            seconds[name] = sum(_closed_form(fit, size) for fit in fits) / cores
        elif name == "knn":
            seconds[name] = _neighbours(fits, len(settings.protocols), size) / cores
        else:
            times = FOLDS_OF_SHOTS if name == "simpleshot" else len(size.taxa)
            seconds[name] = times * _scoring(size.n_images, size.dimension, size.taxa[-1]) / cores
    return seconds


def long_work(seconds: dict[str, float]) -> str:
    """Return the sentence that warns of a long linear probe, and names what is fast; empty if it is not long.

    Parameters
    ----------
    seconds : dict from str to float
        Seconds by probe, from `probe_seconds`; they may be summed over encoders.

    Returns
    -------
    str

    Examples
    --------
    >>> long_work({"linear": 90_000.0, "knn": 700.0})
    'logistic regression (linear) will take about 25 hours; --probes lda ridge have closed forms and take a small \
share of that, and --device cuda fits it on a GPU'
    >>> long_work({"linear": 60.0})
    ''
    """
    if seconds.get("linear", 0.0) < LONG:
        return ""
    return (
        f"logistic regression (linear) will take about {seconds['linear'] / 3600:.2g} hours; "
        "--probes lda ridge have closed forms and take a small share of that, and --device cuda fits it on a GPU"
    )


def _fits(settings: ProbeSettings, size: SampleSize) -> Iterator[_Fit]:
    """Yield every fit that the protocols ask for."""
    n, species, above = size.n_images, size.taxa, size.taxa[:-1]
    many, fewer = LEARNT * n, LEARNT_OF_CHILDREN * n
    if SEEN in settings.protocols:
        yield from (_Fit(many, k) for k in species)
        yield from (_Fit(shots * k, k, few=True) for shots in settings.shots for k in species if shots * k < many)
    if SHUFFLED in settings.protocols:
        yield from (_Fit(many, k) for k in above)
    if {SEEN_CHILDREN, UNSEEN} & set(settings.protocols):
        with_several = [_with_several_children(*taxa) for taxa in pairwise(species)]
        fits = [_Fit(fewer * share, k) for k, share in with_several if k > 1]
        yield from fits * (FOLDS_OF_CHILDREN * settings.n_deals)
    if LEAVE_ONE_OUT in settings.protocols:
        yield from (_Fit(many, k) for k in species for _ in range(n))


def _with_several_children(n_taxa: int, n_children: int) -> tuple[int, float]:
    """Return the largest possible number of taxa with two children or more, and the share of children under them."""
    several = min(n_taxa, max(n_children - n_taxa, 0))  # there may be fewer children where lineages have holes
    return several, (n_children - n_taxa + several) / max(n_children, 1)


def _linear(fit: _Fit, size: SampleSize, rate: float) -> float:
    """Return the seconds of the path of C and the final fit, by L-BFGS."""
    d = min(size.dimension, fit.n_learnt)  # other axes hold nothing
    of_a_score = 2 * d / FLOAT32_RATE + SOFTMAX_PASS
    passes = fit.n_learnt * (fit.n_taxa * of_a_score + d * FEATURE_PASS) + fit.n_taxa * d * STEP_PASS
    evaluation = OVERHEAD + passes * FLOAT32_RATE / rate
    rotation = 2 * fit.n_learnt * size.dimension * d / FLOAT64_RATE + AXES * d**3
    return (EVALUATIONS_OF_SHOTS if fit.few else EVALUATIONS) * evaluation + rotation


def _closed_form(fit: _Fit, size: SampleSize) -> float:
    """Return the seconds of ridge regression or LDA at every strength of the regularisation."""
    d, k = size.dimension, fit.n_taxa
    moments = 2 * fit.n_learnt * d**2 / FLOAT64_RATE
    weights = GRID_OF_CLOSED_FORM * (d**3 / 6 + d**2 * k) / FLOAT64_RATE
    n_scored = GRID_OF_CLOSED_FORM * VAL * size.n_images + size.n_images
    return moments + weights + n_scored * k * (d / FLOAT64_RATE + RANK_PASS)


def _neighbours(fits: Sequence[_Fit], n_protocols: int, size: SampleSize) -> float:
    """Return the seconds of the nearest neighbours: of all images once a protocol, and of some again for each fit."""
    n = size.n_images
    n_pairs = n_protocols * n**2 + SEARCHED_AGAIN * n * sum(fit.n_learnt for fit in fits)
    return n_pairs * (size.dimension / FLOAT32_RATE + RANK_PASS) + len(fits) * ASKED * n * VOTE


def _scoring(n: int, d: int, n_taxa: int) -> float:
    """Return the seconds to score images for taxa and to rank these."""
    return n * n_taxa * (d / FLOAT64_RATE + RANK_PASS)
