"""A job at a TAP service: submitted, waited for, read, taken up again after a kill."""

import contextlib
import hashlib
import json
import logging
import re
import struct
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn
from urllib.parse import urljoin, urlsplit
from xml.parsers.expat import ExpatError

import pandas as pd
import pyvo
import requests
from astropy.io.votable import parse as parse_votable
from pyvo.dal import AsyncTAPJob

from gaia_oc_amd.archive.session import (
    ArchiveSession,
    GaveUpError,
    LastingError,
    NonsenseError,
    PassingError,
)
from gaia_oc_amd.exceptions import ArchiveUnavailableError, one_line
from gaia_oc_amd.files.containers import from_astropy
from gaia_oc_amd.files.data_directory import read_json, write_text
from gaia_oc_amd.files.tables import canonical
from gaia_oc_amd.files.votable import foreign_units

logger = logging.getLogger(__name__)
_NOT_UNDERSTOOD = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    SyntaxError,  # astropy's VOTable errors
    EOFError,
    ExpatError,
    struct.error,
    pyvo.dal.DALFormatError,
)
"""The ways in which pyvo and astropy fail to parse an answer."""


class JobLostError(Exception):
    """A job cannot be finished, but the same query may succeed as another one."""


@contextmanager
def understanding(complaint: str) -> Iterator[None]:
    """Make one error of an answer that cannot be parsed, and another of one that there is no such job."""
    try:
        with warnings.catch_warnings(), foreign_units():
            warnings.simplefilter(
                "ignore"
            )  # oddities of other people's XML; overflow is read from the status
            yield
    except pyvo.dal.DALServiceError as error:
        if error.code not in (404, 410):
            raise
        raise JobLostError("the service no longer knows the job") from error
    except _NOT_UNDERSTOOD as error:
        raise NonsenseError(complaint) from error


@dataclass(frozen=True)
class SubmittedJob:
    """A job at a service.

    Parameters
    ----------
    service : str
        TAP base URL.
    digest : str
        Of the query, see `query_digest`.
    url : str
        Of the job. Who knows it may read the result, so the file is readable by its owner only.
    """

    service: str
    digest: str
    url: str


def query_digest(query: str) -> str:
    """Hexadecimal SHA-256 of an ADQL query, whatever its spacing."""
    return hashlib.sha256(" ".join(query.split()).encode()).hexdigest()


def remember_job(path: Path | None, job: SubmittedJob) -> None:
    """Write the file of a job, as a whole or not at all, readable by its owner only; without a path do nothing."""
    if path is not None:
        write_text(path, json.dumps(asdict(job), indent=2) + "\n", mode=0o600)


def remembered_job(path: Path | None) -> SubmittedJob | None:
    """Job of a file; None if there is no such file, or it is damaged: then the query is merely asked again."""
    if path is None or not path.is_file():
        return None
    try:
        content = read_json(path)
        return SubmittedJob(**{name: str(content[name]) for name in ("service", "digest", "url")})
    except (ValueError, KeyError) as error:
        logger.info("%s is damaged (%s): its job is not picked up.", path, type(error).__name__)
        return None


def _forget_job(path: Path | None) -> None:
    if path is not None:
        path.unlink(missing_ok=True)


MAXIMUM_ROWS = 3_000_000
"""Rows asked for; a service may allow fewer."""
SUBMISSIONS = 2
"""How often a query is submitted if the service loses its job."""


@dataclass(frozen=True)
class Answer:
    """Rows of a query, whether the service left some out, and how many it counts, if that is known."""

    rows: pd.DataFrame
    is_cut: bool
    n_counted: int | None = None


def run_query(session: ArchiveSession, query: str, *, job_file: Path | None = None) -> Answer:
    """Answer to a query that is run as an asynchronous job.

    Parameters
    ----------
    session : ArchiveSession
        At the service to ask.
    query : str
        ADQL.
    job_file : path, optional
        Where the job is remembered while it runs. If this process ends before the job does, the next call with
        the same query goes on with that job. Without it the job is deleted whatever happens.

    Returns
    -------
    Answer

    Raises
    ------
    GaveUpError
        If a step failed for good. The job is kept if that may pass and there is a file to remember it by.
    """
    lost = ""
    for _ in range(SUBMISSIONS):
        try:
            with _started_job(session, query, job_file) as job:
                _wait(session, job)
                return session.attempt("fetching the result", partial(_result, session, job))
        except JobLostError as error:
            lost = str(error)
            logger.info("%s: the query is submitted anew.", lost)
    raise GaveUpError(f"{lost}; submitted {SUBMISSIONS} times", passing=True)


@contextmanager
def _started_job(session: ArchiveSession, query: str, job_file: Path | None) -> Iterator[AsyncTAPJob]:
    """A job of a query, deleted and forgotten at the end unless a later call can use it."""
    known, useful = _picked_up(session, query, job_file), False
    url = known or session.attempt("submitting the query", lambda: _created(session, query))
    if known is None:
        remember_job(job_file, SubmittedJob(session.url, query_digest(query), url))
    try:
        job = session.attempt("asking for the job", lambda: _described(session, url))
        if known is None:  # one that was left behind and still waits is told again by `_wait`
            _start(session, job)
        yield job
    except (KeyboardInterrupt, GaveUpError) as error:  # another failure, or a damaged result, stays as it is
        passing = getattr(error, "passing", True) and not isinstance(error.__cause__, NonsenseError)
        useful = passing and job_file is not None
        raise
    finally:
        if useful:
            logger.info("the job stays at the service: the same command goes on with it.")
        else:
            _delete(session, url, job_file)


def _created(session: ArchiveSession, query: str) -> str:
    """URL of a new job: the redirection to it is not followed, it is the answer."""
    form = pyvo.dal.TAPQuery(session.url, query, mode="async", maxrec=MAXIMUM_ROWS)
    response = session.post(f"{session.url}/async", data=dict(form), allow_redirects=False)
    response.raise_for_status()
    if not response.is_redirect:
        raise PassingError(f"it answered {response.status_code} with a page instead of a job")
    url = session.own_address(urljoin(response.url, response.headers["Location"]))
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    if path.endswith("/async"):
        moved = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path.removesuffix('/async')}"
        raise LastingError(f"the service has moved to {moved}: use that address")
    return url


def _picked_up(session: ArchiveSession, query: str, job_file: Path | None) -> str | None:
    """URL of the job that an earlier call left behind, if it is this query's and still there."""
    known = remembered_job(job_file)
    if known is None:
        return None
    if known.service != session.url or not _is_job_of(session, known.url):  # a file may say anything
        _forget_job(job_file)
        return None
    try:
        if known.digest == query_digest(query):
            job = session.attempt("asking for the job", lambda: _described(session, known.url))
            if (phase := _phase(job)) not in ("ERROR", "ABORTED"):
                logger.info("going on with the job in %s, which is %s.", job_file, phase)
                return known.url
        logger.info("the job in %s failed or is another query's: it is deleted.", job_file)
        _delete(session, known.url, job_file)
    except (JobLostError, GaveUpError) as error:
        why = one_line(error, 200)
        logger.info("the job in %s is of no use (%s): the query is submitted anew.", job_file, why)
        _forget_job(job_file)
    return None


def _is_job_of(session: ArchiveSession, url: str) -> bool:
    """Whether an address can be that of a job at the service's host; nothing else is asked for or deleted.

    DaCHS keeps its jobs under another path than the one that it is asked at.
    """
    own = session.own_address(url)
    is_job = re.fullmatch(r"/([\w.\-]+/)*async/[\w.\-]+/?", urlsplit(own).path) is not None
    return session.is_own(own) and is_job and "?" not in own and ".." not in own


def _described(session: ArchiveSession, url: str) -> AsyncTAPJob:
    with understanding(_NO_JOB):
        return AsyncTAPJob(url, session=session)


def _phase(job: AsyncTAPJob) -> str:
    """Phase of a job, asked anew."""
    with understanding(_NO_JOB):
        if (phase := job.phase) is None:
            raise ValueError("a page, say")
        return phase


_NO_JOB = "the answer is no description of a job"


def _start(session: ArchiveSession, job: AsyncTAPJob) -> None:
    """Start a job that waits for it. A job that was started although the answer was lost does not."""

    def run_unless_running() -> None:
        try:  # not `job.run()`: it follows the redirection, whose failure would start the job twice, an error at DaCHS
            response = session.post(f"{job.url}/phase", data={"PHASE": "RUN"}, allow_redirects=False)
            response.raise_for_status()
        except (requests.RequestException, PassingError):
            if _phase(job) == "PENDING":
                raise

    session.attempt("starting the job", run_unless_running)


def _wait(session: ArchiveSession, job: AsyncTAPJob) -> None:
    """Ask for a job's phase until it has ended well. pyvo's own `wait` limits each request, not the whole."""
    patience, begin, pause, questions = session.patience, time.monotonic(), session.patience.first_poll, 0
    while (phase := session.attempt("asking for the phase of the job", lambda: _phase(job))) not in _ENDED:
        questions, waited = questions + 1, time.monotonic() - begin
        if waited + pause > patience.job or pause > session.time_left():
            raise GaveUpError(f"its job had not ended after {waited:.3g} s, it was {phase}", passing=True)
        if phase == "PENDING" and questions == 3:
            logger.info("the job has not been started: it is told again.")
            with contextlib.suppress(GaveUpError):  # if it has been, services say so in many ways
                _start(session, job)
        session.sleep(pause)
        pause = min(pause * 1.2, patience.longest_poll)
    if phase != "COMPLETED":
        _raise_failure(session, job, phase)


_ENDED = ("COMPLETED", "ERROR", "ABORTED")


def _raise_failure(session: ArchiveSession, job: AsyncTAPJob, phase: str) -> NoReturn:
    summary = session.attempt("asking why the job failed", lambda: job.job.errorsummary)
    reason = getattr(getattr(summary, "message", None), "content", None) or "the service does not say why"
    message = f"its job ended as {phase}: {one_line(reason, 200)}"
    if getattr(summary, "type_", None) == "transient":
        raise JobLostError(message)
    raise GaveUpError(message)


def _delete(session: ArchiveSession, url: str, job_file: Path | None) -> None:
    """Delete a job at the service, or leave it to expire there; forget it in any case."""
    _forget_job(job_file)

    def delete() -> None:
        short = (session.patience.connect, min(session.patience.read, 20.0))
        response = session.delete(url, timeout=short, allow_redirects=False)
        if response.status_code not in (404, 410):
            response.raise_for_status()

    try:
        session.attempt("deleting the job", delete, tries=1)
    except (GaveUpError, ArchiveUnavailableError) as error:
        logger.info("the job was not deleted (%s): it expires at the service.", one_line(error, 200))


def _result(session: ArchiveSession, job: AsyncTAPJob) -> Answer:
    with understanding("the result is not a whole VOTable"):
        result = job.fetch_result()
        rows = canonical(from_astropy(result.to_table()), session.url)
        return Answer(rows, result.status[0].upper() == "OVERFLOW")


def ask_one_row(session: ArchiveSession, query: str) -> dict[str, int] | None:
    """Answer to a query that counts: one row of whole numbers.

    Parameters
    ----------
    session : ArchiveSession
        At the service to ask.
    query : str
        ADQL.

    Returns
    -------
    dict or None
        Number by column name in lower case; None if the service cannot or will not say.
    """
    patience = session.patience

    def ask() -> dict[str, int]:
        form = pyvo.dal.TAPQuery(session.url, query, mode="sync")
        timeout = (patience.connect, min(patience.count, patience.read))
        try:
            response = session.post(f"{session.url}/sync", data=dict(form), timeout=timeout)
        except requests.ReadTimeout as error:
            raise LastingError("counting takes it too long") from error
        response.raise_for_status()
        with understanding("the answer is no row of numbers"):
            (row,) = pyvo.dal.TAPResults(parse_votable(response.raw.read)).to_table()
            return {name.lower(): int(row[name]) for name in row.colnames}

    try:
        return session.attempt("counting the rows", ask, tries=min(2, patience.tries))
    except GaveUpError as error:
        logger.debug("the rows could not be counted (%s): their number is not checked.", one_line(error, 200))
        return None
