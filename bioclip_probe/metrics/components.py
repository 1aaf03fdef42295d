"""Variance components: at which rank the variance of an embedding arises, and how much of it species inherit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bioclip_probe.metrics.intervals import FEWEST_UNITS, with_interval, with_note
from bioclip_probe.metrics.measurement import Measurement, measurements_by_rank
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.metrics.shared import SharedResults
from bioclip_probe.stats.all_pairs.nested import NestedSums
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.stats.jackknife import Jackknife
from bioclip_probe.stats.resampling import permutation_p
from bioclip_probe.stats.rows import Rows
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.tree import Placement

NAMES = ("variance_component", "variance_component_between_species", "heritable_share")
OF_TOTAL, OF_SPECIES, HERITABLE = NAMES
#: A variance below this share of the mean squared length is rounding.
FLAT = 1e-12
ONE_IMAGE = "no species has two images: the variance of images is not told apart from that of species"


def variance_components(
    embeddings: np.ndarray | SharedResults, placement: Placement, settings: MeasureSettings | None = None
) -> list[Measurement]:
    """Return the variance component of each rank, and the share of the variance between species that is inherited.

    The position of an image is taken as the sum of independent effects of its kingdom, phylum, …, genus, its species
    and the image itself. The component of a rank is the variance of its effects over all dimensions together.

    Parameters
    ----------
    embeddings, placement
        As for `cophenetic_correlation`, in a taxonomy.
    settings : MeasureSettings, optional
        `n_permutations`, `n_groups` and `level` are used.

    Returns
    -------
    list of Measurement
        ``variance_component``, at each rank: the component over the sum of all components, that of images included.
        ``variance_component_between_species``, at each rank: the component over the sum from kingdom to species.
        ``heritable_share``, at species: the sum of the components above species over the sum from kingdom to species,
        the part of what an embedding says about species that their relatives share. Higher is better.

        All lie between 0 and 1 but for error. Estimates are unbiased, so that a component of 0 is as often below 0 as
        above; they are given as they are, not cut off at 0. Above species the chance level is 0 (null: whole species
        permuted over the tips): a memoriser of species has everything in species and images, and a heritable share
        of 0. At species it is 0 for labels permuted over images. `p_value` of the heritable share is one-sided, from
        permutations of species. The interval recomputes the numbers without each group of species; it is about other
        species of the same higher taxa. There is none where a rank has fewer than ten taxa more than the rank above
        (for the heritable share, also where there are fewer than eleven genera), since it would cover too little.

        A rank has no component of its own where nothing in the sample tells it apart from the rank above (one order in
        each class, say); the component of the rank above then holds both, and the note says so. Where an image has no
        name at a rank, the next taxon below stands in for it, as in the tree distance. Images without a species are
        left out and counted.

    Raises
    ------
    DataError
        As for `cophenetic_correlation`.

    Notes
    -----
    Henderson's method 1 with exact coefficients for unequal numbers, on traces; see `stats.all_pairs.nested`.
    O(n d²) for the sums, which other metrics share, and O(nodes·d) for each permutation and each group. Numbers of
    models with different dimensions compare, since the variance is that of the whole embedding.

    References
    ----------
    Henderson 1953, Biometrics 9, 226; Lynch & Walsh 1998, Genetics and Analysis of Quantitative Traits, ch. 18.

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> vectors, placement = corvids()
    >>> twice = np.repeat([0, 1, 2], 2)
    >>> rows = variance_components(vectors[twice], placement.take(twice))
    >>> [(row.metric, round(row.value, 2)) for row in rows if row.rank == "genus"][0]
    ('variance_component', 0.71)
    """
    shared = SharedResults.of(embeddings, placement, settings)
    rng = shared.stream("variance_components")
    return measurements_by_rank(estimate_variance_components(shared.images, shared.jackknife(), rng, shared.settings))


def estimate_variance_components(
    images: Rows, jackknife: Jackknife, rng: np.random.Generator, settings: MeasureSettings
) -> dict[str, dict[str, Estimate]]:
    """Return `variance_components` as a table.

    Parameters
    ----------
    images : Rows
        Images at the tips of a taxonomy of species, see `Rows.images`.
    jackknife : Jackknife
        Groups of the same images.
    rng : numpy.random.Generator
        It permutes the species.
    settings : MeasureSettings
        `n_permutations` and `level` are used.

    Returns
    -------
    dict from rank to dict from metric to Estimate

    Examples
    --------
    >>> from bioclip_probe.metrics.examples import corvids
    >>> images = Rows.images(*corvids())
    >>> jackknife = Jackknife.of("species", images.groups, np.random.default_rng(0))
    >>> table = estimate_variance_components(images, jackknife, np.random.default_rng(0), MeasureSettings())
    >>> table["species"]["heritable_share"].note
    'no species has two images: the variance of images is not told apart from that of species'
    """
    counts, blank = images.counts, Estimate(np.nan, **images.counts)
    if counts["n_taxa"] < 3:
        return _undefined(f"needs at least 3 taxa, found {counts['n_taxa']}", blank)
    moments = images.sums.moments
    sums = NestedSums(images.tree, moments.counts, moments.sums, moments.norms)
    components, group = sums.components(), jackknife.of_tips(images)
    if not components.sum() > FLAT * max(moments.squares / moments.n, 1):
        return _undefined("the vectors do not vary", blank)
    deleted = np.array([sums.components(kept=group != number) for number in range(jackknife.n_groups)])
    own = jackknife.take(images.groups >= 0)
    table: dict[str, dict[str, Estimate]] = {}
    for rank in RANKS:
        n_taxa = int(sums.taxa_at[RANKS.index(rank)].sum())
        row = replace(blank, n_taxa=n_taxa, note=_holes(images, rank))
        table[rank] = {}
        for name in NAMES if rank == RANKS[-1] else NAMES[:2]:
            value = np.nan if _reason_undefined(sums, rank, name) else float(_share(sums, rank, name, components))
            if np.isnan(value):
                note = _reason_undefined(sums, rank, name) or "species differ no more than their images do"
                table[rank][name] = replace(row, note=note)
                continue
            null = "images" if rank == RANKS[-1] and name != HERITABLE else "species"
            estimate = replace(row, value=value, chance=0.0, null=null)
            if reason := _reason_no_interval(sums, rank, name):
                table[rank][name] = with_note(estimate, reason)
                continue
            table[rank][name] = with_interval(estimate, _share(sums, rank, name, deleted), own, settings)
    table[RANKS[-1]][HERITABLE] = _with_p(table[RANKS[-1]][HERITABLE], sums, rng, settings)
    return table


def _with_p(estimate: Estimate, sums: NestedSums, rng: np.random.Generator, settings: MeasureSettings) -> Estimate:
    """Return the heritable share with its p-value, from permutations of species."""
    if np.isnan(estimate.value):
        return estimate
    permuted = sums.permuted_components(settings.n_permutations, rng, settings.device)
    null = _share(sums, RANKS[-1], HERITABLE, permuted)
    return replace(estimate, p_value=permutation_p(estimate.value, null))


def _undefined(reason: str, blank: Estimate) -> dict[str, dict[str, Estimate]]:
    """Return the table of a sample without components."""
    table = {rank: dict.fromkeys(NAMES[:2], replace(blank, note=reason)) for rank in RANKS}
    table[RANKS[-1]][HERITABLE] = replace(blank, note=reason)
    return table


def _reason_undefined(sums: NestedSums, rank: str, name: str) -> str:
    """Return why a number does not exist; empty if it may."""
    if rank in sums.confounded:
        return sums.confounded[rank]
    if not sums.images_repeat and (name != OF_TOTAL or rank == RANKS[-1]):
        return ONE_IMAGE
    return "no rank above species has two taxa" if name == HERITABLE and len(sums.ranks) == 1 else ""


def _reason_no_interval(sums: NestedSums, rank: str, name: str) -> str:
    """Return why the interval of a number would cover less than it says; empty where it covers.

    Simulated with effects at six ranks (150 draws, 4 and 64 dimensions, 60 and 200 species), intervals of components
    with ten degrees of freedom or more cover in 93 % or more, those with fewer in 80 to 96 %. The rank below needs as
    many, because its component is subtracted: of 80 random species of iNat21 few share a genus, and 23 of the 66
    intervals that the calibration study first drew for genera held their target.
    """
    freedom = sums.freedom[rank]
    if name == HERITABLE:
        freedom = min(freedom, sum(sums.freedom[above] for above in sums.ranks[:-1]))
    if freedom < FEWEST_UNITS:
        return f"no interval: {freedom} more taxa than at the rank above, needs at least {FEWEST_UNITS}"
    for below in sums.ranks[sums.ranks.index(rank) + 1 :][:1]:
        if sums.freedom[below] < FEWEST_UNITS:
            few = f"{sums.freedom[below]} more taxa at {below} than at {rank}, needs at least {FEWEST_UNITS}"
            return f"no interval: {few}"
    return ""


def _share(sums: NestedSums, rank: str, name: str, components: np.ndarray) -> np.ndarray:
    """Return a number from the components along the last axis; NaN where what it is a share of is not above 0."""
    of_ranks = components[..., : len(sums.ranks)]
    whole = (components if name == OF_TOTAL else of_ranks).sum(axis=-1)
    part = of_ranks[..., :-1].sum(axis=-1) if name == HERITABLE else of_ranks[..., sums.ranks.index(rank)]
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def _holes(images: Rows, rank: str) -> str:
    """Return a note on the images without a name at a rank; empty if all have one."""
    tip = images.tree.ancestor_at(rank)[images.tree.tips]
    n = int(np.sum(tip[images.groups[images.groups >= 0]] < 0))
    return f"{n} images without a name at the rank: the next taxon below stands in for it" if n else ""
