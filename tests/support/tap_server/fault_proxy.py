"""A reverse proxy between client and TAP service that spoils chosen answers at a chosen stage of a query."""

import contextlib
import http.client
import re
import socket
import ssl
import struct
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

STAGES = ("login", "submit", "job", "start", "phase", "result", "delete", "count", "logout")
"""In the order in which a query goes through them."""
BEFORE = dict(zip(STAGES[1:], STAGES, strict=False))


@dataclass
class Reply:
    """An answer of the service behind, which a fault may change."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass
class Fault:
    """What goes wrong.

    `answer` changes the service's answer; `send` sends it in an unusual way over the connection; `before` happens
    before the request is passed on; `closed` refuses connections; `request` changes the form that is passed on.
    """

    stage: str
    times: float = 1
    answer: Callable[[Reply], Reply] | None = None
    send: Callable[[BaseHTTPRequestHandler, Reply], None] | None = None
    before: Callable[[], None] | None = None
    request: Callable[[bytes], bytes] | None = None
    closed: bool = False


@dataclass
class Proxy:
    """The listening socket, the fault, and what passed through."""

    upstream: str
    tls: tuple[str, str] | None = None
    fault: Fault | None = None
    closed_for: float = 0.3
    seen: list[tuple[str, str]] = field(default_factory=list)  # stage and path
    described: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.target, self.port, self.running = urllib.parse.urlsplit(self.upstream), 0, True
        self.listens, self.wanted = threading.Event(), True
        self.context = None
        if self.tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*self.tls)
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()
        self.listens.wait()

    @property
    def url(self) -> str:
        scheme, host = ("https", "localhost") if self.tls else ("http", "127.0.0.1")
        return f"{scheme}://{host}:{self.port}{self.target.path}"

    def accept(self) -> None:
        """Take connections; the listening socket is opened and closed by this thread alone."""
        listening = None
        while self.running:
            if self.wanted and listening is None:
                listening = socket.create_server(("127.0.0.1", self.port))
                self.port = listening.getsockname()[1]
                listening.settimeout(0.005)
                self.listens.set()
            elif not self.wanted and listening is not None:
                listening.close()
                listening = None
                self.listens.clear()
            try:
                connection, address = listening.accept() if listening else time.sleep(0.002)
            except (TimeoutError, TypeError):
                continue
            threading.Thread(target=self.serve, args=(connection, address), daemon=True).start()
        if listening:
            listening.close()

    def serve(self, connection: socket.socket, address: tuple[str, int]) -> None:
        connection.settimeout(30)
        with contextlib.suppress(OSError), connection:  # clients that hang up are part of the tests
            spoken = self.context.wrap_socket(connection, server_side=True) if self.context else connection
            with spoken:
                Handler(spoken, address, self)

    def refuse(self) -> None:
        """Close the listening socket, for a while if the fault passes, else until the next `set`."""
        self.wanted = False
        while self.listens.is_set():
            time.sleep(0.001)
        if self.fault.times < 2:
            threading.Timer(self.closed_for, setattr, (self, "wanted", True)).start()

    def set(self, fault: Fault | None) -> None:
        self.wanted = True
        self.listens.wait()
        self.fault = fault
        self.seen.clear()
        self.described.clear()
        if fault and fault.closed and fault.stage == "login":
            self.refuse()

    def stop(self) -> None:
        self.running = False
        self.thread.join()

    def stage(self, method: str, path: str) -> str:
        """Stage of a query that a request belongs to; the first question for a job is a stage of its own."""
        for end, stage in (
            ("/login", "login"),
            ("/logout", "logout"),
            ("/sync", "count"),
            ("/phase", "start"),
        ):
            if path.endswith(end):
                return stage
        if path.endswith("/results/result"):
            return "result"
        if method == "POST" and path.endswith("/async"):
            return "submit"
        if method == "DELETE":
            return "delete"
        first = path not in self.described
        return "job" if first else "phase"

    def closes_after(self, stage: str, reply: Reply) -> bool:
        """Whether the next request, of the fault's stage, is to find nobody listening."""
        fault = self.fault
        if fault is None or not fault.closed or BEFORE.get(fault.stage.split("+")[0]) != stage:
            return False
        if stage == "phase" and b"COMPLETED" not in reply.body:
            return False
        fault.times -= 1
        return fault.times >= 0

    def pick(self, stage: str) -> Fault | None:
        """The fault, if it is this stage's turn."""
        fault = self.fault
        if fault is None or fault.closed or stage not in fault.stage.split("+") or fault.times <= 0:
            return None
        fault.times -= 1
        return fault


class Handler(BaseHTTPRequestHandler):
    """One connection, one request: a kept connection could not be refused."""

    def log_message(self, *_):
        pass

    def handle_any(self):
        proxy, path = self.server, urllib.parse.urlsplit(self.path).path
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        stage = proxy.stage(self.command, path)
        proxy.seen.append((stage, self.path))
        fault = proxy.pick(stage)
        if fault and fault.before:
            fault.before()
        reply = self.forward(fault.request(body) if fault and fault.request else body)
        if stage == "job" and reply.status == 200:
            proxy.described.add(path)
        if fault and fault.answer:
            reply = fault.answer(reply)
        if proxy.closes_after(stage, reply):
            proxy.refuse()
        if fault and fault.send:
            return fault.send(self, reply)
        return send_plainly(self, reply)

    do_GET = do_POST = do_DELETE = handle_any

    def forward(self, body: bytes) -> Reply:
        target = self.server.target
        connection = http.client.HTTPConnection(target.hostname, target.port, timeout=60)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("connection", "content-length")}
        connection.request(self.command, self.path, body or None, headers)
        response = connection.getresponse()
        skipped = ("connection", "content-length", "transfer-encoding", "server", "date")
        kept = [(k, v) for k, v in response.getheaders() if k.lower() not in skipped]
        reply = Reply(response.status, kept, response.read())
        connection.close()
        return reply


def send_header(handler: BaseHTTPRequestHandler, reply: Reply, length: int | None) -> None:
    handler.send_response(reply.status)
    for name, value in reply.headers:
        handler.send_header(name, value)
    if length is not None:
        handler.send_header("Content-Length", str(length))
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.flush()


def send_plainly(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    send_header(handler, reply, len(reply.body))
    handler.wfile.write(reply.body)


def cut_at(fraction: float) -> Callable:
    """Promise the whole body, send a part, hang up."""

    def send(handler, reply):
        body = reply.body or b" " * 100  # an empty body cannot be cut
        send_header(handler, reply, len(body))
        handler.wfile.write(body[: int(len(body) * fraction)])

    return send


def with_length(share: float) -> Callable:
    """The whole body, under a length that is a share of it."""

    def send(handler, reply):
        send_header(handler, reply, int(len(reply.body) * share))
        handler.wfile.write(reply.body)

    return send


def endless(handler, reply):
    """A body that goes on as long as somebody listens."""
    send_header(handler, reply, None)
    while True:
        handler.wfile.write(bytes(1 << 16))


def cut_without_length(handler, reply):
    """Half of a body whose end is the end of the connection: only its content tells."""
    send_header(handler, reply, None)
    handler.wfile.write(reply.body[: len(reply.body) // 2])


def cut_in_chunks(handler, reply):
    """A chunked body whose last chunk never comes."""
    handler.protocol_version = "HTTP/1.1"
    send_header(handler, Reply(reply.status, [*reply.headers, ("Transfer-Encoding", "chunked")], b""), None)
    half = reply.body[: len(reply.body) // 2] or b" "
    handler.wfile.write(f"{len(half):x}\r\n".encode() + half + b"\r\n")


def reset_in_header(handler, reply):
    """A part of the header, then a reset."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Ty")
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang_up(handler, reply):
    """No answer at all."""


def silence(seconds: float) -> Callable:
    """Nothing for a time, then hang up."""
    return lambda handler, reply: time.sleep(seconds)


def stall(seconds: float) -> Callable:
    """Half of the body, then nothing for a time."""

    def send(handler, reply):
        body = reply.body or b" " * 100
        send_header(handler, reply, len(body))
        handler.wfile.write(body[: len(body) // 2])
        handler.wfile.flush()
        time.sleep(seconds)

    return send


def trickle(pause: float, longest: float) -> Callable:
    """One byte at a time."""

    def send(handler, reply):
        body, end = reply.body or b" " * 100, time.monotonic() + longest
        send_header(handler, reply, len(body))
        for position in range(len(body)):
            if time.monotonic() > end:
                return
            handler.wfile.write(body[position : position + 1])
            handler.wfile.flush()
            time.sleep(pause)

    return send


def status(code: int, body: bytes = b"<html>broken</html>", **headers: str) -> Callable[[Reply], Reply]:
    """Another answer."""
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return lambda reply: Reply(code, named or [("Content-Type", "text/html")], body)


def with_phase(phase: str, error: bytes = b"") -> Callable[[Reply], Reply]:
    """A job description with another phase."""

    def change(reply: Reply) -> Reply:
        body = re.sub(rb"(<(?:\w+:)?phase[^>]*>)\w+(</)", rb"\g<1>" + phase.encode() + rb"\2", reply.body)
        end = re.search(rb"</(\w+:)?job>", body)
        if error and end:
            prefix = end[1] or b""
            text = b'<%serrorSummary type="%s"><%smessage>out of memory</%smessage></%serrorSummary>'
            body = body[: end.start()] + text % (prefix, error, prefix, prefix, prefix) + body[end.start() :]
        return Reply(reply.status, reply.headers, body)

    return change
