"""Whole, verified results of queries; a result that a service cuts at its row limit is asked for in parts."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from gaia_oc_amd.archive import GAIA_ARCHIVE
from gaia_oc_amd.archive.login import logged_in, read_credentials
from gaia_oc_amd.archive.session import ArchiveSession, GaveUpError, LastingError, Patience
from gaia_oc_amd.archive.tap import Answer, ask_one_row, run_query
from gaia_oc_amd.exceptions import ArchiveBusyError, ArchiveUnavailableError, ClusterError, one_line

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlainSelect:
    """A query for named columns of one table, without grouping, sorting or a limit.

    Parameters
    ----------
    columns : tuple of str
        Names, in the query's order; quoted ones keep their quotes, renamed ones their ``AS``.
    table : str
        Name of the table.
    condition : str
        What stands after WHERE, may be empty.
    """

    columns: tuple[str, ...]
    table: str
    condition: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of the result."""
        return tuple(_split(column)[1].strip('"') for column in self.columns)

    def expression(self, name: str) -> str:
        """What the query calls the column that has this name in the result.

        Raises
        ------
        KeyError
            If the result has no such column.
        """
        return dict(zip(self.names, (_split(column)[0] for column in self.columns), strict=True))[name]

    def text(self) -> str:
        """Return the query as ADQL."""
        where = f"\nWHERE {self.condition}" if self.condition else ""
        return f"SELECT {', '.join(self.columns)}\nFROM {self.table}{where}"

    def narrowed(self, condition: str) -> "PlainSelect":
        """Give the query one more condition, which must hold too."""
        both = f"{self.condition}\n  AND {condition}" if self.condition else condition
        return PlainSelect(self.columns, self.table, both)

    def asking(self, *expressions: str) -> "PlainSelect":
        """Ask for other expressions of the same rows."""
        return PlainSelect(expressions, self.table, self.condition)


_NAME = r'(?:\w+|"[^"]+")'
_COLUMN = rf"{_NAME}(?:\s+AS\s+{_NAME})?"
_PLAIN = re.compile(
    rf"\s*SELECT\s+(?P<columns>{_COLUMN}(?:\s*,\s*{_COLUMN})*)\s+FROM\s+(?P<table>{_NAME}(?:\.{_NAME})*)"
    r"(?:\s+WHERE\s+(?P<condition>.+?))?[\s;]*",
    re.IGNORECASE | re.DOTALL,
)
_MORE_THAN_PLAIN = re.compile(
    r"--|;|\b(?:GROUP|ORDER|HAVING|UNION|EXCEPT|INTERSECT|OFFSET|SELECT|JOIN)\b", re.IGNORECASE
)


def plain_select(query: str) -> PlainSelect | None:
    """Take a query apart, if it is plain.

    Parameters
    ----------
    query : str
        ADQL.

    Returns
    -------
    PlainSelect or None
        None if the query is anything but columns of one table under a condition.
    """
    match = _PLAIN.fullmatch(query)
    condition = (match["condition"] or "") if match else ""
    if match is None or _MORE_THAN_PLAIN.search(condition):
        return None
    if re.search(r"\bOR\b", condition, re.IGNORECASE):
        condition = f"({condition})"
    columns = tuple(re.findall(_COLUMN, match["columns"], re.IGNORECASE))
    return PlainSelect(columns, match["table"], condition)


def _split(column: str) -> tuple[str, str]:
    """What a column is called in the table, and in the result."""
    own, _, renamed = re.sub(r"\s+AS\s+", "\n", column, flags=re.IGNORECASE).partition("\n")
    return own, renamed or own


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

    select: PlainSelect
    low: int | None = None
    high: int | None = None

    def query(self) -> PlainSelect:
        """Return the query for these rows alone."""
        select, name = self.select, self.select.expression("source_id")
        if self.low is not None:
            select = select.narrowed(f"{name} >= {self.low}")
        if self.high is not None:
            select = select.narrowed(f"{name} < {self.high}")
        return select

    def halves(self, middle: int) -> tuple["Part", "Part"]:
        """Split into the rows below a source_id and those from it on."""
        return Part(self.select, self.low, middle), Part(self.select, middle, self.high)


def fetch_in_parts(
    select: PlainSelect,
    cut: Answer,
    fetch: Callable[[PlainSelect, int | None], Answer],
    measure: Callable[[PlainSelect], Extent | None],
    origin: str,
) -> pd.DataFrame:
    """All rows of a query whose result was cut, in the order of their parts.

    source_id has no missing values and no copies, and orders the sky by HEALPix pixel: halves of its range share no
    row, leave none out, and are compact on the sky.

    Parameters
    ----------
    select : PlainSelect
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


def query_archive(
    query: str,
    *,
    url: str = GAIA_ARCHIVE,
    credentials_path: Path | str | None = None,
    job_file: Path | None = None,
    patience: Patience | None = None,
    complaint: Complaint | None = None,
) -> pd.DataFrame:
    """Run a query as an asynchronous job and return its whole result, verified.

    What may pass is tried again (see `archive.session.Patience`). A result that the service cuts at its row limit is
    asked for in parts. Columns, repeated source_id and, where the service can count, the number of rows are checked;
    a wrong result is asked for once more.

    Parameters
    ----------
    query : str
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
    session: ArchiveSession, query: str, job_file: Path | None, complaint: Complaint | None
) -> pd.DataFrame:
    """All rows, in parts if the service cuts them."""
    select = plain_select(query)
    answer = _verified(session, query, select, job_file, complaint=complaint)
    if not answer.is_cut:
        return answer.rows
    if select is None or "source_id" not in select.names:
        raise ClusterError(
            f"{session.url} cut the result at its row limit, {len(answer.rows)} rows: ask for source_id in a plain "
            "SELECT ... FROM ... WHERE, which can be split, or for less."
        )
    rows = fetch_in_parts(
        select,
        answer,
        lambda part, n_rows: _verified(
            session, part.text(), part, job_file, n_rows=n_rows, complaint=complaint
        ),
        lambda part: _extent(session, part),
        session.url,
    )
    if wrong := _complaint(rows, select):
        raise ArchiveBusyError(f"{session.url} gave a wrong result ({wrong}): try again later.")
    return rows


def _verified(
    session: ArchiveSession,
    query: str,
    select: PlainSelect | None,
    job_file: Path | None,
    *,
    n_rows: int | None = None,
    complaint: Complaint | None = None,
) -> Answer:
    """Answer whose columns, identifiers and number of rows are right; a wrong one is asked for once more."""
    wrong = None
    for _ in range(2):
        answer = run_query(session, query, job_file=job_file)
        wrong = _complaint(answer.rows, select) or (complaint and complaint(answer.rows))
        if wrong is None:
            if answer.is_cut or select is None:
                return answer
            n_rows = _count(session, select) if n_rows is None else n_rows
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


def _complaint(rows: pd.DataFrame, select: PlainSelect | None) -> str | None:
    """What is wrong with the rows of a query."""
    if select is not None:
        absent = sorted({name.lower() for name in select.names} - {str(name).lower() for name in rows})
        if absent:
            return f"without the column(s) {', '.join(absent)}"
    if "source_id" in rows and (repeated := int(rows["source_id"].duplicated().sum())):
        return f"{repeated} repeated source_id"
    return None


def _looks_cut(n_rows: int, n_counted: int) -> bool:
    """Whether rows are missing as if a limit had been applied without a word: such limits are round."""
    return 0 < n_rows < n_counted and n_rows % 100 == 0


def _count(session: ArchiveSession, select: PlainSelect) -> int | None:
    row = ask_one_row(session, select.asking("COUNT(*) AS n_rows").text())
    return None if row is None else row.get("n_rows")


def _extent(session: ArchiveSession, select: PlainSelect) -> Extent | None:
    name = select.expression("source_id")
    asking = ("COUNT(*) AS n_rows", f"MIN({name}) AS low", f"MAX({name}) AS high")
    row = ask_one_row(session, select.asking(*asking).text())
    return Extent(**row) if row is not None and {"n_rows", "low", "high"} == row.keys() else None
