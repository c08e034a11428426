"""Cone searches at a real TAP server, GAVO DaCHS on PostgreSQL, plainly and through the fault proxy.

`make tap-server` starts it, as root; without it these tests are skipped.
"""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import requests
from tap_server import faults, gaia_front
from tap_server.fault_table import PATIENCE, REGION, server_url
from tap_server.table_description import synthetic_sources

from gaia_oc_amd.archive.results import query_archive
from gaia_oc_amd.cone import cut_to_region
from gaia_oc_amd.exceptions import ArchiveUnavailableError
from gaia_oc_amd.query import cone_query

pytest.importorskip("cryptography", reason="the front needs a certificate")
BY_NAME = {kind.name: kind for kind in faults.KINDS}


@pytest.fixture(scope="module")
def url():
    """URL of the server. Where TAP_SERVER names it, as in continuous integration, it must answer."""
    found = server_url()
    if found is None:
        pytest.skip("no TAP server is running: `make tap-server` starts one, as root")
    try:
        requests.get(f"{found}/availability", timeout=10).raise_for_status()
    except requests.RequestException:
        if "TAP_SERVER" in os.environ:
            raise
        pytest.skip(f"the TAP server of tests/support/tap_server/running.json does not answer at {found}")
    return found


@pytest.fixture(scope="module")
def servers(url):
    with faults.bench(url, REGION, PATIENCE) as bench:
        yield bench


def search(servers, name, stage, times=1):
    """Outcome of a search with a fault, anew if the server, short of processor time, gave up its own job."""
    outcome = faults.run(servers, BY_NAME.get(name), stage, times)
    if "Job hung" in outcome.message:
        outcome = faults.run(servers, BY_NAME.get(name), stage, times)
    return outcome


def test_a_cone_is_what_the_table_has_there(url):
    sources = synthetic_sources()
    expected = cut_to_region(sources, REGION).sort_values("source_id")
    found = query_archive(cone_query(REGION), url=url, patience=PATIENCE).sort_values("source_id")
    assert found["source_id"].tolist() == expected["source_id"].tolist()
    for name in ("ra", "phot_g_mean_mag", "pseudocolour", "phot_bp_n_obs"):
        np.testing.assert_array_equal(found[name].to_numpy(sources[name].dtype), expected[name].to_numpy())


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT source_id FROM gaiadr3.no_such_table", "no_such_table"),
        ("SELECT no_such_column FROM gaiadr3.gaia_source", "no_such_column"),
        ("SELECT source_id FROM", "([Ss]yntax|[Pp]ars|[Ee]xpect)"),
    ],
)
def test_bad_queries_are_reported_in_the_services_own_words(url, query, message):
    with pytest.raises(ArchiveUnavailableError, match=f"gave no result .*{message}") as caught:
        query_archive(query, url=url, patience=PATIENCE)
    assert "\n" not in str(caught.value)
    assert "trying again will not help" in str(caught.value)


KILLED = """
import sys
from pathlib import Path
from gaia_oc_amd.archive.results import query_archive
query_archive(Path(sys.argv[1]).read_text(), url=sys.argv[2], job_file=Path(sys.argv[3]))
"""


def test_a_killed_process_leaves_a_job_that_the_next_goes_on_with(url, tmp_path, caplog):
    caplog.set_level("INFO", logger="gaia_oc_amd")
    job_file = tmp_path / "job.json"
    (tmp_path / "query").write_text(str(cone_query(REGION)))
    command = [sys.executable, "-c", KILLED, str(tmp_path / "query"), url, str(job_file)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2]) as process:
        while not job_file.exists() and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert job_file.exists()
    job = re.search(r'"url": "(.*)"', job_file.read_text())[1]
    found = query_archive(cone_query(REGION), url=url, job_file=job_file, patience=PATIENCE)
    assert len(found) == len(cut_to_region(synthetic_sources(), REGION))
    assert "going on with the job" in caplog.text
    assert not job_file.exists()
    assert requests.get(job, timeout=10).status_code == 404  # deleted


def test_the_gaia_archives_login_paths_and_formats(servers):
    front = servers.front.front
    before = set(front.ever)  # a search whose logout was lost has left its session
    outcome = search(servers, None, "")
    assert outcome.whole, outcome.message
    assert not outcome.wrong
    assert front.ever > before
    assert not front.sessions - before  # logged out
    assert list(dict.fromkeys(outcome.stages)) == list(faults.ALL)


def test_a_wrong_password_stops_at_once(servers, monkeypatch):
    monkeypatch.setattr(gaia_front, "PASSWORD", "another-word")
    outcome = search(servers, "login refused", "login")
    assert "refused the login of alice" in outcome.message
    assert outcome.stages == ["login"]
    assert not outcome.wrong


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("closed without an answer", "submit"),
        ("connection refused", "start"),
        ("502", "phase"),
        ("body cut at 99 %", "result"),
        ("body cut between chunks", "result"),
        ("corrupted gzip", "result"),
        ("session expired", "phase"),
        ("result over the row limit", "result"),
        ("result cut without a word", "result"),
        ("rows missing", "result"),
    ],
)
def test_faults_that_pass_cost_time_only(servers, name, stage):
    outcome = search(servers, name, stage)
    assert outcome.whole, outcome.message
    assert not outcome.wrong


@pytest.mark.parametrize(
    ("name", "stage", "message"),
    [
        ("503", "result", "fetching the result: it answered 503 Service Unavailable; tried 2 times"),
        ("slow trickle", "result", "fetching the result: the answer trickles"),
        ("job stuck in PENDING", "phase", "it was PENDING"),
        ("column missing", "result", "wrong result twice .without the column.s. pmra_error"),
    ],
)
def test_faults_that_stay_are_one_line_and_no_file(servers, monkeypatch, name, stage, message):
    monkeypatch.setattr(servers, "patience", replace(PATIENCE, tries=2, job=2 if "PENDING" in name else 60))
    outcome = search(servers, name, stage, float("inf"))
    assert re.search(message, outcome.message), outcome.message
    assert not outcome.wrong
