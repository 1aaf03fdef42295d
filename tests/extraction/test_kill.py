"""A run killed at random moments, many times, leaves what an uninterrupted run leaves."""

import json
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from bioclip_probe import datasets
from bioclip_probe.errors import StoreError
from bioclip_probe.extraction.extract import extract
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.store.status import status
from bioclip_probe.store.store import Store
from tests.support.pictures import MeanColour, paint_many

pytestmark = pytest.mark.slow

N_IMAGES = 120

# A child forked from a process that has everything imported starts in a millisecond: many kills in little time.
SERVER = """
import os, random, sys, time
from bioclip_probe import datasets
from bioclip_probe.extraction.extract import extract
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.store.store import Store
from tests.support.pictures import MeanColour

dataset = datasets.load(sys.argv[1])

class Slow(MeanColour):
    def encode(self, batch):
        time.sleep(0.003)
        return super().encode(batch)

# This imports everything that is imported late.
extract(dataset, [MeanColour()], Store(sys.argv[2] + "-warm"), ExtractionSettings(progress=False))

for line in sys.stdin:
    batch_size, workers, seconds = line.split()
    child = os.fork()
    if child == 0:
        settings = ExtractionSettings(
            batch_size=int(batch_size), workers=int(workers), shard_size=4, progress=False
        )
        extract(dataset, [Slow()], Store(sys.argv[2]), settings)
        os._exit(0)
    time.sleep(float(seconds))
    os.kill(child, 9)
    _, status = os.waitpid(child, 0)
    print(status, flush=True)
"""


@pytest.fixture
def spec(tmp_path):
    folder = tmp_path / "pictures"
    names = paint_many(folder, N_IMAGES)
    for broken in ("007.png", "050.png"):
        (folder / broken).write_bytes((folder / broken).read_bytes()[:40])
    (folder / "labels.csv").write_text("\n".join(["path,class", *(f"{name},Aves" for name in names)]))
    return f"table:{folder / 'labels.csv'}"


def test_a_run_killed_at_random_moments_leaves_what_an_uninterrupted_one_leaves(spec, tmp_path):
    dataset, rng = datasets.load(spec), random.Random(0)
    store, whole = Store(tmp_path / "store"), Store(tmp_path / "whole")
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, spec, str(store.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    done, kept, killed, went_on, n_shards, longest = 0, [], 0, 0, 0, 0.02
    for _ in range(200):
        batch, workers = rng.choice((1, 2, 3, 4, 32)), rng.choice((1, 2, 5))
        server.stdin.write(f"{batch} {workers} {rng.uniform(0.0, longest):.4f}\n")
        server.stdin.flush()
        status = int(server.stdout.readline())
        killed += status == signal.SIGKILL
        found = store.find_folder(dataset, MeanColour.name, MeanColour.fingerprint)
        if found is None:
            longest *= 1.1
            continue
        assert found.n_ok + found.n_failed >= done  # what is finished stays
        assert {shard: found.shards[shard] for shard, _ in kept} == dict(kept)  # and nothing is done twice
        done, kept = found.n_ok + found.n_failed, list(found.shards.items())
        went_on += len(found.shards) > n_shards
        longest *= 1.0 if len(found.shards) > n_shards else 1.1  # on a busy machine nothing lands in so short a time
        n_shards = len(found.shards)
        if found.complete:
            break
    server.communicate()
    assert killed >= 10
    assert went_on >= 3
    (last,) = extract(dataset, [MeanColour()], store, ExtractionSettings(progress=False))
    (once,) = extract(dataset, [MeanColour()], whole, ExtractionSettings(batch_size=32, shard_size=50, progress=False))
    assert (last.n_ok, last.n_failed) == (once.n_ok, once.n_failed) == (N_IMAGES - 2, 2)
    assert last.failures.equals(once.failures)
    images, vectors = store.read(dataset, MeanColour())
    expected_images, expected = whole.read(dataset, MeanColour())
    assert images.equals(expected_images)
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    assert not list(store.path.rglob("*.part"))
    journal = (last.folder / "shards.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["shard"] for line in journal) == list(range(N_IMAGES // 4))


FULL = """
import resource, signal, sys
from bioclip_probe import datasets
from bioclip_probe.errors import StoreError
from bioclip_probe.extraction.extract import extract
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.store.store import Store
from tests.support.pictures import MeanColour

dataset = datasets.load(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    extract(dataset, [MeanColour()], Store(sys.argv[2]), ExtractionSettings(shard_size=4, progress=False))
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize("room", [10, 300, 1500, 2600, 3600, 5000])
def test_a_full_disk_is_reported_in_one_line_and_loses_nothing(spec, tmp_path, room):
    """No file may grow beyond `room` bytes: it gives out in the middle of a shard, of the journal, or of the record."""
    dataset, folder = datasets.load(spec), tmp_path / "store"
    run = subprocess.run([sys.executable, "-c", FULL, spec, str(folder), str(room)], capture_output=True, text=True)
    assert run.stdout.startswith("cannot write "), run.stdout + run.stderr
    assert run.stdout.count("\n") == 1
    assert run.stderr == ""
    (found,) = extract(dataset, [MeanColour()], Store(folder), ExtractionSettings(shard_size=4, progress=False))
    assert (found.n_ok, found.n_failed) == (N_IMAGES - 2, 2)
    assert len(Store(folder).read(dataset, MeanColour())[1]) == N_IMAGES - 2


def test_the_second_of_two_simultaneous_runs_is_refused(spec, tmp_path):
    dataset, store = datasets.load(spec), Store(tmp_path / "store")
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, spec, str(store.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    server.stdin.write("1 1 1.0\n")
    server.stdin.flush()
    while (found := store.find_folder(dataset, MeanColour.name, MeanColour.fingerprint)) is None or not found.shards:
        time.sleep(0.005)
    with pytest.raises(StoreError, match="another run is writing"):
        extract(dataset, [MeanColour()], store, ExtractionSettings(progress=False))
    server.communicate()
    (found,) = extract(dataset, [MeanColour()], store, ExtractionSettings(progress=False))
    assert found.n_ok == N_IMAGES - 2


SLOW = """
import time
import numpy

class Slow:
    dimension = 3

    def preprocess(self, image):
        return numpy.asarray(image.resize((8, 8)), dtype="float32")

    def encode(self, batch):
        time.sleep(0.1)
        return batch.mean((1, 2))
"""


def test_a_termination_signal_ends_a_run_like_an_interruption(spec, tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    store = tmp_path / "store"
    command = [
        sys.executable,
        "-m",
        "bioclip_probe",
        "embed",
        "--data",
        spec,
        "--models",
        f"custom:{tmp_path}/slow.py:Slow",
    ]
    run = subprocess.Popen(
        [*command, "--no-controls", "--store", str(store), "--shard-size", "4", "--batch-size", "2"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not list(store.rglob("vectors-00001.npy")) and run.poll() is None:
        time.sleep(0.02)
    run.send_signal(signal.SIGTERM)
    _, said = run.communicate()
    assert run.returncode == 130, said
    assert "interrupted; finished shards are kept, and the same command goes on from there" in said
    assert status(Store(store))["state"].tolist() == ["incomplete"]
