"""Ids of encoders, and the paths inside them."""

import pytest

from bioclip_probe import encoders
from bioclip_probe.encoders.ids import absolute_id, file_stamp, is_control_id, local_path, public_id


def test_a_weights_file_may_stand_for_a_tag(tmp_path, monkeypatch):
    (tmp_path / "mine.pt").touch()
    assert encoders.resolve(f"ViT-B-32/{tmp_path / 'mine.pt'}") == ("ViT-B-32/mine.pt", f"ViT-B-32/{tmp_path}/mine.pt")
    monkeypatch.chdir(tmp_path)
    assert absolute_id("quickgelu:ViT-B-32/mine.pt") == f"quickgelu:ViT-B-32/{tmp_path}/mine.pt"
    (tmp_path / "bioclip").touch()  # a file by the name of a model changes nothing
    for id in ("hf-hub:imageomics/bioclip", "quickgelu:hf-hub:imageomics/bioclip", "ViT-B-32/openai", "world:x"):
        assert absolute_id(id) == public_id(id) == id


def test_the_stamp_of_a_folder_changes_with_its_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert file_stamp("local-dir:.") == file_stamp("bioclip") == file_stamp("local-dir:none") == ()
    (tmp_path / "a.bin").write_bytes(b"1")
    first = file_stamp("quickgelu:local-dir:.")
    (tmp_path / "a.bin").write_bytes(b"12")
    assert [name for name, *_ in first] == ["a.bin"] and first != file_stamp("local-dir:.")
    assert file_stamp(f"custom:{tmp_path / 'a.bin'}:Net") == file_stamp("local-dir:.")


@pytest.mark.parametrize("id, is_control", [
    ("control:pixels", True),
    ("untrained:ViT-B-16", True),
    ("unprojected:untrained:local-dir:x", True),
    ("local-dir:untrained", False),
    ("custom:control.py:untrained", False),
    ("ViT-B-16/openai", False),
    ("world:untrained", False),
])  # fmt: skip
def test_controls_are_known_by_the_scheme_of_their_id(id, is_control):
    assert is_control_id(id) is is_control


def test_a_hub_name_is_no_path():
    assert local_path("hf-hub:org/repo") == local_path("timm:resnet50.a1_in1k") == ""
