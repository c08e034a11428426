"""Whole, verified results of queries; a result that a service cuts at its row limit is asked for in parts."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from gaia_oc_amd.archive import GAIA_ARCHIVE
from gaia_oc_amd.archive.login import logged_in, read_credentials
from gaia_oc_amd.archive.session import ArchiveSession, GaveUpError, LastingError, Patience
from gaia_oc_amd.archive.tap import Answer, ask_one_row, run_query
from gaia_oc_amd.arguments import checked, settle
from gaia_oc_amd.exceptions import ArchiveBusyError, ArchiveUnavailableError, ClusterError, one_line

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Select:
    """A query for columns of one table under conditions, which can be counted and split.

    Parameters
    ----------
    columns : dict of str
        By its name in the result, what each column is called in the table, or an expression.
    table : str
        Name of the table.
    conditions : tuple of str
        All must hold; one with OR has its parentheses.
    """

    columns: Mapping[str, str]
    table: str
    conditions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        settle(self)

    def __str__(self) -> str:
        """The query as ADQL."""
        columns = (
            theirs if theirs == ours else f"{theirs} AS {ours}" for ours, theirs in self.columns.items()
        )
        where = "\nWHERE " + "\n  AND ".join(self.conditions) if self.conditions else ""
        return f"SELECT {', '.join(columns)}\nFROM {self.table}{where}"


Complaint = Callable[[pd.DataFrame], str | None]
"""Says what is wrong with rows."""

MAXIMUM_PARTS = 512
"""Into which one query is split at most."""


@dataclass(frozen=True)
class Extent:
    """How many rows a query has, and the smallest and largest source_id among them."""

    n_rows: int
    low: int
    high: int


@dataclass(frozen=True)
class Part:
    """The rows of a query with low <= source_id < high; None is no bound."""

    select: Select
    low: int | None = None
    high: int | None = None

    def query(self) -> Select:
        """Return the query for these rows alone."""
        name, bounds = self.select.columns["source_id"], ((">=", self.low), ("<", self.high))
        within = tuple(f"{name} {sign} {bound}" for sign, bound in bounds if bound is not None)
        return replace(self.select, conditions=self.select.conditions + within)

    def halves(self, middle: int) -> tuple["Part", "Part"]:
        """Split into the rows below a source_id and those from it on."""
        return Part(self.select, self.low, middle), Part(self.select, middle, self.high)


def fetch_in_parts(
    select: Select,
    cut: Answer,
    fetch: Callable[[Select, int | None], Answer],
    measure: Callable[[Select], Extent | None],
    origin: str,
) -> pd.DataFrame:
    """All rows of a query whose result was cut, in the order of their parts.

    source_id has no missing values and no copies, and orders the sky by HEALPix pixel: halves of its range share no
    row, leave none out, and are compact on the sky.

    Parameters
    ----------
    select : Select
        The query; source_id is among its columns.
    cut : Answer
        What the service gave for it.
    fetch : callable
        Gives the answer to a query, which must have a number of rows, if that is known.
    measure : callable
        Gives the extent of a query, None if the service will not say.
    origin : str
        The service, for messages.

    Returns
    -------
    DataFrame

    Raises
    ------
    ArchiveBusyError
        If the parts do not have as many rows as the service counted.
    ClusterError
        If a part that cannot be split further is still cut, or there are too many.
    """
    whole, limit = measure(select), len(cut.rows)
    done: list[pd.DataFrame] = []
    n_rows = whole.n_rows if whole else cut.n_counted
    waiting = _split_part(Part(select), whole, cut.rows, origin)
    while waiting:
        if len(waiting) + len(done) > MAXIMUM_PARTS:
            raise ClusterError(_too_many(origin, limit))
        part = waiting.pop(0)
        extent = None if whole is None else measure(part.query())
        if extent is not None and extent.n_rows > limit > 0:
            waiting[:0] = _split_part(part, extent, cut.rows, origin)
            continue
        answer = fetch(part.query(), None if extent is None else extent.n_rows)
        is_full = extent is None and len(answer.rows) >= limit > 1  # as many as came before: cut again
        if answer.is_cut or is_full:
            limit = min(limit, len(answer.rows))
            waiting[:0] = _split_part(part, extent, answer.rows, origin)
        else:
            done.append(answer.rows)
    logger.info(
        "%s: the result came in %d parts, being above its limit of %d rows.", origin, len(done), limit
    )
    rows = pd.concat(done, ignore_index=True)
    if n_rows is not None and len(rows) != n_rows:
        raise ArchiveBusyError(
            f"{origin} counted {n_rows} rows but gave {len(rows)} in {len(done)} parts: try again later."
        )
    return rows


def _split_part(part: Part, extent: Extent | None, rows: pd.DataFrame, origin: str) -> list[Part]:
    """Two halves of a part, each of which has rows: about the middle of its range, or that of the rows seen."""
    if extent is not None:
        low, middle = extent.low, (extent.low + extent.high + 1) // 2
    elif len(rows):
        ids = np.sort(rows["source_id"].to_numpy())
        low, middle = int(ids[0]), int(ids[len(ids) // 2])
    else:
        low = middle = 0
    if middle <= low:
        raise ClusterError(_too_many(origin, len(rows)))
    return list(part.halves(middle))


def _too_many(origin: str, limit: int) -> str:
    return (
        f"{origin} cuts results at {limit} rows, too few to fetch the cone in {MAXIMUM_PARTS} parts: use a smaller "
        "--cone_radius, --cone_pm_sigmas or --cone_plx_sigmas, or log in with --credentials_path."
    )


@checked
def query_archive(
    query: str | Select,
    *,
    url: str = GAIA_ARCHIVE,
    credentials_path: Path | str | None = None,
    job_file: Path | None = None,
    patience: Patience | None = None,
    complaint: Complaint | None = None,
) -> pd.DataFrame:
    """Run a query as an asynchronous job and return its whole result, verified.

    What may pass is tried again (see `archive.session.Patience`). Repeated source_id are found out. So are missing
    columns of a `Select` and, where the service can count, missing rows. A wrong result is asked for once more. The
    result of a `Select` that the service cuts at its row limit is asked for in parts.

    Parameters
    ----------
    query : str or Select
        ADQL.
    url : str
        TAP base URL.
    credentials_path : path, optional
        File with user name and password of the Gaia archive; without it the query is anonymous.
    job_file : path, optional
        Where the submitted job is remembered while it runs, so that the same call in another process can go on
        with it. Without it the job is deleted when this call ends.
    patience : Patience, optional
        Bounds of all waits.
    complaint : callable, optional
        Says of rows what the question cannot have asked for, None if nothing: such an answer is wrong, too.

    Returns
    -------
    DataFrame
        All rows.

    Raises
    ------
    ArchiveUnavailableError
        If the service cannot be reached, reports an error, gives wrong results, or refuses the login; an
        `ArchiveBusyError` if that may pass.
    ClusterError
        If the result is above the service's row limit and cannot be split, or the URL cannot be used.
    """
    url = _usable(url)
    credentials = None if credentials_path is None else read_credentials(credentials_path)
    logger.debug("%s is queried %s.", url, "anonymously" if credentials is None else "with a login")
    try:
        with ArchiveSession(url, patience or Patience()) as session, logged_in(session, credentials):
            return _whole_result(session, query, job_file, complaint)
    except (GaveUpError, LastingError, OSError) as error:
        passing = getattr(error, "passing", False)
        remedy = "try again later, or use" if passing else "trying again will not help, use"
        raise (ArchiveBusyError if passing else ArchiveUnavailableError)(
            f"{url} gave no result ({one_line(error, 400)}): {remedy} --cone_source with another TAP URL or a local "
            "table."
        ) from error


def _usable(url: str) -> str:
    """URL of a service, refused if it is not one or carries secrets; these are not repeated."""
    parts = urlsplit(url)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ClusterError(
            f"the TAP URL at {parts.hostname} has a user name, password or query in it: give the bare address; a "
            "login for the Gaia archive belongs in the file of create_gaia_credentials_file.py."
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ClusterError(f"{url} is no TAP URL: it must begin with https:// or http:// and a host.")
    return url.rstrip("/")


def _whole_result(
    session: ArchiveSession, query: str | Select, job_file: Path | None, complaint: Complaint | None
) -> pd.DataFrame:
    """All rows, in parts if the service cuts them."""
    answer = _verified(session, query, job_file, complaint=complaint)
    if not answer.is_cut:
        return answer.rows
    if isinstance(query, str) or "source_id" not in query.columns:
        raise ClusterError(
            f"{session.url} cut the result at its row limit, {len(answer.rows)} rows: ask for source_id in a plain "
            "SELECT ... FROM ... WHERE, which can be split, or for less."
        )
    rows = fetch_in_parts(
        query,
        answer,
        lambda part, n_rows: _verified(session, part, job_file, n_rows=n_rows, complaint=complaint),
        lambda part: _extent(session, part),
        session.url,
    )
    if wrong := _complaint(rows, query):
        raise ArchiveBusyError(f"{session.url} gave a wrong result ({wrong}): try again later.")
    return rows


def _verified(
    session: ArchiveSession,
    query: str | Select,
    job_file: Path | None,
    *,
    n_rows: int | None = None,
    complaint: Complaint | None = None,
) -> Answer:
    """Answer whose columns, identifiers and number of rows are right; a wrong one is asked for once more."""
    wrong = None
    for _ in range(2):
        answer = run_query(session, str(query), job_file=job_file)
        wrong = _complaint(answer.rows, query) or (complaint and complaint(answer.rows))
        if wrong is None:
            if answer.is_cut or isinstance(query, str):
                return answer
            n_rows = _count(session, query) if n_rows is None else n_rows
            if n_rows is None or n_rows == len(answer.rows):
                return answer
            if _looks_cut(len(answer.rows), n_rows):
                return Answer(answer.rows, is_cut=True, n_counted=n_rows)
            wrong = f"{len(answer.rows)} rows where it counts {n_rows}"
        logger.info("%s gave a wrong result (%s): the query is asked again.", session.url, wrong)
        n_rows = None  # a table that grows is counted again
    raise ArchiveBusyError(
        f"{session.url} gave a wrong result twice ({wrong}): try again later, or use --cone_source with another "
        "TAP URL or a local table."
    )


def _complaint(rows: pd.DataFrame, query: str | Select) -> str | None:
    """What is wrong with the rows of a query."""
    wanted = () if isinstance(query, str) else query.columns
    absent = sorted({name.lower() for name in wanted} - {str(name).lower() for name in rows})
    if absent:
        return f"without the column(s) {', '.join(absent)}"
    if "source_id" in rows and (repeated := int(rows["source_id"].duplicated().sum())):
        return f"{repeated} repeated source_id"
    return None


def _looks_cut(n_rows: int, n_counted: int) -> bool:
    """Whether rows are missing as if a limit had been applied without a word: such limits are round."""
    return 0 < n_rows < n_counted and n_rows % 100 == 0


def _count(session: ArchiveSession, select: Select) -> int | None:
    row = ask_one_row(session, str(replace(select, columns={"n_rows": "COUNT(*)"})))
    return None if row is None else row.get("n_rows")


def _extent(session: ArchiveSession, select: Select) -> Extent | None:
    name = select.columns["source_id"]
    columns = {"n_rows": "COUNT(*)", "low": f"MIN({name})", "high": f"MAX({name})"}
    row = ask_one_row(session, str(replace(select, columns=columns)))
    return Extent(**row) if row is not None and columns.keys() == row.keys() else None
