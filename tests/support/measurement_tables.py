"""Small made-up tables to draw."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioclip_probe.tables import COORDINATES, MEASUREMENTS, RANKS

PANELS = {
    "phylum": ("Animalia", {"Arthropoda": 8, "Chordata": 6}),
    "order": ("Animalia|Arthropoda|Insecta", {"Coleoptera": 7, "Diptera": 3, "Lepidoptera": 5}),
    "genus": ("Animalia|Arthropoda|Insecta|Coleoptera|Carabidae", {"Amara": 4, "Carabus": 6}),
    "species": (
        "Animalia|Arthropoda|Insecta|Coleoptera|Carabidae|Carabus",
        {"Carabus auratus": 3, "Carabus nitens": 2},
    ),
}


def coordinates(encoders=("clip", "bioclip"), panels=PANELS) -> pd.DataFrame:
    """Two images of each panel are of a taxon that is not plotted, one has no name; one plotted point is hidden."""
    rng = np.random.default_rng(0)
    rows = []
    for encoder in encoders:
        for rank, (focus, taxa) in panels.items():
            depth = RANKS.index(rank) - focus.count("|")
            names = [name for name, count in taxa.items() for _ in range(count)]
            for number, name in enumerate([*names, "Other", "Other", None]):
                taxon = None if name is None else focus + "|" * depth + name
                plotted = number < len(names)
                rows.append({"run": "r", "encoder": encoder, "dataset": "d", "method": "tsne", "mode": "paper",
                             "rank": rank, "focus": focus, "taxon": taxon, "plotted": plotted, "hidden": number == 0,
                             "image_id": f"{rank}{number}", "x": rng.normal(), "y": rng.normal()})  # fmt: skip
    return COORDINATES.frame(rows)


def measurements(encoders=("clip", "bioclip", "pixels"), simulated=False) -> pd.DataFrame:
    """Headline, purity by rank with one undefined value, and the staircase; raw and centred."""
    rows = []
    for number, encoder in enumerate(encoders):
        for space in ("raw", "centred"):
            own = {"encoder": encoder, "space": space, "simulated": simulated, "run": "r", "dataset": "d"}
            value = 0.5 - 0.1 * number
            for metric in ("cophenetic_correlation", "relative_cophenetic_correlation"):
                rows.append({**own, "metric": metric, "value": value, "ci_low": value - 0.05,
                             "ci_high": value + 0.04, "rank": "species", "resampled": "species"})  # fmt: skip
            for place, rank in enumerate(RANKS):
                purity = np.nan if rank == "class" else 0.9 - 0.1 * number - 0.05 * place
                for metric in ("cluster_purity", "cluster_purity_adjusted", "top1_accuracy"):
                    rows.append({**own, "metric": metric, "rank": rank, "value": purity, "chance": 0.5 - 0.06 * place,
                                 "ci_low": purity - 0.02, "ci_high": purity + 0.03})  # fmt: skip
            for place, rank in enumerate(("genus", "order", "root")):
                for part, shift in (
                    ("mean", 0.01),
                    ("q05", -0.1),
                    ("q25", -0.05),
                    ("q50", 0),
                    ("q75", 0.06),
                    ("q95", 0.1),
                ):
                    distance = 0.2 + 0.2 * place + shift
                    rows.append({**own, "metric": f"lca_distance_{part}", "rank": rank, "value": distance})
    return MEASUREMENTS.frame([{"n_images": 9, "n_taxa": 3, "n_excluded": 0, **row} for row in rows])


def texts(figure) -> list[str]:
    """All that a figure says."""
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
