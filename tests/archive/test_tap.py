"""Queries over real HTTP against a stub that answers as a TAP service does (UWS jobs, VOTable results).

Faults of the connection are in test_tap_faults.py, and a real TAP server is in test_tap_server.py; nothing here
has met the live Gaia archive.
"""

import json
import logging
import re
import stat
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tap_server import stub_service
from tap_server.faults import FAST

from gaia_oc_amd.archive.results import Part, Select, query_archive
from gaia_oc_amd.archive.tap import query_digest, remember_job
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.columns import ARCHIVE_COLUMNS
from gaia_oc_amd.cone import ConeRegion, cone_region
from gaia_oc_amd.exceptions import ArchiveUnavailableError, ClusterError
from gaia_oc_amd.options import ConeOptions
from gaia_oc_amd.query import cone_query, load_cone

REGION = cone_region(
    Cluster("x", 10.5, -20.25, -3.0, 2.0, 1.0, 0.1, 0.3, 0.05, 8.5, 0, 1000.0), ConeOptions()
)


@pytest.fixture
def service(toy, monkeypatch):
    monkeypatch.setattr("gaia_oc_amd.archive.results.Patience", lambda: FAST)
    absent = dict.fromkeys(set(ARCHIVE_COLUMNS) - set(toy.sources), 1.0)
    stub = stub_service.Stub(toy.sources.assign(**absent))
    server = stub_service.serve(stub)
    yield stub
    server.shutdown()
    server.server_close()


def test_query_states_the_region_in_plain_numbers():
    query = str(cone_query(REGION))
    assert "CIRCLE('ICRS', 10.5, -20.25, " in query
    assert "ABS(parallax - (1.0)) <= 0.5" in query
    assert "phot_bp_n_obs > 0" in query
    assert "<>" not in query
    assert not re.search(r"TOP|nan|inf", query)


def test_result_arrives_whole_with_exact_identifiers(service, toy):
    result = query_archive(cone_query(REGION), url=service.url)
    assert result["source_id"].tolist() == toy.sources["source_id"].tolist()
    assert result["pmra"].tolist() == toy.sources["pmra"].tolist()
    assert "SELECT source_id" in service.queries[0]
    assert service.deleted == ["1"]
    assert not service.jobs


def test_kept_cone_equals_the_answer_it_was_made_from(service, toy, tmp_path):
    """Single precision comes with its decimal digits, rows come in the order of their identifiers."""
    service.table = service.table.astype({"parallax_error": np.float32, "phot_g_mean_mag": np.float32})
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


def test_job_that_never_ends_is_given_up(service):
    service.last_phase = "EXECUTING"
    with pytest.raises(
        ArchiveUnavailableError, match=r"had not ended after .* it was EXECUTING.*try again later"
    ):
        query_archive("SELECT", url=service.url, patience=replace(FAST, job=0.2))
    assert service.deleted == ["1"]


def test_everything_ends_when_time_is_up(service):
    service.last_phase = "EXECUTING"
    with pytest.raises(ArchiveUnavailableError, match="had not ended"):
        query_archive("SELECT", url=service.url, patience=replace(FAST, total=0.3))


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"last_phase": "ERROR"}, "column ra is ambiguous.*trying again will not help"),
        ({"last_phase": "ABORTED"}, "ended as ABORTED"),
        ({"body": b"<html>gateway</html>"}, "not a whole job or VOTable; tried 3 times"),
        ({"body": b""}, "not a whole job or VOTable"),
        ({"status": "ERROR"}, "reports an error: table does not exist"),
    ],
)
def test_failures_of_the_service_are_one_line(service, state, message):
    vars(service).update(state)
    with pytest.raises(ArchiveUnavailableError, match=f"gave no result .*{message}") as caught:
        query_archive("SELECT source_id FROM t", url=service.url)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert not service.jobs


def test_failures_that_the_service_calls_transient_are_submitted_anew(service, caplog):
    service.last_phase, service.error_kind = "ERROR", "transient"
    with pytest.raises(ArchiveUnavailableError, match="submitted 2 times"):
        query_archive("SELECT source_id FROM t", url=service.url)
    assert service.deleted == ["1", "2"]


def test_nobody_listens():
    with pytest.raises(ArchiveUnavailableError, match=r"127.0.0.1.* gave no result .*refused.*--cone_source"):
        query_archive("SELECT", url="http://127.0.0.1:9/tap", patience=FAST)


# Results above a row limit


@pytest.mark.parametrize("says_overflow", [True, False])
@pytest.mark.parametrize("counts", [True, False])
def test_cut_results_are_joined_from_parts(service, caplog, says_overflow, counts):
    """The limit is 200 of 460 rows; without flag and count nobody can know."""
    service.limit, service.says_overflow, service.counts = 200, says_overflow, counts
    caplog.set_level(logging.INFO)
    result = query_archive(cone_query(REGION), url=service.url)
    if not says_overflow and not counts:
        assert len(result) == 200
        return
    assert result["source_id"].sort_values().tolist() == sorted(service.table["source_id"])
    parts = len(service.queries)
    assert 4 <= parts <= 12
    assert "parts, being above its limit of 200 rows" in caplog.text
    assert not service.jobs


class CountsAtFirst:
    """A service that counts some times and is too busy for it then."""

    def __init__(self, times):
        self.left = times

    def __bool__(self):
        self.left -= 1
        return self.left >= 0


@pytest.mark.parametrize("times", [1, 2, 3, 4, 5])
def test_rows_are_never_lost_when_a_service_stops_counting(service, times):
    """It cuts without a word, and its counts are all that could tell: the first one holds for the whole."""
    service.limit, service.says_overflow, service.counts = 200, False, CountsAtFirst(times)
    result = query_archive(cone_query(REGION), url=service.url)
    assert result["source_id"].sort_values().tolist() == sorted(service.table["source_id"])


def test_parts_that_lose_rows_are_refused(service, monkeypatch):
    """The total was counted once, the parts are not."""
    service.limit, service.says_overflow, service.counts = 200, False, CountsAtFirst(1)
    table, answer = service.table, service.answer

    def without_the_last(query, maxrec):
        is_part = re.search(r"source_id (>=|<) \d", query)
        service.table = table[table["source_id"] < table["source_id"].max()] if is_part else table
        return answer(query, maxrec)

    monkeypatch.setattr(service, "answer", without_the_last)
    with pytest.raises(ArchiveUnavailableError, match="counted 460 rows but gave 459"):
        query_archive(cone_query(REGION), url=service.url)


@pytest.mark.parametrize(
    "ids", [[5, 6, 7, 2**62, 2**62 + 1], [0, 1, 2, 3, 4], [2**63 - 5, 2**63 - 3, 2**63 - 1]]
)
def test_parts_end_at_single_stars(service, ids):
    """Neighbouring identifiers and the ends of the range are neither lost nor doubled."""
    service.table = service.table.head(len(ids)).assign(source_id=ids)
    service.limit = 1
    result = query_archive(cone_query(REGION), url=service.url)
    assert result["source_id"].tolist() == ids


def test_a_limit_that_no_splitting_meets_is_refused(service):
    service.limit = 0
    with pytest.raises(ClusterError, match=r"cuts results at 0 rows.*smaller --cone_radius"):
        query_archive(cone_query(REGION), url=service.url)
    assert not service.jobs


def test_queries_that_cannot_be_split_are_refused_when_cut(service):
    service.limit = 100
    with pytest.raises(ClusterError, match="cut the result at its row limit, 100 rows: ask for source_id"):
        query_archive("SELECT ra FROM t", url=service.url)


def test_columns_keep_both_names():
    columns = {"source_id": '"Source"', "ra": "ra", "excess": '"E(BP/RP)"'}
    select = Select(columns, '"I/355/gaiadr3"', ('"Plx" > 1', "ra > 5"))
    assert str(Part(select, None, 9).query()) == (
        'SELECT "Source" AS source_id, ra, "E(BP/RP)" AS excess\nFROM "I/355/gaiadr3"\n'
        'WHERE "Plx" > 1\n  AND ra > 5\n  AND "Source" < 9'
    )


@pytest.mark.parametrize("code", ["utf-8", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("before", ["", f"<!-- {'x' * 2_000_000} -->"], ids=["first", "late"])
def test_an_answer_with_entities_is_refused(service, code, before):
    text = f'{before}<!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;">]><VOTABLE>&b;</VOTABLE>'
    service.body = f'<?xml version="1.0" encoding="{code[:6]}"?>{text}'.encode(code)
    with pytest.raises(ArchiveUnavailableError, match="XML entities.*will not help"):
        query_archive("SELECT ra FROM t", url=service.url)


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"<html/>",
            b"<VOTABLE>",
            b"<a:VOTABLE xmlns:a='x'>",
            b"\xff\xfe<VOTABLE/>",
            b"<jobs/>",
            b"{}",
            b"",
        ),
        *(f"<?xml version='1.0' encoding='{name}'?><VOTABLE/>".encode() for name in ("gbk", "none", "utf-7")),
    ],
)
def test_what_is_no_whole_votable_is_asked_for_again(service, body, caplog):
    caplog.set_level(logging.INFO)
    service.body = body
    with pytest.raises(ArchiveUnavailableError, match="not a whole job or VOTable; tried 3 times"):
        query_archive("SELECT ra FROM t", url=service.url)
    assert caplog.text.count("trying again") == 2
    assert len(service.queries) == 1


# Jobs that outlive this process


def test_an_interrupted_query_goes_on_with_its_job(service, tmp_path, monkeypatch, caplog):
    path, query = tmp_path / "job.json", cone_query(REGION)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("gaia_oc_amd.archive.tap._result", interrupt)
    with pytest.raises(KeyboardInterrupt):
        query_archive(query, url=service.url, job_file=path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["url"] == f"{service.url}/async/1"
    assert list(service.jobs) == ["1"]
    monkeypatch.undo()
    caplog.set_level(logging.INFO)
    assert len(query_archive(query, url=service.url, job_file=path, patience=FAST)) == 460
    assert len(service.queries) == 1
    assert "going on with the job" in caplog.text
    assert not path.exists()
    assert not service.jobs


def test_without_a_file_an_interrupted_job_is_deleted(service, monkeypatch):
    monkeypatch.setattr(
        "gaia_oc_amd.archive.tap._result", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        query_archive(cone_query(REGION), url=service.url)
    assert service.deleted == ["1"]


def test_a_job_that_takes_too_long_is_picked_up_later(service, tmp_path):
    path, query = tmp_path / "job.json", cone_query(REGION)
    service.last_phase = "EXECUTING"
    with pytest.raises(ArchiveUnavailableError, match="had not ended"):
        query_archive(query, url=service.url, job_file=path, patience=replace(FAST, job=0.2))
    service.last_phase = "COMPLETED"
    assert len(query_archive(query, url=service.url, job_file=path)) == 460
    assert len(service.queries) == 1
    assert not path.exists()


@pytest.mark.parametrize(
    ("state", "message"), [({"last_phase": "ERROR"}, "ambiguous"), ({"body": b"?"}, "VOTable")]
)
def test_a_job_that_failed_or_has_a_damaged_result_is_not_kept(service, tmp_path, state, message):
    vars(service).update(state)
    with pytest.raises(ArchiveUnavailableError, match=message):
        query_archive(cone_query(REGION), url=service.url, job_file=tmp_path / "job.json")
    assert not list(tmp_path.iterdir())
    assert not service.jobs


def test_other_jobs_are_not_picked_up(service, tmp_path):
    """Of another query: deleted. Gone, of another service or damaged: forgotten."""
    path, query = tmp_path / "job.json", cone_query(REGION)
    name = service.create({"QUERY": "other"})
    remember_job(path, query_digest(service.url, "other"), f"{service.url}/async/{name}")
    assert len(query_archive(query, url=service.url, job_file=path)) == 460
    assert service.deleted == [name, "2"]
    for url in (f"{service.url}/async/99", "http://127.0.0.1:9/tap/async/1", f"{service.url}/async"):
        remember_job(path, query_digest(service.url, str(query)), url)
        assert len(query_archive(query, url=service.url, job_file=path)) == 460
    for damaged in ('{"url": 1', "[]", '"url"', "{}", '{"digest": [], "url": null}'):
        path.write_text(damaged)
        assert len(query_archive(query, url=service.url, job_file=path)) == 460
        assert not path.exists()


def test_a_job_stays_remembered_while_the_service_cannot_be_reached(tmp_path):
    path, url = tmp_path / "job.json", "http://127.0.0.1:9/tap"
    remember_job(path, query_digest(url, "SELECT ra FROM t"), f"{url}/async/1")
    with pytest.raises(ArchiveUnavailableError, match="asking for the job: the connection was refused"):
        query_archive("SELECT ra FROM t", url=url, job_file=path, patience=FAST)
    assert json.loads(path.read_text())["url"] == f"{url}/async/1"


# Secrets


def test_password_is_never_sent_unencrypted(service, tmp_path):
    credentials = tmp_path / "credentials"
    credentials.write_text("user\nsecret-password\n")
    credentials.chmod(0o600)
    with pytest.raises(ClusterError, match="only sent to https") as caught:
        query_archive("SELECT", url=service.url, credentials_path=credentials)
    assert "secret" not in str(caught.value)
    assert not service.queries


@pytest.mark.parametrize(
    "url",
    ["https://me:hidden@example.org/tap", "https://hidden@example.org/tap", "https://e.org/tap?k=hidden"],
)
def test_urls_with_secrets_are_refused_unshown(url):
    with pytest.raises(ClusterError, match="give the bare address") as caught:
        query_archive("SELECT", url=url)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("url", ["ftp://example.org/tap", "example.org/tap", "http:///tap"])
def test_other_urls_are_refused(url):
    with pytest.raises(ClusterError, match="is no TAP URL"):
        query_archive("SELECT", url=url)
