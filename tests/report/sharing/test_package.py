"""The files that `share` writes, and the input that it refuses."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from bioclip_probe.errors import DataError, ProbeError
from bioclip_probe.report.sharing.package import Origin, safe_names, share
from bioclip_probe.study.submission_file import read_submission
from tests.support.submissions import made_up_folder


def test_it_writes_a_card_and_evaluation_results_for_each_model_that_is_no_control(tmp_path: Path) -> None:
    made_up_folder(tmp_path)
    shared = share(tmp_path, origin=Origin("Ada", "CC0-1.0"))
    written = sorted(path.relative_to(shared.folder).as_posix() for path in shared.folder.rglob("*") if path.is_file())
    archive = shared.archive.name
    assert written == sorted(
        [
            archive,
            "submission.json",
            *(
                f"models/{name}/{file}"
                for name in ("bioclip", "clip")
                for file in ("model-card.md", ".eval_results/treeoflife-alignment.yaml")
            ),
        ]
    )
    assert shared.folder == tmp_path / "share"
    assert read_submission(shared.submission)["licence"] == "CC0-1.0"
    with zipfile.ZipFile(shared.archive) as file:
        inside = json.loads(file.read(f"{shared.archive.stem}/submission.json"))
    assert inside == read_submission(shared.submission)


def test_files_are_the_same_when_written_again(tmp_path: Path) -> None:
    made_up_folder(tmp_path)
    first = {path: path.read_bytes() for path in _files(share(tmp_path).folder)}
    assert {path: path.read_bytes() for path in _files(share(tmp_path).folder)} == first


def test_files_of_another_run_do_not_stay(tmp_path: Path) -> None:
    made_up_folder(tmp_path / "out")
    share(tmp_path / "out", tmp_path / "shared")
    made_up_folder(tmp_path / "new", ("dinov2", "clip"))
    shared = share(tmp_path / "new", tmp_path / "shared")
    assert sorted(path.parent.name for path in (tmp_path / "shared").rglob("model-card.md")) == ["clip", "dinov2"]
    assert list((tmp_path / "shared").glob("*.zip")) == [shared.archive]


def test_names_of_models_become_folders_that_stay_inside(tmp_path: Path) -> None:
    made_up_folder(tmp_path / "out", ("../../evil", "a/b", "a b", "CON"), ("pixels",))
    shared = share(tmp_path / "out", tmp_path / "shared")
    assert [path.parent.name for path in shared.cards] == ["evil", "a-b", "a-b-2", "CON-"]
    assert all(path.resolve().is_relative_to(tmp_path / "shared") for path in shared.cards)


def test_names_are_never_equal_empty_or_too_long() -> None:
    names = safe_names(["x" * 200, "x" * 201, "…", "///", "A", "a", "lpt1.txt", ".hidden", "-rf"])
    assert len({name.lower() for name in names}) == len(names)
    assert all(0 < len(name) < 90 and name[0] not in ".-" for name in names)


def test_what_cannot_be_shared_is_refused_in_one_line(tmp_path: Path) -> None:
    made_up_folder(tmp_path / "out")
    with pytest.raises(DataError, match="holds no results"):
        share(tmp_path)
    with pytest.raises(DataError, match="is the results folder; name another folder"):
        share(tmp_path / "out", tmp_path / "new" / ".." / "out")
    with pytest.raises(DataError, match="cannot be shared as it is: who: has 201 entries or characters"):
        share(tmp_path / "out", origin=Origin(who="a" * 201))
    with pytest.raises(ProbeError, match="'x' is not a dataset of the Hub"):
        share(tmp_path / "out", origin=Origin(benchmark="x"))
    assert not (tmp_path / "out" / "share").exists()


def _files(folder: Path) -> list[Path]:
    """Return the files below a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
