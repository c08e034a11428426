"""Fixtures that the tests share, the order of the files, and what no test may leave behind."""

import gc
import logging
import os
import signal
import sys
import warnings
from pathlib import Path

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # threads of two test workers wait for one another: up to 20 times as slow
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a hundred processes would compile the package anew

import numpy as np
import pytest
from toy_field import toy_field

from gaia_oc_amd.files.votable import foreign_units

LONG = (
    "stages/test_build_when_killed.py", "stages/test_fit_leavitt_law.py", "stages/test_validate.py",
    "validation/test_validate.py", "batch/test_dask.py", "cepheids/test_law.py", "first_members/test_search.py",
    "report/test_page_browser.py", "test_documented_commands.py", "test_installation.py", "test_posterior.py",
    "test_scripts.py", "tutorial.ipynb",
)  # fmt: skip
"""Files that take longest, the notebook among them: they come first, lest one worker wait for the other at the end."""

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_addoption(parser):
    parser.addoption("--run-remote", action="store_true", help="run tests that talk to live services")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--run-remote"):
        skip = pytest.mark.skip(reason="talks to a live service: give --run-remote")
        for item in items:
            if "remote" in item.keywords:
                item.add_marker(skip)
    items.sort(key=lambda item: not item.path.as_posix().endswith(LONG))


@pytest.fixture(scope="session")
def shared():
    """The folder of real Gaia data that developers have and users do not."""
    if not (SHARED / "data" / "real").is_dir():
        pytest.skip(f"no real data at {SHARED}: only developers have them")
    return SHARED / "data"


@pytest.fixture(scope="session", autouse=True)
def heard_interrupts():
    """Processes that tests start hear Ctrl-C: what a shell runs in the background inherits that it is ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def settings():
    """What a later test would notice, and what only monkeypatch may change for the time of a test.

    Libraries add variables to the environment when they are imported; what stood there before counts.
    """
    found = {f"${name}": value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    found |= {"folder": str(Path.cwd()), "NumPy's errors": np.geterr()}
    if "torch" in sys.modules:
        found["torch's type"] = sys.modules["torch"].get_default_dtype()
    if "matplotlib" in sys.modules:
        drawing = dict.copy(sys.modules["matplotlib"].rcParams)
        found["matplotlib's settings"] = drawing | {"backend": None}  # it is chosen with the first figure
    if "matplotlib.pyplot" in sys.modules:
        found["figures"] = sys.modules["matplotlib.pyplot"].get_fignums()
    return found


@pytest.fixture(autouse=True)
def nothing_left_behind():
    """No test changes how a later one reads units, logs, warns, hears signals, counts threads or frees memory.

    What scripts set for the rest of their process is set back; a test that leaves any other setting changed fails.
    """
    torch, loggers = sys.modules.get("torch"), (logging.getLogger(), logging.getLogger("gaia_oc_amd"))
    n_threads = torch and torch.get_num_threads()
    before = [(log, log.level, log.propagate, log.handlers[:]) for log in loggers]
    format_warning, hooks = warnings.formatwarning, (sys.excepthook, sys.unraisablehook)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    seldom, settings_before = gc.get_threshold(), settings()
    with foreign_units():
        yield
    gc.set_threshold(*seldom)
    warnings.formatwarning = format_warning
    sys.excepthook, sys.unraisablehook = hooks
    logging.captureWarnings(False)
    for log, level, propagate, of_log in before:
        log.setLevel(level)
        log.propagate, log.handlers[:] = propagate, of_log
    for number, handler in handlers.items():
        signal.signal(number, handler)
    if torch and torch.get_num_threads() != n_threads:
        torch.set_num_threads(n_threads)
    now = settings()
    changed = {name for name, value in settings_before.items() if now.get(name) != value}
    assert not changed, f"left behind: {', '.join(sorted(changed))}"


@pytest.fixture
def toy():
    return toy_field()


@pytest.fixture
def restored_log():
    """Put back after a test what a command line does to the log."""
    logs = [logging.getLogger(name) for name in ("gaia_oc_amd", "py.warnings")]
    before = [(log.level, list(log.handlers)) for log in logs]
    yield
    logging.captureWarnings(False)
    for log, (level, handlers) in zip(logs, before, strict=True):
        log.setLevel(level)
        log.handlers[:] = handlers
