"""Licences, references and the version of the code."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from bioclip_probe.datasets.registry import REGISTRY as DATASETS
from bioclip_probe.encoders.registry import REGISTRY as ENCODERS
from bioclip_probe.report.appendix import references, source_code
from bioclip_probe.report.appendix.models_and_data import LICENCES, licence_table
from tests.support.appendix_study import made_up_results


def test_licences_are_of_models_and_data_that_there_are() -> None:
    table = pd.read_csv(LICENCES, keep_default_na=False)
    assert set(table["kind"]) == {"weights", "data"}
    for kind, known in (("weights", ENCODERS), ("data", DATASETS)):
        names = table.loc[table["kind"] == kind, "name"]
        assert set(names) <= set(known)
        assert names.is_unique
    assert (table[["licence", "how"]] != "").all(axis=None)
    own = table["how"] == "part of this package"
    assert (own | table["source"].str.startswith("https://")).all()


def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    results = made_up_results(tmp_path, models=("bioclip", "mine"))
    rows = {row[0]: row[1] for row in licence_table(results).rows}
    assert rows["bioclip"] == "MIT"
    assert rows["mine"].startswith("not known here")
    assert "non-commercial" in rows["data: inat21-val"]


def test_works_are_those_of_models_and_data_that_there_are() -> None:
    assert set(references.OF_ENCODER) <= set(ENCODERS)
    assert set(references.OF_DATASET) <= set(DATASETS)
    assert {*references.OF_ENCODER.values(), *references.OF_DATASET.values()} <= set(references.entries())


def test_entries_have_balanced_braces_and_an_author_title_and_year() -> None:
    for key, entry in references.entries().items():
        assert entry.count("{") == entry.count("}"), key
        assert {"author", "title", "year"} <= set(re.findall(r"^  (\w+) = ", entry, flags=re.MULTILINE)), key


def test_the_commit_is_that_of_the_working_tree(tmp_path: Path, monkeypatch) -> None:
    package = tmp_path / "bioclip_probe"
    package.mkdir()
    (package / "__init__.py").write_text("")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    if subprocess.run([*git, "init", "-q"], check=False).returncode:
        pytest.skip("there is no git")
    monkeypatch.setattr("bioclip_probe.__file__", str(package / "__init__.py"))
    monkeypatch.setattr(source_code, "_installed_commit", lambda: "")
    assert source_code.source_code().commit == ""  # the file is not of this repository
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "first"], check=True)
    code = source_code.source_code()
    assert re.fullmatch("[0-9a-f]{40}", code.commit)
    assert not code.changed
    assert code.address("README.md").endswith(f"/blob/{code.commit}/README.md")
    (package / "__init__.py").write_text("changed = True")
    assert source_code.source_code().changed
    assert source_code.source_code().text.endswith("with changes that are not committed")


def test_an_unknown_commit_leads_to_the_repository() -> None:
    code = source_code.SourceCode("0.1.0")
    assert code.address("README.md") == source_code.repository()
    assert "commit not known" in code.text
