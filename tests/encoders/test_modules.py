"""Networks given from Python: a torch module with its transform."""

import pickle

import numpy as np
import pytest
import torch
from torchvision import transforms

from bioclip_probe import encoders
from bioclip_probe.errors import ModelError
from tests.support.model_folders import vectors_of

STEPS = transforms.Compose(
    [transforms.Resize((8, 8)), transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.25] * 3)]
)


def network(seed=0, width=6):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, width), torch.nn.Dropout(0.5))


def test_vectors_are_those_of_the_module_by_hand(pictures):
    module = network()
    encoder = encoders.from_module(module, STEPS, "mine")
    with torch.no_grad():
        expected = module.eval()(torch.stack([STEPS(image) for image in pictures])).numpy()
    np.testing.assert_allclose(vectors_of(encoder, pictures), expected, atol=1e-5)
    assert (encoder.name, encoder.dimension, encoder.record["id"]) == ("mine", 6, "module:mine")
    assert encoder.portable_transform is not None and encoder.record["geometry"] == "cosine"


def test_a_module_is_known_by_its_name_and_stays_as_it_is(pictures):
    module = network().train()
    encoder = encoders.from_module(module, STEPS, "known", precision="bf16")
    assert module.training and module[1].weight.dtype is torch.float32
    assert encoders.load("module:known", precision="bf16") is encoder
    assert encoders.load("module:known").record["precision"] == "fp32"
    assert 0.99 < encoder.parity([encoder.preprocess(image) for image in pictures]) < 1
    with torch.no_grad():
        module[1].weight.zero_()
    assert np.abs(vectors_of(encoder, pictures)).max() > 0.01
    assert pickle.loads(pickle.dumps(encoder)).fingerprint == encoder.fingerprint


def test_another_module_under_the_name_takes_its_place(pictures):
    first = encoders.from_module(network(), STEPS, "changing")
    again = encoders.from_module(network(), STEPS, "changing")
    assert again.fingerprint == first.fingerprint
    second = encoders.from_module(network(seed=1), STEPS, "changing")
    other = encoders.from_module(
        network(), transforms.Compose([transforms.Resize((8, 8)), transforms.ToTensor()]), "changing"
    )
    assert len({first.fingerprint, second.fingerprint, other.fingerprint}) == 3
    assert not np.allclose(vectors_of(second, pictures), vectors_of(first, pictures))


def test_the_geometry_is_part_of_the_record_and_of_the_fingerprint():
    plain, curved = (
        encoders.from_module(network(), STEPS, f"geometry-{kind}", geometry=kind) for kind in ("cosine", "lorentz")
    )
    assert curved.record["geometry"] == "lorentz" and curved.fingerprint != plain.fingerprint
    with pytest.raises(ModelError, match="unknown geometry 'poincare'"):
        encoders.from_module(network(), STEPS, "geometry", geometry="poincare")


@pytest.mark.parametrize("module, transform, name, message", [
    (network(), STEPS, "a name", "is not a name for an encoder"),
    (network(), STEPS, None, "is not a name for an encoder"),
    (torch.nn.Flatten, STEPS, "class", r"Flatten is a class; expected a network .*: Flatten\("),
    ("resnet", STEPS, "text", "a str is not a torch module"),
    (network(), 3, "three", "the transform is a int"),
    (network(), lambda image: None, "none", "none: a grey picture cannot be embedded"),
    (torch.nn.Identity(), STEPS, "shape", r"gave \(1, 3, 8, 8\) for one picture; expected a tensor of shape \(1, d\)"),
    (torch.nn.Linear(5, 2), STEPS, "wrong", "a grey picture cannot be embedded: RuntimeError"),
])  # fmt: skip
def test_what_does_not_work_is_one_line(module, transform, name, message):
    with pytest.raises(ModelError, match=message) as caught:
        encoders.from_module(module, transform, name)
    assert "\n" not in str(caught.value)


def test_a_module_of_another_process_is_not_known(worker):
    encoder = encoders.from_module(network(), STEPS, "here")
    with pytest.raises(ModelError, match=r"this process has no module 'here'; give it to encoders.from_module first"):
        worker.submit(encoders.load, "module:here").result()
    assert encoder.name == "here"
