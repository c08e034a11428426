"""An HTTP session whose every wait is bounded, and whose answers are whole or an error."""

import gzip
import io
import shutil
import tempfile
import time
import zlib
from functools import partial
from typing import IO, Any
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from gaia_oc_amd.retries import Effort, LastingError, NonsenseError, PassingError, failure_of

_CHUNK = 1 << 16
_PROLOGUE = 1_000_000
"""Bytes at the start of an answer among which entities would be defined."""
_IN_MEMORY = 1 << 26
"""Larger answers are kept in an unnamed temporary file."""


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
        if self.private and not self.is_own(request.url):
            host = urlsplit(request.url).hostname
            raise LastingError(f"it sends a logged-in user on to another address, at {host}; not followed")
        return super().send(request, **keywords)


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
            size, seconds = size + len(chunk), time.monotonic() - start
            if seconds > bound:
                raise PassingError(f"the answer had not arrived as a whole after {seconds:.3g} s")
            if seconds > patience.slow_after and size < patience.slowest * seconds:
                raise PassingError(f"the answer trickles, {size} bytes in {seconds:.3g} s")


def _unpacked(content: IO[bytes]) -> IO[bytes]:
    """Content as it is, or, of a gzip file or transfer, what was packed; the checksum is verified."""
    content.seek(0)
    packed = content.read(2) == b"\x1f\x8b"
    content.seek(0)
    if not packed:
        return content
    plain = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
    try:
        with content, gzip.GzipFile(fileobj=content, mode="rb") as unpacked:
            shutil.copyfileobj(unpacked, plain)
    except (OSError, EOFError, zlib.error) as error:
        plain.close()
        raise NonsenseError("the answer is damaged, it cannot be unpacked") from error
    return _unpacked(plain)  # a packed file may have been packed again on its way


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
