"""Cone searches in the Gaia archive, or in any other TAP service that has its source table."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pandas as pd

from gaia_oc_amd.adql import PlainSelect, plain_select
from gaia_oc_amd.columns import ARCHIVE_COLUMNS
from gaia_oc_amd.cone import N_OBS_COLUMNS, ConeRegion
from gaia_oc_amd.credentials import read_credentials
from gaia_oc_amd.exceptions import ArchiveBusyError, ArchiveUnavailableError, ClusterError
from gaia_oc_amd.retries import Effort, GaveUpError, LastingError, Patience, one_line

if TYPE_CHECKING:
    from gaia_oc_amd.row_limits import Extent
    from gaia_oc_amd.tap import Answer, TapService

logger = logging.getLogger(__name__)

GAIA_ARCHIVE = "https://gea.esac.esa.int/tap-server/tap"
SOURCE_TABLE = "gaiadr3.gaia_source"


def cone_query(region: ConeRegion, *, table: str = SOURCE_TABLE) -> str:
    """ADQL text of a cone search (Eqs. 1 and 2 of van Groeningen et al. 2023).

    Parameters
    ----------
    region : ConeRegion
        Where to look.
    table : str
        The service's name of the source table.

    Returns
    -------
    str
        A query for the archive columns of stars observed in G, BP and RP.
    """
    observed = "\n  AND ".join(f"{name} > 0" for name in N_OBS_COLUMNS)
    return (
        f"SELECT {', '.join(ARCHIVE_COLUMNS)}\nFROM {table}\n"
        f"WHERE 1 = CONTAINS(POINT('ICRS', ra, dec), "
        f"CIRCLE('ICRS', {region.ra!r}, {region.dec!r}, {region.radius!r}))\n"
        f"  AND {observed}" + motion_conditions(region)
    )


def motion_conditions(
    region: ConeRegion, pmra: str = "pmra", pmdec: str = "pmdec", parallax: str = "parallax"
) -> str:
    """ADQL of the limits in proper motion and parallax, each with its AND; nothing where there is none.

    A region without a limit still leaves out the stars that lack the quantity, as one with a limit does.

    Parameters
    ----------
    region : ConeRegion
        Where to look.
    pmra, pmdec, parallax : str
        The service's names of the columns.

    Returns
    -------
    str
    """
    square = f"POWER({pmra} - ({region.pmra!r}), 2) + POWER({pmdec} - ({region.pmdec!r}), 2)"
    near = f"SQRT({square}) <= {region.pm_radius!r}"
    alike = f"ABS({parallax} - ({region.parallax!r})) <= {region.parallax_width!r}"
    limits = region.motion_intervals
    conditions = [
        near if "pmra" in limits else f"{pmra} IS NOT NULL",
        alike if "parallax" in limits else f"{parallax} IS NOT NULL",
    ]
    return "".join(f"\n  AND {condition}" for condition in conditions)


def query_archive(
    query: str,
    *,
    url: str = GAIA_ARCHIVE,
    credentials_path: Path | str | None = None,
    job_file: Path | None = None,
    patience: Patience | None = None,
) -> pd.DataFrame:
    """Run a query as an asynchronous job and return its whole result, verified.

    What may pass is tried again (see `retries.Patience`). A result that the service cuts at its row limit is asked
    for in parts. Columns, repeated source_id and, where the service can count, the number of rows are checked; a
    wrong result is asked for once more.

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
    from gaia_oc_amd.gaia_login import logged_in
    from gaia_oc_amd.http_session import WholeAnswersSession
    from gaia_oc_amd.tap import TapService

    url = _usable(url)
    credentials = None if credentials_path is None else read_credentials(credentials_path)
    logger.debug("%s is queried %s.", url, "anonymously" if credentials is None else "with a login")
    effort = Effort(patience or Patience())
    try:
        with WholeAnswersSession(url, effort) as session, logged_in(session, url, credentials) as log_in:
            return _whole_result(TapService(url, session, effort, log_in), query, job_file)
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


def _whole_result(service: "TapService", query: str, job_file: Path | None) -> pd.DataFrame:
    """All rows, in parts if the service cuts them."""
    from gaia_oc_amd.row_limits import fetch_in_parts

    select = plain_select(query)
    answer = _verified(service, query, select, job_file)
    if not answer.is_cut:
        return answer.rows
    if select is None or "source_id" not in select.names:
        raise ClusterError(
            f"{service.url} cut the result at its row limit, {len(answer.rows)} rows: ask for source_id in a plain "
            "SELECT ... FROM ... WHERE, which can be split, or for less."
        )
    rows = fetch_in_parts(
        select,
        answer,
        lambda part, n_rows: _verified(service, part.text(), part, job_file, n_rows=n_rows),
        lambda part: _extent(service, part),
        service.url,
    )
    if complaint := _complaint(rows, select):
        raise ArchiveBusyError(f"{service.url} gave a wrong result ({complaint}): try again later.")
    return rows


def _verified(
    service: "TapService",
    query: str,
    select: PlainSelect | None,
    job_file: Path | None,
    *,
    n_rows: int | None = None,
) -> "Answer":
    """Answer whose columns, identifiers and number of rows are right; a wrong one is asked for once more."""
    from gaia_oc_amd.tap import Answer, run_query

    complaint = None
    for _ in range(2):
        answer = run_query(service, query, job_file=job_file)
        complaint = _complaint(answer.rows, select)
        if complaint is None and (answer.is_cut or select is None):
            return answer
        if complaint is None:
            n_rows = _count(service, select) if n_rows is None else n_rows
            if n_rows is None or n_rows == len(answer.rows):
                return answer
            if _looks_cut(len(answer.rows), n_rows):
                return Answer(answer.rows, is_cut=True, n_counted=n_rows)
            complaint = f"{len(answer.rows)} rows where it counts {n_rows}"
        logger.info("%s gave a wrong result (%s): the query is asked again.", service.url, complaint)
        n_rows = None  # a table that grows is counted again
    raise ArchiveBusyError(
        f"{service.url} gave a wrong result twice ({complaint}): try again later, or use --cone_source with another "
        "TAP URL or a local table."
    )


def _complaint(rows: pd.DataFrame, select: PlainSelect | None) -> str | None:
    """What is wrong with the rows of a query."""
    if select is not None:
        absent = sorted({name.lower() for name in select.names} - {name.lower() for name in rows})
        if absent:
            return f"without the column(s) {', '.join(absent)}"
    if "source_id" in rows and (repeated := int(rows["source_id"].duplicated().sum())):
        return f"{repeated} repeated source_id"
    return None


def _looks_cut(n_rows: int, n_counted: int) -> bool:
    """Whether rows are missing as if a limit had been applied without a word: such limits are round."""
    return 0 < n_rows < n_counted and n_rows % 100 == 0


def _count(service: "TapService", select: PlainSelect) -> int | None:
    from gaia_oc_amd.tap import ask_one_row

    row = ask_one_row(service, select.asking("COUNT(*) AS n_rows").text())
    return None if row is None else row.get("n_rows")


def _extent(service: "TapService", select: PlainSelect) -> "Extent | None":
    from gaia_oc_amd.row_limits import Extent
    from gaia_oc_amd.tap import ask_one_row

    name = select.expression("source_id")
    asking = ("COUNT(*) AS n_rows", f"MIN({name}) AS low", f"MAX({name}) AS high")
    row = ask_one_row(service, select.asking(*asking).text())
    return Extent(**row) if row is not None and {"n_rows", "low", "high"} == row.keys() else None
