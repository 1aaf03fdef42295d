"""The first depth: each file is the one that was written, and the files agree with each other."""

from __future__ import annotations

import json

import pytest

from bioclip_probe.errors import ProbeError
from bioclip_probe.study.checksums import SUMS, read_sums
from bioclip_probe.study.verification.checking import verify
from bioclip_probe.study.verification.files import check_sums
from tests.support.verified_study import change_table, flip_byte, rewrite_sums


def failures(folder) -> tuple[str, ...]:
    """Return the failures of the first depth."""
    return verify(folder).outcomes[0].failures


def test_a_study_as_it_was_written_passes(small_study):
    verification = verify(small_study / "out")
    assert verification.failures == []
    assert verification.passed
    assert [outcome.state for outcome in verification.outcomes] == ["passed", "not checked", "not checked"]
    assert "report.html" in read_sums(small_study / "out")


def test_one_altered_byte_of_any_file_is_named(copied):
    out, _ = copied
    for name in read_sums(out):
        content = (out / name).read_bytes()
        flip_byte(out / name)
        assert check_sums(out).failures == (f"{name}: has changed since it was written (its sha256 differs)",)
        (out / name).write_bytes(content)


def test_an_altered_list_is_found(copied):
    out, _ = copied
    flip_byte(out / SUMS)
    assert failures(out)


def test_missing_and_extra_files_are_named(copied):
    out, _ = copied
    (out / "predictions.parquet").unlink()
    (out / "notes.txt").write_text("mine")
    (out / "more").mkdir()
    found = failures(out)
    for line in (
        "predictions.parquet: missing",
        "notes.txt: not in SHA256SUMS",
        "more: not in SHA256SUMS",
    ):
        assert line in found
    assert sum("predictions.parquet" in line for line in found) == 1


def test_a_file_whose_line_is_removed_too_is_missing(copied):
    out, _ = copied
    (out / "witness.npz").unlink()
    rewrite_sums(out, without="witness.npz")
    assert failures(out) == ("witness.npz: missing, though a step in runs.json wrote it",)


def test_no_list_is_no_pass(copied):
    out, _ = copied
    (out / SUMS).unlink()
    assert failures(out) == ("SHA256SUMS: missing; an earlier version wrote the folder, or somebody removed it",)


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/hostname", "a/../../secret.txt"])
def test_a_path_that_leads_out_is_refused_and_not_read(copied, name):
    out, _ = copied
    (out.parent / "secret.txt").write_text("mine")
    with open(out / SUMS, "a") as file:
        file.write(f"{'0' * 64}  {name}\n")
    (line,) = failures(out)
    assert line.endswith(f"'{name}' is not a path inside the folder, and is ignored")


def test_links_are_not_followed(copied):
    out, _ = copied
    (out / "runs.json").rename(out.parent / "runs.json")
    (out / "runs.json").symlink_to(out.parent / "runs.json")
    assert "runs.json: it is a link, or inside one, which is not followed" in failures(out)


def test_text_and_table_of_the_numbers_must_agree(copied):
    out, _ = copied
    path = out / "measurements.csv"
    path.write_text(path.read_text().replace("0.1", "0.2", 1))
    rewrite_sums(out)
    (line,) = failures(out)
    assert line.startswith("measurements.csv: differs from measurements.parquet in ")


def test_a_forged_id_of_the_protocol_is_found(copied):
    out, _ = copied
    record = json.loads((out / "runs.json").read_text())
    record["protocol"]["id"] = "treeoflife-alignment/1"
    (out / "runs.json").write_text(json.dumps(record))
    rewrite_sums(out)
    assert "runs.json: its protocol id or instance does not follow from the deviations and parts that it lists" in (
        failures(out)
    )


def test_an_adjusted_p_value_follows_from_the_p_values(copied):
    out, _ = copied
    change_table(out, lambda rows: rows.assign(p_adjusted=rows["p_adjusted"] * 0.5))
    assert any("adjusted p-values do not follow from the p-values" in line for line in failures(out))


@pytest.mark.parametrize("name", ["measurements.parquet", "embeddings.json", "protocol.json", "images.parquet"])
def test_a_file_of_garbage_is_one_line(copied, name):
    out, _ = copied
    (out / name).write_bytes(b"{\x00PAR1")
    rewrite_sums(out)
    verification = verify(out)
    assert not verification.passed
    assert all("\n" not in line for line in verification.failures)


def test_a_folder_without_results_and_an_unknown_depth(tmp_path, endpoints_study):
    with pytest.raises(ProbeError, match="holds no results"):
        verify(tmp_path)
    with pytest.raises(ProbeError, match="no depth of verification 'number'; did you mean numbers"):
        verify(endpoints_study / "out", depth="number")
