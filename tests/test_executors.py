"""Executors by the names of their engines."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from bioclip_probe import executors
from bioclip_probe.errors import ProbeError
from bioclip_probe.extraction import workers
from bioclip_probe.extraction.extract import extract
from bioclip_probe.extraction.settings import ExtractionSettings
from bioclip_probe.store.store import Store
from tests.support.extraction import SlowColour, assert_same, embedded_here, thirty_pictures
from tests.support.pictures import MeanColour

pytestmark = pytest.mark.slow

#: A look into the queue twice a second.
PATIENCE = executors.SlurmPatience(0.5)


@pytest.fixture
def thirty(tmp_path):
    return thirty_pictures(tmp_path / "thirty")


@pytest.fixture
def seen(tmp_path, monkeypatch):
    path = tmp_path / "workers"
    path.touch()
    monkeypatch.setenv("WORKERS_SEEN", str(path))
    return path


@pytest.mark.parametrize("name", ["dask", "dask:", "processes:0", "processes:two", "spark", "local:2", "slurm:x", ""])
def test_no_such_engine(name):
    with pytest.raises(ProbeError, match=f"no engine is called '{name}'; expected local, processes"):
        executors.check_engine(name)


def test_no_scheduler_answers(monkeypatch):
    distributed = pytest.importorskip("distributed")
    import dask

    with (
        dask.config.set({"distributed.comm.timeouts.connect": "0.2s"}),
        pytest.raises(ProbeError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"),
        executors.open_executor("dask:tcp://127.0.0.1:9"),
    ):
        pass
    assert distributed


@pytest.mark.parametrize(("name", "module"), [("dask:tcp://a:1", "distributed"), ("slurm", "dask_jobqueue")])
def test_an_engine_that_is_not_installed(monkeypatch, name, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ProbeError, match=r"pip install 'bioclip_probe\[cluster\]'"), executors.open_executor(name):
        pass


def test_an_executor_stands_for_itself_and_stays_open():
    with ThreadPoolExecutor(1) as pool:
        with executors.open_executor(pool) as executor:
            assert executor is pool
        assert pool.submit(int, "7").result() == 7


SBATCH = """#!/bin/sh
# A SLURM of one machine: the job runs in the background.
cp "$1" {folder}/job.sh
{before}
bash {folder}/job.sh > {folder}/job.log 2>&1 &
echo $! > {folder}/job.pid
echo "Submitted batch job 17"
"""


@pytest.fixture
def slurm(tmp_path, monkeypatch, seen):
    """Lets sbatch do something before it runs the job, and squeue say what it will."""
    pytest.importorskip("dask_jobqueue")
    import dask

    programs = tmp_path / "bin"
    programs.mkdir()

    def install(before="", squeue="echo 3; echo 17", **more):
        scripts = {"sbatch": SBATCH.format(folder=tmp_path, before=before), "scancel": "#!/bin/sh\n"}
        for name, text in (scripts | {"squeue": f"#!/bin/sh\n{squeue}\n"}).items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        settings = {"cores": 1, "memory": "2GB", "interface": "lo", "walltime": "00:10:00", "death-timeout": 60}
        dask.config.set({"jobqueue.slurm": dask.config.get("jobqueue.slurm") | settings | more})

    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    with dask.config.set({"jobqueue.slurm": dask.config.get("jobqueue.slurm")}):
        yield install
    end_job(tmp_path)


def end_job(folder):
    if (folder / "job.pid").exists():
        subprocess.run(["pkill", "-P", (folder / "job.pid").read_text().strip()], check=False)


def test_slurm_jobs_are_dask_workers(thirty, tmp_path, slurm):
    slurm()
    store = Store(tmp_path / "store")
    with executors.open_executor("slurm:1", PATIENCE) as executor:
        extract(thirty, [MeanColour()], store, ExtractionSettings(shard_size=8, progress=False), executor)
    assert "#SBATCH" in (tmp_path / "job.sh").read_text()
    assert_same(store.read(thirty, MeanColour()), embedded_here(thirty, tmp_path / "here"))


@pytest.mark.parametrize(
    ("more", "log"), [({}, "slurm-17.out"), ({"log-directory": "logs"}, "logs/dask-worker-17.err")]
)
def test_a_job_that_dies_at_once_is_told_with_its_log(slurm, tmp_path, monkeypatch, more, log):
    monkeypatch.chdir(tmp_path)
    slurm(before="echo Submitted batch job 17; exit 0", squeue="echo 3; echo 170", **more)
    reason = rf"all SLURM jobs ended before a worker came \(1\); read why in {log}"
    with pytest.raises(ProbeError, match=reason), executors.open_executor("slurm", PATIENCE):
        pass


def test_a_job_may_wait_in_the_queue(slurm, tmp_path):
    """Looked for again and again, though squeue fails in between."""
    waits = f"echo x >> {tmp_path}/looks; [ $(wc -l < {tmp_path}/looks) = 2 ] && exit 1; echo 17"
    slurm(before=f"sed -i '2i sleep 2' {tmp_path}/job.sh", squeue=waits)
    with executors.open_executor("slurm", PATIENCE) as executor:
        assert executor.submit(int, "7").result() == 7
    assert len((tmp_path / "looks").read_text()) > 4


def test_sbatch_refuses(slurm):
    slurm(before="echo invalid partition >&2; exit 1")
    with pytest.raises(ProbeError, match="sbatch took none of the jobs"), executors.open_executor("slurm", PATIENCE):
        pass


def test_when_all_jobs_have_ended_the_work_fails_and_the_next_run_goes_on(thirty, tmp_path, slurm, seen):
    slurm()
    store = Store(tmp_path / "store")
    task_results = workers.task_results

    def land_and_end(future, task):
        end_job(tmp_path)
        return task_results(future, task)

    reason = r"a worker failed on shard \d+ \(NoWorkerError: .*the same command goes on from there"
    impatience = executors.SlurmPatience(0.5, "1s")
    with pytest.MonkeyPatch.context() as patch, executors.open_executor("slurm", impatience) as executor:
        patch.setattr(workers, "task_results", land_and_end)
        with pytest.raises(ProbeError, match=reason):
            extract(
                thirty, [SlowColour()], store, ExtractionSettings(batch_size=1, shard_size=2, progress=False), executor
            )
    (found,) = extract(thirty, [SlowColour()], store, ExtractionSettings(progress=False))
    assert 0 < found.n_reused < 30
    assert_same(store.read(thirty, SlowColour()), embedded_here(thirty, tmp_path / "here"))


def test_a_package_that_an_engine_lacks_is_told_before_it_starts(monkeypatch):
    executors.check_packages("local")
    monkeypatch.setattr(executors, "find_spec", lambda name: None)
    executors.check_packages("processes:2")
    with pytest.raises(ProbeError, match=r"needs the package dask; pip install 'bioclip_probe\[cluster\]'"):
        executors.check_packages("slurm:4")


SCRIPT = """
from bioclip_probe.executors import open_executor

print("the script runs")
with open_executor("processes:1") as executor:
    print(executor.submit(abs, -1).result())
"""


def test_processes_do_not_run_the_users_script_again(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    run = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, check=True)
    assert run.stdout.split("\n") == ["the script runs", "1", ""]
