"""A TAP service, and the life of a job there: submitted, waited for, read, taken up again after a kill."""

import contextlib
import hashlib
import json
import logging
import re
import struct
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit
from xml.parsers.expat import ExpatError

import pandas as pd
import pyvo
import requests
from astropy.io.votable import parse as parse_votable
from pyvo.dal import AsyncTAPJob

from gaia_oc_amd.archive.session import (
    Effort,
    GaveUpError,
    LastingError,
    NonsenseError,
    PassingError,
    WholeAnswersSession,
    failure_of,
    was_never_sent,
)
from gaia_oc_amd.exceptions import ArchiveUnavailableError, one_line
from gaia_oc_amd.files.containers import from_astropy
from gaia_oc_amd.files.data_directory import read_json, write_text
from gaia_oc_amd.files.tables import canonical
from gaia_oc_amd.files.votable import foreign_units

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TapService:
    """A TAP service, the session that talks to it, and how to log in again when that has expired.

    Parameters
    ----------
    url : str
        TAP base URL.
    session : WholeAnswersSession
        Gives whole answers within bounds.
    effort : Effort
        Clock and tries.
    log_in : callable, optional
        Called when the service says 401 or 403, once for each step.
    """

    url: str
    session: WholeAnswersSession
    effort: Effort
    log_in: Callable[[], None] | None = None

    def attempt(self, step: str, action: Callable[[], Any], *, tries: int | None = None) -> Any:
        """Result of a step, tried again where that may help, after a new login where that has expired."""
        try:
            return self.effort.attempt(step, action, tries=tries)
        except GaveUpError as error:
            if self.log_in is None or error.code not in (401, 403):
                raise
            logger.info("%s: the login has expired, logging in again.", step)
        self.log_in()
        try:
            return self.effort.attempt(step, action, tries=tries)
        except GaveUpError as error:
            raise GaveUpError(
                f"{error}, after a new login", code=error.code, passing=error.passing
            ) from error


class JobLostError(Exception):
    """A job cannot be finished, but the same query may succeed as another one."""


@contextmanager
def understanding(complaint: str) -> Iterator[None]:
    """Make of every way in which pyvo and astropy fail to parse an answer one error, which may pass."""
    try:
        with warnings.catch_warnings(), foreign_units():
            warnings.simplefilter(
                "ignore"
            )  # oddities of other people's XML; overflow is read from the status
            yield
    except _NOT_UNDERSTOOD as error:
        raise NonsenseError(complaint) from error


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


@contextmanager
def lost_if_unknown() -> Iterator[None]:
    """Make of the answer that there is no such job a `JobLostError`."""
    try:
        yield
    except pyvo.dal.DALServiceError as error:
        if error.code not in (404, 410):
            raise
        raise JobLostError("the service no longer knows the job") from error


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
    """Hexadecimal SHA-256 of a query, whatever its spacing.

    Parameters
    ----------
    query : str
        ADQL.

    Returns
    -------
    str
    """
    return hashlib.sha256(" ".join(query.split()).encode()).hexdigest()


def remember_job(path: Path | None, job: SubmittedJob) -> None:
    """Write the file of a job, as a whole or not at all, readable by its owner only; without a path do nothing."""
    if path is not None:
        write_text(path, json.dumps(asdict(job), indent=2) + "\n", mode=0o600)


def remembered_job(path: Path | None) -> SubmittedJob | None:
    """Job of a file.

    Parameters
    ----------
    path : path or None
        The file.

    Returns
    -------
    SubmittedJob or None
        None if there is no such file, or it is damaged: then the query is merely asked again.
    """
    if path is None or not path.is_file():
        return None
    try:
        content = read_json(path)
        return SubmittedJob(**{name: str(content[name]) for name in ("service", "digest", "url")})
    except (ValueError, KeyError) as error:
        logger.info("%s is damaged (%s): its job is not picked up.", path, type(error).__name__)
        return None


def forget_job(path: Path | None) -> None:
    """Remove the file of a job, if there is one."""
    if path is not None:
        path.unlink(missing_ok=True)


MAXIMUM_ROWS = 3_000_000
"""Rows asked for; a service may allow fewer."""


@contextmanager
def submitted_job(service: TapService, query: str, job_file: Path | None) -> Iterator[AsyncTAPJob]:
    """A job of a query at a service, deleted and forgotten at the end unless a later call can use it.

    Parameters
    ----------
    service : TapService
        Where to ask.
    query : str
        ADQL.
    job_file : path or None
        Where the job is remembered.

    Yields
    ------
    AsyncTAPJob

    Raises
    ------
    GaveUpError
        If a step failed for good. The job is kept if that may pass and there is a file to remember it by.
    """
    url = _picked_up(service, query, job_file) or _submitted(service, query, job_file)
    try:
        yield _described(service, url)
    except (KeyboardInterrupt, GaveUpError) as error:
        if job_file is not None and _is_worth_keeping(error):
            logger.info("the job stays at the service: the same command goes on with it.")
        else:
            _delete(service, url, job_file)
        raise
    except BaseException:
        _delete(service, url, job_file)
        raise
    _delete(service, url, job_file)


def _is_worth_keeping(error: BaseException) -> bool:
    """Whether a later call can succeed with the same job: not after its failure, nor with a damaged result."""
    return getattr(error, "passing", True) and not isinstance(error.__cause__, NonsenseError)


def _submitted(service: TapService, query: str, job_file: Path | None) -> str:
    url = service.attempt("submitting the query", lambda: _created(service, query))
    remember_job(job_file, SubmittedJob(service.url, query_digest(query), url))
    return url


def _created(service: TapService, query: str) -> str:
    """URL of a new job: the redirection to it is not followed, it is the answer."""
    form = pyvo.dal.TAPQuery(service.url, query, mode="async", maxrec=MAXIMUM_ROWS)
    try:
        response = service.session.post(f"{service.url}/async", data=dict(form), allow_redirects=False)
    except (requests.RequestException, PassingError) as error:
        if failure_of(error).passing and not was_never_sent(error):
            logger.info(
                "the service may have made a job whose address was lost on the way; it expires there."
            )
        raise
    response.raise_for_status()
    if not response.is_redirect:
        raise PassingError(f"it answered {response.status_code} with a page instead of a job")
    url = service.session.own_address(urljoin(response.url, response.headers["Location"]))
    if urlsplit(url).path.rstrip("/").endswith("/async"):
        raise LastingError(f"the service has moved to {_without_secrets(url)}: use that address")
    return url


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    return (
        f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/').removesuffix('/async')}"
    )


def _picked_up(service: TapService, query: str, job_file: Path | None) -> str | None:
    """URL of the job that an earlier call left behind, if it is this query's and still there."""
    known = remembered_job(job_file)
    if known is None:
        return None
    if known.service != service.url or not _is_job_of(service, known.url):  # a file may say anything
        forget_job(job_file)
        return None
    if known.digest != query_digest(query):
        logger.info("the job in %s is another query's: it is deleted.", job_file)
        _delete(service, known.url, job_file)
        return None
    try:
        phase = _described(service, known.url)._job.phase
    except (JobLostError, GaveUpError) as error:
        logger.info(
            "the job in %s is of no use (%s): the query is submitted anew.", job_file, one_line(error, 200)
        )
        forget_job(job_file)
        return None
    if phase in ("ERROR", "ABORTED"):
        _delete(service, known.url, job_file)
        return None
    logger.info("going on with the job in %s, which is %s.", job_file, phase)
    return known.url


def _is_job_of(service: TapService, url: str) -> bool:
    """Whether an address can be that of a job at the service's host; nothing else is asked for or deleted.

    DaCHS keeps its jobs under another path than the one that it is asked at.
    """
    own = service.session.own_address(url)
    is_job = re.fullmatch(r"/([\w.\-]+/)*async/[\w.\-]+/?", urlsplit(own).path) is not None
    return service.session.is_own(own) and is_job and "?" not in own and ".." not in own


def _described(service: TapService, url: str) -> AsyncTAPJob:
    return service.attempt(
        "asking for the job", lambda: _understood(lambda: AsyncTAPJob(url, session=service.session))
    )


def _understood(question: Callable[[], AsyncTAPJob]) -> AsyncTAPJob:
    """A job whose description was asked for and makes sense."""
    with understanding("the answer is no description of a job"), lost_if_unknown():
        job = question()
        if job._job.phase is None:
            raise ValueError("a page, say")
    return job


def _phase(job: AsyncTAPJob) -> str:
    """Phase of a job, asked anew."""

    def ask() -> AsyncTAPJob:
        job._update()
        return job

    return _understood(ask)._job.phase


def start(service: TapService, job: AsyncTAPJob) -> None:
    """Start a job that waits for it. A job that was started although the answer was lost does not.

    Parameters
    ----------
    service : TapService
        Where the job is.
    job : AsyncTAPJob
        Its description is up to date.

    Raises
    ------
    GaveUpError
        If the service refuses.
    """
    if job._job.phase != "PENDING":
        return

    def run_unless_running() -> None:
        try:  # not `job.run()`: it follows the redirection, one more answer that can go wrong
            response = service.session.post(f"{job.url}/phase", data={"PHASE": "RUN"}, allow_redirects=False)
            response.raise_for_status()
        except (requests.RequestException, PassingError):
            if _phase(job) == "PENDING":
                raise

    service.attempt("starting the job", run_unless_running)


def wait(service: TapService, job: AsyncTAPJob) -> None:
    """Ask for a job's phase until it has ended well. pyvo's own `wait` limits each request, not the whole.

    Parameters
    ----------
    service : TapService
        Where the job is.
    job : AsyncTAPJob
        A started job. If it turns out to be PENDING still, it is started once more.

    Raises
    ------
    GaveUpError
        If it has failed, or has not ended in time.
    JobLostError
        If the service no longer knows it, or calls its failure transient.
    """
    patience, begin, pause = service.effort.patience, time.monotonic(), service.effort.patience.first_poll
    questions = 0
    while (phase := service.attempt("asking for the phase of the job", lambda: _phase(job))) not in _ENDED:
        questions, waited = questions + 1, time.monotonic() - begin
        if waited + pause > patience.job or pause > service.effort.time_left():
            raise GaveUpError(f"its job had not ended after {waited:.3g} s, it was {phase}", passing=True)
        if phase == "PENDING" and questions == 3:
            logger.info("the job has not been started: it is told again.")
            with contextlib.suppress(GaveUpError):  # if it has been, services say so in many ways
                start(service, job)
        logger.debug("the job is %s.", phase)
        service.effort.sleep(pause)
        pause = min(pause * 1.2, patience.longest_poll)
    if phase != "COMPLETED":
        _raise_failure(job, phase)


_ENDED = ("COMPLETED", "ERROR", "ABORTED")


def _raise_failure(job: AsyncTAPJob, phase: str) -> None:
    summary = job._job.errorsummary
    reason = getattr(getattr(summary, "message", None), "content", None) or "the service does not say why"
    message = f"its job ended as {phase}: {one_line(reason, 200)}"
    if getattr(summary, "type_", None) == "transient":
        raise JobLostError(message)
    raise GaveUpError(message)


def _delete(service: TapService, url: str, job_file: Path | None) -> None:
    """Delete a job at the service, or leave it to expire there; forget it in any case."""
    forget_job(job_file)
    short = (service.effort.patience.connect, min(service.effort.patience.read, 20.0))

    def delete() -> None:
        response = service.session.delete(url, timeout=short, allow_redirects=False)
        if response.status_code in (405, 501):  # services that go by UWS 1.0 without DELETE
            form = {"ACTION": "DELETE"}
            response = service.session.post(url, data=form, timeout=short, allow_redirects=False)
        if response.status_code not in (404, 410):
            response.raise_for_status()

    try:
        service.attempt("deleting the job", delete, tries=1)
    except (GaveUpError, ArchiveUnavailableError) as error:
        logger.info("the job was not deleted (%s): it expires at the service.", one_line(error, 200))


SUBMISSIONS = 2
"""How often a query is submitted if the service loses its job."""


@dataclass(frozen=True)
class Answer:
    """Rows of a query, whether the service left some out, and how many it counts, if that is known."""

    rows: pd.DataFrame
    is_cut: bool
    n_counted: int | None = None


def run_query(service: TapService, query: str, *, job_file: Path | None = None) -> Answer:
    """Answer to a query that is run as an asynchronous job.

    Parameters
    ----------
    service : TapService
        Where to ask.
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
        If a step failed for good.
    """
    lost = ""
    for _ in range(SUBMISSIONS):
        try:
            with submitted_job(service, query, job_file) as job:
                start(service, job)
                wait(service, job)
                return service.attempt("fetching the result", lambda job=job: _result(service, job))
        except JobLostError as error:
            lost = str(error)
            logger.info("%s: the query is submitted anew.", lost)
    raise GaveUpError(f"{lost}; submitted {SUBMISSIONS} times", passing=True)


def _result(service: TapService, job: AsyncTAPJob) -> Answer:
    with understanding("the result is not a whole VOTable"), lost_if_unknown():
        result = job.fetch_result()
        return Answer(
            canonical(from_astropy(result.to_table()), service.url), result.status[0].upper() == "OVERFLOW"
        )


def ask_one_row(service: TapService, query: str) -> dict[str, int] | None:
    """Answer to a query that counts: one row of whole numbers.

    Parameters
    ----------
    service : TapService
        Where to ask.
    query : str
        ADQL.

    Returns
    -------
    dict or None
        Number by column name in lower case; None if the service cannot or will not say.
    """
    patience = service.effort.patience

    def ask() -> dict[str, int]:
        form = pyvo.dal.TAPQuery(service.url, query, mode="sync")
        timeout = (patience.connect, min(patience.count, patience.read))
        try:
            response = service.session.post(f"{service.url}/sync", data=dict(form), timeout=timeout)
        except requests.ReadTimeout as error:
            raise LastingError("counting takes it too long") from error
        response.raise_for_status()
        with understanding("the answer is no row of numbers"):
            (row,) = pyvo.dal.TAPResults(parse_votable(response.raw.read)).to_table()
            return {name.lower(): int(row[name]) for name in row.colnames}

    try:
        return service.attempt("counting the rows", ask, tries=min(2, patience.tries))
    except GaveUpError as error:
        logger.debug("the rows could not be counted (%s): their number is not checked.", one_line(error, 200))
        return None
