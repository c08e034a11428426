"""Queries to a TAP service: whole results by way of jobs, single rows at once."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyvo
import requests
from astropy.io.votable import parse as parse_votable

from gaia_oc_amd.files.tables import canonical, from_astropy
from gaia_oc_amd.retries import GaveUpError, LastingError, one_line
from gaia_oc_amd.tap_jobs import start, submitted_job, wait
from gaia_oc_amd.tap_service import JobLostError, TapService, lost_if_unknown, understanding

if TYPE_CHECKING:
    from pyvo.dal import AsyncTAPJob

logger = logging.getLogger(__name__)

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


def _result(service: TapService, job: "AsyncTAPJob") -> Answer:
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
        logger.debug("the rows could not be counted (%s): their number is not checked.", one_line(error))
        return None
