"""What is tried again, how often, and after which pauses."""

import socket
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests

from gaia_oc_amd.archive.session import (
    ArchiveSession,
    GaveUpError,
    LastingError,
    PassingError,
    Patience,
    failure_of,
)


def http_error(code, **headers):
    response = requests.Response()
    response.status_code, response.reason = code, "Reason"
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return requests.HTTPError("at https://host/tap/async/private-job", response=response)


def failing(*errors):
    """An action that fails in turn with each error, then succeeds."""
    waiting = list(errors)

    def action():
        if waiting:
            raise waiting.pop(0)
        return "done"

    return action


def effort(**bounds):
    pauses = []
    return ArchiveSession("https://archive.org/tap", Patience(**bounds), sleep=pauses.append), pauses


def test_pauses_double_with_jitter_up_to_a_bound():
    tried, pauses = effort(tries=8, first_pause=1.0, longest_pause=10.0)
    assert tried.attempt("testing", failing(*[PassingError("no")] * 7)) == "done"
    for pause, bound in zip(pauses, [1, 2, 4, 8, 10, 10, 10], strict=True):
        assert bound / 2 <= pause <= bound
    assert (
        len({round(pause / bound, 6) for pause, bound in zip(pauses, [1, 2, 4, 8, 10, 10, 10], strict=True)})
        > 1
    )


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        *((http_error(code), True) for code in (408, 429, 500, 502, 503, 504)),
        *((http_error(code), False) for code in (400, 401, 403, 404, 405, 501)),
        (requests.ConnectTimeout("x"), True),
        (requests.ReadTimeout("x"), True),
        (requests.ConnectionError(ConnectionResetError(104, "reset")), True),
        (requests.ConnectionError(socket.gaierror(socket.EAI_NONAME, "unknown")), False),
        (requests.ConnectionError(socket.gaierror(socket.EAI_AGAIN, "later")), True),
        (requests.exceptions.SSLError(ssl.SSLCertVerificationError(1, "no")), False),
        (requests.exceptions.SSLError("EOF occurred"), True),
        (requests.exceptions.InvalidURL("x"), False),
        (requests.TooManyRedirects("x"), False),
        (ConnectionResetError("x"), True),
        (LastingError("x"), False),
    ],
    ids=repr,
)
def test_only_what_may_pass_is_tried_again(error, passing):
    tried, pauses = effort(tries=4)
    with pytest.raises(GaveUpError) as caught:
        tried.attempt("testing", failing(*[error] * 9))
    assert len(pauses) == (3 if passing else 0)
    assert ("tried 4 times" if passing else "tried once") in str(caught.value)
    assert caught.value.passing == passing
    assert "private-job" not in str(caught.value)


def test_errors_of_the_program_are_not_tried_again():
    tried, pauses = effort()
    with pytest.raises(ZeroDivisionError):
        tried.attempt("testing", lambda: 1 / 0)
    assert not pauses


@pytest.mark.parametrize(("asked", "granted"), [("7", 7), ("900", 30), ("0", 0), ("nonsense", 0)])
def test_retry_after_is_granted_within_a_bound(asked, granted):
    tried, pauses = effort(first_pause=0.001, longest_retry_after=30.0)
    tried.attempt("testing", failing(http_error(429, Retry_After=asked)))
    assert granted <= pauses[0] <= granted * 1.1 + 0.001


def test_retry_after_may_be_a_date():
    later = datetime.now(UTC) + timedelta(seconds=40)
    tried, pauses = effort(first_pause=0.001)
    dates = format_datetime(later, usegmt=True), "Wed, 21 Oct 2015 07:28:00 GMT"
    tried.attempt("testing", failing(*(http_error(503, Retry_After=date) for date in dates)))
    assert 37 <= pauses[0] <= 45
    assert pauses[1] <= 0.002


def test_no_try_begins_after_the_time_is_up():
    tried, pauses = effort(total=5.0, longest_retry_after=100.0)
    with pytest.raises(GaveUpError, match="testing: it answered 503 Reason; tried once") as caught:
        tried.attempt("testing", failing(http_error(503, Retry_After="60")))
    assert not pauses
    assert caught.value.passing


def test_reasons_name_the_cause_behind_the_wrapping():
    wrapped = requests.ConnectionError("Max retries exceeded with url: /tap/async/private-job")
    wrapped.__cause__ = ConnectionRefusedError(111, "refused")
    assert failure_of(wrapped).reason == "the connection was refused"


def test_an_expired_login_is_renewed_once_for_each_step():
    tried, pauses = effort(tries=2)
    logins = []
    tried.log_in = lambda: logins.append(1)
    assert tried.attempt("testing", failing(http_error(403))) == "done"
    with pytest.raises(GaveUpError, match="it answered 403 Reason; tried once, after a new login"):
        tried.attempt("testing", failing(*[http_error(403)] * 3))
    assert logins == [1, 1]
    assert not pauses


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("https://archive.org/tap/async/1", True),
        ("http://archive.org/tap/async/1", True),  # moved to https
        ("https://ARCHIVE.org:443/x", True),
        ("http://archive.org:8080/x", True),
        ("https://archive.org:8443/x", False),
        ("https://archive.org.evil.net/x", False),
        ("https://archive.org@evil.net/x", False),
        ("https://evil.net/archive.org", False),
    ],
)
def test_a_logged_in_session_stays_at_its_own_address(url, own, monkeypatch):
    with ArchiveSession("https://archive.org/tap", Patience(tries=1)) as session:
        session.private = True
        sent = []
        monkeypatch.setattr(requests.Session, "send", lambda self, request, **_: sent.append(request.url))
        if own:
            session.request("DELETE", url, check=lambda _: None)
            assert sent[0].lower().startswith("https://archive.org")
        else:
            with pytest.raises(GaveUpError, match="not followed; tried once"):
                session.request("DELETE", url, check=lambda _: None)
            assert not sent
