"""The command `notebooks` copies the notebooks of the package, and replaces none that was changed."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import bioclip_probe
from bioclip_probe.cli import notebooks
from tests.support.command_line import refused, run

SOURCES = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def test_all_notebooks_are_copied_and_a_changed_one_is_kept(here, capsys):
    status, out, _ = run(capsys, "notebooks", "mine", "--no-open")
    assert status == 0
    assert out.splitlines() == [f"mine/{source.name}" for source in SOURCES]
    assert all((here / "mine" / source.name).read_bytes() == source.read_bytes() for source in SOURCES)
    changed = here / "mine" / SOURCES[0].name
    changed.write_text("{}")
    (here / "mine" / SOURCES[1].name).unlink()
    out = run(capsys, "notebooks", "mine", "--no-open")[1]
    assert f"{SOURCES[0].name}: kept, it was changed or run" in out.splitlines()[0]
    assert changed.read_text() == "{}"
    assert (here / "mine" / SOURCES[1].name).exists()


def test_jupyterlab_is_opened_in_the_folder(here, capsys, monkeypatch):
    calls = []

    def start(command, check):
        calls.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(notebooks, "find_spec", lambda name: name)
    monkeypatch.setattr(subprocess, "run", start)
    assert run(capsys, "notebooks")[0] == 0
    assert calls == [[sys.executable, "-m", "jupyterlab", "notebooks"]]


def test_what_is_missing_is_one_line(here, capsys, monkeypatch):
    monkeypatch.setattr(notebooks, "find_spec", lambda name: None)
    line = refused(capsys, "notebooks", "mine")
    assert "JupyterLab is not installed: python -m pip install 'bioclip_probe[notebook]'; --no-open only copies" in line
    assert not (here / "mine").exists()
    (here / "file").touch()
    assert "file is a file; expected a folder" in refused(capsys, "notebooks", "file", "--no-open")


def test_an_installed_package_finds_those_of_its_wheel(here, monkeypatch):
    monkeypatch.setattr(bioclip_probe, "__file__", str(here / "site-packages" / "bioclip_probe" / "__init__.py"))
    wheel = here / "share" / "bioclip_probe" / "notebooks"
    wheel.mkdir(parents=True)
    (wheel / "01_quick_start.ipynb").touch()
    file = importlib.metadata.PackagePath("../share/bioclip_probe/notebooks/01_quick_start.ipynb")
    file.dist = importlib.metadata.PathDistribution(here / "site-packages" / "bioclip_probe-1.dist-info")
    monkeypatch.setattr(importlib.metadata, "files", lambda name: [importlib.metadata.PackagePath("a/b.py"), file])
    assert [path.resolve() for path in notebooks.installed_notebooks()] == [wheel / "01_quick_start.ipynb"]
    monkeypatch.setattr(importlib.metadata, "files", lambda name: None)
    with pytest.raises(bioclip_probe.ProbeError, match="this installation has no notebooks"):
        notebooks.installed_notebooks()


def test_the_wheel_holds_them(request):
    project = tomllib.loads((request.config.rootpath / "pyproject.toml").read_text("utf-8"))
    assert project["tool"]["setuptools"]["data-files"] == {"/".join(notebooks.SHARED): ["notebooks/*.ipynb"]}
