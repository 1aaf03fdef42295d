"""Measurements on a phylogeny whose tips are no species: they stand at the rank of the tips, and in its units."""

from __future__ import annotations

from dataclasses import replace

from bioclip_probe.metrics.intervals import with_note
from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.study.sample import Sample
from bioclip_probe.tables import RANKS
from bioclip_probe.tree.placing import PLURALS, rank_of_matches


def at_rank_of_tips(row: Measurement, rank: str) -> Measurement:
    """Return a measurement on a phylogeny at the rank of its tips, with a note if that is not the species.

    Parameters
    ----------
    row : Measurement
    rank : str

    Returns
    -------
    Measurement

    Examples
    --------
    >>> from bioclip_probe.stats.estimate import Estimate
    >>> at_rank_of_tips(Measurement("spearman", "species", Estimate(0.5)), "genus").estimate.note
    'the tips of the tree are genera, which stand in place of species'
    """
    if rank == RANKS[-1]:
        return row
    note = f"the tips of the tree are {PLURALS[rank]}, which stand in place of species"
    return replace(row, rank=rank, estimate=with_note(row.estimate, note))


def with_units_of_tips(row: Measurement, sample: Sample, tree: str) -> Measurement:
    """Return a measurement whose permuted and resampled units are called by the rank of the tips of its tree.

    Measurements are made as if the tips were species. They are renamed only in the tables, because the intervals of
    differences between encoders must still tell single tips from whole clades.

    Parameters
    ----------
    row : Measurement
    sample : Sample
    tree : str
        The tree that it was measured on.

    Returns
    -------
    Measurement
        The same one in a taxonomy, and on a tree of species.

    Examples
    --------
    >>> from bioclip_probe.stats.estimate import Estimate
    >>> from bioclip_probe.study.examples import corvid_sample
    >>> row = Measurement("spearman", "species", Estimate(0.5, null="species"))
    >>> with_units_of_tips(row, corvid_sample(), "taxonomy").estimate.null
    'species'
    """
    if tree not in sample.trees:
        return row
    rank, own = rank_of_matches(sample.trees[tree][1]), row.estimate
    null, resampled = (rank if unit == RANKS[-1] else unit for unit in (own.null, own.resampled))
    note = own.note.replace(f"({RANKS[-1]})", f"({rank})")
    return replace(row, estimate=replace(own, null=null, resampled=resampled, note=note))
