"""Queries to the Gaia archive and to any other TAP service that has its source table."""

import logging
import time
import warnings
from pathlib import Path

import pandas as pd

from gaia_oc_amd.columns import ARCHIVE_COLUMNS
from gaia_oc_amd.cone import N_OBS_COLUMNS, ConeRegion
from gaia_oc_amd.credentials import read_credentials
from gaia_oc_amd.exceptions import ArchiveUnavailableError, ClusterError
from gaia_oc_amd.tables import canonical, from_astropy

logger = logging.getLogger(__name__)

GAIA_ARCHIVE = "https://gea.esac.esa.int/tap-server/tap"
SOURCE_TABLE = "gaiadr3.gaia_source"
MAXIMUM_ROWS = 3_000_000
"""Rows asked for; a result that reaches the service's own limit is refused, never cut without a word."""
CONNECT_TIMEOUT, READ_TIMEOUT = 20.0, 300.0
"""Seconds until a connection, and until the next byte of an answer."""
JOB_TIMEOUT = 3600.0
"""Seconds until an asynchronous job must have ended."""
MAXIMUM_PAUSE = 20.0
"""Seconds between two questions whether it has."""


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
        f"  AND {observed}\n"
        f"  AND SQRT(POWER(pmra - ({region.pmra!r}), 2) + POWER(pmdec - ({region.pmdec!r}), 2))"
        f" <= {region.pm_radius!r}\n"
        f"  AND ABS(parallax - ({region.parallax!r})) <= {region.parallax_width!r}"
    )


def query_archive(
    query: str, *, url: str = GAIA_ARCHIVE, credentials_path: Path | str | None = None
) -> pd.DataFrame:
    """Run a query as an asynchronous job and return its whole result.

    Parameters
    ----------
    query : str
        ADQL.
    url : str
        TAP base URL.
    credentials_path : path, optional
        File with user name and password of the Gaia archive; without it the query is anonymous.

    Returns
    -------
    DataFrame
        All rows.

    Raises
    ------
    ArchiveUnavailableError
        If the service cannot be reached, reports an error, or refuses the login.
    ClusterError
        If the service cut the result at its row limit.
    """
    import pyvo
    import requests
    import urllib3
    from astropy.io.votable.exceptions import VOWarning

    url = url.rstrip("/")
    credentials = None if credentials_path is None else read_credentials(credentials_path)
    logger.debug("%s is queried %s.", url, "anonymously" if credentials is None else "with a login")
    try:
        with _session_with_timeouts() as session, warnings.catch_warnings():
            warnings.simplefilter("ignore", VOWarning)
            warnings.simplefilter("error", pyvo.dal.DALOverflowWarning)
            if credentials is not None:
                _log_in(session, url, *credentials)
            result = from_astropy(_run_job(pyvo.dal.TAPService(url, session=session), query).to_table())
    except pyvo.dal.DALOverflowWarning as error:
        raise ClusterError(
            f"{url} cut the result at its row limit: use a smaller --cone_radius, --cone_pm_sigmas or "
            "--cone_plx_sigmas, or log in with --credentials_path."
        ) from error
    except (
        pyvo.dal.DALAccessError,
        requests.RequestException,
        urllib3.exceptions.HTTPError,  # an answer that breaks off while it is parsed
        OSError,
        ValueError,
    ) as error:
        raise ArchiveUnavailableError(
            f"{url} gave no result ({_short(error)}): try again later, or use --cone_source with another TAP URL "
            "or a local table."
        ) from error
    return canonical(result, url)


def _session_with_timeouts() -> "requests.Session":  # noqa: F821
    import requests
    from requests.adapters import HTTPAdapter

    class TimeoutAdapter(HTTPAdapter):
        """Gives every request the same timeouts, and closes what nobody read to its end."""

        def __init__(self) -> None:
            super().__init__()
            self._answers: list[requests.Response] = []

        def send(self, request, **keywords):  # noqa: ANN001, ANN003, ANN202
            keywords["timeout"] = (CONNECT_TIMEOUT, READ_TIMEOUT)  # pyvo gives up on a job's phase after 10 s
            self._answers.append(super().send(request, **keywords))
            return self._answers[-1]

        def close(self) -> None:
            for answer in self._answers:
                answer.close()
            super().close()

    session = requests.Session()
    session.mount("http://", TimeoutAdapter())
    session.mount("https://", TimeoutAdapter())
    return session


def _log_in(session: "requests.Session", url: str, username: str, password: str) -> None:  # noqa: F821
    """Open a session at the Gaia archive: a POST to the login page beside the TAP service sets a cookie."""
    if not url.startswith("https://"):
        raise ClusterError(f"{url} is not encrypted: the password is only sent to https addresses.")
    answer = session.post(
        url.rsplit("/", 1)[0] + "/login",
        data={"username": username, "password": password},
        allow_redirects=False,
    )
    if answer.status_code in (401, 403):
        raise ArchiveUnavailableError(
            f"the Gaia archive refused the login of {username}: run `python create_gaia_credentials_file.py` "
            "again, or remove the file to query anonymously."
        )
    answer.raise_for_status()
    if answer.status_code != 200 or not session.cookies:
        raise ArchiveUnavailableError(
            f"the login at {url} gave no session (status {answer.status_code}): try again later, or remove the "
            "credentials file to query anonymously."
        )


def _run_job(service: "pyvo.dal.TAPService", query: str) -> "pyvo.dal.TAPResults":  # noqa: F821
    """Result of an asynchronous job, which is deleted at the service afterwards, whatever happened."""
    import pyvo

    job = service.submit_job(query, maxrec=MAXIMUM_ROWS)
    try:
        _wait(job.run())
        job.raise_if_error()
        result = job.fetch_result()
    finally:
        try:
            job.delete()
        except (pyvo.dal.DALServiceError, OSError):
            logger.debug("the job could not be deleted", exc_info=True)
    if result.status[0] == "OVERFLOW":
        raise pyvo.dal.DALOverflowWarning("the result was cut at the row limit")
    return result


def _wait(job: "pyvo.dal.AsyncTAPJob") -> None:  # noqa: F821
    """Ask for the job's phase until it has ended. pyvo's own `wait` limits each request, not the whole."""
    deadline, pause = time.monotonic() + JOB_TIMEOUT, 0.5
    while (phase := job.phase) not in ("COMPLETED", "ERROR", "ABORTED"):
        logger.debug("the job is %s.", phase)
        if time.monotonic() > deadline:
            raise TimeoutError(f"its job had not ended after {JOB_TIMEOUT:.0f} s")
        time.sleep(pause)
        pause = min(pause * 1.2, MAXIMUM_PAUSE)


def _short(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
