"""HTTP with bounded waits, whole answers, and retries of what may pass."""

import gzip
import io
import logging
import random
import socket
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import IO, Any
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from gaia_oc_amd.exceptions import one_line

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

    if isinstance(error, PassingError | LastingError):
        return Failure(str(error), isinstance(error, PassingError))
    if isinstance(error, pyvo.dal.DALQueryError):
        return Failure(f"the service reports an error: {one_line(error, 200)}", passing=False)
    if isinstance(error, pyvo.dal.DALServiceError):
        if not isinstance(error.cause, Exception):
            return Failure(one_line(error, 200), passing=True)
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


_CHUNK = 1 << 16
_PROLOGUE = 1_000_000
"""Bytes at the start of an answer among which entities would be defined."""
_IN_MEMORY = 1 << 26
"""Larger answers are kept in an unnamed temporary file."""
LARGEST_ANSWER = 1 << 31
"""Bytes of an answer, as it comes and unpacked: ten million sources."""
_MOST_LAYERS = 3
"""How often an answer may have been packed; a file that unpacks to itself would keep us for ever."""
_MOST_COOKIES = 50
_MOST_REDIRECTS = 5


class WholeAnswersSession(requests.Session):
    """A session that hands out an answer only when it has arrived to its last byte, unpacked.

    Addresses on the service's own host are moved to the scheme and port that the user gave: the Gaia archive names
    its jobs by ``http://``. While `private` is set, nothing is sent to any other host.

    Parameters
    ----------
    origin : str
        URL of the service.
    effort : Effort
        Bounds of every wait.
    """

    def __init__(self, origin: str, effort: Effort) -> None:
        super().__init__()
        self.origin, self.effort, self.private = urlsplit(origin), effort, False
        self.max_redirects = _MOST_REDIRECTS
        self.headers["Accept-Encoding"] = "gzip"
        adapter = _WholeAnswersAdapter(effort)
        self.mount("http://", adapter)
        self.mount("https://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Address that an answer redirects to, moved to the service's own scheme if on its host."""
        target = super().get_redirect_target(resp)
        return None if target is None else self.own_address(urljoin(resp.url, target))

    def own_address(self, url: str) -> str:
        """Address with the service's scheme and port, if the service is encrypted and this is its host."""
        parts = urlsplit(url)
        if (
            self.origin.scheme == "https"
            and parts.scheme == "http"
            and parts.hostname == self.origin.hostname
        ):
            return parts._replace(scheme="https", netloc=self.origin.netloc).geturl()
        return url

    def is_own(self, url: str) -> bool:
        """Whether an address has the service's scheme, host and port."""
        return _origin(urlsplit(url)) == _origin(self.origin)

    def request(self, method: str, url: str, *args: Any, **keywords: Any) -> requests.Response:
        """Send a request; a `timeout` counts only as a pair, since pyvo gives up on a job's phase after 10 s."""
        if not isinstance(keywords.get("timeout"), tuple):
            keywords["timeout"] = (self.effort.patience.connect, self.effort.patience.read)
        return super().request(method, self.own_address(url), *args, **keywords | {"stream": True})

    def send(self, request: requests.PreparedRequest, **keywords: Any) -> requests.Response:
        """Send one request, redirected ones too, but never to another host while logged in."""
        if urlsplit(request.url).scheme not in ("http", "https"):
            raise LastingError("it redirects to an address that is not of the web; not followed")
        if self.private and not self.is_own(request.url):
            host = urlsplit(request.url).hostname
            raise LastingError(f"it sends a logged-in user on to another address, at {host}; not followed")
        response = super().send(request, **keywords)
        if len(self.cookies) > _MOST_COOKIES:
            self.cookies.clear()
            raise LastingError(f"it sets more than {_MOST_COOKIES} cookies")
        return response


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


class _WholeAnswersAdapter(HTTPAdapter):
    """Reads every answer to its end, within the bounds of an effort, and keeps it until the next is asked for."""

    def __init__(self, effort: Effort) -> None:
        super().__init__()
        self._effort, self._content = effort, io.BytesIO()

    def send(self, request: requests.PreparedRequest, *args: Any, **keywords: Any) -> requests.Response:
        # what cleans up when time is over still gets a moment
        left = max(self._effort.time_left(), self._effort.patience.connect)
        keywords["timeout"] = tuple(min(seconds, left) for seconds in keywords["timeout"])
        response = super().send(request, *args, **keywords)
        self._content.close()
        self._content = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
        try:
            self._copy(response.raw, self._content)
        except (urllib3.exceptions.HTTPError, ConnectionError, TimeoutError) as error:
            raise PassingError(failure_of(error).reason) from error
        finally:
            response.close()
        self._content = _unpacked(self._content)
        _refuse_entities(self._content)
        response.raw = _Body(self._content, response.raw)
        return response

    def close(self) -> None:
        self._content.close()
        super().close()

    def _copy(self, raw: Any, content: IO[bytes]) -> None:
        patience, start, size = self._effort.patience, time.monotonic(), 0
        bound = min(patience.answer, max(self._effort.time_left(), patience.connect))
        read = getattr(raw, "read1", raw.read)  # read1 returns what is there, read waits for a full chunk
        while chunk := read(_CHUNK, decode_content=False):
            content.write(chunk)
            if size + len(chunk) > LARGEST_ANSWER:
                raise LastingError(f"its answer has more than {LARGEST_ANSWER} bytes")
            size, seconds = size + len(chunk), time.monotonic() - start
            if seconds > bound:
                raise PassingError(f"the answer had not arrived as a whole after {seconds:.3g} s")
            if seconds > patience.slow_after and size < patience.slowest * seconds:
                raise PassingError(f"the answer trickles, {size} bytes in {seconds:.3g} s")


def _unpacked(content: IO[bytes]) -> IO[bytes]:
    """Content as it is, or, of a gzip file or transfer, what was packed; the checksum is verified."""
    for _ in range(_MOST_LAYERS):  # a packed file may have been packed again on its way
        content.seek(0)
        packed = content.read(2) == b"\x1f\x8b"
        content.seek(0)
        if not packed:
            return content
        plain = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
        try:
            with content, gzip.GzipFile(fileobj=content, mode="rb") as unpacked:
                _copy_bounded(unpacked, plain)
        except (OSError, EOFError, zlib.error, LastingError) as error:
            plain.close()
            if isinstance(error, LastingError):
                raise
            raise NonsenseError("the answer is damaged, it cannot be unpacked") from error
        content = plain
    content.close()
    raise LastingError(f"its answer is packed more than {_MOST_LAYERS} times")


def _copy_bounded(source: IO[bytes], target: IO[bytes]) -> None:
    size = 0
    while chunk := source.read(_CHUNK):
        size += len(chunk)
        if size > LARGEST_ANSWER:
            raise LastingError(f"its answer unpacks to more than {LARGEST_ANSWER} bytes")
        target.write(chunk)


def _refuse_entities(content: IO[bytes]) -> None:
    """Refuse an XML document whose entities would grow beyond all memory when they are read."""
    prologue = content.read(_PROLOGUE)
    content.seek(0)
    if b"<!ENTITY" in prologue or "<!ENTITY".encode("utf-16-le") in prologue:
        raise LastingError("its answer defines XML entities, which no VOTable or job needs")


class _Body:
    """A complete answer in the place of urllib3's, for `requests` and pyvo to read."""

    def __init__(self, content: IO[bytes], raw: Any) -> None:
        self._content = content
        self._original_response = getattr(raw, "_original_response", None)  # where requests finds cookies
        self.read = partial(self._read)

    def _read(self, size: int | None = -1, decode_content: bool | None = None) -> bytes:
        return self._content.read(-1 if size is None else size)

    def release_conn(self) -> None:
        """Nothing: the connection went back when the answer was whole."""

    def close(self) -> None:
        """Forget the content."""
        self._content.close()
