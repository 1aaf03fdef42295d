"""bioclip_probe.encoders.recipe: encoders in other processes, and the same encoder at other precisions."""

import multiprocessing
import os
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

from bioclip_probe import encoders
from bioclip_probe.encoders import recipe as recipes
from bioclip_probe.encoders.recipe import absolute, public
from bioclip_probe.errors import ModelError
from tests.encoders.conftest import cached_snapshot, make_folder
from tests.support import mobilenets


@pytest.fixture(scope="module")
def worker():
    """Another process, which shares nothing with this one."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def seen_by_a_worker(encoder, images):
    vectors = encoder.encode(encoder.collate([encoder.preprocess(image) for image in images]))
    return os.getpid(), id(encoder), encoder.fingerprint, vectors


def test_another_process_loads_it_once_and_gives_the_same_vectors(tiny, pictures, worker):
    encoder = encoders.load(f"local-dir:{tiny}", precision="bf16")
    (process, first, seen, vectors), (_, second, *_) = (
        worker.submit(seen_by_a_worker, encoder, pictures).result() for _ in range(2)
    )
    assert process != os.getpid() and first == second and seen == encoder.fingerprint
    np.testing.assert_allclose(vectors, seen_by_a_worker(encoder, pictures)[-1], atol=1e-2)
    assert len(pickle.dumps(encoder)) < 1000


def test_an_encoder_that_runs_elsewhere(tiny, pictures, worker, monkeypatch):
    monkeypatch.setattr(recipes, "_built", lambda recipe: pytest.fail("loaded here"))
    away = encoders.elsewhere(f"mine=local-dir:{tiny}", worker)
    assert (away.name, away.dimension, away.has_text, away.record["precision"]) == ("mine", 24, True, "fp32")
    for refused in (away.preprocess, away.collate, away.encode, away.parity, away.encode_text):
        with pytest.raises(ModelError, match="mine is not loaded in this process"):
            refused(pictures)
    *_, seen, vectors = worker.submit(seen_by_a_worker, away, pictures).result()
    monkeypatch.undo()
    assert seen == away.fingerprint == encoders.load(f"local-dir:{tiny}").fingerprint
    assert vectors.shape == (3, 24)
    assert pickle.loads(pickle.dumps(away)) is encoders.load(f"mine=local-dir:{tiny}", device="auto")


def test_what_goes_wrong_elsewhere_is_told_here(worker, tmp_path):
    with pytest.raises(ModelError, match=r"^model away: there is no model folder") as caught:
        encoders.elsewhere(f"away=local-dir:{tmp_path / 'none'}", worker)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["pixels", "color-histogram", "world-generic", f"custom:{mobilenets.__file__}:birds"])
def test_whatever_it_is_it_comes_back_as_itself(name):
    if "custom" in name and not mobilenets.FOLDER.is_dir():
        pytest.skip("no networks: set MOBILENETS")
    encoder = encoders.load(name)
    assert encoder.recipe.precision == encoder.record["precision"] == "fp32"
    assert pickle.loads(pickle.dumps(encoder)) is encoder is encoders.load(name, precision="fp32")


def test_other_weights_on_the_other_machine(tmp_path):
    folder = make_folder(tmp_path / "model")
    sent = pickle.dumps(encoders.load(f"local-dir:{folder}"))
    make_folder(folder, seed=2)
    with pytest.raises(ModelError, match="other weights or settings") as caught:
        pickle.loads(sent)
    assert "\n" not in str(caught.value)
    (folder / "open_clip_model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"model model: .* holds no weights file"):
        pickle.loads(sent)


def test_a_path_means_the_same_from_any_folder_and_is_in_no_record(tmp_path, monkeypatch):
    make_folder(tmp_path / "models" / "mine")
    monkeypatch.chdir(tmp_path / "models")
    encoder = encoders.load("local-dir:mine")
    sent = pickle.dumps(encoder)
    monkeypatch.chdir(tmp_path)
    encoders.forget()
    assert pickle.loads(sent).fingerprint == encoder.fingerprint
    assert str(tmp_path) in encoder.recipe.id and str(tmp_path) not in str(encoder.record)
    assert encoder.record["id"] == "local-dir:mine"


def test_a_weights_file_named_as_a_tag(tmp_path, monkeypatch):
    (tmp_path / "mine.pt").touch()
    assert encoders.resolve(f"ViT-B-32/{tmp_path / 'mine.pt'}") == ("ViT-B-32/mine.pt", f"ViT-B-32/{tmp_path}/mine.pt")
    monkeypatch.chdir(tmp_path)
    assert absolute("quickgelu:ViT-B-32/mine.pt") == f"quickgelu:ViT-B-32/{tmp_path}/mine.pt"
    (tmp_path / "bioclip").touch()  # a file by the name of a model changes nothing
    for id in ("hf-hub:imageomics/bioclip", "quickgelu:hf-hub:imageomics/bioclip", "ViT-B-32/openai", "world:x"):
        assert absolute(id) == public(id) == id


def test_a_model_of_the_hub_is_sent_with_its_commit(cache):
    folder = make_folder(cached_snapshot(cache, "org/tiny"))
    encoder = encoders.load("hf-hub:org/tiny")
    assert encoder.recipe.revision == folder.name
    assert pickle.loads(pickle.dumps(encoder)) is encoder
    with pytest.raises(ModelError, match="no revision 'v1'"):
        encoders.load(f"ViT-B-32/{folder / 'open_clip_model.safetensors'}", revision="v1")


def test_threads_that_ask_at_once_get_one(tiny):
    with ThreadPoolExecutor(4) as threads:
        asked = list(threads.map(encoders.load, [f"local-dir:{tiny}"] * 4))
    assert all(encoder is asked[0] for encoder in asked)


def test_memory_of_what_was_loaded_is_bounded(tiny, monkeypatch):
    monkeypatch.setattr(recipes, "MOST_LOADED", 2)
    for number in range(4):
        encoders.load(f"name{number}=local-dir:{tiny}", precision="fp32")
    assert len(recipes._loaded) == 2


def test_fingerprints_at_other_precisions(tiny):
    full, half = (encoders.load(f"local-dir:{tiny}", precision=precision) for precision in ("fp32", "bf16"))
    prints = encoders.fingerprints_by_precision(full.record)
    assert prints == encoders.fingerprints_by_precision(half.record)
    assert (prints["fp32"], prints["bf16"]) == (full.fingerprint, half.fingerprint)
    assert list(prints) == ["fp32", "bf16", "fp16"] and len(set(prints.values())) == 3
    pixels = encoders.load("pixels")
    assert encoders.fingerprints_by_precision(pixels.record) == {"fp32": pixels.fingerprint}
