"""Pieces of a study on disk: used again for the same inputs, settings and program, and for no others."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioclip_probe.metrics.measurement import Measurement
from bioclip_probe.stats.embeddings import Embeddings
from bioclip_probe.stats.estimate import Estimate
from bioclip_probe.study.checkpoints import Checkpoints, Content, Outline, read_piece, seconds_of
from bioclip_probe.study.examples import corvid_sample
from bioclip_probe.study.inputs import Inputs
from bioclip_probe.study.piece import Piece
from bioclip_probe.study.sample import Sample
from bioclip_probe.study.stored_measurements import measurements_of_table, measurements_table
from bioclip_probe.tree import taxonomy

PIECE = Piece("measure", "toy, raw", (("images", ""), ("vectors", "toy")), {"seed": 0, "device": "cpu", "metrics": ()})


def content(value: float = 0.5) -> Content:
    return Content(pd.DataFrame({"metric": ["silhouette"], "value": [value]}), {"note": "ä"})


def store(out: Path, piece: Piece = PIECE, sample: Sample | None = None, value: float = 0.5) -> float:
    """Return the value of a piece in `out`, which is `value` where it is computed anew."""
    stored = Checkpoints(out, Inputs(sample or corvid_sample())).content(piece, lambda: content(value))
    assert stored.facts == {"note": "ä"} and not stored.table.attrs
    return stored.table["value"].item()


def files(out: Path) -> list[Path]:
    return sorted((out / "pieces").rglob("*.*"))


def test_a_piece_is_computed_once(tmp_path):
    assert [store(tmp_path, value=value) for value in (0.5, 0.7)] == [0.5, 0.5]
    (file,) = files(tmp_path)
    assert file.parent.name == "measure" and seconds_of(file) >= 0
    assert pd.read_parquet(file)["value"].tolist() == [0.5], "any program can read it"


def test_without_a_folder_everything_is_computed():
    assert Checkpoints().content(PIECE, content).table["value"].item() == 0.5


def other_vectors(sample: Sample) -> Sample:
    own = sample.embeddings["toy"]
    turned = Embeddings.of(own.ids, own.vectors @ np.array([[0, 1], [-1, 0]]))
    return replace(sample, embeddings={"toy": turned})


def other_taxa(sample: Sample) -> Sample:
    return replace(sample, placement=taxonomy(sample.images.assign(genus="Pica")))


def other_groups(sample: Sample) -> Sample:
    return replace(sample, images=sample.images.assign(group=["Ada", "Bo", "Ada"]))


@pytest.mark.parametrize(
    "change",
    [
        other_vectors,
        other_taxa,
        other_groups,
        lambda sample: sample.take(np.array([0, 1])),
        lambda sample: sample.take(np.array([1, 0, 2])),
        lambda sample: replace(sample, digests={"toy": "of another store"}),
    ],
)
def test_other_inputs_are_another_piece(tmp_path, change):
    store(tmp_path)
    assert store(tmp_path, sample=change(corvid_sample()), value=0.7) == 0.7
    assert store(tmp_path) == 0.5


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "toy, centred"},
        {"step": "probe"},
        {"settings": {**PIECE.settings, "seed": 1}},
        {"settings": {**PIECE.settings, "metrics": (), "level": 0.9}},
        {"inputs": PIECE.inputs[:1]},
    ],
)
def test_other_settings_are_another_piece(tmp_path, changes):
    store(tmp_path)
    assert store(tmp_path, replace(PIECE, **changes), value=0.7) == 0.7


def test_another_program_is_another_piece(tmp_path, monkeypatch):
    store(tmp_path)
    monkeypatch.setattr("bioclip_probe.study.piece.program", lambda: ["another"])
    assert store(tmp_path, value=0.7) == 0.7


def test_the_device_is_none_of_its_settings(tmp_path):
    store(tmp_path)
    assert store(tmp_path, replace(PIECE, settings={**PIECE.settings, "device": "cuda"}), value=0.7) == 0.5


def test_a_piece_of_all_metrics_serves_some_of_them_and_not_the_other_way_round(tmp_path):
    some = replace(PIECE, settings={**PIECE.settings, "metrics": ("silhouette",)})
    assert store(tmp_path / "a", some, value=0.7) == 0.7
    assert store(tmp_path / "a") == 0.5
    assert store(tmp_path / "a", some) == 0.5, "that of all metrics comes first"
    store(tmp_path / "b")
    assert store(tmp_path / "b", some, value=0.7) == 0.5


@pytest.mark.parametrize("damage", [lambda old: old[:-1] + b"!", lambda old: old[:100], lambda old: b""])
def test_a_damaged_piece_is_computed_again_and_said_to_be(tmp_path, caplog, damage):
    store(tmp_path)
    (file,) = files(tmp_path)
    file.write_bytes(damage(file.read_bytes()))
    assert read_piece(file) is None
    assert store(tmp_path, value=0.7) == 0.7
    assert "is damaged; it is computed again: toy, raw" in caplog.text
    assert len(files(tmp_path)) == 1


def test_pieces_that_are_not_used_are_removed_when_a_step_is_complete(tmp_path):
    for seed in range(3):
        store(tmp_path, replace(PIECE, settings={"seed": seed}))
    store(tmp_path, replace(PIECE, step="probe"))
    (tmp_path / "pieces" / "measure" / ".begun.7.part").touch()
    used = Checkpoints(tmp_path, Inputs(corvid_sample()))
    used.content(replace(PIECE, settings={"seed": 1}), lambda: pytest.fail("computed"))
    used.remove_others("measure")
    assert [file.parent.name for file in files(tmp_path)] == ["measure", "probe"]


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bioclip_probe.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store(tmp_path)
    assert not files(tmp_path)


def test_an_outline_says_what_is_there_and_computes_nothing(tmp_path):
    store(tmp_path)
    outline = Outline(tmp_path, Inputs(corvid_sample()))
    for piece in (PIECE, replace(PIECE, subject="toy, centred")):
        assert outline.content(piece, lambda: pytest.fail("computed")).table.empty
    first, second = outline.pieces
    assert (first.exists, second.exists) == (True, False) and first.seconds >= 0
    assert files(tmp_path)[0].name.startswith(f"{first.key}-")


ESTIMATES = st.builds(
    Estimate,
    value=st.floats(allow_nan=True),
    chance=st.floats(allow_nan=True),
    null=st.sampled_from(["", "species", "within genus"]),
    n_units=st.integers(0, 9),
    n_images=st.integers(0, 2**40),
    note=st.text(max_size=5),
    replicates=st.none() | st.lists(st.floats(), max_size=4).map(np.array),
)
MEASUREMENTS = st.builds(
    Measurement,
    metric=st.sampled_from(["silhouette", "k_mult"]),
    rank=st.just("genus"),
    estimate=ESTIMATES,
    taxon=st.none() | st.sampled_from(["", "Aves|Pica"]),
    split=st.none() | st.just("val"),
    column=st.none() | st.just("place"),
)


@settings(max_examples=40)
@given(rows=st.lists(MEASUREMENTS, max_size=4))
def test_measurements_come_back_with_their_replicates(rows):
    file = io.BytesIO()
    measurements_table(rows).to_parquet(file, index=False)
    back = measurements_of_table(pd.read_parquet(file))
    assert [str(row) for row in back] == [str(row) for row in rows]
    for row, other in zip(rows, back, strict=True):
        own, found = row.estimate.replicates, other.estimate.replicates
        assert (own is None) == (found is None)
        if own is not None:
            np.testing.assert_array_equal(own, found)
            assert found.dtype == np.float64


def test_pieces_side_by_side_keep_their_order_and_are_stored(tmp_path):
    work = [(replace(PIECE, subject=f"panel {k}"), partial(content, float(k))) for k in range(5)]
    made = Checkpoints(tmp_path, Inputs(corvid_sample())).contents(work, threads=3)
    assert [one.table["value"].item() for one in made] == [0, 1, 2, 3, 4]
    outline = Outline(tmp_path, Inputs(corvid_sample()))
    assert len(outline.contents(work, threads=3)) == 5
    assert [(state.subject, state.exists) for state in outline.pieces] == [(f"panel {k}", True) for k in range(5)]
