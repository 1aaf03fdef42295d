"""Two models and their purity: the table of the examples in the docstrings of the figures."""

from __future__ import annotations

import pandas as pd

from bioclip_probe.tables import MEASUREMENTS


def two_models(*ranks: str) -> pd.DataFrame:
    """Return the cluster purity of BioCLIP and CLIP at some ranks; at family and species by default.

    Examples
    --------
    >>> two_models("species")["value"].tolist()
    [0.6, 0.3]
    """
    rows = [
        {
            "encoder": encoder,
            "metric": "cluster_purity",
            "rank": rank,
            "value": value,
            "ci_low": value - 0.1,
            "ci_high": value + 0.1,
            "space": "raw",
            "simulated": False,
        }
        for encoder, value in (("bioclip", 0.6), ("clip", 0.3))
        for rank in ranks or ("family", "species")
    ]
    return MEASUREMENTS.frame(rows)
