"""The archive for another laboratory: whole, verifiable, deterministic, and without anything of the machine."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bioclip_probe.files import sha256_of_bytes
from bioclip_probe.report.sharing.archive import archive_members, public_ids, zip_bytes
from bioclip_probe.report.sharing.package import Origin, SharedFiles, share
from bioclip_probe.study.checksums import parse_sums
from bioclip_probe.study.run import reproduce
from bioclip_probe.study.submission import submission_of
from bioclip_probe.study.verification.checking import verify
from tests.support.submissions import made_up_folder, valid
from tests.support.vector_study import write_vectors


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> SharedFiles:
    """A small study in the folder of a person, shared."""
    home = tmp_path_factory.mktemp("home") / "ada-private"
    home.mkdir()
    reproduce(write_vectors(home), home / "store", home / "out")
    return share(home / "out", origin=Origin("Ada Lovelace", "CC-BY-4.0"))


@pytest.fixture(scope="module")
def unpacked(shared: SharedFiles) -> Path:
    """The unpacked archive."""
    with zipfile.ZipFile(shared.archive) as file:
        file.extractall(shared.folder / "unpacked")
    return shared.folder / "unpacked" / shared.archive.stem


@pytest.mark.slow
def test_the_unpacked_folder_is_a_results_folder_that_passes_verification(unpacked: Path) -> None:
    verification = verify(unpacked)
    assert verification.passed, str(verification)


@pytest.mark.slow
def test_nothing_in_it_names_a_folder_of_the_machine(unpacked: Path, shared: SharedFiles) -> None:
    for path in unpacked.iterdir():
        assert b"ada-private" not in path.read_bytes(), path.name
    record = json.loads((unpacked / "runs.json").read_text())
    assert record["steps"]["measure"]["plan"]["data"] == "vectors:…/one.npz"
    assert "--" not in record["steps"]["measure"]["command"]


@pytest.mark.slow
def test_its_checksums_are_those_of_sha256sum(unpacked: Path) -> None:
    checked = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=unpacked, capture_output=True, text=True, check=True
    )
    assert checked.stdout.count(": OK") == len(list(unpacked.iterdir())) - 1


@pytest.mark.slow
def test_who_and_licence_are_in_all_that_names_them(unpacked: Path) -> None:
    assert '  - name: "Ada Lovelace"' in (unpacked / "CITATION.cff").read_text()
    crate = json.loads((unpacked / "ro-crate-metadata.json").read_text())["@graph"]
    assert next(entity for entity in crate if entity["@id"] == "./")["license"] == "CC-BY-4.0"
    files = {entity["@id"] for entity in crate if entity["@type"] == "File"}
    assert all((unpacked / name).is_file() for name in files)
    assert json.loads((unpacked / "submission.json").read_text())["who"] == "Ada Lovelace"


@pytest.mark.slow
def test_pieces_and_vectors_are_left_out_with_a_reason(shared: SharedFiles) -> None:
    assert set(shared.left_out) == {"pieces", "vectors"}
    assert not any(name.startswith("pieces") for name in shared.members)
    assert "measurements.parquet" in shared.members


def test_an_archive_is_the_same_when_made_again(tmp_path: Path) -> None:
    results = made_up_folder(tmp_path)
    first, second = (archive_members(tmp_path, submission_of(results))[0] for _ in range(2))
    assert zip_bytes(first, "birds") == zip_bytes(dict(reversed(second.items())), "birds")
    with zipfile.ZipFile(io.BytesIO(zip_bytes(first, "birds"))) as file:
        assert {member.date_time for member in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert all(member.filename.startswith("birds/") for member in file.infolist())


def test_pages_with_pictures_are_left_out(tmp_path: Path) -> None:
    results = made_up_folder(tmp_path)
    (tmp_path / "report.html").write_text("<img>")
    (tmp_path / "figures").mkdir()
    members, left_out = archive_members(tmp_path, submission_of(results))
    assert list(left_out) == ["report.html", "figures", "vectors"]
    sums, problems = parse_sums(members["SHA256SUMS"].decode())
    assert not problems
    assert sums == {name: sha256_of_bytes(data) for name, data in members.items() if name != "SHA256SUMS"}


def test_arguments_of_commands_and_addresses_of_clusters_are_cut(tmp_path: Path) -> None:
    results = made_up_folder(tmp_path)
    record = json.loads((tmp_path / "runs.json").read_text())
    record["steps"]["measure"]["plan"] = {"extraction": {"engine": "dask:tcp://10.0.0.7:8786"}}
    (tmp_path / "runs.json").write_text(json.dumps(record))
    shown = json.loads(archive_members(tmp_path, submission_of(results))[0]["runs.json"])["steps"]["measure"]
    assert shown["command"] == "bioclip-probe measure …"
    assert shown["plan"]["extraction"]["engine"] == "dask"


def test_image_ids_that_are_absolute_paths_become_relative_in_every_file(tmp_path: Path) -> None:
    made_up_folder(tmp_path)
    ids = [f"/home/ada/birds/{name}" for name in ("a/1.jpg", "b/1.jpg", "b/2.jpg")]
    pd.DataFrame({"image_id": pd.Series(ids, dtype="str"), "sha256": ["0"] * 3}).to_parquet(tmp_path / "images.parquet")
    answers = pd.DataFrame({"image_id": pd.Series(ids[1:], dtype="category")})
    answers.to_parquet(tmp_path / "predictions.parquet")
    np.savez(tmp_path / "witness.npz", image_id=np.array(ids[:1]), vectors_0=np.eye(2))
    names = ("images.parquet", "predictions.parquet", "witness.npz", "runs.json")
    (tmp_path / "SHA256SUMS").write_text("".join(f"{'0' * 64}  {name}\n" for name in names))
    members, _ = archive_members(tmp_path, valid())
    images, predictions = (pd.read_parquet(io.BytesIO(members[name])) for name in names[:2])
    assert images["image_id"].tolist() == ["a/1.jpg", "b/1.jpg", "b/2.jpg"]
    assert predictions["image_id"].tolist() == ["b/1.jpg", "b/2.jpg"]
    assert isinstance(predictions["image_id"].dtype, pd.CategoricalDtype)
    with np.load(io.BytesIO(members["witness.npz"])) as witness:
        assert witness["image_id"].tolist() == ["a/1.jpg"]
        assert witness["vectors_0"].tolist() == np.eye(2).tolist()


def test_ids_without_a_common_folder_are_made_of_a_digest() -> None:
    found = public_ids(["/home/ada/1.jpg", "/srv/1.jpg", "C:\\Users\\ada\\1.jpg"])
    assert len(set(found.values())) == 3
    assert all(name.endswith("-1.jpg") and "ada" not in name for name in found.values())
