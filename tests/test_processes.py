"""Processes that are forked from a server, and processes that are new interpreters."""

import os
import signal
import subprocess
import sys
import time

import pytest

from bioclip_probe import processes

pytestmark = pytest.mark.slow

SCRIPT = """
import sys
from bioclip_probe import processes

print("the script runs", flush=True)
processes.start_server(["a_module_that_is_missing", "tests.support"])
context = getattr(processes, sys.argv[1])
process = context.Process(target=exec, args=("import sys; print('tests.support' in sys.modules)",))
process.start()
process.join()
print(process.exitcode)
"""

ONLY_SERVER = """
import signal
import time
from bioclip_probe import processes

signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background of a shell it is ignored
processes.start_server(["bioclip_probe.study"])
print("started", flush=True)
try:
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted")
"""

HAS_SERVER = processes.FORKED is not processes.SPAWNED


@pytest.mark.parametrize("context", ["SPAWNED", "FORKED"])
def test_a_process_does_not_run_the_users_script_again(tmp_path, context):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, tmp_path / "script.py", context]
    variables = {**os.environ, "PYTHONPATH": os.getcwd()}
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=variables)
    imported = context == "FORKED" and HAS_SERVER
    assert run.stdout.split("\n") == ["the script runs", str(imported), "0", ""]
    assert not run.stderr


@pytest.mark.skipif(not HAS_SERVER, reason="processes are forked on Linux only")
def test_the_server_says_nothing_when_a_user_interrupts_and_ends_with_the_program():
    process = subprocess.Popen(
        [sys.executable, "-c", ONLY_SERVER],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline() == "started\n"
    time.sleep(0.5)  # the server imports its modules
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=60)[0] == "interrupted\n"  # when the server has closed its end too


def _may_start(answers):
    answers.put(processes.may_start_processes())


@pytest.mark.parametrize("daemon", [True, False])
@pytest.mark.parametrize("context", [processes.SPAWNED, processes.FORKED])
def test_a_daemonic_process_may_start_no_others(daemon, context):
    answers = context.SimpleQueue()
    process = context.Process(target=_may_start, args=(answers,), daemon=daemon)
    process.start()
    assert answers.get() == (not daemon)
    process.join()
