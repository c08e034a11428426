"""Queries over real HTTP against a stub that answers as a TAP service does (UWS jobs, VOTable results).

The stub follows the TAP 1.1 and UWS 1.1 standards; nothing here has met the live Gaia archive.
"""

import io
import re
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pytest
from astropy.io.votable.tree import Info, VOTableFile
from astropy.table import Table

from gaia_oc_amd.archive import cone_query, query_archive
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.cone import ConeRegion, cone_region
from gaia_oc_amd.cone_sources import load_cone
from gaia_oc_amd.exceptions import ArchiveUnavailableError, ClusterError
from gaia_oc_amd.options import ConeOptions

REGION = cone_region(
    Cluster("x", 10.5, -20.25, -3.0, 2.0, 1.0, 0.1, 0.3, 0.05, 8.5, 0, 1000.0), ConeOptions()
)


class Service:
    """State of the stub: its table, how it misbehaves, and what it was asked."""

    def __init__(self, table):
        self.table, self.phase, self.status, self.body = table, "COMPLETED", "OK", None
        self.http_status, self.queries, self.deleted = 200, [], 0

    def votable(self):
        votable = VOTableFile.from_table(Table.from_pandas(self.table))
        votable.resources[0].type = "results"
        votable.resources[0].infos.append(Info(name="QUERY_STATUS", value=self.status))
        if self.status == "ERROR":
            votable.resources[0].infos[0].content = "table does not exist"
        content = io.BytesIO()
        votable.to_xml(content)
        return content.getvalue()


JOB = """<?xml version="1.0"?><uws:job xmlns:uws="http://www.ivoa.net/xml/UWS/v1.0"
 xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1"><uws:jobId>1</uws:jobId><uws:phase>{phase}</uws:phase>
 <uws:executionDuration>60</uws:executionDuration><uws:destruction>2026-12-31T00:00:00Z</uws:destruction>
 <uws:parameters/><uws:results><uws:result id="result" xlink:href="{url}/tap/async/1/results/result"/></uws:results>
 {error}</uws:job>"""
ERROR = '<uws:errorSummary type="fatal"><uws:message>column ra is ambiguous</uws:message></uws:errorSummary>'


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, body=b"", status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        promised = getattr(self.server.service, "promised", 0) if status == 200 and len(body) > 5000 else 0
        self.send_header("Content-Length", str(max(promised, len(body))))
        self.close_connection = bool(promised)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        service, url = self.server.service, f"http://127.0.0.1:{self.server.server_port}"
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if service.http_status != 200:
            return self.answer(b"<html>broken</html>", service.http_status)
        if self.path == "/tap/async":
            service.queries.append(urllib.parse.unquote_plus(body))
            return self.answer(status=303, Location=f"{url}/tap/async/1")
        if "DELETE" in body:
            service.deleted += 1
        return self.answer(status=303, Location=f"{url}/tap/async/1")

    def do_DELETE(self):
        self.server.service.deleted += 1
        self.answer(status=303, Location=f"http://127.0.0.1:{self.server.server_port}/tap/async")

    def do_GET(self):
        service, url = self.server.service, f"http://127.0.0.1:{self.server.server_port}"
        if self.path.endswith("results/result"):
            body = service.votable() if service.body is None else service.body
            return self.answer(body, **{"Content-Type": "application/x-votable+xml"})
        if self.path.startswith("/tap/async/1"):
            error = ERROR if service.phase == "ERROR" else ""
            job = JOB.format(phase=service.phase, url=url, error=error)
            return self.answer(job.encode(), **{"Content-Type": "text/xml"})
        return self.answer(status=404)


@pytest.fixture
def service(toy):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # clients that hang up are part of the tests
    server.service = Service(toy.sources)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    server.service.url = f"http://127.0.0.1:{server.server_port}/tap"
    yield server.service
    server.shutdown()
    server.server_close()


def test_query_states_the_region_in_plain_numbers():
    query = cone_query(REGION)
    assert "CIRCLE('ICRS', 10.5, -20.25, " in query
    assert "ABS(parallax - (1.0)) <= 0.5" in query
    assert "phot_bp_n_obs > 0" in query
    assert "<>" not in query
    assert not re.search(r"TOP|nan|inf", query)


def test_result_arrives_whole_with_exact_identifiers(service, toy):
    result = query_archive(cone_query(REGION), url=service.url)
    assert result["source_id"].tolist() == toy.sources["source_id"].tolist()
    assert result["pmra"].tolist() == toy.sources["pmra"].tolist()
    assert "QUERY=SELECT source_id" in service.queries[0]
    assert service.deleted == 1


def test_kept_cone_equals_the_answer_it_was_made_from(service, toy, tmp_path):
    """Single precision comes with its decimal digits, rows come in the order of their identifiers."""
    service.table = toy.sources.astype({"parallax_error": np.float32, "phot_g_mean_mag": np.float32})
    options = ConeOptions(cone_source=service.url + "/")
    whole_sky = {"ra": 120.0, "dec": -20.0, "radius": 60.0, "pm_radius": 1e3, "parallax_width": 1e3}
    region = ConeRegion(**REGION.as_dict() | whole_sky)
    load_cone("Toy_1", ConeRegion(**region.as_dict() | {"radius": 30.0}), tmp_path, options)
    cones = [load_cone("Toy_1", region, tmp_path, options) for _ in range(2)]
    assert len(service.queries) == 2  # one for each region, none for the kept cone
    pd.testing.assert_frame_equal(*cones)
    assert cones[0]["source_id"].is_monotonic_increasing
    first = toy.sources.sort_values("source_id").iloc[0]
    assert cones[0]["phot_g_mean_mag"].iloc[0] == float(str(np.float32(first["phot_g_mean_mag"])))


def test_job_that_never_ends_is_given_up(service, monkeypatch):
    monkeypatch.setattr("gaia_oc_amd.archive.JOB_TIMEOUT", 1.0)
    service.phase = "EXECUTING"
    with pytest.raises(ArchiveUnavailableError, match="had not ended after 1 s"):
        query_archive("SELECT", url=service.url)
    assert service.deleted == 1


def test_connection_that_breaks_off_is_one_line(service):
    service.promised = 100_000_000
    with pytest.raises(ArchiveUnavailableError, match="gave no result"):
        query_archive("SELECT", url=service.url)


def test_overflow_is_refused(service):
    service.status = "OVERFLOW"
    with pytest.raises(ClusterError, match="cut the result at its row limit"):
        query_archive("SELECT", url=service.url)
    assert service.deleted == 1


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"phase": "ERROR"}, "column ra is ambiguous"),
        ({"phase": "ABORTED"}, "gave no result"),
        ({"http_status": 500}, "500"),
        ({"http_status": 503}, "503"),
        ({"body": b"<html>gateway</html>"}, "gave no result"),
        ({"body": b""}, "gave no result"),
        ({"status": "ERROR"}, "gave no result"),
    ],
)
def test_failures_of_the_service_are_one_line(service, state, message):
    vars(service).update(state)
    with pytest.raises(ArchiveUnavailableError, match=message) as caught:
        query_archive("SELECT", url=service.url)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_truncated_result_is_refused(service):
    service.body = service.votable()[:20_000]
    with pytest.raises(ArchiveUnavailableError, match="gave no result"):
        query_archive("SELECT", url=service.url)


def test_nobody_listens():
    with pytest.raises(ArchiveUnavailableError, match=r"127.0.0.1.* gave no result .*--cone_source"):
        query_archive("SELECT", url="http://127.0.0.1:9/tap")


def test_password_is_never_sent_unencrypted(service, tmp_path):
    credentials = tmp_path / "credentials"
    credentials.write_text("user\nsecret-password\n")
    credentials.chmod(0o600)
    with pytest.raises(ClusterError, match="only sent to https") as caught:
        query_archive("SELECT", url=service.url, credentials_path=credentials)
    assert "secret" not in str(caught.value)
    assert not service.queries
