"""Types of the public API, as a user's type checker sees them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import bioclip_probe

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


@pytest.mark.slow
def test_a_strict_type_checker_sees_the_real_types_of_lazy_names(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports", "--follow-imports=silent"]
    environment = {**os.environ, "MYPYPATH": str(Path(bioclip_probe.__file__).parents[1])}
    done = subprocess.run(
        [*command, "script.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    lines = [line.partition(": ")[2] for line in done.stdout.splitlines() if line.startswith("script.py")]
    assert lines == [
        'note: Revealed type is "bioclip_probe.study.sample.Sample"',
        'note: Revealed type is "int"',
        'note: Revealed type is "list[bioclip_probe.metrics.measurement.Measurement]"',
        'note: Revealed type is "bioclip_probe.study.results.Results"',
        'error: Argument "data" to "Plan" has incompatible type "int"; expected "str"  [arg-type]',
    ], done.stdout + done.stderr
