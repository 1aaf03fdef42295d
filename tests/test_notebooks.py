"""Every notebook runs from top to bottom on the built-in world, and is stored without outputs.

Where the environment variable ``BIOCLIP_PROBE_EXECUTED`` names a folder, the executed copies are left there.
"""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
EXECUTED = "BIOCLIP_PROBE_EXECUTED"


@pytest.fixture(scope="session")
def workplace(tmp_path_factory):
    """A folder for the store, the studies and the files of all notebooks of this process."""
    return tmp_path_factory.mktemp("notebooks")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of Jupyter's own machinery, not of the toolkit
def test_runs_from_top_to_bottom(path, workplace, monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    for variable, folder in {"BIOCLIP_PROBE_STORE": "store", "BIOCLIP_PROBE_CACHE": "cache"}.items():
        monkeypatch.setenv(variable, str(workplace / folder))
    monkeypatch.setenv("PYTHONPATH", str(path.parents[1]))
    monkeypatch.setenv("PYTHONWARNINGS", "ignore:IProgress not found")  # tqdm asks for widgets, which are optional
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(workplace)}}).execute()
    if folder := os.environ.get(EXECUTED):
        Path(folder).mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, Path(folder) / path.name)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs), "no figure is shown"
    warnings = [output["text"] for output in outputs if "Warning" in output.get("text", "")]
    assert warnings == [], "a reader would wonder about a warning"
