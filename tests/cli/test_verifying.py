"""The command `verify`: results in three depths, and stores as before."""

from __future__ import annotations

import json

import pytest

from bioclip_probe.study.examples import corvid_plan
from bioclip_probe.study.run import run_steps
from tests.support.command_line import refused, run
from tests.support.verified_study import flip_byte


@pytest.fixture(scope="module")
def corvids(tmp_path_factory):
    """Return a folder with the results and the store of three birds."""
    folder = tmp_path_factory.mktemp("corvids")
    run_steps(corvid_plan(folder), folder / "store", folder / "out", ["measure"])
    return folder


def test_results_alone_are_checked_as_files(corvids, capsys):
    status, out, _ = run(capsys, "verify", corvids / "out", "--quiet")
    assert status == 0
    lines = out.splitlines()
    assert lines[0].startswith("protocol: treeoflife-alignment/1+custom-")
    assert lines[1].startswith("files: passed (")
    assert "numbers: not checked" in lines
    assert "  not asked for: --depth vectors" in lines


def test_results_with_a_store_are_checked_as_numbers(corvids, capsys):
    status, out, _ = run(capsys, "verify", corvids / "out", "--store", corvids / "store", "--quiet")
    assert status == 0
    assert "\nnumbers: passed (" in out


def test_what_was_asked_for_and_cannot_be_checked_has_not_passed(corvids, capsys):
    status, out, _ = run(capsys, "verify", corvids / "out", "--depth", "numbers", "--quiet")
    assert status == 1
    assert "numbers: not checked\n  no store was named: --store STORE" in out
    status, out, _ = run(capsys, "verify", corvids / "out", "--store", corvids / "store", "--depth", "vectors")
    assert status == 1
    assert "  the pictures or models are not here: the study was made from ready vectors" in out


def test_an_altered_file_is_one_line_and_the_status_is_1(corvids, capsys):
    path = corvids / "out" / "witness.npz"
    content = path.read_bytes()
    flip_byte(path)
    status, out, _ = run(capsys, "verify", corvids / "out", "--quiet")
    path.write_bytes(content)
    assert status == 1
    assert "files: failed" in out
    assert "  witness.npz: has changed since it was written (its sha256 differs)" in out.splitlines()


def test_a_program_gets_each_depth(corvids, capsys):
    status, out, _ = run(capsys, "verify", corvids / "out", "--json", "--quiet")
    content = json.loads(out)
    assert status == 0
    assert content["passed"] is True
    assert content["asked"] == ["files"]
    assert content["protocol"]["id"].startswith("treeoflife-alignment/1")
    assert {name: depth["state"] for name, depth in content["depths"].items()} == {
        "files": "passed", "numbers": "not checked", "vectors": "not checked"
    }  # fmt: skip


@pytest.mark.parametrize("arguments", [("{store}",), ("--store", "{store}")], ids=["as a folder", "with the flag"])
def test_a_store_is_checked_as_before(corvids, capsys, arguments):
    arguments = [text.format(store=corvids / "store") for text in arguments]
    assert run(capsys, "verify", *arguments, "--quiet")[:2] == (0, "no damage found\n")
    assert "--depth is about results" in refused(capsys, "verify", *arguments, "--depth", "files")


def test_a_tree_that_is_not_there_is_one_line(corvids, capsys):
    line = refused(capsys, "verify", corvids / "out", "--store", corvids / "store", "--tree", "nope.nwk")
    assert line == "bioclip-probe: cannot read the tree nope.nwk: there is no such file"


def test_neither_results_nor_a_store(capsys, tmp_path):
    assert "expected a results folder, a store, or both" in refused(capsys, "verify")
    assert "holds neither results (no runs.json) nor a store (no store.json)" in refused(capsys, "verify", tmp_path)
