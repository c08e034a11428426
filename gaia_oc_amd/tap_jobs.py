"""The life of an asynchronous job at a TAP service: submitted or picked up, started, waited for, deleted."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pyvo
import requests
from pyvo.dal import AsyncTAPJob

from gaia_oc_amd.exceptions import ArchiveUnavailableError
from gaia_oc_amd.job_file import SubmittedJob, forget_job, query_digest, remember_job, remembered_job
from gaia_oc_amd.retries import (
    GaveUpError,
    LastingError,
    NonsenseError,
    PassingError,
    failure_of,
    one_line,
    was_never_sent,
)
from gaia_oc_amd.tap_service import JobLostError, TapService, lost_if_unknown, understanding

logger = logging.getLogger(__name__)

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
    if known.service != service.url:
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
            "the job in %s is of no use (%s): the query is submitted anew.", job_file, one_line(error)
        )
        forget_job(job_file)
        return None
    if phase in ("ERROR", "ABORTED"):
        _delete(service, known.url, job_file)
        return None
    logger.info("going on with the job in %s, which is %s.", job_file, phase)
    return known.url


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
    message = f"its job ended as {phase}: {one_line(reason)}"
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
        logger.info("the job was not deleted (%s): it expires at the service.", one_line(error))
