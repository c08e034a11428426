"""Credentials: only their owner can read them, and nothing else ever shows them."""

import getpass
import logging
import stat
import warnings

import pytest

import create_gaia_credentials_file as script
from gaia_oc_amd.archive.login import create_gaia_credentials_file, read_credentials, write_credentials
from gaia_oc_amd.files.data_directory import write_atomically

SECRET = "cor:rect horse#"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "gaia_credentials"


def test_written_then_read(path):
    write_credentials(path, "me", SECRET)
    assert read_credentials(path) == ("me", SECRET)
    assert path.read_text() == f"me\n{SECRET}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [other.name for other in path.parent.iterdir()] == [path.name]


def test_the_mode_is_set_before_the_first_byte(path):
    with write_atomically(path, mode=0o600) as temporary:
        assert temporary.stat().st_size == 0
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("username", "password"), [("", "b"), ("a", " "), ("a\nb", "c"), ("a", "b\r"), ("a", "b\n")]
)
def test_empty_values_and_line_breaks_are_refused(path, username, password):
    with pytest.raises(ValueError, match=r"is empty|has a line break"):
        write_credentials(path, username, password)
    assert not path.exists()


@pytest.mark.parametrize(
    "content", [b"", b"me\n", b"me\n\n", f"me {SECRET}".encode(), b"a\nb\nc\n", b"\xffme\nb\n"]
)
def test_other_files_are_refused_without_being_shown(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ValueError, match=r"must have two lines.*create_gaia_credentials_file") as caught:
        read_credentials(path)
    assert SECRET not in str(caught.value)
    assert "me" not in str(caught.value).replace("name", "").split()


def test_a_missing_file_names_the_script(path):
    with pytest.raises(FileNotFoundError, match=r"create_gaia_credentials_file\.py"):
        read_credentials(path)


def test_a_file_that_others_can_read_is_warned_of(path):
    write_credentials(path, "me", SECRET)
    path.chmod(0o644)
    with pytest.warns(UserWarning, match=r"can be read by others: run `chmod 600"):
        assert read_credentials(path) == ("me", SECRET)


def test_windows_lines_are_read(path):
    path.parent.mkdir()
    path.write_bytes(b"\xef\xbb\xbfme\r\nsecret\r\n\r\n")
    path.chmod(0o600)
    assert read_credentials(path) == ("me", "secret")


def test_the_script_asks_for_what_is_missing(path, monkeypatch, caplog, capsys):
    monkeypatch.setattr("builtins.input", lambda prompt: "me")
    monkeypatch.setattr(getpass, "getpass", lambda prompt: SECRET)
    assert script.main(["--data_dir", str(path.parent)]) == 0
    assert read_credentials(path) == ("me", SECRET)
    shown = caplog.text + "".join(capsys.readouterr())
    assert SECRET not in shown


def test_the_script_warns_of_a_password_in_the_shells_history(path, capsys):
    with caplog_of("gaia_oc_amd.archive.login") as records:
        assert script.main(["me", SECRET, "--credentials_path", str(path)]) == 0
    assert any("history" in record.getMessage() for record in records)
    assert SECRET not in "".join(record.getMessage() for record in records) + "".join(capsys.readouterr())


def test_an_existing_file_is_kept_unless_told(path, monkeypatch):
    write_credentials(path, "old", "old")
    monkeypatch.setattr("builtins.input", lambda prompt: pytest.fail("nothing should be asked"))
    create_gaia_credentials_file(data_dir=path.parent)
    assert read_credentials(path) == ("old", "old")
    script.main(["new", SECRET, "--data_dir", str(path.parent), "--overwrite"])
    assert read_credentials(path) == ("new", SECRET)


def test_without_a_terminal_nothing_is_echoed(path, monkeypatch):
    def echoing(prompt):
        warnings.warn("Can not control echo on the terminal.", getpass.GetPassWarning, stacklevel=2)
        return SECRET

    monkeypatch.setattr(getpass, "getpass", echoing)
    with pytest.raises(ValueError, match="no terminal to ask for the password"):
        create_gaia_credentials_file("me", data_dir=path.parent)
    assert not path.exists()


class caplog_of:  # the script sets up logging anew, which takes caplog's handler away
    def __init__(self, name):
        self.logger, self.handler, self.records = logging.getLogger(name), logging.Handler(), []
        self.handler.emit = self.records.append

    def __enter__(self):
        self.logger.addHandler(self.handler)
        return self.records

    def __exit__(self, *_):
        self.logger.removeHandler(self.handler)


def test_another_login_is_not_dropped_silently(path):
    write_credentials(path, "old", "old")
    with pytest.raises(FileExistsError, match="holds the login of old, not of new: give --overwrite"):
        create_gaia_credentials_file("new", SECRET, data_dir=path.parent)
    assert read_credentials(path) == ("old", "old")
    assert create_gaia_credentials_file("old", SECRET, data_dir=path.parent) == path
