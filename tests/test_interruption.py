"""Ctrl-C and requests to end, sent to real processes at moments when they might get lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
INTERRUPTED = (
    "interrupted: every cluster that was finished is kept; the same command goes on with the others.\n"
)

BUSY = """
import ctypes, sys, time
from gaia_oc_amd.command_line import run
def main():
    open("begun", "w").close()
    {work}
    return 0
run(main)
"""
CALLBACK = """
    library = ctypes.CDLL(None)
    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    def slow(a, b):
        for _ in range(200): time.sleep(0.005)
        return 0
    numbers = (ctypes.c_int * 64)(*range(64))
    library.qsort(numbers, 64, 4, compare(slow))"""


def interrupted(tmp_path, number, work):
    script = tmp_path / "script.py"
    script.write_text(BUSY.format(work=work))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, script], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        while not (tmp_path / "begun").exists():
            time.sleep(0.01)
            assert process.poll() is None, process.stderr.read()
        process.send_signal(number)
        _, errors = process.communicate()
    return process.returncode, errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "work",
    [
        "time.sleep(100)",
        CALLBACK,
        "\n    try: time.sleep(100)\n    except KeyboardInterrupt: raise ValueError('as libraries do') from None",
        "\n    try: time.sleep(100)\n    except BaseException: time.sleep(100)",
    ],
    ids=["asleep", "in a callback", "made an error of", "swallowed"],
)
def test_an_interrupt_is_never_lost(tmp_path, number, work):
    code, errors = interrupted(tmp_path, number, work)
    assert code == 128 + number
    assert "interrupted: every cluster that was finished is kept" in errors
    assert "Exception ignored" not in errors
    assert "Traceback" not in errors


SLEEPS = "import sys, time\nif {condition}:\n    open({mark!r}, 'w').close()\n    time.sleep({seconds})\n"
"""A module whose import takes long."""


def ended_while_asleep(mark, number, command, *, path, to_group=False):
    """Exit code and standard error of a command that gets a signal once a module that sleeps has left its mark."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path)), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, *map(str, command)],
        cwd=mark.parent, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        while not mark.exists():
            time.sleep(0.01)
            assert process.poll() is None, process.stderr.read()
        (os.killpg if to_group else os.kill)(process.pid, number)
        _, errors = process.communicate()
    return process.returncode, errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("module", ["lazy_loader", "argparse", "numpy"])
@pytest.mark.parametrize("command", [[ROOT / "build_sets.py"], ["-m", "gaia_oc_amd", "build-sets"]])
def test_an_interrupt_while_a_script_imports(tmp_path, number, module, command):
    """The package's first import, one of the script's, and one after the command line was read."""
    mark = tmp_path / "begun"
    (tmp_path / f"{module}.py").write_text(SLEEPS.format(condition=True, mark=str(mark), seconds=100))
    code, errors = ended_while_asleep(mark, number, [*command, "Toy_1"], path=[tmp_path, ROOT])
    assert (code, errors) == (128 + number, INTERRUPTED)


def test_a_program_that_only_uses_the_package_keeps_its_own_way_to_end(tmp_path):
    code = (
        "import signal, sys\nimport gaia_oc_amd\n"
        "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler\n"
        "assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL\n"
        "assert (sys.excepthook, sys.unraisablehook) == (sys.__excepthook__, sys.__unraisablehook__)\n"
    )
    (tmp_path / "my_analysis.py").write_text(code)
    for command in (["-c", code], [tmp_path / "my_analysis.py"]):
        subprocess.run(
            [sys.executable, *command], cwd=ROOT, env=os.environ | {"PYTHONPATH": ROOT}, check=True
        )


def test_an_interrupt_of_all_processes_while_the_first_worker_imports(tmp_path):
    """A terminal sends Ctrl-C to every process of the group, to that which imports for the workers, too.

    The work is larger than what a pipe holds, so that it is under way.
    """
    mark = tmp_path / "begun"
    is_server = "'multiprocessing.forkserver' in ' '.join(sys.orig_argv)"
    (tmp_path / "sitecustomize.py").write_text(SLEEPS.format(condition=is_server, mark=str(mark), seconds=2))
    (tmp_path / "script.py").write_text(
        "import numpy as np\nfrom batch_work import CountsUnpickling\nfrom gaia_oc_amd.batch.run import run_batch\n"
        "from gaia_oc_amd.command_line import run\n"
        f"work = CountsUnpickling({str(tmp_path)!r}, np.ones(300_000))\n"
        "if __name__ == '__main__':\n    run(lambda: len(run_batch(work, ['a', 'b'], workers=2)))\n"
    )
    path = [tmp_path, ROOT, ROOT / "tests/support"]
    code, errors = ended_while_asleep(mark, signal.SIGINT, [tmp_path / "script.py"], path=path, to_group=True)
    assert (code, errors) == (130, INTERRUPTED)
