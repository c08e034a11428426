"""Credentials of the Gaia archive, and the login with them."""

import contextlib
import getpass
import logging
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import requests

from gaia_oc_amd.archive.session import ArchiveSession, GaveUpError, LastingError, PassingError
from gaia_oc_amd.arguments import checked
from gaia_oc_amd.exceptions import ArchiveUnavailableError, ClusterError
from gaia_oc_amd.files.data_directory import write_text
from gaia_oc_amd.installation import script_command
from gaia_oc_amd.options import CREDENTIALS

logger = logging.getLogger(__name__)


def write_credentials(path: Path | str, username: str, password: str) -> None:
    """Write user name and password to a file with mode 0600, as a whole or not at all.

    Parameters
    ----------
    path : path
        The file.
    username, password : str
        One line each. Neither is ever logged.

    Raises
    ------
    ValueError
        If one is empty or has a line break.
    """
    for what, value in (("user name", username), ("password", password)):
        if not value.strip():
            raise ValueError(f"the {what} is empty: give the one of your account at the Gaia archive.")
        if value.splitlines() != [value]:
            raise ValueError(f"the {what} has a line break in it: give it in one line.")
    write_text(path, f"{username}\n{password}\n", mode=0o600)


def read_credentials(path: Path | str) -> tuple[str, str]:
    """Read user name and password.

    Parameters
    ----------
    path : path
        File with two lines.

    Returns
    -------
    username, password : str
        The two lines.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file does not have two lines; the message does not show them.
    """
    path = Path(path)
    command = script_command(
        "create_gaia_credentials_file.py", "--overwrite", "--credentials_path", str(path)
    )
    remedy = f"run `{command}` to write it."
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: {remedy}")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:  # its message would show bytes of the file
        lines = []
    while lines and not lines[-1].strip():
        lines.pop()
    if len(lines) != 2 or not all(line.strip() for line in lines):
        raise ValueError(f"{path} must have two lines, user name and password: {remedy}")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        warnings.warn(f"{path} can be read by others: run `chmod 600 {path}`.", stacklevel=2)
    return lines[0].strip(), lines[1]


@checked
def create_gaia_credentials_file(
    username: str | None = None,
    password: str | None = None,
    *,
    data_dir: Path = Path("data"),
    credentials_path: Path | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the credentials file, asking for what is not given.

    Parameters
    ----------
    username, password : str, optional
        Of the account at the Gaia archive. A missing one is asked for, the password without echo.
    data_dir : path
        The data directory.
    credentials_path : path, optional
        The file, by default ``gaia_credentials`` in the data directory.
    overwrite : bool
        Whether to replace an existing file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If a value is empty, or there is no terminal to ask in.
    FileExistsError
        If the file is there with another login, and it is not to be replaced.
    """
    path = Path(data_dir) / CREDENTIALS if credentials_path is None else Path(credentials_path)
    if path.exists() and not overwrite:
        _refuse_another_login(path, username)
        logger.info("%s exists and is kept; --overwrite replaces it", path)
        return path
    if password is not None:
        logger.warning(
            "a password on the command line stays in the shell's history: leave it out to be asked for it"
        )
    username = _ask("user name", input, "Gaia archive user name: ") if username is None else username
    password = _ask("password", getpass.getpass, "Gaia archive password: ") if password is None else password
    write_credentials(path, username, password)
    logger.info("credentials written to %s, readable by you only", path)
    return path


def _refuse_another_login(path: Path, username: str | None) -> None:
    """Refuse to keep a file silently whose login is not the one that was given."""
    try:
        kept = read_credentials(path)[0]
    except ValueError:
        kept = "no readable login"
    if username is not None and username.strip() != kept:
        raise FileExistsError(
            f"{path} holds the login of {kept}, not of {username.strip()}: give --overwrite to replace it, or another "
            "--credentials_path."
        )


def _ask(what: str, prompt: Callable[[str], str], text: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)  # it would echo the password
            return prompt(text)
    except (EOFError, RuntimeError, getpass.GetPassWarning) as error:
        raise ValueError(f"there is no terminal to ask for the {what} in: run this in one.") from error


_REMEDY = (
    "run `python create_gaia_credentials_file.py --overwrite` with the --data_dir or --credentials_path of this run, "
    "or remove the file to query anonymously."
)


@contextmanager
def logged_in(session: ArchiveSession, credentials: tuple[str, str] | None) -> Iterator[None]:
    """Be logged in at the archive during a block, and log out at its end.

    Parameters
    ----------
    session : ArchiveSession
        Gets the cookie, talks to no other host from then on, and logs in again when the login has expired. The page
        for it is beside the TAP service.
    credentials : tuple of str or None
        User name and password. None: nothing is done.

    Raises
    ------
    ArchiveUnavailableError
        If the login is refused.
    ClusterError
        If the address is not encrypted.
    """
    if credentials is None:
        yield
        return
    if not session.url.startswith("https://"):
        raise ClusterError(f"{session.url} is not encrypted: the password is only sent to https addresses.")
    session.private = True

    try:
        _log_in(session, *credentials)
        session.log_in = partial(_log_in, session, *credentials)
        yield
    finally:
        _log_out(session)


def _log_in(session: ArchiveSession, username: str, password: str) -> None:
    def accepted(response: requests.Response) -> None:
        if response.status_code in (401, 403):
            raise ArchiveUnavailableError(f"the Gaia archive refused the login of {username}: {_REMEDY}")
        response.raise_for_status()
        if response.is_redirect:
            raise LastingError("it answered with a redirection, to which a password is not sent")
        if not session.cookies:
            raise PassingError("it set no cookie")

    session.cookies.clear()
    form = {"username": username, "password": password}
    session.request(
        "POST", _beside(session.url, "login"), data=form, allow_redirects=False, step="logging in", check=accepted
    )  # fmt: skip


def _log_out(session: ArchiveSession) -> None:
    """End the session at the archive; if that fails, it expires there by itself."""
    if session.cookies:
        short, session.log_in = (session.patience.connect, min(session.patience.read, 20.0)), None
        with contextlib.suppress(GaveUpError):
            url = _beside(session.url, "logout")
            session.request("POST", url, timeout=short, allow_redirects=False, step="logging out", tries=1)
    session.cookies.clear()


def _beside(url: str, page: str) -> str:
    return f"{url.rsplit('/', 1)[0]}/{page}"
