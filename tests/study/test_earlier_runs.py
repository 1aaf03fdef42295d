"""The times of earlier runs correct the estimates of later ones."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest

from bioclip_probe.study import piece_costs
from bioclip_probe.study.checkpoints import ABOUT, FOLDER
from bioclip_probe.study.earlier_runs import Experience, experience_beside
from bioclip_probe.study.examples import corvid_plan
from bioclip_probe.study.run import run_steps
from bioclip_probe.tables import RANKS


def leave_run(folder: Path, seconds: float, cores: int | None = None, **more: object) -> None:
    """Leave the record of a run and two pieces that took some seconds."""
    plan = {"measure": {"n_permutations": 99, "gone": 1}, "probe": {"probes": ["lda"]}}
    record = {
        "machine": {"cores": cores or os.cpu_count()},
        "dataset": {"n_usable": 100, "taxa": dict.fromkeys(RANKS, 10)},
        "encoders": [{"name": "clip", "dimension": 8}],
        "steps": {"measure": {"plan": plan}},
    }
    pieces = folder / FOLDER / "measure"
    pieces.mkdir(parents=True)
    (folder / "runs.json").write_text(json.dumps(record))
    for number, space in enumerate(("raw", "centred")):
        table = pd.DataFrame({"value": [0.5]})
        about = {"subject": f"clip, {space}, taxonomy", "weight": 1.0, "seconds": seconds, "facts": {}, **more}
        table.attrs = {ABOUT: json.dumps(about)}
        table.to_parquet(pieces / f"{number}.parquet", index=False)


@pytest.mark.parametrize("place", ["out", "beside", "out/below"])
def test_pieces_in_beside_and_below_the_folder_are_compared_with_their_costs(tmp_path: Path, place: str) -> None:
    leave_run(tmp_path / place, seconds=10.0)
    once = experience_beside(tmp_path / "out")["measure"]
    assert (once.n_pieces, once.taken) == (2, 20.0)
    leave_run(tmp_path / "another", seconds=30.0)
    both = experience_beside(tmp_path / "out")["measure"]
    assert both.n_pieces == 4
    assert both.ratio == pytest.approx(2 * once.ratio)


def test_the_time_of_a_process_counts_by_its_share_of_the_processors(tmp_path: Path) -> None:
    cores = piece_costs.available_processors()
    leave_run(tmp_path / "out", seconds=10.0, processors=1)
    assert experience_beside(tmp_path / "out")["measure"].taken == pytest.approx(20.0 / cores)


def test_runs_of_other_machines_and_damaged_ones_are_left_out(tmp_path: Path) -> None:
    leave_run(tmp_path / "other machine", 10.0, cores=12345)
    leave_run(tmp_path / "damaged", 10.0)
    (tmp_path / "damaged" / "runs.json").write_text("{")
    leave_run(tmp_path / "sound", 10.0)
    (tmp_path / "sound" / FOLDER / "measure" / "0.parquet").write_bytes(b"PAR1")
    assert experience_beside(tmp_path / "out")["measure"].n_pieces == 1
    assert Experience().ratio == 1.0


def test_a_real_run_leaves_what_is_read(tmp_path: Path) -> None:
    run_steps(corvid_plan(tmp_path), tmp_path / "store", tmp_path / "out", ["measure"])
    assert experience_beside(tmp_path / "next")["measure"].n_pieces > 0
