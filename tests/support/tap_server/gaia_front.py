"""What the Gaia archive has and another TAP service has not: /tap-server/ paths, a login that sets a cookie, jobs
that belong to a user, job addresses that begin with http://, and results packed with gzip. The work is done by a
TAP service behind it.

By hand, over TLS:  python gaia_front.py UPSTREAM_TAP_URL PORT CERTIFICATE KEY   (user alice, password secret-word)
"""

import gzip
import http.client
import re
import secrets
import ssl
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USER, PASSWORD = "alice", "secret-word"


class Front:
    """Sessions and owners of jobs."""

    def __init__(self, upstream: str) -> None:
        self.upstream = urllib.parse.urlsplit(upstream)
        self.sessions: set[str] = set()
        self.ever: set[str] = set()
        self.owned: set[str] = set()

    def log_in(self) -> str:
        session = secrets.token_hex(12)
        self.sessions.add(session)
        self.ever.add(session)
        return session

    def expire(self) -> None:
        self.sessions.clear()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def session(self):
        found = re.search(r"JSESSIONID=(\w+)", self.headers.get("Cookie") or "")
        return found[1] if found and found[1] in self.server.front.sessions else None

    def handle_any(self):
        front, path = self.server.front, urllib.parse.urlsplit(self.path).path
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if path == "/tap-server/login":
            return self.log_in(dict(urllib.parse.parse_qsl(body.decode())))
        if path == "/tap-server/logout":
            front.sessions.discard(self.session())
            return self.reply(200, b"OK")
        if not path.startswith("/tap-server/tap/"):
            return self.reply(404, b"not found")
        job = re.match(r"/tap-server/tap/async/([^/]+)", path)
        if job and job[1] in front.owned and not self.session():
            return self.reply(403, b"User 'anonymous' is not authorized.")
        return self.forward(path.removeprefix("/tap-server/tap"), body, job)

    do_GET = do_POST = do_DELETE = handle_any

    def log_in(self, form):
        if (form.get("username"), form.get("password")) != (USER, PASSWORD):
            return self.reply(401, b"<html><li><b>Message: </b>Bad credentials</li></html>")
        cookie = f"JSESSIONID={self.server.front.log_in()}; Path=/; HttpOnly"
        return self.reply(200, b"OK", [("Set-Cookie", cookie)])

    def forward(self, path, body, job):
        front = self.server.front
        connection = http.client.HTTPConnection(front.upstream.hostname, front.upstream.port, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() == "content-type"}
        connection.request(self.command, front.upstream.path + path, body or None, headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        here = f"http://{self.headers['Host']}/tap-server/tap/async/"
        kept = [(n, v) for n, v in response.getheaders() if n.lower() == "content-type"]
        if location := response.getheader("Location"):
            location = re.sub(r"^.*/async/?", here, location)
            kept.append(("Location", location))
            if path == "/async" and self.command == "POST" and self.session():
                front.owned.add(location.removeprefix(here))
        if path.endswith("/results/result"):
            content = gzip.compress(content, 1)
        elif job:
            content = re.sub(rb"http://[^\"<> ]*?/async/", here.encode(), content)
        self.reply(response.status, content, kept)


def serve(upstream: str, port: int = 0, tls: tuple[str, str] | None = None) -> ThreadingHTTPServer:
    """Start a front; end it with `shutdown` and `server_close`."""
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.handle_error, server.daemon_threads = (lambda *_: None), True
    server.front = Front(upstream)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), (sys.argv[3], sys.argv[4]))
    threading.Event().wait()
