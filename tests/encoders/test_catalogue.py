"""bioclip_probe.encoders: names, what they mean, and what is said of a wrong one."""

import subprocess
import sys

import numpy as np
import pytest

from bioclip_probe import encoders
from bioclip_probe.encoders.registry import FORMS, REGISTRY
from bioclip_probe.errors import ModelError


def test_the_catalogue_needs_no_torch():
    code = "import sys; from bioclip_probe import encoders; encoders.catalogue(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_catalogue_columns_and_names():
    frame = encoders.catalogue()
    assert list(frame.columns) == ["name", "what", "id", "dimension", "text", "notes"]
    assert len(frame) == len(REGISTRY) + len(FORMS) and frame["name"].is_unique
    assert frame["dimension"].dtype == "Int64" and frame["text"].dtype == "boolean"
    promised = "bioclip clip inat21-only openclip openclip-laion400m bioclip-2 bioclip-2.5 biocap rcme siglip2".split()
    controls = ["pixels", "color-histogram", "untrained-vit-b-16", "world-untrained"]
    assert set(promised + controls + ["world-taxonomic", "world-generic", "world-subset"]) <= set(encoders.known())


def test_every_name_and_every_example_resolves():
    for entry in REGISTRY:
        assert encoders.resolve(entry.name) == (entry.name, entry.id)
        assert encoders.resolve(entry.id)[1] == entry.id or entry.id.startswith("control:")
    for form in FORMS:
        assert encoders.resolve(form.id)[1]


def test_what_a_name_means():
    assert encoders.resolve("ViT-B-32/laion2b_s34b_b79k") == ("ViT-B-32/laion2b_s34b_b79k",) * 2
    assert encoders.resolve("hf-hub:a/b@v1") == ("a/b@v1", "hf-hub:a/b@v1")
    assert encoders.resolve("local-dir:/x/y/mine") == ("mine", "local-dir:/x/y/mine")
    assert encoders.resolve("untrained:local-dir:/x/mine")[0] == "untrained:local-dir:mine"
    assert encoders.resolve("ours=local-dir:/x/y") == ("ours", "local-dir:/x/y")
    assert encoders.resolve("reference=bioclip") == ("reference", "hf-hub:imageomics/bioclip")
    assert encoders.resolve("quickgelu:bioclip")[1] == encoders.resolve("bioclip-quickgelu")[1]
    assert encoders.resolve("custom:a=b.py:Net") == (None, "custom:a=b.py:Net")


@pytest.mark.parametrize("wrong, near", [("bioclop", "bioclip"), ("BIOCLIP-2", "bioclip-2"), ("pixel", "pixels")])
def test_an_unknown_model_is_told_the_nearest(wrong, near):
    with pytest.raises(ModelError, match=f"unknown model '{wrong}'.*did you mean .*{near}") as caught:
        encoders.load(wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", ["", "zzzzzz", "nonsense:x", "hf-hub:", "/x", "x/"])
def test_no_name_at_all(wrong):
    with pytest.raises(ModelError, match="unknown model"):
        encoders.resolve(wrong)


def test_controls_beside_a_study():
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
    encoders.forget()
    again = encoders.load(f"local-dir:{tiny}")
    assert again is not first and again.fingerprint == first.fingerprint
    batch = [first.preprocess(image) for image in pictures]
    np.testing.assert_array_equal(first.encode(batch), again.encode(batch))


def test_revision_only_from_the_hub(tiny):
    for name in ["pixels", f"local-dir:{tiny}", "world-generic"]:
        with pytest.raises(ModelError, match="not on the hub"):
            encoders.load(name, revision="v1")


@pytest.mark.parametrize("device, precision, said", [
    ("gpu", "fp32", "unknown device 'gpu'"),
    ("cpu", "fp8", "unknown precision 'fp8'"),
    ("cpu", "fp16", "fp16 needs a GPU"),
])  # fmt: skip
def test_a_wrong_device_or_precision(tiny, device, precision, said):
    with pytest.raises(ModelError, match=said):
        encoders.load(f"local-dir:{tiny}", device=device, precision=precision)


def test_a_gpu_that_is_not_there(tiny, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ModelError, match="no GPU"):
        encoders.load(f"local-dir:{tiny}", device="cuda")
    assert encoders.load(f"local-dir:{tiny}", device="auto").record["device"] == "cpu"
