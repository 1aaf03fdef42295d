"""The record of an encoder: its fingerprint, whether it is a control, and checks of vectors."""

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bioclip_probe import encoders
from bioclip_probe.encoders.encoder import FINGERPRINT_FIELDS, check_finite, check_vectors, fingerprint, smallest_cosine
from bioclip_probe.errors import ModelError


def test_the_fingerprints_at_other_precisions_are_known_without_loading(tiny):
    full, half = (encoders.load(f"local-dir:{tiny}", precision=precision) for precision in ("fp32", "bf16"))
    prints = encoders.fingerprints_by_precision(full.record)
    assert prints == encoders.fingerprints_by_precision(half.record)
    assert (prints["fp32"], prints["bf16"]) == (full.fingerprint, half.fingerprint)
    assert list(prints) == ["fp32", "bf16", "fp16"] and len(set(prints.values())) == 3
    pixels = encoders.load("pixels")
    assert encoders.fingerprints_by_precision(pixels.record) == {"fp32": pixels.fingerprint}


rows = arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 5)), elements=st.floats(-8, 8, width=16))


@settings(deadline=None, max_examples=50)
@given(rows, st.floats(0.5, 2))
def test_the_smallest_cosine_depends_on_directions_only(a, scale):
    assert smallest_cosine(a, a) == pytest.approx(1)
    assert smallest_cosine(a, a * np.float32(scale)) == pytest.approx(1)
    other = a.copy()
    other[0] = -a[0]
    assert smallest_cosine(a, other) == pytest.approx(-1 if np.any(a[0]) else 1)
    other[0] = 0
    assert smallest_cosine(a, other) == pytest.approx(0 if np.any(a[0]) else 1)


def test_the_fingerprint_is_a_hash_of_a_fixed_list_of_fields():
    record = encoders.load("pixels").record
    fields = {field: record[field] for field in FINGERPRINT_FIELDS}
    assert "control" not in fields
    assert fingerprint(record) == hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:12]
    without_it = {key: value for key, value in record.items() if key != "control"}
    assert fingerprint(record) == fingerprint(without_it) == "14cbe8dfc05f"


@pytest.mark.parametrize("name, is_control", [
    ("reference=pixels", True),
    ("mine=untrained:local-dir:{tiny}", True),
    ("unprojected:untrained:local-dir:{tiny}", True),
    ("random-crop-vit=local-dir:{tiny}", False),
    ("untrained-looking=local-dir:{tiny}", False),
    ("pixels=world-generic", False),
])  # fmt: skip
def test_a_control_is_known_by_its_record_and_not_by_its_name(tiny, name, is_control):
    record = encoders.load(name.format(tiny=tiny)).record
    assert record["control"] is encoders.is_control(record) is is_control
    from_an_older_store = {key: value for key, value in record.items() if key != "control"}
    assert encoders.is_control(from_an_older_store) is is_control


def test_vectors_of_another_shape_or_not_finite_are_refused():
    with pytest.raises(ModelError, match=r"shape \(2, 3\) for 2 .*expected \(2, 4\)"):
        check_vectors(np.zeros((2, 3)), 2, "mine", 4)
    with pytest.raises(ModelError, match="NaN or infinite values for 1 of 2 pictures"):
        check_finite(np.array([[0.0, np.nan], [1.0, 2.0]]), "mine", "pictures")
    assert not check_vectors(np.zeros((2, 3)), 2, "mine", 3).flags.writeable


def test_an_encoder_of_any_class_is_shown_in_one_line(tiny):
    model = f"local-dir:{tiny}"
    shown = [repr(encoders.load(name, device="cpu", precision="fp32")) for name in (model, f"layer:1:{model}")]
    assert [line.partition("(")[0] for line in shown] == ["Network", "LayerEncoder"]
    assert all(line.endswith("dimensions, cpu, fp32)") and len(line) < 200 and "\n" not in line for line in shown)
    assert repr(encoders.load("pixels")) == "PictureStatistic('pixels', 768 dimensions, cpu, fp32)"
