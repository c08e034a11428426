"""The Gaia archive's login: a form beside the TAP service that sets a cookie."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import requests

from gaia_oc_amd.exceptions import ArchiveUnavailableError, ClusterError
from gaia_oc_amd.http_session import WholeAnswersSession
from gaia_oc_amd.retries import LastingError, PassingError

logger = logging.getLogger(__name__)

_REMEDY = "run `python create_gaia_credentials_file.py --overwrite`, or remove the file to query anonymously."


@contextmanager
def logged_in(
    session: WholeAnswersSession, url: str, credentials: tuple[str, str] | None
) -> Iterator[Callable[[], None] | None]:
    """Be logged in at the archive during a block, and log out at its end.

    Parameters
    ----------
    session : WholeAnswersSession
        Gets the cookie, and talks to no other host from then on.
    url : str
        TAP base URL; the login is beside it.
    credentials : tuple of str or None
        User name and password. None: nothing is done.

    Yields
    ------
    callable or None
        Logs in again, for when the session has expired.

    Raises
    ------
    ArchiveUnavailableError
        If the login is refused.
    ClusterError
        If the address is not encrypted.
    """
    if credentials is None:
        yield None
        return
    if not url.startswith("https://"):
        raise ClusterError(f"{url} is not encrypted: the password is only sent to https addresses.")
    session.private = True
    try:
        session.effort.attempt("logging in", lambda: _log_in(session, url, *credentials))
        yield lambda: session.effort.attempt("logging in", lambda: _log_in(session, url, *credentials))
    finally:
        _log_out(session, url)


def _log_in(session: WholeAnswersSession, url: str, username: str, password: str) -> None:
    session.cookies.clear()
    response = session.post(
        _beside(url, "login"), data={"username": username, "password": password}, allow_redirects=False
    )
    if response.status_code in (401, 403):
        raise ArchiveUnavailableError(f"the Gaia archive refused the login of {username}: {_REMEDY}")
    response.raise_for_status()
    if response.is_redirect:
        raise LastingError("it answered with a redirection, to which a password is not sent")
    if not session.cookies:
        raise PassingError("it set no cookie")


def _log_out(session: WholeAnswersSession, url: str) -> None:
    """End the session at the archive; if that fails, it expires there by itself."""
    if session.cookies:
        short = (session.effort.patience.connect, min(session.effort.patience.read, 20.0))
        with contextlib.suppress(requests.RequestException, PassingError, LastingError):
            session.post(_beside(url, "logout"), timeout=short, allow_redirects=False)
    session.cookies.clear()


def _beside(url: str, page: str) -> str:
    return f"{url.rsplit('/', 1)[0]}/{page}"
