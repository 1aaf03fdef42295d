"""Estimates of embedding: the state of the store is exact, the time is measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bioclip_probe import datasets
from bioclip_probe.extraction.embed import embed
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.store.store import Store
from bioclip_probe.study.embedding_estimates import NPY_HEADER, TIMED, embedding_state
from bioclip_probe.study.plan import Plan
from tests.support.pictures import paint_many

SETTINGS = ExtractionSettings(progress=False, shard_size=4, device="cpu")


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Return a plan of ten pictures and two controls."""
    names = paint_many(tmp_path / "ten", 10)
    lines = ["path,genus,species", *(f"{name},Pica,{'pica' if i % 2 else 'hudsonia'}" for i, name in enumerate(names))]
    (tmp_path / "ten" / "labels.csv").write_text("\n".join(lines))
    data = f"table:{tmp_path / 'ten' / 'labels.csv'}"
    return Plan(data, models=("pixels", "color-histogram"), controls=False, extraction=SETTINGS)


def test_the_vectors_that_will_be_written_have_the_size_that_was_told(plan: Plan, tmp_path: Path) -> None:
    dataset, store = datasets.load(plan.data), Store(tmp_path / "store")
    before = embedding_state(dataset, plan, store)
    assert not before.complete
    assert not (tmp_path / "store").exists()
    embed(dataset, plan.models, store, SETTINGS)
    for line in before.lines:
        written = sum(path.stat().st_size for path in (tmp_path / "store").rglob(f"{line.subject}@*/vectors-*.npy"))
        assert line.disk == written
        assert (line.there, line.to_do, line.source) == ("0 of 10 images", "10 images", TIMED)
    after = embedding_state(dataset, plan, store)
    assert after.complete
    assert [(line.there, line.to_do, line.disk) for line in after.lines] == [("10 of 10 images", "", 0.0)] * 2


def test_an_interrupted_run_and_failed_images_are_counted_by_shard(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "ten" / "003.png").write_bytes(b"")
    dataset, store = datasets.load(plan.data), Store(tmp_path / "store")
    embed(dataset, ["pixels"], store, SETTINGS)
    assert [line.to_do for line in embedding_state(dataset, plan, store).lines] == ["", "10 images"]
    again = replace(plan, extraction=replace(SETTINGS, redo=("failed",)))
    assert embedding_state(dataset, again, store).lines[0].to_do == "4 images", "the shard of the broken picture"


def test_ready_vectors_are_estimated_by_their_size(tmp_path: Path) -> None:
    species = np.array(["Pica pica", "Pica hudsonia"])
    np.savez(tmp_path / "mine.npz", ids=np.array(["a", "b"]), vectors=np.eye(2, dtype=np.float32), species=species)
    plan = Plan(f"vectors:{tmp_path / 'mine.npz'}", extraction=SETTINGS)
    state = embedding_state(datasets.load(plan.data), plan, Store(tmp_path / "store"))
    (line,) = state.lines
    assert (line.subject, line.to_do, line.disk) == ("mine", "2 images", 2 * 2 * 4 + NPY_HEADER)


@pytest.mark.slow
def test_names_of_taxa_are_counted_and_timed_where_a_model_takes_text(plan: Plan, tmp_path: Path) -> None:
    plan = replace(plan, models=("world-generic", "pixels"), probe=replace(plan.probe, probes=("zero_shot",)))
    dataset, store = datasets.load(plan.data), Store(tmp_path / "store")
    lines = [line for line in embedding_state(dataset, plan, store).lines if line.step == "names"]
    assert [line.subject for line in lines] == ["world-generic"]
    assert 0 < lines[0].seconds[0] < lines[0].seconds[1]
