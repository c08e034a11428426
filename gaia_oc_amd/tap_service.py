"""A TAP service, the session that talks to it, and what its answers mean."""

import logging
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from xml.parsers.expat import ExpatError

import pyvo

from gaia_oc_amd.http_session import WholeAnswersSession
from gaia_oc_amd.retries import Effort, GaveUpError, NonsenseError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TapService:
    """A TAP service, the session that talks to it, and how to log in again when that has expired.

    Parameters
    ----------
    url : str
        TAP base URL.
    session : WholeAnswersSession
        Gives whole answers within bounds.
    effort : Effort
        Clock and tries.
    log_in : callable, optional
        Called when the service says 401 or 403, once for each step.
    """

    url: str
    session: WholeAnswersSession
    effort: Effort
    log_in: Callable[[], None] | None = None

    def attempt(self, step: str, action: Callable[[], Any], *, tries: int | None = None) -> Any:
        """Result of a step, tried again where that may help, after a new login where that has expired."""
        try:
            return self.effort.attempt(step, action, tries=tries)
        except GaveUpError as error:
            if self.log_in is None or error.code not in (401, 403):
                raise
            logger.info("%s: the login has expired, logging in again.", step)
        self.log_in()
        try:
            return self.effort.attempt(step, action, tries=tries)
        except GaveUpError as error:
            raise GaveUpError(
                f"{error}, after a new login", code=error.code, passing=error.passing
            ) from error


class JobLostError(Exception):
    """A job cannot be finished, but the same query may succeed as another one."""


@contextmanager
def understanding(complaint: str) -> Iterator[None]:
    """Make of every way in which pyvo and astropy fail to parse an answer one error, which may pass."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # oddities of other people's XML; overflow is read from the status
            yield
    except _NOT_UNDERSTOOD as error:
        raise NonsenseError(complaint) from error


_NOT_UNDERSTOOD = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    SyntaxError,  # astropy's VOTable errors
    EOFError,
    ExpatError,
    struct.error,
    pyvo.dal.DALFormatError,
)


@contextmanager
def lost_if_unknown() -> Iterator[None]:
    """Make of the answer that there is no such job a `JobLostError`."""
    try:
        yield
    except pyvo.dal.DALServiceError as error:
        if error.code not in (404, 410):
            raise
        raise JobLostError("the service no longer knows the job") from error
