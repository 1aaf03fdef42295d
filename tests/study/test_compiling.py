"""Loops are compiled before they are needed, in a process that says nothing and ends in time."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bioclip_probe.study import compiling

SCRIPT = """
import sys
from numba.core.dispatcher import Dispatcher
from bioclip_probe.metrics.settings import MeasureSettings
from bioclip_probe.study.compiling import compile_loops
from bioclip_probe.study.measuring import measurements
from tests.support.evolved import evolved_sample

def compiled():
    modules = [module for name, module in sys.modules.items() if name.startswith("bioclip_probe.stats")]
    loops = {loop for module in modules for loop in vars(module).values() if isinstance(loop, Dispatcher)}
    return {(loop.py_func.__qualname__, str(signature)) for loop in loops for signature in loop.signatures}

compile_loops(["measure"])
before = compiled()
measurements(evolved_sample(scatter=0.5), MeasureSettings(n_permutations=99, n_bootstrap=99))
print(len(before), len(compiled() - before))
"""


@pytest.mark.slow
def test_another_study_needs_hardly_any_other_loop():
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    n_compiled, n_others = map(int, run.stdout.split())
    assert n_compiled > 30 and n_others <= 1
    assert not run.stderr


def test_few_images_have_no_other_process(monkeypatch):
    monkeypatch.setattr(compiling, "FORKED", None)
    with compiling.compiling_meanwhile(compiling.LEAST_PICTURES - 1):
        pass


def test_a_process_that_may_have_no_children_starts_none(monkeypatch):
    monkeypatch.setattr(compiling, "FORKED", None)
    monkeypatch.setattr(compiling, "may_start_processes", lambda: False)
    with compiling.compiling_meanwhile(compiling.LEAST_PICTURES):
        pass


def test_loops_that_are_kept_need_no_process(monkeypatch, tmp_path):
    monkeypatch.setattr(compiling, "FORKED", None)
    monkeypatch.setattr(compiling, "_mark", tmp_path.joinpath)
    assert not compiling.are_compiled(["project"])
    monkeypatch.setattr(compiling, "step_functions", lambda *_: {"project": lambda checkpoints: None})
    compiling.compile_loops(["project"])
    assert compiling.are_compiled(["project"]) and not compiling.are_compiled(["project", "measure"])
    with compiling.compiling_meanwhile(compiling.LEAST_PICTURES, ["project"]):
        pass
    monkeypatch.setattr(compiling, "program", lambda: "another version")
    assert not compiling.are_compiled(["project"])


@pytest.mark.slow
def test_the_other_process_ends_with_the_block(monkeypatch, capfd):
    monkeypatch.setattr(compiling, "are_compiled", lambda steps: False)
    started = []

    def noted(*arguments, **options):
        started.append(processes.Process(*arguments, **options))
        return started[-1]

    processes = compiling.FORKED
    monkeypatch.setattr(compiling, "FORKED", type("Noted", (), {"Process": staticmethod(noted)}))
    with pytest.raises(KeyError), compiling.compiling_meanwhile(compiling.LEAST_PICTURES, ["measure"]):
        assert started[0].is_alive()
        raise KeyError
    assert not started[0].is_alive()
    assert capfd.readouterr() == ("", "")
