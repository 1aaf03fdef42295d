"""The third depth: the named models give the stored vectors for the same pictures."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from PIL import Image

from bioclip_probe.errors import ProbeError
from bioclip_probe.study import results as results_of
from bioclip_probe.study.verification.checking import verify
from bioclip_probe.study.verification.settings import VerifySettings
from bioclip_probe.study.verification.vectors import check_vectors, models_of
from tests.support.small_study import grow
from tests.support.verified_study import change_witness, swap_vectors

ALL = VerifySettings(n_pictures=60)


def vectors_of(out, store=None, settings=ALL):
    """Return the outcome of the third depth."""
    return check_vectors(results_of.read(out), store, settings)


def test_vectors_as_they_were_written_pass(endpoints_study):
    outcome = vectors_of(endpoints_study / "out", endpoints_study / "store")
    assert outcome.failures == outcome.obstacles == ()
    assert outcome.checked == "60 pictures embedded again by 2 of 2 encoders, cosine at least 0.999"


def test_the_witness_alone_is_enough(endpoints_study):
    few = VerifySettings(n_pictures=3)
    outcome = vectors_of(endpoints_study / "out", settings=few)
    assert outcome.state == "passed"
    assert outcome.checked.startswith("3 pictures")


def test_a_swapped_witness_is_found(copied):
    out, _ = copied
    change_witness(out, lambda arrays: {**arrays, "vectors_0": arrays["vectors_0"][::-1]})
    (line,) = vectors_of(out).failures
    assert line.startswith("pixels: ")
    assert "vectors are not those in witness.npz (lowest cosine" in line


def test_vectors_of_another_encoder_are_found(copied):
    out, _ = copied
    change_witness(out, lambda arrays: {**arrays, "vectors_0": arrays["vectors_1"]})
    assert any("pixels: " in line and "dimensions here" in line for line in vectors_of(out).failures)


def test_swapped_vectors_in_the_store_are_found(copied):
    out, store = copied
    swap_vectors(store)
    (line,) = vectors_of(out, store).failures
    assert line.startswith("pixels: 2 of 60 vectors are not those in the store")


def test_pictures_with_other_bytes_are_named(endpoints_study, tmp_path):
    data = grow(tmp_path / "val")
    path = next(data.rglob("*.png"))
    Image.new("RGB", (12, 12)).save(path)
    outcome = vectors_of(endpoints_study / "out", settings=replace(ALL, data=f"inat21:{data}"))
    (line,) = outcome.failures
    assert line.endswith("the picture has other bytes here than in the study")
    assert line.startswith(path.stem)


def test_without_pictures_vectors_are_not_checked(endpoints_study, tmp_path):
    outcome = vectors_of(endpoints_study / "out", settings=replace(ALL, data=f"inat21:{tmp_path}"))
    assert outcome.state == "not checked"
    assert outcome.obstacles[0].startswith("the pictures or models are not here: ")
    assert outcome.checked == ""


def test_a_model_that_cannot_be_loaded_is_not_checked(endpoints_study):
    settings = replace(ALL, models=("pixels=local-dir:/no/such/model",))
    outcome = vectors_of(endpoints_study / "out", settings=settings)
    assert outcome.state == "not checked"
    assert outcome.obstacles[0].startswith("pixels: ")
    assert outcome.checked.startswith("60 pictures embedded again by 1 of 2 encoders")


def test_python_code_that_a_folder_names_is_not_run(copied, tmp_path):
    """Whoever sends a folder could otherwise run anything here."""
    out, _ = copied
    code = tmp_path / "net.py"
    code.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef make():\n    raise SystemExit\n")
    record = json.loads((out / "runs.json").read_text())
    for step in record["steps"].values():
        step["plan"]["models"] = [f"pixels=custom:{code}:make", f"color-histogram=layer:1:custom:{code}:make"]
    (out / "runs.json").write_text(json.dumps(record))
    outcome = vectors_of(out)
    assert outcome.state == "not checked"
    assert "Python code" in outcome.obstacles[0]
    assert not (tmp_path / "ran").exists()


def test_a_name_that_the_folder_does_not_have(endpoints_study):
    with pytest.raises(ProbeError, match="has no encoder 'clip'; it has: pixels, color-histogram"):
        models_of(results_of.read(endpoints_study / "out"), (), ("clip=bioclip",))


def test_all_three_depths(endpoints_study):
    verification = verify(endpoints_study / "out", endpoints_study / "store", "vectors", ALL)
    assert [outcome.state for outcome in verification.outcomes] == ["passed"] * 3
    content = json.loads(json.dumps(verification.to_dict()))
    assert content["passed"] is True
    assert content["depths"]["vectors"]["state"] == "passed"
    assert len(content["numbers_sha256"]) == 64
