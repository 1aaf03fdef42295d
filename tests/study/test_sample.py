"""The sample: what is embedded, what is left out, and that everything is joined by image."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bioclip_probe import collect, datasets, encoders
from bioclip_probe.datasets.identity import Identity
from bioclip_probe.errors import DataError, ModelError, ProbeError, StoreError, TreeError
from bioclip_probe.extraction import embed
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.store.store import Store
from bioclip_probe.study.phylogeny import Phylogeny
from tests.support.encoders import use_encoders
from tests.support.pictures import MeanColour, break_in_half, paint
from tests.support.small_study import CONTROLS, FOLDERS, NEWICK, grow

FEW = FOLDERS[4:7]


@pytest.fixture
def val(tmp_path):
    return grow(tmp_path / "val", FEW, each=3)


def stamps(folder) -> dict:
    """Every file below a folder and when it was last written; without the locks, which are opened anew."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}


QUIET = ExtractionSettings(progress=False)


def collected(val, *models, phylogeny=None):
    return collect(f"inat21:{val}", models or CONTROLS, val.parent / "store", phylogeny, settings=QUIET)


class Odd(MeanColour):
    """Refuses one picture, and has a name of its own."""

    name, fingerprint = "odd", "ba9876543210"

    def preprocess(self, image):
        picture = super().preprocess(image)
        if picture.mean() > 0.99:
            raise ValueError("too bright\nto see")
        return picture


@pytest.fixture
def made_up(monkeypatch):
    """`mean` and `odd` are encoders that no catalogue knows."""
    there = {"mean": MeanColour(), "odd": Odd()}
    use_encoders(monkeypatch, lambda name: there[name])
    return there


def test_all_encoders_have_the_images_in_one_order(val):
    found = collected(val)
    assert list(found.embeddings) == list(CONTROLS)
    for embeddings in found.embeddings.values():
        assert embeddings.ids.tolist() == found.images["image_id"].tolist()
        assert embeddings.vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(embeddings.vectors, axis=1), 1, atol=1e-6)
    assert len(found.placement) == 9
    assert found.images["species"].nunique() == 3
    assert not found.simulated


@pytest.mark.slow
def test_no_part_of_a_dataset_passes_for_the_whole(val):
    whole = datasets.load(f"inat21:{val}")
    for parts, fine in ((["all", "rest", "rest"], False), (["all"] * 3, True), (["train", "test", None], True)):
        images = whole.images.assign(split=pd.array(parts * 3, dtype="str"))
        dataset = replace(whole, images=images, identity=Identity(images))
        if fine:
            assert len(collect(dataset, ["pixels"], val.parent / "store", settings=QUIET).images) == 9
        else:
            with pytest.raises(DataError, match="has a split called 'all', which stands for the whole"):
                collect(dataset, ["pixels"], val.parent / "store", settings=QUIET)


def test_vectors_belong_to_their_images(val):
    found = collected(val, "pixels")
    encoder = encoders.load("pixels")
    for image_id, source, vector in zip(
        found.images["image_id"], found.images["source"], found.embeddings["pixels"].vectors, strict=True
    ):
        by_hand = encoder.preprocess(Image.open(val / source).convert("RGB"))
        np.testing.assert_allclose(vector, by_hand / np.linalg.norm(by_hand), atol=1e-6, err_msg=image_id)


@pytest.mark.slow
def test_a_second_run_embeds_nothing_anew(val, monkeypatch):
    first = collected(val)
    before = stamps(val.parent / "store")
    monkeypatch.setattr(
        "bioclip_probe.datasets.readers.pictures.open_picture", lambda path: pytest.fail("opened a picture")
    )
    second = collected(val)
    assert stamps(val.parent / "store") == before
    assert second.run == first.run
    np.testing.assert_array_equal(second.embeddings["pixels"].vectors, first.embeddings["pixels"].vectors)


def test_an_image_that_one_encoder_lacks_is_left_out_of_all_and_named(val, made_up, caplog):
    bright = paint(val / FEW[0] / "bright.png", (255, 255, 255))
    with caplog.at_level(logging.WARNING):
        found = collected(val, "mean", "odd")
    assert "bright" not in set(found.images["image_id"])
    assert all(len(embeddings) == 9 for embeddings in found.embeddings.values())
    assert found.record["dataset"]["n_images"] == 10
    assert found.record["dataset"]["n_usable"] == 9
    (failure,) = found.record["failures"]["odd"]
    assert failure["image_id"] == bright.stem
    assert "too bright to see" in failure["error"]
    assert found.record["failures"]["mean/colour"] == []
    assert "left out bright" in caplog.text


def test_a_zero_vector_has_no_direction_and_is_left_out_with_a_line(val, made_up, caplog):
    paint(val / FEW[0] / "night.png", (0, 0, 0))
    with caplog.at_level(logging.WARNING):
        found = collected(val, "mean")
    assert "night" not in set(found.images["image_id"])
    assert (found.record["dataset"]["n_images"], found.record["dataset"]["n_usable"]) == (10, 9)
    assert [failure["image_id"] for failure in found.record["failures"]["mean/colour"]] == ["night"]
    assert "it has no direction" in found.record["failures"]["mean/colour"][0]["error"]
    assert found.record["failures"]["mean/colour"][0]["error_class"] == "no direction"
    assert "night" in caplog.text
    assert "zero" in caplog.text


def test_a_black_picture_has_a_direction_in_pixels(val):
    paint(val / FEW[0] / "night.png", (0, 0, 0))
    assert "night" in set(collected(val).images["image_id"])


def test_only_zero_vectors_leave_no_image(tmp_path, made_up):
    paint(tmp_path / "val" / FEW[0] / "night.png", (0, 0, 0))
    with pytest.raises(DataError, match=r"no image of 'inat21-val' was embedded by all of: mean/colour"):
        collected(tmp_path / "val", "mean")


def spoil(folder) -> dict[str, bool]:
    """Pictures of all sorts in a folder: name, and whether it can be used."""
    paint(folder / "corrupt.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    break_in_half(paint(folder / "truncated.png", size=(64, 64)))
    (folder / "empty.png").write_bytes(b"")
    paint(folder / "dot.png", size=(1, 1))
    Image.fromarray(np.arange(48, dtype=np.uint16).reshape(6, 8) * 1000).save(folder / "deep.png")
    Image.new("CMYK", (8, 6), (10, 200, 30, 4)).save(folder / "print.jpg")
    Image.new("RGB", (8, 6), (9, 99, 199)).convert("P").save(folder / "palette.gif")
    frames = [Image.new("RGB", (8, 6), colour) for colour in ((250, 9, 9), (9, 250, 9))]
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:])
    usable = ("dot", "deep", "print", "palette", "moving")
    return dict.fromkeys(("corrupt", "truncated", "empty"), False) | dict.fromkeys(usable, True)


def test_bad_pictures_are_reported_and_odd_ones_used(val, caplog):
    sorts = spoil(val / FEW[0])
    with caplog.at_level(logging.WARNING):
        found = collected(val)
    used = set(found.images["image_id"])
    assert {name for name in sorts if name in used} == {name for name, good in sorts.items() if good}
    for model in CONTROLS:
        failures = {failure["image_id"]: failure["error"] for failure in found.record["failures"][model]}
        assert set(failures) == {name for name, good in sorts.items() if not good}
        assert "empty" in failures["empty"]
        assert all("\n" not in error for error in failures.values())
    assert "left out truncated" in caplog.text
    json.dumps(found.record)


def test_more_than_five_bad_pictures_are_counted(val, caplog):
    for number in range(7):
        (val / FEW[0] / f"empty{number}.png").write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        collected(val, "pixels")
    assert caplog.text.count("the file is empty") == 5
    assert "left out 7 images in total" in caplog.text


def test_a_phylogeny_is_matched_and_what_did_not_match_is_listed(val, tmp_path):
    grow(val, FOLDERS[:1], each=2)
    (tmp_path / "crows.nwk").write_text(NEWICK)
    found = collected(val, phylogeny=Phylogeny(tmp_path / "crows.nwk", "Myr"))
    placement, matches = found.trees["crows"]
    assert matches.loc[~matches["matched"], "name"].tolist() == ["Lumbricus terrestris"]
    assert np.sum(placement.node < 0) == 2
    told = found.record["trees"]["crows"]
    assert (told["tips"], told["unit"], told["ultrametric"]) == (3, "Myr", True)
    assert [match["name"] for match in told["matches"] if match["matched"]] == matches.loc[
        matches["matched"], "name"
    ].tolist()
    json.dumps(found.record)


@pytest.mark.parametrize("name", ["taxonomy", "true tree"])
def test_a_phylogeny_that_would_pass_for_another_tree_is_refused(val, tmp_path, name):
    (tmp_path / f"{name}.nwk").write_text(NEWICK)
    with pytest.raises(TreeError, match=f"numbers on another tree are called '{name}'; give the file .* another name"):
        collected(val, phylogeny=Phylogeny(tmp_path / f"{name}.nwk"))
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("newick", "line"),
    [("((A,B),C", "Newick"), ("(A_b:1,C_d:1,E_f:1);", "only 0 of 3 species are tips"), (None, "cannot read the tree")],
)
def test_a_bad_tree_stops_before_the_first_picture(val, tmp_path, newick, line):
    if newick:
        (tmp_path / "bad.nwk").write_text(newick)
    with pytest.raises(TreeError, match=line):
        collected(val, phylogeny=Phylogeny(tmp_path / "bad.nwk"))
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("models", "line"),
    [
        (["pixels", "pixel"], "unknown model 'pixel'; did you mean pixels"),
        (["same=pixels", "same=color-histogram"], "two models are called 'same'"),
        (["pixels", "local-dir:nowhere"], "nowhere"),
    ],
)
def test_a_bad_model_stops_before_the_first_picture(val, tmp_path, models, line):
    with pytest.raises(ProbeError, match=line):
        collected(val, *models)
    assert not (tmp_path / "store").exists()


@pytest.mark.slow
def test_a_damaged_store_is_refused(val, tmp_path):
    collected(val)
    next((tmp_path / "store").rglob("vectors-00000.npy")).unlink()
    before = stamps(tmp_path / "store")
    with pytest.raises(StoreError, match=r"damaged: vectors-00000.npy is gone"):
        collected(val)
    assert stamps(tmp_path / "store") == before


def test_take_keeps_images_and_vectors_together(val, tmp_path):
    (tmp_path / "crows.nwk").write_text(NEWICK)
    whole = collected(val, phylogeny=Phylogeny(tmp_path / "crows.nwk"))
    rows = np.array([7, 0, 4])
    part = whole.take(rows)
    assert part.images["image_id"].tolist() == whole.images["image_id"].iloc[rows].tolist()
    assert part.run == whole.run
    np.testing.assert_array_equal(part.placement.node, whole.placement.node[rows])
    np.testing.assert_array_equal(part.trees["crows"][0].node, whole.trees["crows"][0].node[rows])
    for name, embeddings in part.embeddings.items():
        assert embeddings.ids.tolist() == part.images["image_id"].tolist()
        np.testing.assert_array_equal(embeddings.vectors, whole.embeddings[name].vectors[rows])


def test_species_may_have_equally_many_images(val):
    paint(val / FEW[0] / "more.png")
    whole = collected(val)
    even = whole.balanced(3, seed=1)
    counts = even.images["species"].value_counts()
    assert set(counts) == {3} and len(even.images) == even.record["dataset"]["n_usable"] == 9
    assert even.run != whole.run
    assert even.record["dataset"]["notes"][-1].startswith(
        "3 images of each species, drawn at random (seed 1); 0 species"
    )
    assert whole.balanced(3, seed=1).images["image_id"].tolist() == even.images["image_id"].tolist()
    only = whole.balanced(4)
    assert (
        only.record["dataset"]["taxa"]["species"] == 1 and "2 species have fewer" in only.record["dataset"]["notes"][-1]
    )
    for wrong, said in (
        (5, "no species of 'inat21-val' has 5 images; ask for fewer"),
        (0, "at least 1 image a species"),
    ):
        with pytest.raises(DataError, match=said):
            whole.balanced(wrong)


def test_controls_are_told_by_what_they_are(val):
    assert collected(val).controls == list(CONTROLS)


@pytest.mark.slow
def test_vectors_may_be_kept_as_half_precision(val, tmp_path):
    full = collected(val)
    half = collect(f"inat21:{val}", CONTROLS, tmp_path / "half", settings=replace(QUIET, dtype="float16"))
    assert {encoder["stored_as"] for encoder in half.record["encoders"]} == {"float16"}
    for name in CONTROLS:
        np.testing.assert_allclose(half.embeddings[name].vectors, full.embeddings[name].vectors, atol=1e-3)
    assert half.run != full.run


@pytest.mark.slow
def test_the_run_is_named_by_what_was_embedded_with_what(val):
    both, one = collected(val), collected(val, "pixels")
    assert both.run != one.run
    paint(val / FEW[0] / "more.png")
    assert collected(val).run != both.run


def test_groups_are_numbers_and_unknown_is_none(val):
    found = collected(val, "pixels")
    assert found.groups.tolist() == [-1] * 9
    images = found.images.assign(group=pd.Series(["a", "b", None, "a"] + [None] * 5, dtype="str"))
    assert replace(found, images=images).groups.tolist()[:4] == [0, 1, -1, 0]


@pytest.fixture(scope="module")
def little_world():
    """Some pictures of the built-in world, of species seen and unseen in training."""
    world = datasets.load("world")
    rows = [*range(0, 40, 2), *np.flatnonzero(world.images["split"] == "unseen")[:16]]
    return replace(world, images=world.images.iloc[rows].reset_index(drop=True))


@pytest.mark.slow
def test_the_world_is_simulated_and_has_its_true_tree(little_world, tmp_path):
    found = collect(little_world, CONTROLS, tmp_path / "store", settings=QUIET)
    assert found.simulated
    assert found.record["dataset"]["simulated"]
    assert list(found.trees) == ["true tree"]
    assert found.table([{"metric": "spearman", "value": 1.0}])["simulated"].tolist() == [True]


def test_a_table_has_what_its_rows_share(val):
    found = collected(val, "pixels")
    table = found.table([{"metric": "spearman", "value": 0.5}, {"metric": "silhouette", "split": "test"}], space="raw")
    assert table["run"].tolist() == [found.run] * 2
    assert table["split"].tolist() == ["all", "test"]
    assert table["space"].tolist() == ["raw", "raw"]
    assert table["dataset"].tolist() == ["inat21-val"] * 2


def test_embed_tells_what_was_done(val, tmp_path):
    dataset = datasets.load(f"inat21:{val}")
    (record, result), _ = embed.embed(
        dataset, CONTROLS, Store(tmp_path / "s"), ExtractionSettings(device="cpu", progress=False)
    )
    assert record["name"] == "pixels"
    assert len(record["fingerprint"]) == 12
    assert (result.n_ok, result.n_failed, result.n_reused) == (9, 0, 0)


def test_a_model_that_cannot_be_loaded_is_one_line(val):
    with pytest.raises(ModelError) as told:
        collected(val, "local-dir:nowhere")
    assert "\n" not in str(told.value)
