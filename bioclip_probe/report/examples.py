"""Results of two models: the data of the examples in the docstrings of the report."""

from __future__ import annotations

from pathlib import Path

from bioclip_probe.plots.examples import two_models
from bioclip_probe.study.results import Results


def two_models_measured() -> Results:
    """Return results that hold the cluster purity of BioCLIP and CLIP at family and species.

    Examples
    --------
    >>> len(two_models_measured().measurements)
    4
    """
    table = two_models().assign(tree="taxonomy", split="all", dataset="birds", run="r")
    encoders = [{"name": name, "id": f"hf-hub:{name}", "control": False} for name in ("bioclip", "clip")]
    dataset = {"name": "birds", "simulated": False}
    record = {"run": "r", "dataset": dataset, "encoders": encoders, "software": {}, "steps": {}}
    return Results(Path("out"), record, table)
