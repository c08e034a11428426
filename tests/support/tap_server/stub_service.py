"""A small TAP service in the process of the tests: jobs and results as DaCHS gives them, from a DataFrame.

It understands our own queries only: named columns, or COUNT, MIN and MAX, and bounds on source_id.
"""

import re
import threading
import urllib.parse
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

import pandas as pd

JOB = """<?xml version="1.0"?><uws:job xmlns:uws="http://www.ivoa.net/xml/UWS/v1.0"
 xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1"><uws:jobId>{id}</uws:jobId><uws:phase>{phase}</uws:phase>
 <uws:executionDuration>60</uws:executionDuration><uws:destruction>2026-12-31T00:00:00Z</uws:destruction>
 <uws:parameters/><uws:results><uws:result id="result" xlink:href="{url}/async/{id}/results/result"/></uws:results>
 {error}</uws:job>"""
ERROR = '<uws:errorSummary type="{kind}"><uws:message>column ra is ambiguous</uws:message></uws:errorSummary>'


_TYPES = {"float64": "double", "float32": "float", "int64": "long", "int32": "int", "int16": "short"}


def votable(table: pd.DataFrame, status: str = "OK") -> bytes:
    """VOTable document of a table of numbers with a QUERY_STATUS; astropy would take a hundred times longer."""
    fields = "".join(f'<FIELD name="{name}" datatype="{_TYPES[str(table[name].dtype)]}"/>' for name in table)
    rows = zip(*(table[name].to_numpy() for name in table), strict=True)
    data = "".join(f"<TR><TD>{'</TD><TD>'.join(map(str, row))}</TD></TR>" for row in rows)
    reason = "table does not exist" if status == "ERROR" else ""
    return (
        '<?xml version="1.0"?><VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
        f'<RESOURCE type="results"><INFO name="QUERY_STATUS" value="{status}">{reason}</INFO>'
        f"<TABLE>{fields}<DATA><TABLEDATA>{data}</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
    ).encode()


@dataclass
class Job:
    query: str
    maxrec: int
    phase: str = "PENDING"
    questions: int = 0


@dataclass
class Stub:
    """The table, how the service misbehaves, and what it was asked."""

    table: pd.DataFrame
    limit: int | None = None  # rows at most
    says_overflow: bool = True
    counts: bool = True
    last_phase: str = "COMPLETED"
    error_kind: str = "fatal"
    status: str = "OK"
    body: bytes | None = None
    url: str = ""
    jobs: dict[str, Job] = field(default_factory=dict)
    queries: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    _ids: count = field(default_factory=lambda: count(1))

    def create(self, form: dict[str, str]) -> str:
        name = str(next(self._ids))
        self.queries.append(form["QUERY"])
        self.jobs[name] = Job(form["QUERY"], int(form.get("MAXREC", 2000)))
        return name

    def describe(self, name: str) -> bytes:
        job = self.jobs[name]
        if job.phase not in ("PENDING", "COMPLETED", "ERROR", "ABORTED"):
            job.questions += 1
            if job.questions >= 2:
                job.phase = self.last_phase
        error = ERROR.format(kind=self.error_kind) if job.phase == "ERROR" else ""
        return JOB.format(id=name, phase=job.phase, url=self.url, error=error).encode()

    def answer(self, query: str, maxrec: int) -> bytes:
        if self.body is not None:
            return self.body
        rows = self.table
        for sign, bound in re.findall(r"source_id (>=|<) (\d+)", query):
            rows = rows[rows["source_id"] >= int(bound) if sign == ">=" else rows["source_id"] < int(bound)]
        if "COUNT(*)" in query:
            ids = rows["source_id"]
            row = {"n_rows": len(rows)}
            if "MIN(" in query:
                row |= {"low": ids.min(), "high": ids.max()} if len(rows) else {"low": 0, "high": 0}
            return votable(pd.DataFrame([row]), self.status)
        names = [name.strip() for name in re.search(r"SELECT (.*?)\s+FROM", query, re.S)[1].split(",")]
        limit = maxrec if self.limit is None else min(maxrec, self.limit)
        status = "OVERFLOW" if len(rows) > limit and self.says_overflow else self.status
        return votable(rows.head(limit)[[name for name in names if name in rows]], status)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, body=b"", status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def see(self, name=""):
        self.reply(status=303, Location=f"{self.server.stub.url}/async/{name}".rstrip("/"))

    def do_POST(self):
        stub, path = self.server.stub, self.path.removeprefix("/tap/")
        form = dict(
            urllib.parse.parse_qsl(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        )
        if path == "async":
            return self.see(stub.create(form))
        if path == "sync":
            if not stub.counts:
                return self.reply(b"COUNT is not allowed", 400)
            return self.reply(stub.answer(form["QUERY"], 2000), Content_Type="application/x-votable+xml")
        name = path.split("/")[1]
        if name not in stub.jobs:
            return self.reply(status=404)
        if form.get("PHASE") == "RUN":
            if stub.jobs[name].phase != "PENDING":
                return self.reply(b"it runs", 400)
            stub.jobs[name].phase = "EXECUTING"
        return self.see(name)

    def do_DELETE(self):
        name = self.path.rsplit("/", 1)[-1]
        if self.server.stub.jobs.pop(name, None) is None:
            return self.reply(status=404)
        self.server.stub.deleted.append(name)
        return self.see()

    def do_GET(self):
        stub, parts = self.server.stub, self.path.removeprefix("/tap/").split("/")
        if len(parts) < 2 or parts[1] not in stub.jobs:
            return self.reply(status=404)
        if parts[2:] == ["results", "result"]:
            job = stub.jobs[parts[1]]
            return self.reply(stub.answer(job.query, job.maxrec), Content_Type="application/x-votable+xml")
        return self.reply(stub.describe(parts[1]), Content_Type="text/xml")


def serve(stub: Stub) -> ThreadingHTTPServer:
    """Start a stub; end it with `shutdown` and `server_close`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # clients that hang up are part of the tests
    server.daemon_threads, server.stub = True, stub
    stub.url = f"http://127.0.0.1:{server.server_port}/tap"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server
