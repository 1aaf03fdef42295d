"""Samples from arrays in memory."""

import numpy as np
import pandas as pd
import pytest

import bioclip_probe as bp
from bioclip_probe.errors import DataError
from bioclip_probe.study.arrays import from_arrays

FRAME = pd.DataFrame(
    {
        "genus": ["Pica", "Pica", "Corvus", "Corvus"],
        "species": ["Pica pica", "Pica nuttalli", "Corvus corax", "Corvus corone"],
    }
)
VECTORS = np.random.default_rng(0).normal(size=(4, 3))


def test_arrays_and_a_frame_are_a_sample():
    sample = from_arrays({"one": VECTORS, "two": VECTORS.astype(np.float16)}, FRAME, name="birds")
    assert list(sample.embeddings) == ["one", "two"] and sample.images["species"].tolist() == FRAME["species"].tolist()
    expected = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    np.testing.assert_allclose(sample.embeddings["one"].vectors, expected, atol=1e-6)
    assert sample.dataset == "birds" and not sample.controls
    assert len({*sample.digests.values()}) == 2


def test_a_sample_of_arrays_can_be_measured():
    settings = bp.MeasureSettings(metrics=("cophenetic_correlation",), n_permutations=9)
    table = bp.measure(bp.from_arrays({"one": VECTORS}, FRAME), settings)
    assert table["encoder"].eq("one").all() and table["value"].notna().any()


@pytest.mark.parametrize("simulated", [False, True])
def test_tables_of_made_up_vectors_say_that_they_are_simulated(simulated):
    sample = from_arrays({"one": VECTORS}, FRAME, simulated=simulated)
    assert sample.simulated == simulated
    table = bp.measure(sample, bp.MeasureSettings(metrics=("silhouette",)))
    assert table["simulated"].eq(simulated).all()


def test_each_encoder_has_its_geometry():
    sample = from_arrays({"flat": VECTORS, "curved": VECTORS}, FRAME, geometry={"curved": "lorentz"})
    assert [record["geometry"] for record in sample.record["encoders"]] == ["cosine", "lorentz"]
    assert sample.embeddings["curved"].vectors.shape[1] > 3


@pytest.mark.parametrize("vectors, message", [
    ({}, "expected the vectors of at least one encoder"),
    ({"one": VECTORS[:3]}, r"have the shape \(3, 3\); expected \(4, d\)"),
    ({"one": VECTORS[0]}, r"have the shape \(3,\); expected \(4, d\)"),
    ({"one": VECTORS[:, :0]}, r"have the shape \(4, 0\)"),
    ({"one": [["a"]] * 4}, "are not numbers"),
    ({"one": np.full((4, 3), np.nan)}, "must be finite"),
])  # fmt: skip
def test_arrays_that_do_not_fit_are_refused(vectors, message):
    with pytest.raises(DataError, match=message):
        from_arrays(vectors, FRAME)
    with pytest.raises(DataError, match="unknown geometry 'poincare'"):
        from_arrays({"one": VECTORS}, FRAME, geometry="poincare")


@pytest.mark.parametrize("options, message", [
    ({"vectors": {"": VECTORS}}, "'' is not a name of an encoder"),
    ({"vectors": {3: VECTORS}}, "3 is not a name of an encoder"),
    ({"vectors": {"a\nb": VECTORS}}, "is not a name of an encoder; expected a text that can be printed"),
    ({"vectors": {"one": VECTORS * 1j}}, "the vectors of 'one' are complex numbers"),
    ({"geometry": {"one": 3}}, "unknown geometry '3'"),
    ({"geometry": {"won": "lorentz"}}, "no encoder 'won'; did you mean one"),
    ({"phylogeny": "birds.nwk"}, "phylogeny: expected a bioclip_probe.Phylogeny; got a str"),
], ids=range(7))  # fmt: skip
def test_names_and_options_are_checked(options, message):
    with pytest.raises(DataError, match=message):
        from_arrays(**{"vectors": {"one": VECTORS}, "frame": FRAME, **options})


def test_tensors_with_a_gradient_or_in_half_precision_are_vectors():
    import torch

    tensor = torch.tensor(VECTORS)
    sample = from_arrays({"gradient": tensor.clone().requires_grad_(), "half": tensor.bfloat16()}, FRAME)
    np.testing.assert_allclose(sample.embeddings["gradient"].vectors, sample.embeddings["half"].vectors, atol=0.02)
