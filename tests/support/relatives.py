"""A small made-up dataset of twelve species whose relatives lie near one another, with noise enough to err."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioclip_probe.tables import RANKS


def lineage_frame(n: int = 60, seed: int = 3) -> pd.DataFrame:
    """Return the lineages of n images of twelve species; no two taxa of a rank have equally many images."""
    species = np.repeat(np.arange(12), [13, 9, 7, 6, 5, 4, 4, 3, 3, 2, 2, 2])[:n]
    divisors = dict(zip(RANKS, (8, 5, 4, 3, 2.5, 2, 1), strict=True))
    frame = pd.DataFrame(
        {rank: [f"{rank[:2].title()}{int(s // by)}" for s in species] for rank, by in divisors.items()}
    )
    frame["species"] = frame["genus"] + " " + pd.Series([f"sp{chr(97 + s)}" for s in species])
    return frame.iloc[np.random.default_rng(seed).permutation(len(frame))].reset_index(drop=True)


def related_vectors(frame: pd.DataFrame, d: int = 8, noise: float = 1.2, seed: int = 5) -> np.ndarray:
    """Return unit vectors, float32, in which relatives lie near one another."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(0, noise, (len(frame), d))
    for rank in RANKS:
        codes, names = pd.factorize(frame[rank])
        vectors += rng.normal(0, 0.5, (len(names) + 1, d))[codes]
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
