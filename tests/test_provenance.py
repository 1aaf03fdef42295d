"""Provenance: versions, machine, command line, time, fingerprints."""

import getpass
import importlib.metadata
import json
import platform
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bioclip_probe import __version__, provenance


def test_versions_are_those_installed_and_nothing_else_is_listed(monkeypatch):
    versions = provenance.software()
    assert versions["python"] == platform.python_version()
    assert versions["bioclip_probe"] == __version__ == importlib.metadata.version("bioclip_probe")
    assert versions["numpy"] == importlib.metadata.version("numpy")
    monkeypatch.setattr(provenance, "PACKAGES", ("numpy", "no-such-package"))
    assert list(provenance.software()) == ["python", "numpy"]


def test_no_name_of_a_host_or_a_user_is_recorded():
    said = json.dumps(provenance.machine())
    assert platform.node() not in said
    assert getpass.getuser() not in said


def test_time_is_utc_to_the_second():
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", provenance.now())
    assert abs((datetime.now(UTC) - datetime.fromisoformat(provenance.now())).total_seconds()) < 5


def test_the_command_has_no_folder_of_the_program(monkeypatch):
    monkeypatch.setattr(sys, "argv", [str(Path("/home/somebody/bin/bioclip-probe")), "embed", "--data", "world"])
    assert provenance.command() == "bioclip-probe embed --data world"


def test_the_command_is_quoted_for_the_shell(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["bioclip-probe", "embed", "--data", "table:my birds; x.csv"])
    assert provenance.command() == "bioclip-probe embed --data 'table:my birds; x.csv'"


def test_a_fingerprint_is_twelve_digits_that_depend_on_every_fact():
    first = provenance.fingerprint("world", {"b": 1, "a": 2})
    assert re.fullmatch("[0-9a-f]{12}", first)
    assert first == provenance.fingerprint("world", {"a": 2, "b": 1})
    others = [("world",), ("worlds", {"b": 1, "a": 2}), ("world", {"b": 1, "a": 3}), ({"b": 1, "a": 2}, "world")]
    assert len({first, *(provenance.fingerprint(*facts) for facts in others)}) == 5


@pytest.mark.parametrize("facts, expected", [((), "4f53cda18c2b"), (("world", 3), "00649bc1d512")])
def test_fingerprints_never_change(facts, expected):
    """Stores and results keep them: another value would orphan what was written before."""
    assert provenance.fingerprint(*facts) == expected


def test_facts_that_json_does_not_know_enter_as_text():
    assert provenance.fingerprint(Path("a/b")) == provenance.fingerprint("a/b")
