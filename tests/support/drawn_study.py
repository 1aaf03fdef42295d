"""The tables of a made-up study that every figure can be drawn from, and awkward ones."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from bioclip_probe.metrics.endpoints import PRIMARY
from bioclip_probe.metrics.registry import DIFFERENCE
from bioclip_probe.plots.figures import (
    alignment,
    by_metric,
    calibration,
    endpoints,
    projection,
    signal,
    staircase,
    variance,
)
from bioclip_probe.plots.figures import controls as controls_figure
from bioclip_probe.plots.selection import OF_TWO_MODELS
from bioclip_probe.tables import MEASUREMENTS, PREDICTIONS, RANKS
from tests.support.measurement_tables import PANELS, coordinates

MODELS, CONTROLS = ("bioclip", "clip"), ("pixels", "color-histogram")
LINEAGES = tuple(
    f"{kingdom}|{kingdom}-p{phylum}|c{phylum}|o{phylum}|f{phylum}{family}|g{family}|g{family} s"
    for kingdom in ("Animalia", "Plantae")
    for phylum in range(2)
    for family in range(2)
)


def tables(models: tuple[str, ...] = MODELS, controls: tuple[str, ...] = CONTROLS) -> dict[str, pd.DataFrame]:
    """The measurements, predictions and coordinates of a study."""
    return {
        "measurements": measurements(models, controls),
        "predictions": predictions((*models, *controls)),
        "coordinates": pd.concat(
            [coordinates(models).assign(mode="corrected", method=method) for method in ("tsne", "umap")],
            ignore_index=True,
        ),
    }


def measurements(models: tuple[str, ...], controls: tuple[str, ...]) -> pd.DataFrame:
    """Every number that a figure draws, on the taxonomy and on a phylogeny."""
    encoders, rows = (*models, *controls), []
    for number, encoder in enumerate((*encoders, *(f"layer:{n}:{model}" for n in (1, 2) for model in models))):
        for row in _numbers(0.5 - 0.1 * (number % 5)):
            rows.append({"encoder": encoder, **row})
    for first, second in combinations(encoders, 2):
        rows += [{"encoder": first, "encoder_b": second, **row} for row in _differences()]
        if second in controls:
            residual = {"metric": controls_figure.RESIDUAL, "rank": "species", "split": "all", "space": "raw"}
            rows.append({**residual, "encoder": first, "encoder_b": second, "value": 0.3, "tree": "taxonomy"})
    filled = {"run": "r", "dataset": "d", "simulated": True, "n_images": 90, "n_taxa": 12, "n_excluded": 0}
    return MEASUREMENTS.frame([{**filled, **row} for row in rows])


def _numbers(value: float) -> list[dict]:
    """The numbers of one encoder."""
    spread = {"value": value, "chance": 0.1, "ci_low": value - 0.1, "ci_high": value + 0.12, "resampled": "species"}
    by_rank = (*by_metric.WITHIN, *by_metric.RELATIVES, *by_metric.NEIGHBOURS, variance.METRIC)
    rows = []
    for space in ("raw", "centred"):
        on = {"space": space, "split": "all", "tree": "taxonomy", **spread}
        for metric in dict.fromkeys((*endpoints.METRICS[:4], *by_metric.AGREEMENT)):
            rows.append({**on, "metric": metric, "rank": "species"})
        for tree in ("birds",):
            for metric in (signal.SIGNAL, signal.DIMENSION, signal.CPCC):
                rows.append({**on, "metric": metric, "rank": "species", "tree": tree})
        rows += [{**on, "metric": metric, "rank": rank} for metric in by_rank for rank in RANKS]
        rows += [{**on, "metric": metric, "rank": rank} for metric in staircase.METRICS for rank in ("root", "genus")]
    rows += _probed(spread)
    for rank, (focus, _) in PANELS.items():
        panel = {**spread, "rank": rank, "taxon": focus, "space": "raw", "tree": "taxonomy", "split": "all"}
        rows.append({**panel, "metric": projection.FULL})
        for method in ("tsne", "umap"):
            ends = ("", "_seeds", "_seeds_sd") if rank == "species" else ("",)
            of_planes = [f"{name}{end}" for name in (projection.PLANE, projection.TRUST) for end in ends]
            rows += [{**panel, "metric": name, "protocol": method} for name in of_planes]
    unique = {
        tuple(row.get(key) for key in ("metric", "rank", "space", "tree", "taxon", "probe", "protocol", "shots")): row
        for row in rows
    }
    return list(unique.values())


def _probed(spread: dict) -> list[dict]:
    """The numbers of probes and of names."""
    probe = {**spread, "space": "raw", "tree": "taxonomy", "split": "test"}
    rows = []
    for rank in RANKS:
        for protocol in by_metric.LINEAR_PANELS:
            rows.append({**probe, "metric": alignment.ACCURACY, "rank": rank, "probe": "linear", "protocol": protocol})
        for shots in (1, 5, None):
            rows.append(
                {
                    **probe,
                    "metric": "top1_accuracy",
                    "rank": rank,
                    "probe": "linear",
                    "protocol": "seen",
                    "shots": shots,
                }
            )
        for name in by_metric.ZERO_SHOT_PANELS:
            rows.append(
                {**probe, "metric": "top1_accuracy", "rank": rank, "probe": name, "protocol": by_metric.MAIN_TYPE}
            )
        for metric in by_metric.TEXT:
            rows.append({**probe, "metric": metric, "rank": rank, "split": "all", "protocol": by_metric.PLAIN_TYPE})
    return rows


def _differences() -> list[dict]:
    """The numbers between two encoders."""
    spread = {"value": 0.2, "ci_low": 0.1, "ci_high": 0.3, "p_adjusted": 0.01, "space": "raw"}
    rows = [
        {**spread, "metric": metric, "rank": "species", "tree": "taxonomy", "split": "all"} for metric in OF_TWO_MODELS
    ]
    for endpoint in PRIMARY:
        for tree in ("taxonomy", "birds") if endpoint.on_phylogeny else ("taxonomy",):
            rows.append({**spread, "metric": endpoint.metric + DIFFERENCE, "rank": endpoint.rank, "tree": tree,
                         "split": endpoint.split, "probe": endpoint.probe, "protocol": endpoint.protocol})  # fmt: skip
    clades = {"|".join(path.split("|")[: depth + 1]): depth for path in LINEAGES for depth in range(4)}
    of_clades = {**spread, "metric": "clade_correlation_difference", "tree": "taxonomy", "split": "all"}
    return rows + [{**of_clades, "rank": RANKS[depth], "taxon": path} for path, depth in clades.items()]


def predictions(encoders: tuple[str, ...]) -> pd.DataFrame:
    """Species and families named by two probes, some of them wrongly."""
    rng, rows = np.random.default_rng(0), []
    asked = [("knn", "seen", "species"), *((*panel, calibration.RANK) for panel in calibration.PANELS)]
    for encoder in encoders:
        for probe, protocol, rank in asked:
            depth = RANKS.index(rank) + 1
            for number in range(40):
                truth, named = ("|".join(LINEAGES[k].split("|")[:depth]) for k in (number % 8, rng.integers(8)))
                rows.append({"run": "r", "encoder": encoder, "dataset": "d", "probe": probe, "protocol": protocol,
                             "rank": rank, "image_id": str(number), "split": "test", "truth": truth,
                             "predicted": named, "confidence": rng.random()})  # fmt: skip
    return PREDICTIONS.frame(rows)
