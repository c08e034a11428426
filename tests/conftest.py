"""Fixtures that the tests share."""

import logging
import signal
import sys
import warnings
from pathlib import Path

import pytest
from toy_field import toy_field

from gaia_oc_amd.files.votable import foreign_units

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_addoption(parser):
    parser.addoption("--run-remote", action="store_true", help="run tests that talk to live services")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--run-remote"):
        skip = pytest.mark.skip(reason="talks to a live service: give --run-remote")
        for item in items:
            if "remote" in item.keywords:
                item.add_marker(skip)


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


@pytest.fixture(autouse=True)
def nothing_left_behind():
    """No test changes how a later one reads units, logs, warns or counts threads."""
    torch, loggers = sys.modules.get("torch"), (logging.getLogger(), logging.getLogger("gaia_oc_amd"))
    n_threads = torch and torch.get_num_threads()
    before = [(log, log.level, log.propagate, log.handlers[:]) for log in loggers]
    format_warning = warnings.formatwarning
    with foreign_units():
        yield
    warnings.formatwarning = format_warning
    logging.captureWarnings(False)
    for log, level, propagate, handlers in before:
        log.setLevel(level)
        log.propagate, log.handlers[:] = propagate, handlers
    if torch and torch.get_num_threads() != n_threads:
        torch.set_num_threads(n_threads)


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
