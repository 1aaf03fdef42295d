"""Locks of folders: one run writes, any number may look."""

import sys

import pytest

from bioclip_probe.errors import StoreError
from bioclip_probe.store.locks import hold_lock, is_being_written, lock_file
from tests.support.pictures import MeanColour
from tests.support.stores import made_up_dataset


def test_a_lock_is_held_by_one_and_free_afterwards(tmp_path):
    path = tmp_path / ".lock"
    for _ in range(2):
        with (
            hold_lock(path, tmp_path),
            pytest.raises(StoreError, match=r"another run is writing .*wait until it ends"),
            hold_lock(path, tmp_path),
        ):
            pass


def test_a_run_that_fails_frees_its_lock(tmp_path):
    with pytest.raises(RuntimeError), hold_lock(tmp_path / ".lock", tmp_path):
        raise RuntimeError
    with hold_lock(tmp_path / ".lock", tmp_path):
        pass


def test_a_look_does_not_stop_a_run(full, full_folder):
    folder = full_folder.folder
    assert not is_being_written(folder)
    with full.open_for_writing(made_up_dataset(5), MeanColour(), redo=("failed",)):
        assert is_being_written(folder)
    assert not is_being_written(folder)


def test_a_file_system_that_cannot_lock_is_one_line(tmp_path, monkeypatch):
    def no_locks(file, operation):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with (
        pytest.raises(StoreError, match=r"cannot lock files \(Operation not supported\)"),
        hold_lock(tmp_path / "l", tmp_path),
    ):
        pass
    assert not is_being_written(tmp_path / "clip@0")


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    path = tmp_path / "missing" / ".lock"
    with pytest.raises(StoreError, match=r"cannot write .*\.lock: No such file"), hold_lock(path, tmp_path):
        pass


def test_without_locks_nothing_is_being_written(tmp_path, monkeypatch):
    folder = tmp_path / "clip@0"
    with hold_lock(lock_file(folder), folder):
        assert is_being_written(folder)
        monkeypatch.setitem(sys.modules, "fcntl", None)
        assert not is_being_written(folder)
