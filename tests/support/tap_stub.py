"""A TAP service in the process of the tests that runs the ADQL it is sent, in SQLite, in its own names."""

import io
import re
import sqlite3
import threading
import urllib.parse
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
from astropy.io.votable.tree import Info, VOTableFile
from astropy.table import Table

from gaia_oc_amd.astrometry import angular_separation

JOB = """<?xml version="1.0"?><uws:job xmlns:uws="http://www.ivoa.net/xml/UWS/v1.0"
 xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1"><uws:jobId>{id}</uws:jobId><uws:phase>COMPLETED</uws:phase>
 <uws:executionDuration>60</uws:executionDuration><uws:destruction>2026-12-31T00:00:00Z</uws:destruction>
 <uws:parameters/><uws:results><uws:result id="result" xlink:href="{url}/async/{id}/results/result"/></uws:results>
 </uws:job>"""


def _numbers(text):
    return [float(part) for part in text.split()]


def _contains(point, circle):
    (ra, dec), (ra_centre, dec_centre, radius) = _numbers(point), _numbers(circle)
    return int(angular_separation(np.array([ra]), np.array([dec]), ra_centre, dec_centre)[0] <= radius)


class TapStub:
    """The tables of a service by their ADQL names, and the queries that it was sent."""

    def __init__(self, **tables):
        self.tables, self.queries, self.url, self.body, self.limit = tables, [], "", None, None

    def run(self, query):
        """Rows of a query; every quoted name must be one of the service's."""
        known = {name for table in self.tables.values() for name in table} | set(self.tables)
        unknown = set(re.findall(r'"([^"]+)"', query)) - known
        assert not unknown, f"no column {unknown}"  # SQLite would take them for strings
        with closing(sqlite3.connect(":memory:")) as database:
            database.create_function("POINT", 3, lambda frame, ra, dec: f"{ra!r} {dec!r}")
            database.create_function("CIRCLE", 4, lambda frame, *circle: " ".join(map(repr, circle)))
            database.create_function("CONTAINS", 2, _contains)
            for name, table in self.tables.items():
                schema, _, plain = name.rpartition(".")
                if schema and schema not in [row[1] for row in database.execute("PRAGMA database_list")]:
                    database.execute(f"ATTACH ':memory:' AS {schema}")
                place = f'{schema}."{plain}"' if schema else f'"{plain}"'
                names = ", ".join(f'"{column}"' for column in table)
                database.execute(f"CREATE TABLE {place} ({names})")
                rows = table.astype(object).where(table.notna(), None).to_numpy().tolist()
                database.executemany(f"INSERT INTO {place} VALUES ({', '.join('?' * table.shape[1])})", rows)
            return pd.read_sql(query, database)

    def answer(self, query):
        """Document of a result, the stars in no order."""
        if self.body is not None:
            return self.body
        rows = self.run(query).sample(frac=1, random_state=1)
        cut = self.limit is not None and len(rows) > self.limit
        votable = VOTableFile.from_table(Table.from_pandas(rows.head(self.limit) if cut else rows))
        votable.resources[0].type = "results"
        votable.resources[0].infos.append(Info(name="QUERY_STATUS", value="OVERFLOW" if cut else "OK"))
        content = io.BytesIO()
        votable.to_xml(content)
        return content.getvalue()


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def reply(self, body=b"", status=200, **headers):
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        stub = self.server.stub
        content = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        form = {name.upper(): value for name, value in urllib.parse.parse_qsl(content)}
        if self.path == "/tap/sync":
            return self.reply(stub.answer(form["QUERY"]), Content_Type="application/x-votable+xml")
        if self.path == "/tap/async":
            stub.queries.append(form["QUERY"])
            return self.reply(status=303, Location=f"{stub.url}/async/{len(stub.queries)}")
        return self.reply(status=303, Location=f"{stub.url}/async/{self.path.split('/')[3]}")

    def do_DELETE(self):
        self.reply(status=303, Location=f"{self.server.stub.url}/async")

    def do_GET(self):
        stub, parts = self.server.stub, self.path.split("/")
        if len(parts) < 4 or not parts[3].isdigit():
            return self.reply(status=404)
        if parts[-1] == "result":
            body = stub.answer(stub.queries[int(parts[3]) - 1])
            return self.reply(body, Content_Type="application/x-votable+xml")
        return self.reply(JOB.format(id=parts[3], url=stub.url).encode(), Content_Type="text/xml")


def serve(stub):
    """Start a stub; end it with `shutdown` and `server_close`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads, server.stub = True, stub
    stub.url = f"http://127.0.0.1:{server.server_port}/tap"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server
