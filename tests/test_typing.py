"""Types of the public API, as a user's type checker sees them, and the code of the notebooks as it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision import transforms

import bioclip_probe
from bioclip_probe.encoders.registry import REGISTRY
from tests.support.notebook_samples import picture_frame

SCRIPT = """
import bioclip_probe as bp

sample = bp.collect("world", ["world-taxonomic", "pixels"], store="store")
reveal_type(sample)
reveal_type(bp.MeasureSettings(n_permutations=99).n_permutations)
vectors = sample.embeddings["pixels"].vectors
reveal_type(bp.metrics.cophenetic_correlation(vectors, sample.placement))
reveal_type(bp.reproduce(bp.Plan(), "store", "out"))
bp.Plan(data=3)
"""
#: The whole API as a user of a notebook meets it.
SNIPPET = """
data   = bp.dataset(frame, image="filepath")           # DataFrame; ranks found by name; or a folder, a Hugging Face dataset
mine   = bp.encoder(net, transform, name="mine")       # any torch module
sample = bp.collect(data, [mine, "bioclip", "clip"])   # or bp.from_arrays({"mine": V, "clip": W}, frame)
study  = bp.study(sample)                              # resumes; progress with an estimate
study.verdict()                                        # the report's sentences
study.difference("mine", "bioclip")                    # value, interval, adjusted p, n, by rank
study.plot.headline(width="single"); study.plot.drilldown(method="umap")
study.measurements.tidy("cophenetic_correlation", rank="species")
study.explorer(); study.report("report.html"); study.save("results/mine"); study.appendix("appendix/")
"""  # noqa: E501
BEFORE = """
import pandas as pd
import torch
from PIL import Image

import bioclip_probe as bp

frame = pd.DataFrame({"filepath": ["1.png"], "species": ["Pica pica"]})
net = torch.nn.Flatten()


def transform(picture: Image.Image) -> torch.Tensor:
    return torch.zeros(3, 4, 4)

"""
AFTER = """
reveal_type(study)
reveal_type(study.verdict())
reveal_type(study.plot.headline(width="single"))
bp.study.results.read("results/mine")
bp.open_study("results/mine").plot.headlin()
study.plot.headline(method="umap")
bp.study(data)
"""


def lines_of_a_strict_type_checker(script: str, folder: Path) -> list[str]:
    """Return what mypy says about a script."""
    (folder / "script.py").write_text(script)
    command = [sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports", "--follow-imports=silent"]
    command += [f"--cache-dir={folder.parent / 'mypy'}"]  # shared by the tests
    environment = {**os.environ, "MYPYPATH": str(Path(bioclip_probe.__file__).parents[1])}
    done = subprocess.run(
        [*command, "script.py"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert "script.py" in done.stdout or "Success" in done.stdout, done.stdout + done.stderr
    return [line.partition(": ")[2] for line in done.stdout.splitlines() if line.startswith("script.py")]


@pytest.mark.slow
def test_a_strict_type_checker_sees_the_real_types_of_lazy_names(tmp_path: Path) -> None:
    assert lines_of_a_strict_type_checker(SCRIPT, tmp_path) == [
        'note: Revealed type is "bioclip_probe.study.sample.Sample"',
        'note: Revealed type is "int"',
        'note: Revealed type is "list[bioclip_probe.metrics.measurement.Measurement]"',
        'note: Revealed type is "bioclip_probe.study.results.Results"',
        'error: Argument "data" to "Plan" has incompatible type "int"; expected "str"  [arg-type]',
    ]


@pytest.mark.slow
def test_a_strict_type_checker_passes_the_code_of_a_notebook_and_sees_the_mistakes_after_it(tmp_path: Path) -> None:
    assert lines_of_a_strict_type_checker(BEFORE + SNIPPET + AFTER, tmp_path) == [
        'note: Revealed type is "bioclip_probe.notebook.study.Study"',
        'note: Revealed type is "bioclip_probe.notebook.verdict.Verdict"',
        'note: Revealed type is "matplotlib.figure.Figure"',
        'error: "StudyFigures" has no attribute "headlin"; maybe "headline"?  [attr-defined]',
        'error: Unexpected keyword argument "method" for "__call__" of "StudyFigure"  [call-arg]',
        'note: "__call__" defined in "bioclip_probe.notebook.figures"',
        'error: Argument 1 to "__call__" of "_CallableStudy" has incompatible type "Dataset"; expected "Sample"  '
        "[arg-type]",
    ]


@pytest.mark.slow
def test_the_code_of_a_notebook_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two models are those of the world, since no download is possible."""
    for name, model in (("bioclip", "world-taxonomic"), ("clip", "world-generic")):
        monkeypatch.setitem(REGISTRY, name, replace(REGISTRY[name], id=REGISTRY[model].id))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BIOCLIP_PROBE_CACHE", str(tmp_path / "cache"))
    names: dict[str, Any] = {
        "bp": bioclip_probe,
        "frame": picture_frame(tmp_path, each=8),
        "net": torch.nn.Flatten(),
        "transform": transforms.Compose([transforms.Resize((8, 8)), transforms.ToTensor()]),
    }
    exec(SNIPPET, names)
    assert names["study"].models == ["mine", "bioclip", "clip"]
    assert all((tmp_path / path).exists() for path in ("report.html", "results/mine/runs.json", "appendix/main.tex"))
