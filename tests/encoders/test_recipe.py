"""Recipes: encoders that are pickled and built again, and the cache of built encoders."""

import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from bioclip_probe import encoders
from bioclip_probe.encoders.recipe import EncoderCache
from bioclip_probe.errors import ModelError
from tests.support import mobilenets
from tests.support.model_folders import cached_snapshot, make_folder


def seen_by_a_worker(encoder, images):
    vectors = encoder.encode(encoder.collate([encoder.preprocess(image) for image in images]))
    return os.getpid(), id(encoder), encoder.fingerprint, vectors


@pytest.mark.slow
def test_another_process_loads_it_once_and_gives_the_same_vectors(tiny, pictures, worker):
    encoder = encoders.load(f"local-dir:{tiny}", precision="bf16")
    (process, first, seen, vectors), (_, second, *_) = (
        worker.submit(seen_by_a_worker, encoder, pictures).result() for _ in range(2)
    )
    assert process != os.getpid() and first == second and seen == encoder.fingerprint
    np.testing.assert_allclose(vectors, seen_by_a_worker(encoder, pictures)[-1], atol=1e-2)
    assert len(pickle.dumps(encoder)) < 1000


@pytest.mark.parametrize("name", ["pixels", "color-histogram", "world-generic", f"custom:{mobilenets.__file__}:birds"])
def test_an_encoder_of_every_family_is_unpickled_as_itself(name):
    if "custom" in name and not mobilenets.FOLDER.is_dir():
        pytest.skip("no networks: set MOBILENETS")
    encoder = encoders.load(name)
    assert encoder.recipe.precision == encoder.record["precision"] == "fp32"
    assert pickle.loads(pickle.dumps(encoder)) is encoder is encoders.load(name, precision="fp32")


def test_other_weights_on_the_other_machine_are_refused(tmp_path):
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
    encoders.clear_cache()
    assert pickle.loads(sent).fingerprint == encoder.fingerprint
    assert str(tmp_path) in encoder.recipe.id and str(tmp_path) not in str(encoder.record)
    assert encoder.record["id"] == "local-dir:mine"


def test_a_model_of_the_hub_is_pickled_with_its_commit(cache):
    folder = make_folder(cached_snapshot(cache, "org/tiny"))
    encoder = encoders.load("hf-hub:org/tiny")
    assert encoder.recipe.revision == folder.name
    assert pickle.loads(pickle.dumps(encoder)) is encoder
    with pytest.raises(ModelError, match="no revision 'v1'"):
        encoders.load(f"ViT-B-32/{folder / 'open_clip_model.safetensors'}", revision="v1")


def test_threads_that_load_at_once_share_one_encoder(tiny):
    with ThreadPoolExecutor(4) as threads:
        asked = list(threads.map(encoders.load, [f"local-dir:{tiny}"] * 4))
    assert all(encoder is asked[0] for encoder in asked)


def test_the_cache_keeps_a_bounded_number_of_encoders(tiny):
    cache = EncoderCache(max_size=2)
    recipe = encoders.load(f"local-dir:{tiny}", precision="fp32").recipe
    named = [replace(recipe, name=f"name{number}") for number in range(4)]
    for one in named:
        assert cache.get(one).name == one.name
    assert len(cache) == 2 and cache.get(named[3]) is cache.get(named[3])
    assert len(cache) == 2
