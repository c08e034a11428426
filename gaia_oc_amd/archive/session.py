"""HTTP with bounded waits, whole answers, and retries of what may pass."""

import contextlib
import io
import logging
import random
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar
from urllib.parse import SplitResult, urljoin, urlsplit
from xml.parsers import expat

import requests
import urllib3
from requests.adapters import HTTPAdapter

from gaia_oc_amd.files.bounds import OutsizedError, unpacked

logger = logging.getLogger(__name__)
T = TypeVar("T")

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


class GaveUpError(Exception):
    """A step failed for good; the message says which, why, how often it was tried and for how long.

    `passing` says whether a later try could succeed, `code` is the HTTP status of the answer, if there was one.
    """

    def __init__(self, message: str, *, passing: bool = False, code: int | None = None) -> None:
        super().__init__(message)
        self.passing, self.code = passing, code


@dataclass(frozen=True)
class Failure:
    """What is known of an error: one line, whether it may pass, HTTP status, seconds the service asks for."""

    reason: str
    passing: bool
    code: int | None = None
    retry_after: float = 0.0


def failure_of(error: Exception) -> Failure:
    """What an error of requests or urllib3 means.

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
    if isinstance(error, PassingError | LastingError):
        return Failure(str(error), isinstance(error, PassingError))
    if isinstance(error, requests.HTTPError) and (answer := error.response) is not None:
        reason = f"it answered {answer.status_code} {answer.reason or ''}".rstrip()
        return Failure(
            reason, answer.status_code in PASSING_STATUS, answer.status_code, _retry_after(answer.headers)
        )
    if isinstance(error, _OF_CONNECTION):
        names = {f"{type(cause).__name__} {getattr(cause, 'errno', '')}" for cause in _causes(error)}
        names |= {name.split()[0] for name in names}
        known = (Failure(*said) for name, said in _REASONS.items() if name in names)
        return next(known, Failure("the connection failed", passing=True))
    raise error


_OF_CONNECTION = requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError, TimeoutError
_REASONS = {
    "SSLCertVerificationError": ("its TLS certificate cannot be verified", False),
    f"gaierror {int(socket.EAI_NONAME)}": ("there is no host of that name", False),
    "InvalidURL": ("the address is not valid", False),
    "InvalidSchema": ("the address is not valid", False),
    "MissingSchema": ("the address is not valid", False),
    "TooManyRedirects": ("it redirects without end", False),
    "ConnectTimeout": ("no connection in time", True),
    "ConnectTimeoutError": ("no connection in time", True),
    "ReadTimeout": ("no answer in time", True),
    "ReadTimeoutError": ("no answer in time", True),
    "TimeoutError": ("no answer in time", True),
    "ConnectionRefusedError": ("the connection was refused", True),
    "ConnectionResetError": ("the connection was reset", True),
    "RemoteDisconnected": ("the connection was closed without an answer", True),
    "IncompleteRead": ("the answer broke off", True),
    "gaierror": ("the host's name could not be looked up", True),
}
"""Names of exceptions anywhere in a chain of causes, the most telling first; and whether they may pass."""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The errors behind an error, as urllib3 and requests wrap them."""
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        error = waiting.pop()
        if isinstance(error, BaseException) and id(error) not in seen:
            seen.add(id(error))
            yield error
            waiting += [error.__cause__, error.__context__, getattr(error, "reason", None), *error.args]


def _retry_after(headers: Any) -> float:
    """Seconds that a Retry-After header asks for, as a number of seconds or an HTTP date."""
    with contextlib.suppress(urllib3.exceptions.InvalidHeader):
        return float(urllib3.Retry().parse_retry_after(headers.get("Retry-After", "0")))
    return 0.0


_CHUNK = 1 << 16
LARGEST_ANSWER = 1 << 31
"""Bytes of an answer, as it comes and unpacked: ten million sources."""
_MOST_LAYERS = 3
"""How often an answer may have been packed; a file that unpacks to itself would keep us for ever."""
_MOST_REDIRECTS = 5


class ArchiveSession(requests.Session):
    """A session at one service, with one clock for all that is asked there.

    It hands out an answer only when that has arrived to its last byte, unpacked, and is what was asked for. Until then
    it asks again, as long as its patience lasts: pyvo, which asks through it, sees good answers only.

    Addresses on the service's own host are moved to the scheme and port that the user gave: the Gaia archive names its
    jobs by ``http://``. While `private` is set, nothing is sent to any other host.

    Parameters
    ----------
    url : str
        Of the service.
    patience : Patience
        Bounds of every wait.
    sleep : callable
        Replaces `time.sleep` in tests.

    Attributes
    ----------
    log_in : callable or None
        Called when the service says 401 or 403, once for each step.
    """

    log_in: Callable[[], None] | None = None

    def __init__(self, url: str, patience: Patience, *, sleep: Callable[[float], None] = time.sleep) -> None:
        super().__init__()
        self.url, self.patience, self.sleep = url, patience, sleep
        self.private = False
        self._origin, self._started = urlsplit(url), time.monotonic()
        self.max_redirects = _MOST_REDIRECTS
        self.headers["Accept-Encoding"] = "gzip"
        for scheme in ("http://", "https://"):
            self.mount(scheme, _WholeAnswers(self))

    def time_left(self) -> float:
        """Seconds until everything must be over, not negative."""
        return max(0.0, self.patience.total - (time.monotonic() - self._started))

    def attempt(self, step: str, action: Callable[[], T], *, tries: int | None = None) -> T:
        """Result of an action, tried again as long as its failure may pass, and after a new login where that may help.

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
        tries, start, number, renewed = tries or self.patience.tries, time.monotonic(), 0, ""
        while True:
            number += 1
            try:
                return action()
            except Exception as error:  # what is no failure of a service is raised again
                failure = failure_of(error)
                expired = failure.code in (401, 403) and self.log_in is not None and not renewed
                pause = self._pause(number, failure)
                last = not failure.passing or number >= tries or pause >= self.time_left()
                if last and not expired:
                    often = "once" if number == 1 else f"{number} times in {time.monotonic() - start:.3g} s"
                    message = f"{step}: {failure.reason}; tried {often}{renewed}"
                    raise GaveUpError(message, passing=failure.passing, code=failure.code) from error
            if expired and self.log_in:
                logger.info("%s: the login has expired, logging in again.", step)
                self.log_in()
                number, renewed = 0, ", after a new login"
            else:
                logger.info("%s: %s; trying again in %.1f s.", step, failure.reason, pause)
                self.sleep(pause)

    def _pause(self, number: int, failure: Failure) -> float:
        bound = min(self.patience.first_pause * 2 ** (number - 1), self.patience.longest_pause)
        asked = min(failure.retry_after, self.patience.longest_retry_after)
        return max(bound * random.uniform(0.5, 1.0), asked * random.uniform(1.0, 1.1))

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Address that an answer redirects to, moved to the service's own scheme if on its host."""
        target = super().get_redirect_target(resp)
        return None if target is None else self.own_address(urljoin(resp.url, target))

    def own_address(self, url: str) -> str:
        """Address with the service's scheme and port, if the service is encrypted and this is its host."""
        own, parts = self._origin, urlsplit(url)
        if (own.scheme, parts.scheme, parts.hostname) == ("https", "http", own.hostname):
            return parts._replace(scheme="https", netloc=own.netloc).geturl()
        return url

    def is_own(self, url: str) -> bool:
        """Whether an address has the service's scheme, host and port."""
        return _origin(urlsplit(url)) == _origin(self._origin)

    def request(
        self,
        method: str | bytes,
        url: str | bytes,
        *args: Any,
        step: str = "",
        check: Callable[[requests.Response], None] | None = None,
        tries: int | None = None,
        **keywords: Any,
    ) -> requests.Response:
        """Ask until there is a good answer; what is asked must do no harm when asked twice.

        Parameters
        ----------
        method, url, *args, **keywords
            Of `requests.Session.request`. A `timeout` counts only as a pair, since pyvo gives up on a job's phase after
            10 s.
        step : str
            What is done, for messages.
        check : callable, optional
            Raises an error at an answer that is none; by default that of a GET must be a job or a VOTable.
        tries : int, optional
            Instead of the patience's.

        Raises
        ------
        GaveUpError
            If there is none.
        """
        verb, own = str(method), self.own_address(str(url))
        if not isinstance(keywords.get("timeout"), tuple):
            keywords["timeout"] = (self.patience.connect, self.patience.read)
        check = check or (xml_answer if verb == "GET" else requests.Response.raise_for_status)
        step = step or ("fetching the result" if "/results" in own else "asking for the job")

        def ask() -> requests.Response:
            response = super(ArchiveSession, self).request(verb, own, *args, **keywords | {"stream": True})
            check(response)
            return response

        return self.attempt(step, ask, tries=tries)

    def send(self, request: requests.PreparedRequest, **keywords: Any) -> requests.Response:
        """Send one request, redirected ones too, but never to another host while logged in."""
        parts = urlsplit(request.url or "")
        if parts.scheme not in ("http", "https"):
            raise LastingError("it redirects to an address that is not of the web; not followed")
        if self.private and _origin(parts) != _origin(self._origin):
            raise LastingError(
                f"it sends a logged-in user on to another address, at {parts.hostname}; not followed"
            )
        return super().send(request, **keywords)


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


class _WholeAnswers(HTTPAdapter):
    """Reads every answer to its end, within the bounds of its session."""

    def __init__(self, session: ArchiveSession) -> None:
        super().__init__()
        self._session = session

    def send(self, request: requests.PreparedRequest, *args: Any, **keywords: Any) -> requests.Response:
        # what cleans up when time is over still gets a moment
        left = max(self._session.time_left(), self._session.patience.connect)
        keywords["timeout"] = tuple(min(seconds, left) for seconds in keywords["timeout"])
        response = super().send(request, *args, **keywords)
        try:
            packed = self._read(response.raw, min(self._session.patience.answer, left))
        finally:
            response.close()
        response.raw = _Answer(_unpacked(packed), response.raw)
        return response

    def _read(self, raw: Any, bound: float) -> bytes:
        patience, start, content = self._session.patience, time.monotonic(), bytearray()
        while chunk := raw.read1(
            _CHUNK, decode_content=False
        ):  # what is there; `read` waits for a full chunk
            content += chunk
            seconds = time.monotonic() - start
            if len(content) > LARGEST_ANSWER:
                raise LastingError(f"its answer has more than {LARGEST_ANSWER} bytes")
            if seconds > bound:
                raise PassingError(f"the answer had not arrived as a whole after {seconds:.3g} s")
            if seconds > patience.slow_after and len(content) < patience.slowest * seconds:
                raise PassingError(f"the answer trickles, {len(content)} bytes in {seconds:.3g} s")
        return bytes(content)


class _Answer(io.BytesIO):
    """A whole answer, as requests and pyvo read one."""

    def __init__(self, content: bytes, raw: Any) -> None:
        super().__init__(content)
        self._original_response = getattr(raw, "_original_response", None)  # requests finds cookies there

    def read(self, size: int | None = -1, /, decode_content: bool = True) -> bytes:
        return super().read(size)


def _unpacked(content: bytes) -> bytes:
    """Content as it is, or, of a gzip file or transfer, what was packed; the checksum is verified."""
    for _ in range(_MOST_LAYERS):  # a packed file may have been packed again on its way
        if not content.startswith(b"\x1f\x8b"):
            break
        try:
            content = unpacked(content, LARGEST_ANSWER)
        except (EOFError, zlib.error) as error:
            raise NonsenseError("the answer is damaged, it cannot be unpacked") from error
        except OutsizedError as error:
            raise LastingError(f"its answer unpacks to more than {LARGEST_ANSWER} bytes") from error
    return content


def xml_answer(response: requests.Response) -> None:
    """Refuse an answer that is no whole job or VOTable, or whose entities would grow beyond all memory when read.

    Parameters
    ----------
    response : Response
        Of a session; it can still be read.

    Raises
    ------
    NonsenseError, LastingError, requests.HTTPError
        If the answer is such a one.
    """
    response.raise_for_status()
    parser = expat.ParserCreate()

    def root(name: str, _: dict[str, str]) -> None:
        parser.StartElementHandler = None
        if name.rpartition(":")[2] not in ("job", "VOTABLE"):
            raise NonsenseError("the answer is not a whole job or VOTable")

    def entity(*_: object) -> NoReturn:
        raise LastingError("its answer defines XML entities, which no VOTable or job needs")

    parser.StartElementHandler, parser.EntityDeclHandler = root, entity
    try:
        parser.Parse(response.raw.getvalue(), True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # the last two of an encoding that is none
        raise NonsenseError("the answer is not a whole job or VOTable") from error
