"""From a name to an encoder: names and ids, loading, and encoders that run in other processes."""

import pickle

import numpy as np
import pytest

from bioclip_probe import encoders
from bioclip_probe.encoders.recipe import Recipe
from bioclip_probe.errors import ModelError
from tests.support.model_folders import vectors_of

pytestmark = pytest.mark.slow


def test_names_resolve_to_what_is_shown_and_to_an_id():
    assert encoders.resolve("ViT-B-32/laion2b_s34b_b79k") == ("ViT-B-32/laion2b_s34b_b79k",) * 2
    assert encoders.resolve("hf-hub:a/b@v1") == ("a/b@v1", "hf-hub:a/b@v1")
    assert encoders.resolve("local-dir:/x/y/mine") == ("mine", "local-dir:/x/y/mine")
    assert encoders.resolve("untrained:local-dir:/x/mine")[0] == "untrained:local-dir:mine"
    assert encoders.resolve("ours=local-dir:/x/y") == ("ours", "local-dir:/x/y")
    assert encoders.resolve("reference=bioclip") == ("reference", "hf-hub:imageomics/bioclip")
    assert encoders.resolve("quickgelu:bioclip")[1] == encoders.resolve("bioclip-quickgelu")[1]
    assert encoders.resolve("custom:a=b.py:Net") == (None, "custom:a=b.py:Net")


@pytest.mark.parametrize("wrong, near", [("bioclop", "bioclip"), ("BIOCLIP-2", "bioclip-2"), ("pixel", "pixels")])
def test_the_error_for_an_unknown_model_names_the_nearest(wrong, near):
    with pytest.raises(ModelError, match=f"unknown model '{wrong}'.*did you mean .*{near}") as caught:
        encoders.load(wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", ["", "zzzzzz", "nonsense:x", "hf-hub:", "/x", "x/"])
def test_a_text_that_is_no_name_is_refused(wrong):
    with pytest.raises(ModelError, match="unknown model"):
        encoders.resolve(wrong)


def test_the_controls_of_a_study_suit_its_models():
    world = ["world-taxonomic", "world-generic"]
    assert encoders.controls_for(world) == ["pixels", "color-histogram", "world-untrained"]
    assert encoders.controls_for(["bioclip", "clip"]) == ["pixels", "color-histogram", "untrained-vit-b-16"]
    assert encoders.controls_for(["bioclip", "pixels"]) == ["color-histogram", "untrained-vit-b-16"]
    both = ["pixels", "color-histogram", "world-untrained", "untrained-vit-b-16"]
    assert encoders.controls_for(["custom:x.py:X", *world]) == both
    assert encoders.controls_for(["bioclip", *both]) == []
    assert encoders.controls_for([]) == ["pixels", "color-histogram"]


def test_a_model_loads_once(tiny, pictures):
    first = encoders.load(f"local-dir:{tiny}")
    assert encoders.load(f"local-dir:{tiny}") is first
    assert encoders.load(f"local-dir:{tiny}", precision="bf16") is not first
    named = encoders.load(f"mine=local-dir:{tiny}")
    assert (first.name, named.name) == ("tiny", "mine")
    assert named.fingerprint == first.fingerprint and named.record["id"] == "local-dir:tiny"
    encoders.clear_cache()
    again = encoders.load(f"local-dir:{tiny}")
    assert again is not first and again.fingerprint == first.fingerprint
    batch = [first.preprocess(image) for image in pictures]
    np.testing.assert_array_equal(first.encode(batch), again.encode(batch))


def test_only_models_of_the_hub_have_revisions(tiny):
    for name in ["pixels", f"local-dir:{tiny}", "world-generic"]:
        with pytest.raises(ModelError, match="not on the hub"):
            encoders.load(name, revision="v1")


@pytest.mark.parametrize("device, precision, message", [
    ("gpu", "fp32", "unknown device 'gpu'"),
    ("cpu", "fp8", "unknown precision 'fp8'"),
    ("cpu", "fp16", "fp16 needs a GPU"),
])  # fmt: skip
def test_a_wrong_device_or_precision_is_refused(tiny, device, precision, message):
    with pytest.raises(ModelError, match=message):
        encoders.load(f"local-dir:{tiny}", device=device, precision=precision)


def test_a_gpu_that_is_not_there_is_refused(tiny, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ModelError, match="no GPU"):
        encoders.load(f"local-dir:{tiny}", device="cuda")
    assert encoders.load(f"local-dir:{tiny}", device="auto").record["device"] == "cpu"


def fingerprint_and_vectors(encoder, images):
    return encoder.fingerprint, vectors_of(encoder, images)


def test_a_remote_encoder_is_known_here_and_runs_in_the_worker(tiny, pictures, worker, monkeypatch):
    monkeypatch.setattr(Recipe, "build", lambda recipe: pytest.fail("loaded here"))
    remote = encoders.load_remote(f"mine=local-dir:{tiny}", worker)
    assert (remote.name, remote.dimension, remote.has_text, remote.record["precision"]) == ("mine", 24, True, "fp32")
    for refused in (remote.preprocess, remote.collate, remote.encode, remote.parity, remote.encode_text):
        with pytest.raises(ModelError, match="mine is not loaded in this process"):
            refused(pictures)
    seen, vectors = worker.submit(fingerprint_and_vectors, remote, pictures).result()
    monkeypatch.undo()
    assert seen == remote.fingerprint == encoders.load(f"local-dir:{tiny}").fingerprint
    assert vectors.shape == (3, 24)
    assert pickle.loads(pickle.dumps(remote)) is encoders.load(f"mine=local-dir:{tiny}", device="auto")


def test_an_error_of_the_worker_reaches_the_caller(worker, tmp_path):
    with pytest.raises(ModelError, match=r"^model away: there is no model folder") as caught:
        encoders.load_remote(f"away=local-dir:{tmp_path / 'none'}", worker)
    assert "\n" not in str(caught.value)
