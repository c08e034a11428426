"""The faults, the stages where each can occur, and one cone search with one of them.

A cone search here is what a user runs: `load_cone` with a login, over TLS, through the fault proxy and the front of
the Gaia archive to a TAP service, into a folder where an older cone of another region lies.
"""

import contextlib
import functools
import gzip
import http.server
import io
import logging
import os
import re
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from unittest import mock

import pandas as pd
from tap_server import fault_proxy as proxies
from tap_server import gaia_front
from tap_server.certificate import write_certificate
from tap_server.fault_proxy import Fault, Proxy, Reply

from gaia_oc_amd import query as cone_sources
from gaia_oc_amd import query as mirrors
from gaia_oc_amd.archive import results as archive
from gaia_oc_amd.archive import session
from gaia_oc_amd.archive.session import Patience
from gaia_oc_amd.cone import ConeRegion, cut_to_region, in_order
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.files.containers import from_astropy
from gaia_oc_amd.files.tables import read_table
from gaia_oc_amd.options import ConeOptions
from gaia_oc_amd.source_checks import check_sources

ALL = proxies.STAGES
JOB = ("job", "phase")
PRIVATE = ("job", "start", "phase", "result", "delete")
OTHER_REGION = ConeRegion(10.0, 10.0, 0.1, 0.0, 0.0, 1.0, 5.0, 1.0)


@dataclass
class Bench:
    """A chain of servers, and what a search through it must give."""

    region: ConeRegion
    patience: Patience
    front: gaia_front.ThreadingHTTPServer
    proxy: Proxy
    thief: "Thief"
    expected: pd.DataFrame


@contextlib.contextmanager
def bench(upstream: str, region: ConeRegion, patience: Patience) -> Iterator[Bench]:
    """Proxy and front before a TAP service, for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        tls = write_certificate(Path(folder))
        front = gaia_front.serve(upstream)
        proxy = Proxy(f"http://127.0.0.1:{front.server_port}/tap-server/tap", tls)
        thief = Thief()
        trusted = {"REQUESTS_CA_BUNDLE": tls[0], "NO_PROXY": "localhost,127.0.0.1"}
        rows = archive.query_archive(mirrors.cone_query(region), url=upstream, patience=patience)
        expected = in_order(cut_to_region(check_sources(rows, upstream), region))
        with mock.patch.dict("os.environ", trusted):
            yield Bench(region, patience, front, proxy, thief, expected)
        thief.stop()
        proxy.stop()
        front.shutdown()
        front.server_close()


class Thief:
    """Another host, to which nobody should send a cookie or a password."""

    def __init__(self) -> None:
        heard = self.heard = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                heard.append(f"{self.path} {self.headers}")
                heard.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())
                self.send_error(404)

            do_POST = do_DELETE = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/elsewhere"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@dataclass(frozen=True)
class Kind:
    """A kind of fault: its name, the stages where it can occur, and how to make it."""

    name: str
    stages: tuple[str, ...]
    make: Callable[[str, float, Bench], Fault]
    expects: str = "passes"  # once: passes | stops; always: see `Outcome`


def _answer(change: Callable[[Reply], Reply]) -> Callable[[str, float, Bench], Fault]:
    return lambda stage, times, bench: Fault(stage, times, answer=change)


def _send(way: Callable) -> Callable[[str, float, Bench], Fault]:
    return lambda stage, times, bench: Fault(stage, times, send=way)


def _waits(way: Callable[[float], Callable]) -> Callable[[str, float, Bench], Fault]:
    return lambda stage, times, bench: Fault(stage, times, send=way(bench.patience.read + 1.5))


def _change_rows(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Reply], Reply]:
    """A result with other rows, written as the service would, but plain."""
    from tap_server.stub_service import votable

    @functools.cache  # astropy takes its time
    def changed(body: bytes) -> bytes:
        from astropy.io.votable import parse_single_table

        return votable(change(from_astropy(parse_single_table(io.BytesIO(body)).to_table())))

    def answer(reply: Reply) -> Reply:
        packed = reply.body.startswith(b"\x1f\x8b")
        return Reply(
            reply.status, reply.headers, changed(gzip.decompress(reply.body) if packed else reply.body)
        )

    return answer


def _damaged(reply: Reply) -> Reply:
    middle = len(reply.body) // 2
    flipped = bytes(255 - byte for byte in reply.body[middle : middle + 40])
    return Reply(reply.status, reply.headers, reply.body[:middle] + flipped + reply.body[middle + 40 :])


def _retry_after_date(reply: Reply) -> Reply:
    return proxies.status(429, Retry_After=formatdate(time.time() + 2, usegmt=True))(reply)


def _limited(rows: int) -> Callable[[bytes], bytes]:
    return lambda form: re.sub(rb"MAXREC=\d+", b"MAXREC=%d" % rows, form)


def _silently_limited(stage: str, times: float, bench: Bench) -> Fault:
    def change(reply: Reply) -> Reply:
        body = gzip.decompress(reply.body) if reply.body.startswith(b"\x1f\x8b") else reply.body
        return Reply(reply.status, reply.headers, body.replace(b'"OVERFLOW"', b'"OK"'))

    return Fault("submit+result", float("inf"), request=_limited(300), answer=lambda reply: change(reply))


def _bomb(reply: Reply) -> Reply:
    """What unpacks to a thousand times its size."""
    return Reply(reply.status, reply.headers, gzip.compress(bytes(LARGEST_ANSWER + 1_000_000)))


def _packed_in_packed(reply: Reply) -> Reply:
    return Reply(
        reply.status, reply.headers, functools.reduce(lambda body, _: gzip.compress(body), range(5), b"x")
    )


def _in_another_charset(reply: Reply) -> Reply:
    """Says UTF-8 and is none."""
    body = gzip.decompress(reply.body) if reply.body.startswith(b"\x1f\x8b") else reply.body
    return Reply(
        reply.status, reply.headers, body.replace(b"<VOTABLE", b"<!-- \xe9\xff --><VOTABLE", 1)[::-1]
    )


def _moved(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(ra=rows["ra"].where(rows.index >= 5, (rows["ra"] + 90) % 360))


def _cookies(reply: Reply) -> Reply:
    """As many as a header may hold lines."""
    return Reply(reply.status, [*reply.headers, *(("Set-Cookie", f"c{n}=1") for n in range(80))], reply.body)


LARGEST_ANSWER = 1 << 23
"""Of these tests, so that an endless answer ends soon."""


KINDS = (
    Kind("connection refused", ALL, lambda stage, times, bench: Fault(stage, times, closed=True)),
    Kind("closed without an answer", ALL, _send(proxies.hang_up)),
    Kind("reset in the header", ALL, _send(proxies.reset_in_header)),
    Kind("no answer", ALL, _waits(proxies.silence)),
    Kind("body cut at 10 %", ALL, _send(proxies.cut_at(0.1))),
    Kind("body cut at 50 %", ALL, _send(proxies.cut_at(0.5))),
    Kind("body cut at 99 %", ALL, _send(proxies.cut_at(0.99))),
    Kind("body cut, no length given", ("job", "phase", "result", "count"), _send(proxies.cut_without_length)),
    Kind("body cut between chunks", ALL, _send(proxies.cut_in_chunks)),
    Kind("stalled body", ALL, _waits(proxies.stall)),
    Kind("slow trickle", ALL, lambda s, t, b: Fault(s, t, send=proxies.trickle(0.02, b.patience.slow_after + 2))),
    Kind("429, Retry-After in seconds", ALL, _answer(proxies.status(429, Retry_After="1"))),
    Kind("429, Retry-After as a date", ALL, _answer(_retry_after_date)),
    Kind("500", ALL, _answer(proxies.status(500))),
    Kind("502", ALL, _answer(proxies.status(502))),
    Kind("503", ALL, _answer(proxies.status(503, Retry_After="0"))),
    Kind("504", ALL, _answer(proxies.status(504))),
    Kind("HTML page with status 200", ("submit", "job", "phase", "result", "count"), _answer(proxies.status(200))),
    Kind("empty answer with status 200", ("submit", "job", "phase", "result", "count"),
         _answer(proxies.status(200, b""))),
    Kind("corrupted gzip", ("result",), _answer(_damaged)),
    Kind("job stuck in PENDING", JOB, _answer(proxies.with_phase("PENDING"))),
    Kind("job in ERROR, fatal", JOB, _answer(proxies.with_phase("ERROR", b"fatal")), "stops"),
    Kind("job in ERROR, transient", JOB, _answer(proxies.with_phase("ERROR", b"transient"))),
    Kind("job ABORTED by the service", JOB, _answer(proxies.with_phase("ABORTED")), "stops"),
    Kind("job unknown (404)", PRIVATE, _answer(proxies.status(404))),
    Kind("session expired", PRIVATE, lambda stage, times, bench: Fault(stage, times, before=bench.front.front.expire)),
    Kind("login refused", ("login",), _answer(proxies.status(401)), "stops"),
    Kind("redirect to another host", ALL,
         lambda stage, times, bench: Fault(stage, times, answer=proxies.status(302, Location=bench.thief.url)),
         "stops"),
    Kind("redirect to a file", PRIVATE, _answer(proxies.status(302, Location="file:///etc/hostname")), "stops"),
    Kind("redirect without end", ("job", "phase", "result"), _answer(proxies.status(302, Location="?again=1"))),
    Kind("body without end", ("job", "phase", "result", "count"), _send(proxies.endless), "stops"),
    Kind("length too small", ("job", "phase", "result"), _send(proxies.with_length(0.5))),
    Kind("length too large", ("job", "phase", "result"), _send(proxies.with_length(2))),
    Kind("gzip bomb", ("result", "count"), _answer(_bomb), "stops"),
    Kind("packed in packed in packed", ("result", "count"), _answer(_packed_in_packed)),
    Kind("wrong charset", ("job", "phase", "result", "count"), _answer(_in_another_charset)),
    Kind("JSON with status 200", ("submit", "job", "phase", "result", "count"),
         _answer(proxies.status(200, b'{"error": "no"}', Content_Type="application/json"))),
    Kind("cookies by the dozen", ("login", "job", "phase", "result"), _answer(_cookies)),
    Kind("result over the row limit", ("result",),
         lambda stage, times, bench: Fault("submit", float("inf"), request=_limited(300))),
    Kind("result cut without a word", ("result",), _silently_limited),
    Kind("rows repeated", ("result",), _answer(_change_rows(lambda rows: pd.concat([rows, rows.head(3)])))),
    Kind("rows missing", ("result",), _answer(_change_rows(lambda rows: rows.iloc[5:]))),
    Kind("rows moved", ("result",), _answer(_change_rows(_moved))),
    Kind("an identifier that is none", ("result",),
         _answer(_change_rows(lambda rows: rows.assign(source_id=rows["source_id"].where(rows.index > 0, -5))))),
    Kind("column missing", ("result",), _answer(_change_rows(lambda rows: rows.drop(columns="pmra_error")))),
)  # fmt: skip


@dataclass
class Outcome:
    """What became of a cone search."""

    whole: bool = False
    message: str = ""
    seconds: float = 0.0
    retries: int = 0
    wrong: list[str] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)


def run(bench: Bench, kind: Kind | None, stage: str = "", times: float = 1) -> Outcome:
    """Search with a fault, and find out what is wrong with what it leaves behind."""
    where = "job+phase" if stage == "job" and times > 1 else stage  # always: every question for the job
    bench.proxy.set(kind.make(where, times, bench) if kind else None)
    bench.thief.heard.clear()
    outcome, start = Outcome(), time.monotonic()
    with tempfile.TemporaryDirectory() as name, _log() as log:
        folder = Path(name) / "clusters"
        credentials = Path(name) / "credentials"
        credentials.write_text(f"{gaia_front.USER}\n{gaia_front.PASSWORD}\n")
        credentials.chmod(0o600)
        old = _old_cone(folder)
        trace = ""
        try:
            with (
                mock.patch.object(mirrors, "GAIA_ARCHIVE", bench.proxy.url),
                mock.patch.dict(mirrors.MIRRORS, gaia=mirrors.Mirror(bench.proxy.url)),
                mock.patch.object(archive, "Patience", return_value=bench.patience),
                mock.patch.object(session, "LARGEST_ANSWER", LARGEST_ANSWER),
            ):
                rows = cone_sources.load_cone(
                    "Toy_1", bench.region, folder, ConeOptions(), credentials_path=credentials
                )
                outcome.whole = True
        except ClusterError as error:
            outcome.message, trace = str(error), traceback.format_exc()
        outcome.seconds = time.monotonic() - start
        if outcome.whole:
            outcome.wrong += _differences(rows, bench.expected)
        outcome.wrong += _wrong_files(folder, old, outcome.whole, bench.expected)
        text = log.getvalue() + trace + outcome.message + "".join(path for _, path in bench.proxy.seen)
        text += "".join(path.read_text(errors="replace") for path in folder.glob("**/*") if path.is_file())
        outcome.wrong += _leaks(bench, text, outcome.message)
        outcome.retries = len(re.findall(r"trying again|anew|asked again|logging in again", log.getvalue()))
    outcome.stages = [stage for stage, _ in bench.proxy.seen]
    if not outcome.whole and not outcome.message:
        outcome.wrong.append("no message")
    bench.proxy.set(None)
    return outcome


@contextlib.contextmanager
def _log() -> Iterator[io.StringIO]:
    """Everything that is logged, down to the debug messages of urllib3."""
    text, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(text), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield text
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def _old_cone(folder: Path) -> dict[str, bytes]:
    from gaia_oc_amd.files.data_directory import write_json

    folder.mkdir()
    (folder / "cone.csv").write_text("source_id\n1\n")
    write_json(folder / "cone.json", {"region": OTHER_REGION.as_dict(), "source": "gaia", "n_sources": 1})
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _differences(rows: pd.DataFrame, expected: pd.DataFrame) -> list[str]:
    return [] if rows.equals(expected) else [f"{len(rows)} rows differ from the {len(expected)} expected"]


def _wrong_files(folder: Path, old: dict[str, bytes], whole: bool, expected: pd.DataFrame) -> list[str]:
    """The old cone must be untouched after a failure, the new one whole and alone after success."""
    names = sorted(path.name for path in folder.iterdir())
    if not whole:
        now = {path.name: path.read_bytes() for path in folder.iterdir()}
        now.pop(cone_sources.JOB_FILE, None)  # a job that may still end is kept for the next call
        return [] if now == old else [f"files changed: {names}"]
    if names != ["cone.json", "cone.parquet"]:
        return [f"files: {names}"]
    return _differences(read_table(folder / "cone.parquet"), expected)


def _leaks(bench: Bench, text: str, message: str) -> list[str]:
    secrets = [gaia_front.PASSWORD, *bench.front.front.ever]
    found = ["a secret was shown" for secret in secrets if secret in text]
    found += ["a secret went to another host" for secret in secrets if secret in "".join(bench.thief.heard)]
    if "\n" in message or len(message) > 700:
        found.append("the message is not one line")
    return found


SLOWNESS = float(os.environ.get("SLOWNESS", "1"))
"""How many times as long a busy machine may take; `make test-loaded` sets it."""
FAST = Patience(
    connect=3 * SLOWNESS, read=3 * SLOWNESS, answer=6 * SLOWNESS, slowest=2000 / SLOWNESS, slow_after=0.6 * SLOWNESS,
    count=3 * SLOWNESS, job=10 * SLOWNESS, first_poll=0.01, longest_poll=0.05, total=60 * SLOWNESS, tries=3,
    first_pause=0.05, longest_pause=0.1, longest_retry_after=0.2,
)  # fmt: skip
"""For tests beside the stub, which answers within milliseconds on an idle machine."""
