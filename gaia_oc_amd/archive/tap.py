"""A job at a TAP service: submitted, waited for, read, taken up again after a kill."""

import hashlib
import json
import logging
import re
import struct
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit
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
    xml_answer,
)
from gaia_oc_amd.exceptions import ArchiveUnavailableError, one_line
from gaia_oc_amd.files.containers import from_astropy
from gaia_oc_amd.files.data_directory import read_json, write_text
from gaia_oc_amd.files.tables import canonical
from gaia_oc_amd.files.votable import foreign_units

logger = logging.getLogger(__name__)
_NOT_UNDERSTOOD = (
    *(ValueError, TypeError, LookupError, AttributeError, EOFError, ExpatError, struct.error),
    SyntaxError,  # astropy's VOTable errors
    pyvo.dal.DALServiceError,  # a job without a result
    pyvo.dal.DALFormatError,
)
"""The ways in which pyvo and astropy fail to parse an answer."""


class JobLostError(Exception):
    """A job cannot be finished, but the same query may succeed as another one."""


@contextmanager
def understanding() -> Iterator[None]:
    """Make a lost job of an answer that cannot be parsed, and of one that there is no such job."""
    try:
        with warnings.catch_warnings(), foreign_units():
            # oddities of other people's XML; overflow is read from the status
            warnings.simplefilter("ignore")
            yield
    except GaveUpError as error:
        if error.code not in (404, 410):
            raise
        raise JobLostError("the service no longer knows the job") from error
    except pyvo.dal.DALQueryError as error:
        raise GaveUpError(f"the service reports an error: {one_line(error, 200)}") from error
    except _NOT_UNDERSTOOD as error:
        raise JobLostError("its answer makes no sense as a job or VOTable") from error


def query_digest(service: str, query: str) -> str:
    """Hexadecimal SHA-256 of an ADQL query, whatever its spacing, at a service."""
    return hashlib.sha256(" ".join([service, *query.split()]).encode()).hexdigest()


def remember_job(path: Path | None, digest: str, url: str) -> None:
    """Write the file of a job, as a whole or not at all; without a path do nothing.

    Who knows the job's address may read the result, so the file is readable by its owner only.
    """
    if path is not None:
        write_text(path, json.dumps({"digest": digest, "url": url}, indent=2) + "\n", mode=0o600)


def remembered_job(path: Path | None) -> tuple[str, str]:
    """Digest and address of a file's job; empty if there is no such file, or it is damaged."""
    try:
        content = read_json(path) if path is not None and path.is_file() else {}
        return str(content["digest"]), str(content["url"])
    except (ValueError, KeyError):
        return "", ""


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
                return _result(session, job)
        except JobLostError as error:
            lost = str(error)
            logger.info("%s: the query is submitted anew.", lost)
    raise GaveUpError(f"{lost}; submitted {SUBMISSIONS} times", passing=True)


@contextmanager
def _started_job(session: ArchiveSession, query: str, job_file: Path | None) -> Iterator[AsyncTAPJob]:
    """A job of a query, deleted and forgotten at the end unless a later call can use it."""
    digest, useful = query_digest(session.url, query), False
    known = _picked_up(session, digest, job_file)
    url = known or _created(session, query)
    if known is None:
        remember_job(job_file, digest, url)
    try:
        job = _described(session, url)
        if known is None or _phase(job) == "PENDING":  # left behind before it was started
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

    def redirects(response: requests.Response) -> None:
        response.raise_for_status()
        if not response.is_redirect:
            raise PassingError(f"it answered {response.status_code} with a page instead of a job")

    response = session.request(
        "POST", form.queryurl, data=dict(form), allow_redirects=False, step="submitting the query", check=redirects
    )  # fmt: skip
    url = str(session.get_redirect_target(response))
    parts = urlsplit(url.rstrip("/"))
    if parts.path.endswith("/async"):
        moved = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.removesuffix('/async')}"
        raise LastingError(f"the service has moved to {moved}: use that address")
    return url


def _picked_up(session: ArchiveSession, digest: str, job_file: Path | None) -> str | None:
    """URL of the job that an earlier call left behind, if it is this query's and still of use."""
    known, url = remembered_job(job_file)
    if not _is_job_of(session, url):  # a file may say anything
        return None
    if known == digest:
        try:
            if (phase := _phase(_described(session, url))) not in ("ERROR", "ABORTED"):
                logger.info("going on with the job in %s, which is %s.", job_file, phase)
                return url
        except (JobLostError, GaveUpError) as error:
            if getattr(error, "passing", False):
                raise
    logger.info("the job in %s is of no use or another query's: it is deleted.", job_file)
    _delete(session, url, job_file)
    return None


def _is_job_of(session: ArchiveSession, url: str) -> bool:
    """Whether an address can be that of a job at the service's host; nothing else is asked for or deleted.

    DaCHS keeps its jobs under another path than the one that it is asked at.
    """
    own = session.own_address(url)
    is_job = re.fullmatch(r"/([\w.\-]+/)*async/[\w.\-]+/?", urlsplit(own).path) is not None
    return session.is_own(own) and is_job and "?" not in own and ".." not in own


def _described(session: ArchiveSession, url: str) -> AsyncTAPJob:
    with understanding():
        return AsyncTAPJob(url, session=session)


def _phase(job: AsyncTAPJob) -> str:
    """Phase of a job, asked anew."""
    with understanding():
        return str(job.phase)


def _start(session: ArchiveSession, job: AsyncTAPJob) -> None:
    """Start a job that waits for it. A job that was started although the answer was lost does not.

    pyvo's own `run` follows the redirection; where that fails, the job is started twice, an error at DaCHS.
    """
    step = "starting the job"

    def run_unless_running() -> None:
        try:
            session.request(
                "POST", f"{job.url}/phase", data={"PHASE": "RUN"}, allow_redirects=False, step=step, tries=1
            )
        except GaveUpError as error:
            if _phase(job) == "PENDING":
                raise error.__cause__ or error from None

    session.attempt(step, run_unless_running)


def _wait(session: ArchiveSession, job: AsyncTAPJob) -> None:
    """Ask for a job's phase until it has ended well. pyvo's own `wait` limits each request, not the whole."""
    patience, begin, pause = session.patience, time.monotonic(), session.patience.first_poll
    while (phase := _phase(job)) not in ("COMPLETED", "ERROR", "ABORTED"):
        waited = time.monotonic() - begin
        if waited + pause > patience.job or pause > session.time_left():
            raise GaveUpError(f"its job had not ended after {waited:.3g} s, it was {phase}", passing=True)
        session.sleep(pause)
        pause = min(pause * 1.2, patience.longest_poll)
    if phase != "COMPLETED":
        _raise_failure(job, phase)


def _raise_failure(job: AsyncTAPJob, phase: str) -> NoReturn:
    with understanding():
        summary = job.job.errorsummary
    reason = getattr(getattr(summary, "message", None), "content", None) or "the service does not say why"
    message = f"its job ended as {phase}: {one_line(reason, 200)}"
    raise (JobLostError if getattr(summary, "type_", None) == "transient" else GaveUpError)(message)


def _delete(session: ArchiveSession, url: str, job_file: Path | None) -> None:
    """Forget a job and delete it at the service; where that fails, it expires there."""
    if job_file is not None:
        job_file.unlink(missing_ok=True)
    short = (session.patience.connect, min(session.patience.read, 20.0))
    try:
        session.request("DELETE", url, timeout=short, allow_redirects=False, step="deleting the job", tries=1)
    except (GaveUpError, ArchiveUnavailableError) as error:
        logger.info("the job was not deleted (%s): it expires at the service.", one_line(error, 200))


def _result(session: ArchiveSession, job: AsyncTAPJob) -> Answer:
    with understanding():
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
    form = pyvo.dal.TAPQuery(session.url, query, mode="sync")
    try:
        response = session.request(
            "POST", form.queryurl, data=dict(form), timeout=(patience.connect, min(patience.count, patience.read)),
            step="counting the rows", check=xml_answer, tries=min(2, patience.tries),
        )  # fmt: skip
        with understanding():
            (row,) = pyvo.dal.TAPResults(parse_votable(response.raw.read)).to_table()
            return {name.lower(): int(row[name]) for name in row.colnames}
    except (GaveUpError, JobLostError) as error:
        logger.debug("the rows could not be counted (%s): their number is not checked.", one_line(error, 200))
        return None
