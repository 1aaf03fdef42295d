"""A small real store with one kind of damage at a time: every read is right, or one line says what is wrong.

`verify` finds all damage that changes what can be read.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bioclip_probe import datasets
from bioclip_probe.errors import StoreError
from bioclip_probe.extraction.extract import extract
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.store.status import status
from bioclip_probe.store.store import Store
from bioclip_probe.store.verify import verify
from tests.support.pictures import MeanColour, break_in_half, paint_many

pytestmark = pytest.mark.slow

SETTINGS = ExtractionSettings(shard_size=3, progress=False)


def encoder(name: str = "mean/colour", fingerprint: str = "0123456789ab", times: float = 1.0) -> MeanColour:
    """Return a `MeanColour` of another name, with vectors `times` as long."""

    class ScaledColour(MeanColour):
        def encode(self, batch):
            return super().encode(batch) * np.float32(times)

    made = ScaledColour()
    made.name, made.fingerprint = name, fingerprint
    return made


ENCODERS = (encoder(), encoder("twice", "ba9876543210", 2.0))


@pytest.fixture(scope="module", autouse=True)
def no_sync():
    """Do not wait for the disk: the files are deleted after the test."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A store of two datasets by two encoders, the datasets, and everything that can be read of them.

    One dataset has 5 pictures, one of them broken; the other has 2.
    """
    root = tmp_path_factory.mktemp("sound")
    loaded = []
    for name, number, genus in (("five", 5, "Pica"), ("two", 2, "Corvus")):
        names = paint_many(root / name, number)
        pd.DataFrame({"path": names, "genus": genus}).to_csv(root / name / "labels.csv", index=False)
        loaded.append(datasets.load(f"table:{root / name / 'labels.csv'}"))
    break_in_half(root / "five" / "004.png")
    loaded[0] = datasets.load(f"table:{root / 'five' / 'labels.csv'}")
    store = Store(root / "store")
    for dataset in loaded:
        extract(dataset, ENCODERS, store, SETTINGS)
    assert verify(store, progress=False).empty
    return store.path, loaded, read_everything(store, loaded)


def read_everything(store: Store, loaded) -> dict[str, object]:
    """Return everything that can be read of a store; a `StoreError` in place of what cannot."""
    results = {
        "status": result_or_error(lambda: status(store).drop(columns="bytes")),
    }
    for dataset in loaded:
        for one in ENCODERS:
            results[f"read {dataset.name} {one.name}"] = result_or_error(
                lambda dataset=dataset, one=one: store.read(dataset, one)
            )
            results[f"failures {dataset.name} {one.name}"] = result_or_error(
                lambda dataset=dataset, one=one: store.failures(dataset, one)
            )
    return results


def result_or_error(read: Callable[[], object]) -> object:
    try:
        return read()
    except StoreError as error:
        assert "\n" not in str(error)
        assert len(str(error)) > 20
        return error


def is_equal(one: object, other: object) -> bool:
    if isinstance(one, tuple):
        return isinstance(other, tuple) and all(map(is_equal, one, other))
    if isinstance(one, pd.DataFrame):
        return isinstance(other, pd.DataFrame) and one.equals(other)
    return isinstance(other, np.ndarray) and np.array_equal(one, other)


def check_store(path: Path, loaded, before: dict[str, object], found: bool) -> None:
    """Check that no vector is wrong and only a `StoreError` is raised.

    If damage must be `found`, check that `verify` finds it wherever it changes what can be read.
    """
    store = result_or_error(lambda: Store(path))
    if isinstance(store, StoreError):
        return
    after = read_everything(store, loaded)
    findings = result_or_error(lambda: verify(store, progress=False))
    sound = isinstance(findings, pd.DataFrame) and findings.empty
    for key, value in after.items():
        fine = is_equal(before[key], value)
        assert fine or not key.startswith("read") or isinstance(value, StoreError), f"{key} is wrong"
        assert fine or not (found and sound), f"{key} has changed, and verify finds nothing: {value}"
    if not sound and isinstance(findings, pd.DataFrame):
        assert not findings["finding"].str.contains("\n").any()
    for dataset in loaded:
        done = result_or_error(lambda dataset=dataset: extract(dataset, ENCODERS, store, SETTINGS))
        for one in ENCODERS:
            value = result_or_error(lambda dataset=dataset, one=one: store.read(dataset, one))
            key = f"read {dataset.name} {one.name}"
            assert isinstance(value, StoreError) or is_equal(before[key], value), f"{key} is wrong after embed: {done}"


def files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file() and not file.name.endswith(".lock"))


def check_damaged_copy(sound, tmp_path_factory, harm: Callable[[list[Path]], None], found: bool = True) -> None:
    path, loaded, before = sound
    copy = tmp_path_factory.mktemp("damaged") / "store"
    shutil.copytree(path, copy)
    try:
        harm(files(copy))
        check_store(copy, loaded, before, found)
    finally:
        shutil.rmtree(copy.parent, ignore_errors=True)


quick = settings(
    max_examples=int(os.environ.get("STORE_FUZZ", "5")), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
which = st.integers(0, 1_000)
where = st.floats(0, 1, exclude_max=True)


def test_an_undamaged_store(sound, tmp_path_factory):
    check_damaged_copy(sound, tmp_path_factory, lambda files: None)


@quick
@given(number=which, at=where, bit=st.integers(0, 7))
def test_a_flipped_bit(sound, tmp_path_factory, number, at, bit):
    def flip(files):
        file = files[number % len(files)]
        content = bytearray(file.read_bytes())
        content[int(at * len(content))] ^= 1 << bit
        file.write_bytes(content)

    check_damaged_copy(sound, tmp_path_factory, flip)


@quick
@given(number=which, at=where, more=st.binary(max_size=3))
def test_a_file_that_is_too_short_or_too_long(sound, tmp_path_factory, number, at, more):
    def cut(files):
        file = files[number % len(files)]
        content = file.read_bytes()
        file.write_bytes(content + more if more else content[: int(at * len(content))])

    check_damaged_copy(sound, tmp_path_factory, cut)


@quick
@given(number=which, other=which, what=st.sampled_from(["gone", "copied over", "swapped", "copied beside", "a folder"]))
def test_files_in_the_wrong_place(sound, tmp_path_factory, number, other, what):
    def misplace(files):
        one, two = files[number % len(files)], files[other % len(files)]
        if what == "gone":
            one.unlink()
        elif what == "copied over":
            two.write_bytes(one.read_bytes())
        elif what == "swapped":
            of_one, of_two = one.read_bytes(), two.read_bytes()
            one.write_bytes(of_two)
            two.write_bytes(of_one)
        elif what == "copied beside":
            shutil.copy(one, two.with_name(f"copy-{one.name}"))
        else:
            one.unlink()
            one.mkdir()

    check_damaged_copy(sound, tmp_path_factory, misplace)


@quick
@given(number=which, what=st.sampled_from(["gone", "swapped", "copied", "copied under another name", "a file"]))
def test_folders_in_the_wrong_place(sound, tmp_path_factory, number, what):
    def misplace(files):
        folders = sorted({file.parent for file in files if file.name in ("meta.json", "dataset.json")})
        one, two = folders[number % len(folders)], folders[(number + 1) % len(folders)]
        if two.is_relative_to(one) or one.is_relative_to(two):
            two = one
        if what == "gone":
            shutil.rmtree(one)
        elif what == "swapped" and one != two:
            one.rename(one.with_name("away"))
            two.rename(one)
            one.with_name("away").rename(two)
        elif what == "copied":
            shutil.copytree(one, one.with_name(f"copy-{one.name}"))
        elif what == "copied under another name":
            shutil.copytree(one, one.with_name("other@000000000000"))
        elif what == "a file":
            shutil.rmtree(one)
            one.write_text("")

    check_damaged_copy(sound, tmp_path_factory, misplace, found=what != "gone")  # a store without it is as sound


@quick
@given(number=which, other=which, to=st.sampled_from(["another", "itself", "nowhere", "a folder"]))
def test_a_link_in_place_of_a_file(sound, tmp_path_factory, number, other, to):
    def link(files):
        one, two = files[number % len(files)], files[other % len(files)]
        one.unlink()
        os.symlink({"another": two, "itself": one, "nowhere": "nowhere", "a folder": one.parent}[to], one)

    check_damaged_copy(sound, tmp_path_factory, link)


scalars = st.none() | st.booleans() | st.integers(-2, 9) | st.floats() | st.text(max_size=3) | st.just("\ud800")
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
)
NAMES = ["store.json", "dataset.json", "meta.json", "shards.jsonl"]


@quick
@given(name=st.sampled_from(NAMES), number=which, steps=st.lists(which, max_size=4), value=values, gone=st.booleans())
def test_any_other_json(sound, tmp_path_factory, name, number, steps, value, gone):
    """Replace any entry of any record, or all of the record, by any other value, or remove it."""

    def replaced(content, steps):
        if not steps or not isinstance(content, dict) or not content:
            return value
        key = sorted(content)[steps[0] % len(content)]
        rest = {other: kept for other, kept in content.items() if other != key}
        return rest if gone and len(steps) == 1 else rest | {key: replaced(content[key], steps[1:])}

    def replace(files):
        chosen = [file for file in files if file.name == name]
        file = chosen[number % len(chosen)]
        lines = file.read_text().splitlines() if name == "shards.jsonl" else [file.read_text()]
        line = number % len(lines)
        lines[line] = json.dumps(replaced(json.loads(lines[line]), steps))
        file.write_text("".join(f"{line}\n" for line in lines))

    check_damaged_copy(sound, tmp_path_factory, replace)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("content", ["", "[" * 100_000, "{}", "9" * 5_000])
def test_a_record_that_is_no_json(sound, tmp_path_factory, name, content):
    check_damaged_copy(
        sound,
        tmp_path_factory,
        lambda files: next(file for file in files if file.name == name).write_text(content, encoding="utf-8"),
    )
