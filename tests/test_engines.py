"""Extraction by the workers of an executor, and engines by their names."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from bioclip_probe import datasets, encoders, engines, extract
from bioclip_probe.errors import ProbeError
from bioclip_probe.store import Store
from tests.made_up import MeanColour, paint_many


class Slow(MeanColour):
    """Slow enough to be killed in the middle, and says who it is."""

    def encode(self, batch):
        time.sleep(0.05)
        with open(os.environ["WORKERS_SEEN"], "a") as file:
            file.write(f"{os.getpid()}\n")
        return super().encode(batch)


@pytest.fixture
def seen(tmp_path, monkeypatch):
    path = tmp_path / "workers"
    path.touch()
    monkeypatch.setenv("WORKERS_SEEN", str(path))
    return path


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "thirty"
    names = paint_many(folder, 30)
    (folder / "010.png").write_bytes(b"")
    lines = ["path,class", *(f"{name},Aves" for name in names)]
    (folder / "labels.csv").write_text("\n".join(lines))
    return datasets.load(f"table:{folder / 'labels.csv'}")


def here(dataset, folder):
    """The same by this process."""
    store = Store(folder)
    extract.embed(dataset, [MeanColour()], store, shard_size=4, progress=False)
    return store.read(dataset, MeanColour())


def same(found, expected):
    assert found[0].equals(expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("name", ["processes:2", "dask"])
def test_workers_give_what_this_process_gives(dataset, tmp_path, seen, name, request):
    if name == "dask":
        name = f"dask:{request.getfixturevalue('cluster').scheduler_address}"
    store = Store(tmp_path / "store")
    with engines.engine(name) as executor:
        (found,) = extract.embed(dataset, [Slow()], store, executor, shard_size=4, progress=False)
    assert (found.n_ok, found.n_failed) == (29, 1)
    assert found.failures["error_class"].tolist() == ["empty"]
    same(store.read(dataset, Slow()), here(dataset, tmp_path / "here"))


@pytest.fixture
def cluster(seen):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as cluster:
        yield cluster


def test_the_shards_of_a_killed_worker_are_done_by_the_others(dataset, tmp_path, seen, cluster):
    store, killed = Store(tmp_path / "store"), []
    with engines.engine(f"dask:{cluster.scheduler_address}") as executor:
        landed = extract._result

        def land_and_kill(future, task):
            if not killed:
                killed.append(int(seen.read_text().split()[-1]))
                os.kill(killed[0], signal.SIGKILL)
            return landed(future, task)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(extract, "_result", land_and_kill)
            (found,) = extract.embed(dataset, [Slow()], store, executor, batch_size=1, shard_size=2, progress=False)
    assert killed
    assert found.n_ok == 29
    same(store.read(dataset, Slow()), here(dataset, tmp_path / "here"))


def test_a_lost_process_is_one_line_and_the_next_run_goes_on(dataset, tmp_path, seen):
    store = Store(tmp_path / "store")
    with engines.engine("processes:1") as executor, pytest.raises(ProbeError, match="a worker process was lost"):
        landed = extract._result

        def land_and_kill(future, task):
            with contextlib.suppress(ProcessLookupError):  # killed by an earlier result
                os.kill(int(seen.read_text().split()[-1]), signal.SIGKILL)
            return landed(future, task)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(extract, "_result", land_and_kill)
            extract.embed(dataset, [Slow()], store, executor, batch_size=1, shard_size=2, progress=False)
    (found,) = extract.embed(dataset, [MeanColour()], store, progress=False)
    assert found.n_reused >= 2
    same(store.read(dataset, Slow()), here(dataset, tmp_path / "here"))


def test_real_encoders_travel_as_their_recipe(dataset, tmp_path):
    store = Store(tmp_path / "store")
    with engines.engine("processes:1") as executor:
        far = encoders.elsewhere("world-generic", executor)
        extract.embed(dataset, [far], store, executor, shard_size=16, progress=False)
    other, near = Store(tmp_path / "other"), encoders.load("world-generic")
    extract.embed(dataset, [near], other, shard_size=16, progress=False)
    assert near.fingerprint == far.fingerprint
    np.testing.assert_allclose(store.read(dataset, far)[1], other.read(dataset, near)[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["dask", "dask:", "processes:0", "processes:two", "spark", "local:2", "slurm:x", ""])
def test_no_such_engine(name):
    with pytest.raises(ProbeError, match=f"no engine is called '{name}'; expected local, processes"):
        engines.check(name)


def test_no_scheduler_answers(monkeypatch):
    distributed = pytest.importorskip("distributed")
    import dask

    with (
        dask.config.set({"distributed.comm.timeouts.connect": "0.2s"}),
        pytest.raises(ProbeError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"),
        engines.engine("dask:tcp://127.0.0.1:9"),
    ):
        pass
    assert distributed


@pytest.mark.parametrize(("name", "module"), [("dask:tcp://a:1", "distributed"), ("slurm", "dask_jobqueue")])
def test_an_engine_that_is_not_installed(monkeypatch, name, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ProbeError, match=r"pip install 'bioclip_probe\[cluster\]'"), engines.engine(name):
        pass


SBATCH = """#!/bin/sh
# A SLURM of one machine: the job runs in the background.
cp "$1" {folder}/job.sh
bash {folder}/job.sh > {folder}/job.log 2>&1 &
echo $! > {folder}/job.pid
echo "Submitted batch job 17"
"""


def test_slurm_jobs_are_dask_workers(dataset, tmp_path, monkeypatch, seen):
    pytest.importorskip("dask_jobqueue")
    import dask

    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {"sbatch": SBATCH.format(folder=tmp_path), "scancel": "#!/bin/sh\n"}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    settings = {"cores": 1, "memory": "2GB", "interface": "lo", "walltime": "00:10:00", "death-timeout": 60}
    store = Store(tmp_path / "store")
    with dask.config.set({"jobqueue.slurm": dask.config.get("jobqueue.slurm") | settings}):
        try:
            with engines.engine("slurm:1") as executor:
                extract.embed(dataset, [MeanColour()], store, executor, shard_size=8, progress=False)
        finally:
            if (tmp_path / "job.pid").exists():
                subprocess.run(["pkill", "-P", (tmp_path / "job.pid").read_text().strip()], check=False)
    assert "#SBATCH" in (tmp_path / "job.sh").read_text()
    same(store.read(dataset, MeanColour()), here(dataset, tmp_path / "here"))
