"""A study that several processes compute has the tables of one process, also when workers fail or die."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from bioclip_probe import study
from bioclip_probe.progress import WeightedProgress
from bioclip_probe.study import piece_processes, results
from bioclip_probe.study.checkpoints import Content
from bioclip_probe.study.claims import STORED, Claims
from bioclip_probe.study.examples import corvid_plan, corvid_sample
from bioclip_probe.study.inputs import Inputs
from bioclip_probe.study.piece import Piece, PieceState
from bioclip_probe.study.piece_processes import MainPieces, WorkerPieces, Workers
from tests.support.piece_states import states
from tests.support.vector_study import plan_of, write_vectors

TABLES = ("measurements", "predictions", "coordinates")


def test_small_work_large_vectors_and_devices_have_one_process(tmp_path, monkeypatch):
    plan, sample, missing = corvid_plan(tmp_path), corvid_sample(), states("a", "b", "c", "d")
    monkeypatch.setattr(piece_processes, "available_processors", lambda: 3)
    count = piece_processes.number_of_processes
    assert [count(sample, plan, missing, seconds) for seconds in (0.0, 75.0, 1e6)] == [1, 2, 3]
    assert count(sample, plan, missing[:2], 1e6) == 2, "a group is not divided"
    monkeypatch.setattr(piece_processes, "resolve_device", lambda device: {"auto": "cpu"}.get(device, device))
    by_default = replace(plan, measure=replace(plan.measure, device="auto"))
    assert count(sample, by_default, missing, 1e6) == 3
    on_device = replace(plan, measure=replace(plan.measure, device="cuda"))
    assert count(sample, on_device, missing, 1e6) == 1
    monkeypatch.setattr(piece_processes, "may_start_processes", lambda: False)
    assert count(sample, plan, missing, 1e6) == 1
    monkeypatch.undo()
    monkeypatch.setattr(piece_processes, "MOST_APART", 1)
    assert count(sample, plan, missing, 1e6) == 1


def test_a_piece_that_fails_in_a_worker_is_left_to_the_main_process(tmp_path):
    inputs, piece = Inputs(corvid_sample()), Piece("measure", "toy")
    state = PieceState("measure", "toy", piece.key(inputs), False)
    claims = Claims([state])

    def fail() -> Content:
        raise MemoryError

    assert WorkerPieces(tmp_path, inputs, claims, process=2).content(piece, fail).table.empty
    main = MainPieces(tmp_path, inputs, Workers((state,), claims, ()), "measure", WeightedProgress(0, 1), lambda _: 1.0)
    main.wait()  # for nobody
    assert not claims.is_stored(state.key) and not list(tmp_path.rglob("*.parquet"))


def test_pieces_of_later_steps_are_computed_while_workers_finish_a_step(tmp_path, caplog):
    inputs, pieces = Inputs(corvid_sample()), {step: Piece(step, "toy") for step in ("measure", "probe", "project")}
    missing = tuple(PieceState(step, "toy", piece.key(inputs), False) for step, piece in pieces.items())
    claims, computed = Claims(missing), []
    worker = SimpleNamespace(is_alive=lambda: True)
    workers = Workers(missing, claims, (worker,))
    assert claims.take(missing[0].key, process=2)

    def step_of(piece: Piece):
        def compute() -> Content:
            computed.append(piece.step)
            claims.mark(missing[0].key, STORED)  # the worker finishes meanwhile
            logging.warning("said again in its own step")
            return Content(pd.DataFrame({"value": [0.5]}))

        return lambda checkpoints: checkpoints.content(piece, compute)

    bar = WeightedProgress(0, 1)
    main = MainPieces(tmp_path, inputs, workers, "measure", bar, lambda _: 1.0)
    main.wait([step_of(pieces["probe"]), step_of(pieces["project"])])
    assert computed == ["probe"] and not caplog.records
    assert claims.is_stored(missing[1].key) and not claims.is_stored(missing[2].key)
    assert len(list(tmp_path.rglob("*.parquet"))) == 1


def test_a_piece_of_a_later_step_that_fails_is_left_to_its_step(tmp_path):
    inputs, later = Inputs(corvid_sample()), Piece("probe", "toy")
    missing = (PieceState("measure", "toy", Piece("measure", "toy").key(inputs), False),)
    missing += (PieceState("probe", "toy", later.key(inputs), False),)
    claims = Claims(missing)
    worker = SimpleNamespace(is_alive=lambda: True)
    assert claims.take(missing[0].key, process=2)
    main = MainPieces(
        tmp_path, inputs, Workers(missing, claims, (worker,)), "measure", WeightedProgress(0, 1), lambda _: 1.0
    )

    def fail() -> Content:
        claims.mark(missing[0].key, STORED)
        raise MemoryError

    main.wait([lambda checkpoints: checkpoints.content(later, fail)])
    assert not claims.is_stored(missing[1].key) and not list(tmp_path.rglob("*.parquet"))


@pytest.mark.slow
@pytest.mark.parametrize("dying", [False, True])
def test_several_processes_compute_the_tables_of_one(tmp_path, monkeypatch, dying):
    """Also where the workers are killed as soon as they have started."""
    plan = write_vectors(tmp_path)
    study.reproduce(plan, tmp_path / "store", tmp_path / "one")
    monkeypatch.setattr(piece_processes, "LEAST_SECONDS", 1e-9)
    monkeypatch.setattr(piece_processes, "available_processors", lambda: 2)
    open_workers, opened = piece_processes.open_workers, []

    def noted(*arguments):
        opened.append(open_workers(*arguments))
        return opened[-1]

    def killed(self, key: str) -> bool:
        for process in self.processes:
            process.kill()
            process.join()
        return False

    monkeypatch.setattr("bioclip_probe.study.run.open_workers", noted)
    if dying:
        monkeypatch.setattr(Workers, "are_at", killed)
    study.reproduce(plan_of(tmp_path), tmp_path / "store", tmp_path / "two")
    assert len(opened) == 1
    one, two = results.read(tmp_path / "one"), results.read(tmp_path / "two")
    for name in TABLES:
        pd.testing.assert_frame_equal(two.table(name), one.table(name), rtol=1e-9)
    files = [{path.name for path in (tmp_path / name).iterdir()} for name in ("one", "two")]
    assert files[0] == files[1]


SCRIPT = """
import sys
from pathlib import Path
from bioclip_probe import study
from bioclip_probe.study import piece_processes
from tests.support.vector_study import write_vectors

print("the script runs")
piece_processes.LEAST_SECONDS, piece_processes.available_processors = 1e-9, lambda: 2
study.reproduce(write_vectors(Path(sys.argv[1])), f"{sys.argv[1]}/store", f"{sys.argv[1]}/out")
"""


@pytest.mark.slow
def test_workers_do_not_run_the_users_script_again(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, tmp_path / "script.py", tmp_path]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": "."})
    assert run.stdout.count("the script runs") == 1
    assert "Traceback" not in run.stderr


def test_a_worker_ends_when_the_study_was_killed(tmp_path, monkeypatch):
    class Dead:
        def is_alive(self) -> bool:
            return False

    inputs, piece = Inputs(corvid_sample()), Piece("measure", "toy")
    claims = Claims([PieceState("measure", "toy", piece.key(inputs), False)])
    monkeypatch.setattr(piece_processes, "parent_process", Dead)
    with pytest.raises(SystemExit):
        WorkerPieces(tmp_path, inputs, claims, process=2).content(piece, lambda: pytest.fail("computed"))
