"""Processes that prepare pictures: the same pictures as in threads, and what happens when a process ends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bioclip_probe import datasets, encoders
from bioclip_probe.errors import ModelError, PictureError, ProbeError
from bioclip_probe.extraction import processes
from bioclip_probe.extraction.extract import extract
from bioclip_probe.extraction.preparation import Chunk, Preparation, group_encoders
from bioclip_probe.extraction.processes import process_pool
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.store.store import Store
from tests.support.extraction import NotThere, OddPictures, thirty_pictures
from tests.support.model_folders import make_folder, picture

TRANSFORMS = (np.asarray,)
COLOURS = ["red", "white", "teal"]


def refuse(image):
    raise ModelError("the preprocessing of this model is unknown")


def until(condition):
    """Wait until a condition holds."""
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.02)
    raise TimeoutError


def ready(pool, number):
    """Wait until a number of processes are ready."""
    until(lambda: pool.n_idle == number)


def colours_of(prepared):
    return [np.unique(one.reshape(-1, 3), axis=0).tolist() for ((one,), _) in prepared]


@pytest.mark.slow
def test_processes_prepare_what_threads_prepare(tmp_path):
    folder = make_folder(tmp_path / "model")
    group = group_encoders([encoders.load(f"local-dir:{folder}"), encoders.load("color-histogram")])
    sources = [f"{number}.jpg" for number in range(12)]
    for number, source in enumerate(sources):
        mode = ("RGB", "L", "CMYK")[number % 3]
        picture(number, (20 + 31 * number, 90)).convert(mode).save(tmp_path / source)
    (tmp_path / "5.jpg").write_bytes(b"no picture")
    opener = datasets.readers.pictures.PictureFiles(tmp_path)
    preparation = Preparation(opener, tuple(one.transform for one in group))
    chunk = Chunk([*sources, "none.jpg"], (0, 1))
    expected = preparation.prepare(chunk)
    with process_pool(preparation, 1) as pool:
        ready(pool, 1)
        prepared = pool.prepare(chunk)
    for ours, theirs in zip(prepared, expected, strict=True):
        assert ours.sha256 == theirs.sha256
        for one, other in zip(ours.by_group, theirs.by_group, strict=True):
            if isinstance(other, PictureError):
                assert (str(one), one.kind) == (str(other), other.kind)
            else:
                assert one.dtype == other.dtype
                np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_store_written_by_processes_equals_one_written_by_threads(tmp_path):
    dataset = thirty_pictures(tmp_path / "thirty")
    models = [encoders.load("pixels"), encoders.load("color-histogram")]
    results = {}
    for preparation in ("threads", "processes"):
        store = Store(tmp_path / preparation)
        settings = ExtractionSettings(preparation=preparation, workers=2, shard_size=11, batch_size=4, progress=False)
        found = extract(dataset, models, store, settings)
        results[preparation] = [store.read(dataset, model) for model in models]
        assert [(one.n_ok, one.n_failed) for one in found] == [(29, 1), (29, 1)]
    for (images, vectors), (same_images, same_vectors) in zip(*results.values(), strict=True):
        assert images.equals(same_images)
        np.testing.assert_array_equal(vectors, same_vectors)


def test_a_picture_that_crashes_its_process_is_the_only_one_lost():
    with process_pool(Preparation(OddPictures(), TRANSFORMS), 1) as pool:
        ready(pool, 1)
        prepared = pool.prepare(Chunk(["red", "crash", "teal", "broken"], (0,)))
        assert colours_of([prepared[0], prepared[2]]) == [[[255, 0, 0]], [[0, 128, 128]]]
        assert str(prepared[1].by_group[0]) == "crash: the process that opened it crashed (signal 11)"
        assert (prepared[1].by_group[0].kind, str(prepared[3].by_group[0])) == ("corrupt", "broken: not a picture")
        ready(pool, 1)
        assert len(pool.prepare(Chunk(COLOURS, (0,)))) == 3


def test_processes_that_crash_again_and_again_stop_the_run(monkeypatch):
    monkeypatch.setattr(processes, "MAX_LOST", 2)
    with process_pool(Preparation(OddPictures(), TRANSFORMS), 1) as pool:
        ready(pool, 1)
        with pytest.raises(
            ProbeError, match=r"end again and again \(signal 11\), the last one on crash; out of memory"
        ):
            pool.prepare(Chunk(["crash", "crash"], (0,)))


def test_an_error_arrives_as_it_is_with_its_place():
    with process_pool(Preparation(OddPictures(), TRANSFORMS), 1) as pool:
        ready(pool, 1)
        with pytest.raises(ZeroDivisionError, match="a mistake of the opener") as error:
            pool.prepare(Chunk(["mistake"], (0,)))
        assert "tests/support/extraction.py" in error.value.__notes__[0]
    with process_pool(Preparation(OddPictures(), (refuse,)), 1) as pool:
        ready(pool, 1)
        with pytest.raises(ModelError, match="is unknown"):
            pool.prepare(Chunk(["red"], (0,)))


def test_before_processes_are_ready_and_where_they_cannot_start_threads_prepare(caplog):
    caplog.set_level("INFO", logger="bioclip_probe")
    with process_pool(Preparation(NotThere(), TRANSFORMS), 1) as pool:
        assert len(pool.prepare(Chunk(COLOURS, (0,)))) == 3
        until(lambda: caplog.messages)
        assert len(pool.prepare(Chunk(COLOURS, (0,)))) == 3
    reason = "did not start (ModuleNotFoundError: no module named 'notebook'); a thread does its work"
    assert reason in caplog.messages[0]


def test_fewer_processes_than_asked_for_are_enough(monkeypatch, caplog):
    def refused(*arguments, **options):
        raise OSError("no more processes")

    caplog.set_level("INFO", logger="bioclip_probe")
    monkeypatch.setattr(processes.subprocess, "Popen", refused)
    with process_pool(Preparation(OddPictures(), TRANSFORMS), 2) as pool:
        assert len(pool.prepare(Chunk(COLOURS, (0,)))) == 3
    assert caplog.messages == ["only 0 processes prepare pictures: no more processes"]


def test_no_process_outlives_the_block():
    with process_pool(Preparation(OddPictures(), TRANSFORMS), 2) as pool:
        assert len(pool.prepare(Chunk(COLOURS, (0,)))) == 3
    assert [one._process.returncode for one in pool._processes] == [-9, -9]


SCRIPT = """
import time
from bioclip_probe.extraction.preparation import Chunk, Preparation
from bioclip_probe.extraction.processes import ProcessPool
from tests.support.extraction import OddPictures

print("begin", flush=True)
pool = ProcessPool(Preparation(OddPictures(), (len,)), 2)
while pool.n_idle < 2:
    time.sleep(0.02)
print(*[one._process.pid for one in pool._processes], flush=True)
time.sleep(60)
"""


@pytest.mark.slow
def test_processes_end_with_a_script_that_is_killed_and_never_run_it_again(tmp_path):
    script = tmp_path / "script.py"  # without `if __name__ == "__main__"`
    script.write_text(SCRIPT)
    alone = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    run = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=alone)
    assert run.stdout.readline() == "begin\n"
    pids = run.stdout.readline().split()
    assert len(pids) == 2 and all(is_running(pid) for pid in pids)
    run.kill()
    rest, _ = run.communicate()
    assert rest == ""
    until(lambda: not any(is_running(pid) for pid in pids))


def is_running(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_the_sizes_of_answers_do_not_matter():
    """Arrays of no bytes, of more than a pipe holds, and views that are not contiguous."""
    sizes = [(0, 4), (1, 1), (2000, 1500)]
    arrays = [np.arange(a * b * 3, dtype=np.uint8).reshape(b, a, 3) for a, b in sizes]
    arrays.append(arrays[2][::2, ::-3])
    reading, writing = os.pipe()
    memory = processes.RecycledBuffers()

    def send():
        with os.fdopen(writing, "wb") as stream:
            processes._send(stream, arrays)

    sender = threading.Thread(target=send)
    sender.start()
    with os.fdopen(reading, "rb") as stream:
        received = processes._receive(stream, memory)
        with pytest.raises(EOFError):
            processes._receive(stream, memory)
    sender.join()
    for array, same in zip(arrays, received, strict=True):
        np.testing.assert_array_equal(array, same)


def test_encoders_that_see_the_same_pixels_share_a_group(tmp_path):
    folder = make_folder(tmp_path / "model")
    names = [f"local-dir:{folder}", f"half=local-dir:{folder}", f"untrained:local-dir:{folder}", "pixels"]
    models = [encoders.load(name) for name in names]
    groups = group_encoders([*models, OwnEncoder()])
    assert [(group.encoders, group.portable) for group in groups] == [((0, 1, 2), True), ((3,), True), ((4,), False)]
    image = Image.new("RGB", (50, 40), "teal")
    assert groups[0].transform(image).shape == (32, 32, 3)


class OwnEncoder:
    """An encoder of the user's own, which has no transform that can be sent."""

    def preprocess(self, image):
        return np.asarray(image)
