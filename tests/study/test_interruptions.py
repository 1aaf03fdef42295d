"""A study that is stopped at any moment goes on, loses at most one piece, and ends with the same tables."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from bioclip_probe import datasets, study
from bioclip_probe.errors import DataError
from bioclip_probe.extraction.embed import load_sources
from bioclip_probe.store.store import Store
from bioclip_probe.study import checkpoints, results
from tests.support.command_line import process
from tests.support.vector_study import plan_of, stopped_at, write_vectors

pytestmark = pytest.mark.slow

TABLES = ("measurements", "predictions", "coordinates")
#: Numbers of syncs to the disk after which a run is stopped; together fewer than the study has.
WRITES = (0, 7, 16, 1, 23, 10)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with vectors, and the results ``whole`` of a study that nothing stopped."""
    folder = tmp_path_factory.mktemp("study")
    study.reproduce(write_vectors(folder), folder / "store", folder / "whole")
    return folder


@contextmanager
def computed_pieces(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Note the subjects of the pieces that are computed."""
    subjects, begin = [], checkpoints.WeightedProgress.begin
    with monkeypatch.context() as patch:
        patch.setattr(
            checkpoints.WeightedProgress, "begin", lambda self, name: (subjects.append(name), begin(self, name))
        )
        yield subjects


def assert_whole(folder: Path, out: Path) -> None:
    """The results in `out` are those of the study that nothing stopped, and nothing else is there."""
    found, whole = results.read(out), results.read(folder / "whole")
    for name in TABLES:
        pd.testing.assert_frame_equal(found.table(name), whole.table(name), check_exact=True)
    assert list(found.record["steps"]) == list(whole.record["steps"])
    assert {path.name for path in out.iterdir()} == {path.name for path in (folder / "whole").iterdir()}
    assert not list(out.rglob("*.part"))
    n_pieces = [len(list(where.rglob("pieces/*/*"))) for where in (out, folder / "whole")]
    assert n_pieces[0] == n_pieces[1]


def test_a_study_that_is_stopped_at_many_writes_loses_one_piece_at_most_each_time(folder, tmp_path, monkeypatch):
    """By the user, or by a full disk."""
    n_stops, out, errors = 0, tmp_path / "out", (KeyboardInterrupt(), OSError(28, "No space left on device"))

    def stop() -> None:
        raise errors[n_stops % 2]

    with computed_pieces(monkeypatch) as computed:
        for write in (*WRITES, sys.maxsize):
            try:
                with stopped_at(write, stop):
                    study.reproduce(plan_of(folder), folder / "store", out)
            except (KeyboardInterrupt, OSError):
                n_stops += 1
    assert n_stops == len(WRITES)
    assert len(computed) - len(set(computed)) <= n_stops
    assert_whole(folder, out)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes of this test are forked")
def test_a_study_that_is_killed_again_and_again_ends_as_if_it_had_not_been(folder, tmp_path):
    """Each process is killed at a write to the disk, or at a random moment."""
    write_vectors(tmp_path)
    done = process("-m", "tests.support.vector_study", str(tmp_path), "5", "0")
    ends = done.stdout.split("\n")[:-1]
    assert ends[-1] == "ended with 0" and len(ends) > 3, done
    assert set(ends[:-1]) == {"killed by 9"}
    study.reproduce(plan_of(tmp_path), tmp_path / "store", tmp_path / "whole")
    assert_whole(tmp_path, tmp_path / "out")


def test_a_second_run_computes_nothing(folder, tmp_path, monkeypatch):
    study.reproduce(plan_of(folder), folder / "store", tmp_path / "out")
    with computed_pieces(monkeypatch) as computed:
        study.reproduce(plan_of(folder), folder / "store", tmp_path / "out")
    assert not computed
    assert_whole(folder, tmp_path / "out")


def test_some_metrics_are_taken_from_a_piece_of_all_and_leave_it_there(folder, tmp_path, monkeypatch):
    plan, out = plan_of(folder), tmp_path / "out"
    all_metrics = replace(plan, measure=replace(plan.measure, metrics=()))
    study.run_steps(all_metrics, folder / "store", out, ["measure"])
    with computed_pieces(monkeypatch) as computed:
        found = study.run_steps(plan, folder / "store", tmp_path / "out", ["measure"])
        study.run_steps(all_metrics, folder / "store", out, ["measure"])
    assert not computed
    alone = study.run_steps(plan, folder / "store", tmp_path / "alone", ["measure"])
    some = found.measurements[found.measurements["metric"].isin(plan.measure.metrics)]
    columns = [name for name in some if name not in ("p_adjusted", "p_family")]
    key = results.KEYS["measurements"]
    pd.testing.assert_frame_equal(
        some[columns].sort_values(key, ignore_index=True),
        alone.measurements[columns].sort_values(key, ignore_index=True),
    )


def test_another_run_is_replaced_only_where_that_is_asked_for_and_its_pieces_are_used(folder, tmp_path, monkeypatch):
    plan, out = plan_of(folder), tmp_path / "out"
    one = replace(plan, models=plan.models[:1])
    study.reproduce(one, folder / "store", out)
    before = (out / "measurements.parquet").read_bytes()
    for steps in (["measure"], ["probe"]):
        with pytest.raises(DataError, match=r"holds the results of another run .* --overwrite"):
            study.run_steps(plan, folder / "store", out, steps)
    assert (out / "measurements.parquet").read_bytes() == before
    with computed_pieces(monkeypatch) as computed:
        study.reproduce(plan, folder / "store", out, overwrite=True)
    assert not [subject for subject in computed if subject.startswith("one,")]
    assert_whole(folder, out)


def test_results_of_another_dataset_are_refused_before_anything_is_embedded(folder, tmp_path, monkeypatch):
    study.run_steps(plan_of(folder), folder / "store", tmp_path / "out", ["measure"])
    write_vectors(tmp_path, each=3)
    monkeypatch.setattr("bioclip_probe.study.run.collect", lambda *_, **__: pytest.fail("embedded"))
    with pytest.raises(DataError, match="another run"):
        study.reproduce(plan_of(tmp_path), tmp_path / "store", tmp_path / "out")


def test_the_pieces_of_a_plan_are_known_before_it_runs(folder, tmp_path):
    plan = plan_of(folder)
    dataset, store = datasets.load(plan.data), Store(folder / "store")
    sample = study.outline_sample(plan, dataset, load_sources(dataset, plan.encoders, store), store)
    assert not sample.embeddings["one"].vectors.size, "no vectors are read"
    there = study.pieces(sample, plan, folder / "whole")
    assert all(piece.exists and piece.seconds >= 0 for piece in there)
    stored = {path.name[:32] for path in folder.rglob("whole/pieces/*/*")}
    assert {piece.key for piece in there} == stored, "the keys are those of a run"
    assert not any(piece.exists for piece in study.pieces(sample, plan, tmp_path / "out"))
    elsewhere = Store(tmp_path / "store")
    unembedded = study.outline_sample(plan, dataset, load_sources(dataset, plan.encoders, elsewhere), elsewhere)
    assert not any(piece.exists for piece in study.pieces(unembedded, plan, folder / "whole"))
