"""Cone searches, as a user runs them, through a proxy that spoils answers.

What lies behind is the stub here; test_tap_server.py puts a real TAP server behind. Every fault is met at one stage;
all stages are gone through by `python -m tap_server.fault_table`, see docs/archive.md.
"""

import re
from dataclasses import replace

import pytest
from tap_server import faults, stub_service

from gaia_oc_amd.columns import ARCHIVE_COLUMNS
from gaia_oc_amd.cone import ConeRegion

pytest.importorskip("cryptography", reason="the front needs a certificate")
REGION = ConeRegion(120.0, -20.0, 10.0, -3.0, 2.0, 20.0, 1.0, 5.0)
BY_NAME = {kind.name: kind for kind in faults.KINDS}
HARMLESS = {"delete", "count", "logout"}


@pytest.fixture(scope="module")
def servers():
    from toy_field import toy_field

    sources = toy_field().sources
    stub = stub_service.Stub(sources.assign(**dict.fromkeys(set(ARCHIVE_COLUMNS) - set(sources), 1.0)))
    server = stub_service.serve(stub)
    with faults.bench(stub.url, REGION, faults.FAST) as bench:
        bench.proxy.closed_for = 0.03
        yield bench
    server.shutdown()
    server.server_close()


def test_a_search_without_faults(servers):
    outcome = faults.run(servers, None)
    assert outcome.whole, outcome.message
    assert not outcome.wrong
    order = list(dict.fromkeys(outcome.stages))
    assert order == list(faults.ALL)


@pytest.mark.parametrize("position", range(len(faults.KINDS)), ids=[kind.name for kind in faults.KINDS])
def test_a_fault_that_passes_costs_time_only(servers, position):
    kind = faults.KINDS[position]
    stage = kind.stages[position % len(kind.stages)]  # another stage for each
    outcome = faults.run(servers, kind, stage)
    assert not outcome.wrong
    if kind.expects == "passes":
        assert outcome.whole, outcome.message


@pytest.mark.parametrize(
    ("name", "stage", "message"),
    [
        ("connection refused", "login", "logging in: the connection was refused; tried 2 times in"),
        ("no answer", "submit", "submitting the query: no answer in time; tried 2 times"),
        ("slow trickle", "result", "fetching the result: the answer trickles, .*tried 2 times"),
        ("body cut at 99 %", "result", "fetching the result: the answer broke off; tried 2 times"),
        ("corrupted gzip", "result", "the answer is damaged, it cannot be unpacked; tried 2 times"),
        ("HTML page with status 200", "submit", "answered 200 with a page instead of a job"),
        ("503", "phase", "asking for the job: it answered 503 Service Unavailable; tried 2"),
        ("job stuck in PENDING", "phase", "had not ended after .* s, it was PENDING"),
        ("job in ERROR, fatal", "phase", "ended as ERROR: out of memory.*trying again will not help"),
        ("session expired", "result", "it answered 403 Forbidden; tried once, after a new login"),
        ("login refused", "login", "archive refused the login of alice: run `python create_gaia"),
        ("redirect to another host", "result", "another address, at 127.0.0.1; not followed; tried once"),
        ("redirect to a file", "result", "redirects to an address that is not of the web; not followed"),
        ("redirect without end", "result", "it redirects without end; tried once"),
        ("body without end", "result", "its answer has more than 8388608 bytes; tried once"),
        ("length too small", "result", "the answer is damaged, it cannot be unpacked; tried 2 times"),
        ("length too large", "result", "the answer broke off; tried 2 times"),
        ("gzip bomb", "result", "its answer unpacks to more than 8388608 bytes; tried once"),
        ("packed in packed in packed", "result", "the answer is not a whole job or VOTable; tried 2 times"),
        ("wrong charset", "result", "the answer is not a whole job or VOTable; tried 2 times"),
        ("JSON with status 200", "result", "the answer is not a whole job or VOTable; tried 2 times"),
        ("rows moved", "result", "wrong result twice .5 rows outside what was asked for"),
        (
            "an identifier that is none",
            "result",
            "wrong result twice .1 source_id that are none of Gaia's, as -5",
        ),
        ("rows repeated", "result", "wrong result twice .3 repeated source_id"),
        ("rows missing", "result", "wrong result twice .455 rows where it counts 460"),
        ("column missing", "result", "wrong result twice .without the column.s. pmra_error"),
    ],
)
def test_a_fault_that_stays_is_one_line_and_no_file(servers, monkeypatch, name, stage, message):
    monkeypatch.setattr(
        servers, "patience", replace(faults.FAST, job=0.5 if "PENDING" in name else 10, tries=2)
    )
    outcome = faults.run(servers, BY_NAME[name], stage, float("inf"))
    assert not outcome.whole
    assert not outcome.wrong
    assert re.search(message, outcome.message), outcome.message


@pytest.mark.parametrize("stage", sorted(HARMLESS))
def test_what_comes_after_the_result_cannot_spoil_it(servers, stage):
    outcome = faults.run(servers, BY_NAME["500"], stage, float("inf"))
    assert outcome.whole, outcome.message
    assert not outcome.wrong


def test_a_wrong_login_never_reaches_another_host(servers):
    outcome = faults.run(servers, BY_NAME["redirect to another host"], "login", float("inf"))
    assert not servers.thief.heard
    assert not outcome.wrong
    assert "to which a password is not sent" in outcome.message
