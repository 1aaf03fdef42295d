"""The species and individuals that the world's models may see in training.

A fifth of the species is held out: a whole family, some whole genera, and single species of other genera. All taxa that
are held out have relatives in training at the rank above. Of the other species, training and evaluation use different
individuals.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

HELD_OUT = 48  # species
WHOLE_GENERA = 4
EVALUATION = range(5)  # individuals of every species that are never trained on
FIRST_TRAINING = 1000  # number of the first individual used in training


def held_out_species(taxa: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Return which species are kept from training.

    Parameters
    ----------
    taxa : DataFrame
        One row a species, columns `tables.RANKS`.
    rng : Generator

    Returns
    -------
    ndarray, shape (species,), bool

    Examples
    --------
    >>> from bioclip_probe import world
    >>> int(held_out_species(world.taxa(), np.random.default_rng(0)).sum())
    48
    """
    order = taxa.iloc[rng.permutation(len(taxa))]
    out = pd.Series(False, index=taxa.index)
    family = next(_whole_taxa(order, "family", "order", range(4, 9)))
    out |= taxa["family"] == family
    genera = _whole_taxa(order[~out[order.index]], "genus", "family", range(2, 5))
    out |= taxa["genus"].isin([next(genera) for _ in range(WHOLE_GENERA)])
    for row, genus in order["genus"].items():
        if out.sum() == HELD_OUT:
            break
        if not out[row] and (~out[taxa["genus"] == genus]).sum() > 1:
            out[row] = True
    return out.to_numpy()


def _whole_taxa(order: pd.DataFrame, rank: str, above: str, sizes: range) -> Iterator[str]:
    """Yield taxa of a rank with one of these sizes, each in another taxon of the rank above that has other members."""
    used: set[str] = set()
    for taxon, rows in order.groupby(rank, sort=False):
        parent = rows[above].iloc[0]
        if len(rows) in sizes and parent not in used and order.loc[order[above] == parent, rank].nunique() > 2:
            used.add(parent)
            yield taxon


def random_quarter(in_training: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a random quarter of the species that training may use.

    Parameters
    ----------
    in_training : ndarray, shape (species,), bool
    rng : Generator

    Returns
    -------
    ndarray, shape (species,), bool

    Examples
    --------
    >>> int(random_quarter(np.ones(8, bool), np.random.default_rng(0)).sum())
    2
    """
    chosen = np.zeros(len(in_training), dtype=bool)
    pool = np.flatnonzero(in_training)
    chosen[rng.choice(pool, len(pool) // 4, replace=False)] = True
    return chosen
