"""Download published catalogues from VizieR and isochrones from the CMD web form."""

import html
import logging
import re
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import numpy as np
import pandas as pd

from gaia_oc_amd.arguments import checked
from gaia_oc_amd.catalogues.published import CMD_FORM, DEFAULT_KEYS, VIZIER, PublishedTable, find_catalogue
from gaia_oc_amd.catalogues.tables import check_members, check_parameters
from gaia_oc_amd.exceptions import ArchiveUnavailableError, one_line
from gaia_oc_amd.files.bounds import OutsizedError, unpacked, within_bound
from gaia_oc_amd.files.containers import from_astropy
from gaia_oc_amd.files.data_directory import write_atomically
from gaia_oc_amd.files.tables import canonical, write_csv
from gaia_oc_amd.files.units import unit_factor
from gaia_oc_amd.isochrones import read_isochrones
from gaia_oc_amd.options import ISOCHRONES
from gaia_oc_amd.parallel import progress_bar

if TYPE_CHECKING:
    import requests


_TIMEOUT = 600  # s without a byte; VizieR needs minutes before it sends a million rows

logger = logging.getLogger(__name__)


def download_catalogues(
    data_dir: Path = Path("data"),
    *,
    catalogues: tuple[str, ...] = DEFAULT_KEYS,
    overwrite: bool = False,
    server: str = VIZIER,
) -> list[Path]:
    """Download several catalogues from VizieR.

    Parameters
    ----------
    data_dir : path
        The data directory.
    catalogues : tuple of str
        Keys of `catalogues.published.CATALOGUES`. A table that two of them share is downloaded once.
    overwrite : bool
        Whether to replace existing files.
    server : str
        Host name of VizieR or one of its mirrors.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    ValueError
        If a key is unknown.
    ArchiveUnavailableError
        At the first failure; what was finished is kept.
    """
    tables = {table.file_name: table for key in catalogues for table in find_catalogue(key).tables}
    return [
        download_table(table, data_dir, overwrite=overwrite, server=server)
        for table in progress_bar(tables.values(), desc="catalogues", unit="table")
    ]


@checked
def download_startup_data(data_dir: Path | str = "data", *, overwrite: bool = False) -> list[Path]:
    """Download what a first cluster needs: member lists, cluster parameters and isochrones.

    Parameters
    ----------
    data_dir : path
        The data directory.
    overwrite : bool
        Whether to replace existing files.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    ArchiveUnavailableError
        At the first failure; what was finished is kept.
    """
    folder = Path(data_dir)
    return [
        *download_catalogues(folder, overwrite=overwrite),
        download_isochrones(folder, overwrite=overwrite),
    ]


def download_table(
    published: PublishedTable, data_dir: Path | str, *, overwrite: bool = False, server: str = VIZIER
) -> Path:
    """Download one table from VizieR to a CSV file with our column names and units.

    Parameters
    ----------
    published : PublishedTable
        A table of one of `catalogues.published.CATALOGUES`.
    data_dir : path
        The data directory.
    overwrite : bool
        Whether to replace an existing file.
    server : str
        Host name of VizieR or one of its mirrors.

    Returns
    -------
    Path
        The file, with the columns that `read_member_list` or `read_parameter_table` needs.

    Raises
    ------
    ArchiveUnavailableError
        If VizieR does not answer, or its answer cannot be read or is empty.
    ValueError
        If the table lacks a column, or its values cannot be what they should be.
    """
    path = Path(data_dir) / published.file_name
    if path.exists() and not overwrite:
        logger.info("%s exists and is kept; --overwrite replaces it", path)
        return path
    table = _our_columns(_query_vizier(published, server), published)
    source = f"VizieR's {published.table}"
    if published.kind == "members":
        table = check_members(table, source)
    else:
        table = check_parameters(table, source, published=True)
    write_csv(path, table)
    logger.info("%s: %d rows of %s (%s)", path, len(table), published.reference, published.table)
    return path


def _query_vizier(published: PublishedTable, server: str) -> list[Any]:
    """VizieR's answer, astropy tables of at least one row."""
    import requests
    from astroquery import cache_conf  # imported here: it takes a second
    from astroquery.exceptions import TableParseError
    from astroquery.vizier import VizierClass

    wanted = [*published.columns.values(), *published.optional_columns.values()]
    columns = list(dict.fromkeys(name for names in wanted for name in names))
    vizier = VizierClass(columns=columns, row_limit=-1, timeout=_TIMEOUT, vizier_server=server)
    remedy = "try again later, or with another mirror (--server vizier.cfa.harvard.edu)."
    try:
        with warnings.catch_warnings(), cache_conf.set_temp("cache_active", False):
            warnings.simplefilter("ignore")  # about units and UCDs; the values are checked below
            answer = vizier.get_catalogs(published.table)
    except (requests.RequestException, TableParseError) as error:
        raise ArchiveUnavailableError(
            f"VizieR at {server} gave no readable table {published.table} ({_cause(error)}): {remedy}"
        ) from error
    tables = [table for table in answer or () if len(table)]
    if not tables:
        raise ArchiveUnavailableError(f"VizieR at {server} gave no rows of {published.table}: {remedy}")
    return tables


def _our_columns(tables: list[Any], published: PublishedTable) -> pd.DataFrame:
    """The first of VizieR's tables that has all columns, with our names and units."""
    fitting = next((table for table in tables if not _absent(table, published)), tables[0])
    absent = _absent(fitting, published)
    if absent:
        raise ValueError(
            f"VizieR's {published.table} has no column {' or '.join(published.columns[absent[0]])} for {absent[0]}, "
            f"only {', '.join(fitting.colnames)}: add the name it has now to catalogues.py."
        )
    wanted = {**published.columns, **published.optional_columns}
    names = {ours: found for ours, theirs in wanted.items() if (found := _find_column(fitting, theirs))}
    source = f"VizieR's {published.table}"
    factors = {
        ours: unit_factor(str(fitting[theirs].unit), ours, f"{source} has {theirs}")
        for ours, theirs in names.items()
        if fitting[theirs].unit is not None
    }
    ours = canonical(from_astropy(fitting[list(names.values())]).set_axis(list(names), axis=1), source)
    return ours.assign(
        **{name: ours[name] * factor for name, factor in factors.items() if factor != 1},
        **published.constants,
    )


def _absent(table: Any, published: PublishedTable) -> list[str]:
    return [ours for ours, theirs in published.columns.items() if not _find_column(table, theirs)]


def _find_column(table: Any, names: tuple[str, ...]) -> str | None:
    found = {_without_signs(name): name for name in table.colnames}
    return next((found[_without_signs(name)] for name in names if _without_signs(name) in found), None)


def _without_signs(name: str) -> str:
    return re.sub(r"\W", "_", name).casefold()


MOST_ISOCHRONES = 400
"""More in one query the form refuses."""

_CMD_TIMEOUT = (30, 300)  # s to connect, s without a byte: the form computes for minutes before it answers
_REDIRECTS = 3
_CHUNK = 1 << 16
_LARGEST_PAGE, _LARGEST_FILE = 1 << 24, 1 << 30
"""Bytes; 63 isochrones have 2 MB, and no more than 400 are given."""
_CLOSING_LINE = "isochrone terminated"

# Field names of the form's versions 3.6 to 3.9. What matters here are the tracks (PARSEC 1.2S and COLIBRI
# S_37 + S_35 + PR16, as van Groeningen et al. 2023), the photometric system and extinction_av; the rest are
# the form's own defaults, which it expects to be there.
_FORM = {
    "cmd_version": "3.8",
    "track_omegai": "0.00",
    "track_parsec": "parsec_CAF09_v1.2S",
    "track_colibri": "parsec_CAF09_v1.2S_S_LMC_08_web",
    "track_postagb": "no",
    "n_inTPC": "10",
    "eta_reimers": "0.2",
    "kind_interp": "1",
    "kind_postagb": "-1",
    "photsys_file": "YBC_tab_mag_odfnew/tab_mag_gaiaEDR3.dat",
    "photsys_version": "YBCnewVega",
    "dust_sourceM": "dpmod60alox40",
    "dust_sourceC": "AMCSIC15",
    "kind_mag": "2",
    "kind_dust": "0",
    "extinction_av": "0.0",
    "extinction_coeff": "constant",
    "extinction_curve": "cardelli",
    "kind_LPV": "3",
    "imf_file": "tab_imf/imf_kroupa_orig.dat",
    "isoc_isagelog": "1",
    "isoc_ismetlog": "0",
    "isoc_dz": "0.0",
    "output_kind": "0",
    "output_evstage": "1",
    "lf_maginf": "-15",
    "lf_magsup": "20",
    "lf_deltamag": "0.5",
    "sim_mtot": "1.0e4",
    "output_gzip": "0",
    "submit_form": "Submit",
}


def download_isochrones(
    data_dir: Path = Path("data"),
    *,
    log_age_min: float = 6.0,
    log_age_max: float = 9.99,
    log_age_step: float = 0.01,
    metal_frac: float = 0.0152,
    overwrite: bool = False,
    url: str = CMD_FORM,
) -> Path:
    """Download PARSEC isochrones in Gaia EDR3 bands to ``isochrones.dat``.

    Parameters
    ----------
    data_dir : path
        The data directory.
    log_age_min, log_age_max, log_age_step : float
        First and last log10 of the age [yr], and the step between them.
    metal_frac : float
        Metal fraction Z.
    overwrite : bool
        Whether to replace an existing file.
    url : str
        Address of the CMD web form.

    Returns
    -------
    Path
        The file, readable with `isochrones.read_isochrones`.

    Raises
    ------
    ValueError
        If the ages or the metal fraction make no query, or one of more than 400 isochrones.
    ArchiveUnavailableError
        If the form does not answer, refuses the query, or what it gives is incomplete.
    """
    import requests

    log_ages = _log_ages(log_age_min, log_age_max, log_age_step)
    if not 0 < metal_frac <= 0.1:
        raise ValueError(f"metal_frac is {metal_frac:g}, but must be in (0, 0.1]; the Sun has 0.0152.")
    path = Path(data_dir) / ISOCHRONES
    if path.exists() and not overwrite:
        logger.info("%s exists and is kept; --overwrite replaces it", path)
        return path
    try:
        with requests.Session() as session:
            logger.info("asking %s for %d isochrones, which takes it minutes", url, len(log_ages))
            link = _submit(session, url, _form(log_ages, log_age_step, metal_frac))
            content = _unpacked(_fetch(session, link), link)
    except OutsizedError as error:
        raise ArchiveUnavailableError(
            f"the answer of the CMD form at {url} is no file of isochrones, {error}: {_REMEDY}"
        ) from error
    except requests.RequestException as error:
        raise ArchiveUnavailableError(
            f"the CMD form at {url} gave no isochrones ({_cause(error)}): {_REMEDY}"
        ) from error
    with write_atomically(path) as temporary:
        temporary.write_bytes(content)
        _check(temporary, link, log_ages)
    logger.info("%s: %d isochrones of Z = %g", path, len(log_ages), metal_frac)
    return path


_REMEDY = (
    "try again later, or fill the form in a browser (Gaia EDR3 bands) and save the file as isochrones.dat."
)


def _log_ages(first: float, last: float, step: float) -> np.ndarray:
    if not (5 <= first <= last <= 10.3 and step > 0):
        raise ValueError(
            f"log ages from {first:g} to {last:g} in steps of {step:g} make no grid: give "
            "5 <= log_age_min <= log_age_max <= 10.3 and a log_age_step above 0."
        )
    n_ages = int(np.floor((last - first) / step + 1e-6)) + 1
    if n_ages > MOST_ISOCHRONES:
        raise ValueError(
            f"{n_ages} isochrones were asked for, at most {MOST_ISOCHRONES} are given at once: "
            "raise --log_age_step or narrow --log_age_min and --log_age_max."
        )
    return first + step * np.arange(n_ages)


def _form(log_ages: np.ndarray, step: float, metal_frac: float) -> dict[str, str]:
    return _FORM | {
        "isoc_lagelow": f"{log_ages[0]:.6g}",
        "isoc_lageupp": f"{log_ages[-1]:.6g}",
        "isoc_dlage": f"{step:.6g}" if len(log_ages) > 1 else "0.0",
        "isoc_zlow": f"{metal_frac:.6g}",
        "isoc_zupp": f"{max(metal_frac, 0.03):.6g}",  # unused with isoc_dz 0
    }


def _submit(session: "requests.Session", url: str, form: dict[str, str]) -> str:
    """Post the form; returns the address of the file that its answer links to."""
    for _ in range(_REDIRECTS):
        reply = session.post(url, data=form, timeout=_CMD_TIMEOUT, allow_redirects=False, stream=True)
        if not reply.is_redirect:
            break
        url = urljoin(
            url, reply.headers["Location"]
        )  # by itself requests would go on with GET, without the form
    with reply:
        reply.raise_for_status()
        page = within_bound(reply.iter_content(_CHUNK), _LARGEST_PAGE)
    return _output_link(page.decode("utf-8", errors="replace"), url)


def _output_link(page: str, url: str) -> str:
    """Address of the file that the form's answer links to, ``../tmp/output123456789.dat``."""
    match = re.search(r"""href\s*=\s*["']?([^"'\s>]*\boutput\d+\.dat(?:\.gz)?)\b""", page, re.IGNORECASE)
    if match is None:
        raise ArchiveUnavailableError(
            f"the CMD form at {url} made no isochrones; it says: {_message(page)!r}. {_REMEDY}"
        )
    link = urljoin(url, html.unescape(match[1]))
    if urlsplit(link).hostname != urlsplit(url).hostname:
        raise ArchiveUnavailableError(f"the CMD form at {url} links to another server, {link}: {_REMEDY}")
    return link


def _message(page: str) -> str:
    """What an answer without a link says: its error paragraphs, or else its text."""
    errors = re.findall(
        r"""<(\w+)[^>]*class\s*=\s*["']?errorwarning\b[^>]*>(.*?)</\1>""", page, re.DOTALL | re.IGNORECASE
    )
    text = " ".join(body for _, body in errors) or re.sub(r"(?is)<(script|style|head)\b.*?</\1>", " ", page)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())[:300] or "nothing"


def _fetch(session: "requests.Session", link: str) -> bytes:
    with session.get(link, timeout=_CMD_TIMEOUT, stream=True) as reply:
        reply.raise_for_status()
        size = reply.headers.get("Content-Length", "")
        total = int(size) if size.isdecimal() else None
        with progress_bar(desc="isochrones", total=total, unit="B", unit_scale=True) as bar:

            def chunks() -> Iterator[bytes]:
                for chunk in reply.iter_content(_CHUNK):
                    bar.update(len(chunk))
                    yield chunk

            return within_bound(chunks(), _LARGEST_FILE)


def _unpacked(content: bytes, link: str) -> bytes:
    try:
        return unpacked(content, _LARGEST_FILE) if content.startswith(b"\x1f\x8b") else content
    except (EOFError, OSError, zlib.error) as error:
        raise ArchiveUnavailableError(f"{link} arrived truncated ({_cause(error)}): {_REMEDY}") from error


def _check(path: Path, link: str, log_ages: np.ndarray) -> None:
    """Raise if the file is not the whole answer to the query."""
    last_line = path.read_text(encoding="utf-8", errors="replace").rstrip().rpartition("\n")[2]
    if not last_line.startswith("#") or _CLOSING_LINE not in last_line:
        raise ArchiveUnavailableError(
            f"{link} does not end with '#{_CLOSING_LINE}', it is truncated: {_REMEDY}"
        )
    try:
        found = np.unique(read_isochrones(path)["logAge"])
    except ValueError as error:
        reason = str(error).replace(str(path), "it")
        raise ArchiveUnavailableError(f"{link} is no isochrone table ({reason})") from error
    absent = [age for age in log_ages if np.abs(found - age).min() > 1e-3]
    if (
        absent == [log_ages[-1]] and len(log_ages) > 1
    ):  # as the form's own rounding of the last step may have it
        logger.warning("the isochrones end before log age %.2f", log_ages[-1])
    elif absent:
        raise ArchiveUnavailableError(
            f"{link} has {len(found)} ages of the {len(log_ages)} asked for, {absent[0]:.2f} is the first "
            f"absent: {_REMEDY}"
        )


def _cause(error: BaseException) -> str:
    """What the innermost of the errors that a network error carries says: why it happened."""
    while isinstance(inner := getattr(error, "reason", None) or next(iter(error.args), None), BaseException):
        error = inner
    return one_line(re.sub(r"^HTTPS?Connection\(.*?\): ", "", str(error)), 200)
