"""Which species and individuals the world's models may see in training.

A fifth of the species is held out: a whole family, some whole genera, and single species of other genera. Everything
held out has relatives in training at the rank above. Of the other species, training sees other individuals than
evaluation.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

HELD_OUT = 48  # species
WHOLE_GENERA = 4
EVALUATION = range(5)  # individuals of every species that are never trained on
FIRST_TRAINING = 1000  # number of the first individual used in training


def held_out(taxa: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """(n species,) bool: the species kept from training."""
    order = taxa.iloc[rng.permutation(len(taxa))]
    out = pd.Series(False, index=taxa.index)
    family = next(_wholes(order, "family", "order", range(4, 9)))
    out |= taxa["family"] == family
    genera = _wholes(order[~out[order.index]], "genus", "family", range(2, 5))
    out |= taxa["genus"].isin([next(genera) for _ in range(WHOLE_GENERA)])
    for row, genus in order["genus"].items():
        if out.sum() == HELD_OUT:
            break
        if not out[row] and (~out[taxa["genus"] == genus]).sum() > 1:
            out[row] = True
    return out.to_numpy()


def _wholes(order: pd.DataFrame, rank: str, above: str, sizes: range):
    """Taxa of `rank` of these sizes, each in another taxon of the rank `above`, which has further ones."""
    used = set()
    for taxon, rows in order.groupby(rank, sort=False):
        home = rows[above].iloc[0]
        if len(rows) in sizes and home not in used and order.loc[order[above] == home, rank].nunique() > 2:
            used.add(home)
            yield taxon


def quarter(seen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n species,) bool: a quarter of the `seen` species, at random."""
    chosen = np.zeros(len(seen), dtype=bool)
    pool = np.flatnonzero(seen)
    chosen[rng.choice(pool, len(pool) // 4, replace=False)] = True
    return chosen
