"""Two processes never hold one folder, and a killed one holds nothing."""

import errno
import logging
import subprocess
import sys

import pytest

from gaia_oc_amd.files import data_directory as folder_locks
from gaia_oc_amd.files.data_directory import LOCK_FILE, locked

HOLDER = """
import sys, time
from gaia_oc_amd.files.data_directory import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(1000)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the folder."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_held_folder_is_refused_or_waited_for(tmp_path, holder, caplog, monkeypatch):
    with pytest.raises(BlockingIOError, match="another process is at work"), locked(tmp_path, wait=False):
        pass
    monkeypatch.setattr("gaia_oc_amd.files.data_directory._PATIENCE", 0.01)
    told = logging.Handler()
    told.emit = lambda record: holder.kill()  # the line that says so is what it waits for
    monkeypatch.setattr(folder_locks.logger, "handlers", [told])
    with caplog.at_level(logging.INFO), locked(tmp_path):
        assert "another run works on it" in caplog.text
        assert holder.wait() == -9


def test_a_killed_holder_holds_nothing(tmp_path, holder):
    holder.kill()
    holder.wait()
    assert (tmp_path / LOCK_FILE).exists()
    with locked(tmp_path, wait=False):
        pass


def test_the_folder_is_given_back_after_an_error(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path):
        raise KeyError
    with locked(tmp_path, wait=False):
        pass


def test_where_there_are_no_locks_the_work_is_done_with_a_warning(tmp_path, monkeypatch, caplog):
    def refuse(*_, **__):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(folder_locks.FileLock, "acquire", refuse)
    with locked(tmp_path):
        pass
    assert "has no locks" in caplog.text


def test_a_place_where_nothing_can_be_written_needs_no_lock(tmp_path):
    (tmp_path / "file").write_text("")
    with locked(tmp_path / "file" / "folder"):
        pass
    assert (tmp_path / "file").read_text() == ""
