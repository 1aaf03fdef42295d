"""Networks of the user's own, and the mistakes in them."""

import hashlib

import numpy as np
import pytest
import torch

from bioclip_probe import encoders
from bioclip_probe.errors import ModelError
from tests.support import mobilenets

HEAD = "import numpy\nimport torch\n\n"
MEAN = """
class Mean:
    dimension = 3

    def preprocess(self, image):
        return torch.from_numpy(numpy.asarray(image, dtype="float32").mean((0, 1)))

    def encode(self, batch):
        return 2 * batch
"""
LINEAR = """
class Linear(torch.nn.Module):
    dimension = 4
    name = "linear-of-mean"

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.GELU(), torch.nn.Dropout(0.5))

    def preprocess(self, image):
        return numpy.asarray(image, dtype="float32").mean((0, 1)) / 255

    def encode(self, batch):
        return self.layer(batch)

    def encode_text(self, texts):
        return torch.tensor([[len(text), 1.0, 0.0, 0.0] for text in texts])
"""


@pytest.fixture
def file(tmp_path):
    def write(text: str, name: str = "mine.py") -> str:
        (tmp_path / name).write_text(HEAD + text)
        return f"custom:{tmp_path / name}"

    return write


def test_the_smallest_network_works(file, pictures):
    name = file(MEAN)
    encoder = encoders.load(f"{name}:Mean")
    vectors = encoder.encode([encoder.preprocess(image) for image in pictures])
    np.testing.assert_allclose(vectors, [2 * np.asarray(image).mean((0, 1)) for image in pictures], rtol=1e-5)
    assert (encoder.name, encoder.dimension, encoder.has_text) == ("Mean", 3, False)
    source = hashlib.sha256((HEAD + MEAN).encode()).hexdigest()
    assert encoder.record["architecture"] == {"file": "mine.py", "sha256": source, "factory": "Mean"}
    assert encoder.record["id"] == "custom:mine.py:Mean"
    with pytest.raises(ModelError, match="no text tower"):
        encoder.encode_text(["a"])
    with pytest.raises(ModelError, match=r"has no method to\(device"):
        encoders.load(f"{name}:Mean", precision="bf16")


def test_a_module_runs_at_the_device_and_precision_that_the_user_gives(file, pictures):
    name = file(LINEAR)
    encoder = encoders.load(f"{name}:Linear")
    batch = [encoder.preprocess(image) for image in pictures]
    vectors = encoder.encode(batch)
    np.testing.assert_array_equal(encoder.encode(batch), vectors)  # evaluation mode: no dropout
    assert encoder.name == "linear-of-mean" and encoder.record["activation"] == "gelu"
    assert encoder.encode_text(["ab", "abc"]).tolist() == [[2, 1, 0, 0], [3, 1, 0, 0]]
    half = encoders.load(f"{name}:Linear", precision="bf16")
    np.testing.assert_allclose(half.encode(batch), vectors, atol=0.02)
    assert half.encode(batch).dtype == np.float32 and half.fingerprint != encoder.fingerprint
    assert encoders.load(f"other={name}:Linear").name == "other"


@pytest.mark.parametrize("geometry", ["cosine", "lorentz"])
def test_a_text_side_that_is_not_used_is_said(file, caplog, geometry):
    name = file(LINEAR.replace("dimension = 4", f"dimension = 4\n    geometry = '{geometry}'"))
    encoder = encoders.load(f"{name}:Linear")
    assert encoder.record["geometry"] == geometry and encoder.has_text == (geometry == "cosine")
    assert ("its encode_text is not used" in caplog.text) == (geometry == "lorentz")


@pytest.mark.parametrize("given, scale", [("30", 30.0), ("torch.tensor(12.5)", 12.5), ("None", None)])
def test_the_scale_of_its_cosines_is_read(file, given, scale):
    encoder = encoders.load(f"{file(LINEAR)}:Linear")
    assert encoder.logit_scale is None
    name = file(LINEAR.replace("    name =", f"    logit_scale = {given}\n    name ="), "other.py")
    assert encoders.load(f"{name}:Linear").logit_scale == scale


@pytest.mark.parametrize("given", ["0", "-1", "float('nan')", "'much'", "[1, 2]"])
def test_a_scale_that_is_no_positive_number_is_refused(file, given):
    name = file(LINEAR.replace("    name =", f"    logit_scale = {given}\n    name ="))
    with pytest.raises(ModelError, match=r"its logit_scale is .*; expected a positive number") as error:
        encoders.load(f"{name}:Linear")
    assert "\n" not in str(error.value)


def test_an_edit_and_other_weights_change_the_fingerprint(file, tmp_path):
    first = encoders.load(f"{file(MEAN)}:Mean")
    second = encoders.load(f"{file(MEAN.replace('2 * batch', '3 * batch'))}:Mean")
    (tmp_path / "a.bin").write_bytes(b"weights")
    with_weights = MEAN.replace("dimension = 3", f"dimension = 3\n    weights = [{str(tmp_path / 'a.bin')!r}]")
    third = encoders.load(f"{file(with_weights)}:Mean")
    assert third.record["sha256"] == hashlib.sha256(b"weights").hexdigest()
    (tmp_path / "a.bin").write_bytes(b"other weights")
    encoders.clear_cache()
    fourth = encoders.load(f"{file(with_weights)}:Mean")
    assert len({encoder.fingerprint for encoder in [first, second, third, fourth]}) == 4
    assert np.ravel(second.encode([torch.ones(3)])).tolist() == [3, 3, 3]


@pytest.mark.parametrize("text, factory, message", [
    (MEAN, "Median", "has no function or class 'Median'; it has: Mean"),
    ("x = (", "Mean", "cannot be imported: SyntaxError"),
    ("import no_such_module", "Mean", "cannot be imported: ModuleNotFoundError"),
    ("def make():\n    raise OSError('no weights here')", "make", "make failed: OSError: no weights here"),
    ("def make():\n    return 3", "make", "has no dimension and no preprocess and no encode"),
    (MEAN.replace("= 3", "= None"), "Mean", "its dimension is None"),
    (MEAN.replace("= 3", "= 5"), "Mean", r"shape \(1, 3\) for 1 .*expected \(1, 5\)"),
    (MEAN.replace("2 * batch", "batch / 0"), "Mean", "NaN or infinite"),
    (MEAN.replace("2 * batch", "batch.no"), "Mean", "encode failed: AttributeError"),
    (MEAN.replace("return torch.from_numpy", "return repr"), "Mean", "neither tensor nor array"),
    (MEAN.replace("asarray(image", "asarray(image.no"), "Mean", "preprocess failed: AttributeError"),
    (MEAN.replace(".mean((0, 1))", ""), "Mean", "expected pictures of one shape, whatever the size of the file"),
    (MEAN.replace("dimension = 3", "dimension = 3; weights = ['none.bin']"), "Mean", "none.bin cannot be read"),
])  # fmt: skip
def test_the_error_for_a_mistake_is_one_line(file, text, factory, message):
    with pytest.raises(ModelError, match=message) as caught:
        encoders.load(f"{file(text)}:{factory}")
    assert "\n" not in str(caught.value)


def test_a_missing_file_or_factory_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"there is no file .*none.py"):
        encoders.load(f"custom:{tmp_path / 'none.py'}:Net")
    with pytest.raises(ModelError, match="names no factory"):
        encoders.load("custom:mine.py")
    (tmp_path / "net.txt").write_text("")
    with pytest.raises(ModelError, match="is not a Python file"):
        encoders.load(f"custom:{tmp_path / 'net.txt'}:Net")


@pytest.mark.slow
@pytest.mark.skipif(not mobilenets.FOLDER.is_dir(), reason=f"no networks in {mobilenets.FOLDER.name}: set MOBILENETS")
@pytest.mark.parametrize("factory", ["birds", "imagenet"])
def test_the_two_mobilenets_run(factory, pictures):
    encoder = encoders.load(f"custom:{mobilenets.__file__}:{factory}")
    batch = [encoder.preprocess(image) for image in pictures]
    vectors = encoder.encode(batch)
    assert vectors.shape == (3, 1280) and encoder.name == f"mobilenet-{factory}"
    assert len(encoder.record["sha256"]) == 64 and len(encoder.record["files"]) == 2
    turned = np.asarray(pictures[0].resize((224, 224), 2).rotate(180), dtype=np.float32).transpose(2, 0, 1) / 127.5 - 1
    np.testing.assert_allclose(batch[0].numpy(), turned, atol=1e-6)
    half = encoders.load(f"custom:{mobilenets.__file__}:{factory}", precision="bf16").encode(batch[:1])
    cosine = (half * vectors[:1]).sum() / np.linalg.norm(half) / np.linalg.norm(vectors[0])
    assert cosine > 0.99  # bf16 costs a small convolutional net more than it does a ViT
