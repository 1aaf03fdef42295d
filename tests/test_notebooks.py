"""The notebook runs from top to bottom, and is stored without outputs."""

from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
#: Run before the first cell of the notebook: sixty species are enough to see that it runs.
BEFORE = """
import dataclasses

import bioclip_probe as bp

from bioclip_probe.datasets.identity import Identity

everything = bp.datasets.load("world")
images = everything.images.iloc[:300]
few = dataclasses.replace(everything, images=images, identity=Identity(images))
bp.datasets.load = lambda spec: few
"""
#: Run after the cell with the tag `parameters`: coarse p-values and intervals, and only the metrics that are drawn.
PARAMETERS = """
from tests.support.settings import FEW

distances = ("lca_distance_mean", *(f"lca_distance_q{q}" for q in ("05", "25", "50", "75", "95")))
metrics = ("cophenetic_correlation", "knn_purity_1", "cluster_purity", *distances)
SETTINGS = dataclasses.replace(FEW, metrics=metrics)
"""


def read(path):
    """Return a notebook."""
    return nbformat.read(path, as_version=4)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_without_outputs(path):
    code = [cell for cell in read(path).cells if cell.cell_type == "code"]
    assert code
    assert all(not cell.outputs and cell.execution_count is None for cell in code)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of Jupyter's own machinery, not of the toolkit
def test_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("BIOCLIP_PROBE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("PYTHONPATH", str(path.parents[1]))
    notebook = read(path)
    (parameters,) = (i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    notebook.cells.insert(parameters + 1, nbformat.v4.new_code_cell(PARAMETERS))
    notebook.cells.insert(0, nbformat.v4.new_code_cell(BEFORE))
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 5
