"""How long a service is waited for, which of its failures may pass, and how often it is asked again."""

import logging
import random
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

logger = logging.getLogger(__name__)

PASSING_STATUS = {408, 425, 429, 500, 502, 503, 504}
"""HTTP status codes of troubles that may be over soon; the others are answers."""


@dataclass(frozen=True)
class Patience:
    """Bounds of every wait [s], and how often a step is tried.

    Parameters
    ----------
    connect, read : float
        Until a connection stands, and until the next byte of an answer.
    answer : float
        Until an answer has arrived as a whole.
    slowest, slow_after : float
        An answer that brings fewer bytes per second, counted from the start, is given up after this time.
    count : float
        Until the service has counted the rows of a result.
    job, first_poll, longest_poll : float
        Until a job must have ended; the first and the longest pause between two questions whether it has.
    total : float
        Until everything must be over.
    tries : int
        How often a step is tried before its failure is final.
    first_pause, longest_pause : float
        Pauses between tries double from the first to the longest, and are shortened at random by up to one half
        so that many clients do not come back at once.
    longest_retry_after : float
        Of what a service asks for with Retry-After, this much is granted.
    """

    connect: float = 20.0
    read: float = 300.0
    answer: float = 3600.0
    slowest: float = 1000.0
    slow_after: float = 60.0
    count: float = 60.0
    job: float = 3600.0
    first_poll: float = 0.5
    longest_poll: float = 20.0
    total: float = 7200.0
    tries: int = 5
    first_pause: float = 1.0
    longest_pause: float = 60.0
    longest_retry_after: float = 300.0


class PassingError(Exception):
    """Something went wrong that may be right when it is tried again."""


class NonsenseError(PassingError):
    """An answer arrived as a whole, but is damaged or something else than what was asked for."""


class LastingError(Exception):
    """Something is wrong that will stay so."""


@dataclass(frozen=True)
class Failure:
    """What is known of an error: one line, whether it may pass, HTTP status, seconds the service asks for."""

    reason: str
    passing: bool
    code: int | None = None
    retry_after: float | None = None


class GaveUpError(Exception):
    """A step failed for good; the message says which, why, how often it was tried and for how long.

    `code` is the HTTP status, if there was one; `passing` says whether a later try could succeed.
    """

    def __init__(self, message: str, *, code: int | None = None, passing: bool = False) -> None:
        super().__init__(message)
        self.code, self.passing = code, passing


@dataclass
class Effort:
    """The clock of one query: tries its steps until they succeed, fail for good, or time is up.

    Parameters
    ----------
    patience : Patience
        The bounds.
    sleep : callable
        Replaces `time.sleep` in tests.
    """

    patience: Patience = field(default_factory=Patience)
    sleep: Callable[[float], None] = time.sleep
    started: float = field(default_factory=time.monotonic)

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def time_left(self) -> float:
        """Seconds until everything must be over, not negative."""
        return max(0.0, self.patience.total - self.elapsed())

    def attempt(self, step: str, action: Callable[[], Any], *, tries: int | None = None) -> Any:
        """Result of an action, tried again as long as its failure may pass.

        Parameters
        ----------
        step : str
            What is done, for messages: "asking for the phase of the job".
        action : callable
            Without arguments; it must do no harm when done twice.
        tries : int, optional
            Instead of the patience's.

        Raises
        ------
        GaveUpError
            If the failure will not pass, tries or time are used up.
        """
        tries, start = self.patience.tries if tries is None else tries, time.monotonic()
        for number in range(1, tries + 1):
            try:
                return action()
            except Exception as error:  # what is no failure of a service is raised again
                failure = failure_of(error)
                pause = self._pause(number, failure)
                last = not failure.passing or number == tries or pause >= self.time_left()
                if last:
                    raise _gave_up(step, failure, number, time.monotonic() - start) from error
            logger.info(
                "%s: %s; trying again in %.1f s (%d of %d).", step, failure.reason, pause, number, tries
            )
            self.sleep(pause)
        raise ValueError(f"tries = {tries}: at least 1 is needed.")

    def _pause(self, number: int, failure: Failure) -> float:
        bound = min(self.patience.first_pause * 2 ** (number - 1), self.patience.longest_pause)
        pause = bound * random.uniform(0.5, 1.0)
        if failure.retry_after is None:
            return pause
        return max(
            pause, min(failure.retry_after, self.patience.longest_retry_after) * random.uniform(1.0, 1.1)
        )


def _gave_up(step: str, failure: Failure, tries: int, seconds: float) -> GaveUpError:
    often = "tried once" if tries == 1 else f"tried {tries} times in {seconds:.3g} s"
    return GaveUpError(f"{step}: {failure.reason}; {often}", code=failure.code, passing=failure.passing)


def failure_of(error: Exception) -> Failure:
    """What an error of pyvo, requests or urllib3 means.

    Parameters
    ----------
    error : Exception
        Any.

    Returns
    -------
    Failure
        Its reason has no URL in it: a job's address is nobody else's business.

    Raises
    ------
    Exception
        `error` itself, if no service is to blame.
    """
    import pyvo
    import requests
    import urllib3

    if isinstance(error, PassingError | LastingError):
        return Failure(str(error), isinstance(error, PassingError))
    if isinstance(error, pyvo.dal.DALQueryError):
        return Failure(f"the service reports an error: {one_line(error)}", passing=False)
    if isinstance(error, pyvo.dal.DALServiceError):
        if not isinstance(error.cause, Exception):
            return Failure(one_line(error), passing=True)
        return failure_of(error.cause)
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return _failure_of_status(error.response)
    if isinstance(error, requests.RequestException | urllib3.exceptions.HTTPError):
        return _failure_of_connection(error)
    if isinstance(error, ConnectionError | TimeoutError):
        return _failure_of_connection(error)
    raise error


def _failure_of_status(response: Any) -> Failure:
    return Failure(
        f"it answered {response.status_code} {response.reason or ''}".rstrip(),
        passing=response.status_code in PASSING_STATUS,
        code=response.status_code,
        retry_after=retry_after_seconds(response.headers.get("Retry-After")),
    )


def _failure_of_connection(error: Exception) -> Failure:
    import requests

    chain = list(_causes(error))
    names = {type(cause).__name__ for cause in chain}
    if any("CERTIFICATE_VERIFY_FAILED" in str(cause) for cause in chain):
        return Failure("its TLS certificate cannot be verified", passing=False)
    if any(isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME for cause in chain):
        return Failure("there is no host of that name", passing=False)
    if isinstance(
        error,
        requests.exceptions.InvalidURL
        | requests.exceptions.InvalidSchema
        | requests.exceptions.MissingSchema,
    ):
        return Failure("the address is not valid", passing=False)
    if isinstance(error, requests.TooManyRedirects):
        return Failure("it redirects without end", passing=False)
    for kind, reason in _CONNECTION_REASONS.items():
        if kind in names:
            return Failure(reason, passing=True)
    return Failure("the connection failed", passing=True)


_CONNECTION_REASONS = {
    "ConnectTimeout": "no connection in time",
    "ConnectTimeoutError": "no connection in time",
    "ReadTimeout": "no answer in time",
    "ReadTimeoutError": "no answer in time",
    "TimeoutError": "no answer in time",
    "ConnectionRefusedError": "the connection was refused",
    "ConnectionResetError": "the connection was reset",
    "RemoteDisconnected": "the connection was closed without an answer",
    "IncompleteRead": "the answer broke off",
    "gaierror": "the host's name could not be looked up",
}
"""Names of exceptions anywhere in a chain of causes, the most telling first."""


def was_never_sent(error: Exception) -> bool:
    """Whether a request surely did not reach the service, so that it can have done nothing there."""
    names = {type(cause).__name__ for cause in _causes(error)}
    return bool(names & {"ConnectTimeout", "ConnectTimeoutError", "ConnectionRefusedError", "gaierror"})


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The errors behind an error, as urllib3 and requests wrap them."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        error = waiting.pop()
        if not isinstance(error, BaseException) or id(error) in seen:
            continue
        seen.add(id(error))
        yield error
        waiting += [error.__cause__, error.__context__, getattr(error, "reason", None), *error.args]


def retry_after_seconds(text: str | None) -> float | None:
    """Seconds that a Retry-After header asks for: a number of seconds, or an HTTP date.

    Parameters
    ----------
    text : str or None
        The header's value.

    Returns
    -------
    float or None
        Not negative; None if there is no header or it says neither.
    """
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def one_line(error: object, longest: int = 200) -> str:
    """Text of an error in one line of bounded length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= longest else text[: longest - 3] + "..."
