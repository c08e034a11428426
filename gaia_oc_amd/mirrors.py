"""Services that hold Gaia DR3's source table: their addresses, and what they call the table and its columns.

None of the entries has met its live service from here: names are from the documents cited beside them.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from gaia_oc_amd.archive import GAIA_ARCHIVE, SOURCE_TABLE, cone_query, motion_conditions, query_archive
from gaia_oc_amd.columns import ARCHIVE_COLUMNS
from gaia_oc_amd.cone import (
    ConeRegion,
    check_sources,
    cut_to_region,
    in_order,
    refuse_missing_columns,
)
from gaia_oc_amd.exceptions import ClusterError, ConeUnavailableError

BANDS = ("g", "bp", "rp")


@dataclass(frozen=True)
class Mirror:
    """A TAP service with Gaia DR3.

    Parameters
    ----------
    url : str
        TAP base URL.
    table : str
        ADQL name of the source table.
    hosts : tuple of str
        Hosts by which a URL is recognised.
    columns : dict of str, optional
        The service's ADQL name of each archive column that it has, where they differ from the archive's names.
    is_partial : bool
        Whether it has some of the archive's columns only; the service is asked which.
    """

    url: str
    table: str = SOURCE_TABLE
    hosts: tuple[str, ...] = ()
    columns: Mapping[str, str] | None = None
    is_partial: bool = False


VIZIER_COLUMNS = {
    "source_id": '"Source"',
    "ra": '"RA_ICRS"',
    "dec": '"DE_ICRS"',
    "parallax": '"Plx"',
    "pmra": '"pmRA"',
    "pmdec": '"pmDE"',
    "parallax_error": '"e_Plx"',
    "pmra_error": '"e_pmRA"',
    "pmdec_error": '"e_pmDE"',
    "parallax_pmra_corr": '"PlxpmRAcor"',
    "parallax_pmdec_corr": '"PlxpmDEcor"',
    "pmra_pmdec_corr": '"pmRApmDEcor"',
    "phot_g_mean_mag": '"Gmag"',
    "phot_bp_mean_mag": '"BPmag"',
    "phot_rp_mean_mag": '"RPmag"',
    "l": '"GLON"',
    "b": '"GLAT"',
    "ecl_lat": '"ELAT"',
    "ruwe": '"RUWE"',
    "astrometric_params_solved": '"Solved"',
    "nu_eff_used_in_astrometry": '"nueff"',
    "pseudocolour": '"pscol"',
    "phot_g_n_obs": '"o_Gmag"',
    "phot_g_mean_flux": '"FG"',
    "phot_g_mean_flux_error": '"e_FG"',
    "phot_bp_n_obs": '"o_BPmag"',
    "phot_bp_mean_flux": '"FBP"',
    "phot_bp_mean_flux_error": '"e_FBP"',
    "phot_rp_n_obs": '"o_RPmag"',
    "phot_rp_mean_flux": '"FRP"',
    "phot_rp_mean_flux_error": '"e_FRP"',
    "bp_rp": '"BP-RP"',
    "g_rp": '"G-RP"',
    "phot_bp_rp_excess_factor": '"E(BP/RP)"',  # "E(BP-RP)" is the reddening of GSP-Phot
}
"""Columns of VizieR's I/355/gaiadr3, as cdsarc.cds.unistra.fr/viz-bin/ReadMe/I/355 lists them.

They are quoted because case tells some apart ("b_Teff", "B_Teff"). VizieR publishes some of them with fewer digits
than the archive, so stars at the very edge of the cone and last digits can differ.
"""

MIRRORS = {
    "gaia": Mirror(GAIA_ARCHIVE, hosts=("gea.esac.esa.int",)),
    # the archive's own table and names: gaia.ari.uni-heidelberg.de/tap.html
    "ari": Mirror("https://gaia.ari.uni-heidelberg.de/tap", hosts=("gaia.ari.uni-heidelberg.de",)),
    # dc.g-vo.org/tableinfo/gaia.dr3lite: the archive's names, without n_obs, fluxes and colours
    "gavo": Mirror(
        "https://dc.g-vo.org/tap",
        "gaia.dr3lite",
        ("dc.g-vo.org", "dc.zah.uni-heidelberg.de"),
        is_partial=True,
    ),
    "vizier": Mirror(
        "https://tapvizier.cds.unistra.fr/TAPVizieR/tap",
        '"I/355/gaiadr3"',
        ("tapvizier.cds.unistra.fr", "tapvizier.u-strasbg.fr"),
        VIZIER_COLUMNS,
    ),
}


def find_mirror(source: str) -> Mirror | None:
    """Service that a source names, None if it names no service.

    Parameters
    ----------
    source : str
        A key of `MIRRORS`; a TAP URL, which is taken to have the archive's table and columns unless its host is
        known; or both, ``vizier:URL``, for another address with the same table.

    Returns
    -------
    Mirror or None
    """
    name, _, rest = source.partition(":")
    if source.lower() in MIRRORS:
        return MIRRORS[source.lower()]
    if name.lower() in ("http", "https"):
        host = urlsplit(source).hostname
        known = (mirror for mirror in MIRRORS.values() if host in mirror.hosts)
        return replace(next(known, Mirror(source)), url=source)
    if name.lower() in MIRRORS and rest.lower().startswith(("http://", "https://")):
        return replace(MIRRORS[name.lower()], url=rest)
    return None


def fetch_cone(
    name: str,
    region: ConeRegion,
    mirror: Mirror,
    *,
    credentials_path: Path | None = None,
    job_file: Path | None = None,
) -> pd.DataFrame:
    """Stars of a cone from a service.

    Parameters
    ----------
    name : str
        Cluster name, for messages.
    region : ConeRegion
        Where to look.
    mirror : Mirror
        From `find_mirror`.
    credentials_path : path, optional
        Credentials, sent to the Gaia archive alone.
    job_file : path, optional
        Where the submitted job is remembered, so that a later call goes on with it.

    Returns
    -------
    DataFrame
        Checked sources inside the region, sorted by source_id.

    Raises
    ------
    ArchiveUnavailableError
        If the service gives no result.
    ConeUnavailableError
        If it lacks columns that nothing can stand in for.
    ClusterError
        If it has no star in the cone, or wrong data.
    """
    login = credentials_path if mirror.url == GAIA_ARCHIVE else None
    columns = available_columns(mirror)
    query = mirror_query(region, mirror, columns)
    answer = query_archive(query, url=mirror.url, credentials_path=login, job_file=job_file)
    sources = check_sources(with_fluxes(answer) if mirror.is_partial else answer, mirror.url)
    inside = cut_to_region(sources, region)
    if inside.empty:
        others = f", but {len(sources)} outside it" if len(sources) else ""
        raise ClusterError(
            f"{name}: {mirror.url} has no source in the cone{others}: check its parameters in the table."
        )
    return in_order(inside)


def available_columns(mirror: Mirror) -> dict[str, str]:
    """ADQL names of the archive columns that a service has.

    Raises
    ------
    ConeUnavailableError
        If columns are missing without which a source table is refused.
    """
    if not mirror.is_partial:
        return dict(mirror.columns or {name: name for name in ARCHIVE_COLUMNS})
    wanted = (*ARCHIVE_COLUMNS, *(f"phot_{band}_mean_flux_over_error" for band in BANDS))
    columns = {name: name for name in wanted if name in _published_columns(mirror.url, mirror.table)}
    refuse_missing_columns(columns, f"{mirror.table} at {mirror.url}", ConeUnavailableError)
    return columns


@lru_cache(16)
def _published_columns(url: str, table: str) -> frozenset[str]:
    """Names of a table's columns, as the service's own description has them."""
    answer = query_archive(
        f"SELECT column_name\nFROM TAP_SCHEMA.columns\nWHERE table_name = '{table}'", url=url
    )
    return frozenset(answer["column_name"].astype(str).str.strip().str.lower())


def mirror_query(region: ConeRegion, mirror: Mirror, columns: Mapping[str, str]) -> str:
    """ADQL text of the cone search of `archive.cone_query` in a service's own names.

    Parameters
    ----------
    region : ConeRegion
        Where to look.
    mirror : Mirror
        Gives the table.
    columns : dict of str
        The service's ADQL name of each archive column that it has.

    Returns
    -------
    str
        A query whose result has the archive's names.
    """
    if tuple(columns) == ARCHIVE_COLUMNS and tuple(columns.values()) == ARCHIVE_COLUMNS:
        return cone_query(region, table=mirror.table)
    selected = (theirs if theirs == ours else f"{theirs} AS {ours}" for ours, theirs in columns.items())
    observed = "\n  AND ".join(_observed(columns, band) for band in BANDS)
    pmra, pmdec, parallax = (columns[name] for name in ("pmra", "pmdec", "parallax"))
    return (
        f"SELECT {', '.join(selected)}\nFROM {mirror.table}\n"
        f"WHERE 1 = CONTAINS(POINT('ICRS', {columns['ra']}, {columns['dec']}), "
        f"CIRCLE('ICRS', {region.ra!r}, {region.dec!r}, {region.radius!r}))\n"
        f"  AND {observed}" + motion_conditions(region, pmra, pmdec, parallax)
    )


def _observed(columns: Collection[str] | Mapping[str, str], band: str) -> str:
    """Condition that a star was observed in a band."""
    n_obs = f"phot_{band}_n_obs"
    return f"{columns[n_obs]} > 0" if n_obs in columns else f"{columns[f'phot_{band}_mean_mag']} IS NOT NULL"


FLUX_ZERO_POINTS = {"g": 25.6873668671, "bp": 25.3385422158, "rp": 24.7478955012}
"""Magnitude of 1 electron/s in Vega's system (Gaia DR3 documentation, Table 5.2)."""


def with_fluxes(sources: pd.DataFrame) -> pd.DataFrame:
    """Sources with fluxes and their errors where a service has only magnitudes and flux over error.

    Parameters
    ----------
    sources : DataFrame
        With magnitudes and, perhaps, ``phot_*_mean_flux_over_error``.

    Returns
    -------
    DataFrame
        A new table; existing fluxes are kept.
    """
    added = {}
    for band in BANDS:
        flux, ratio = f"phot_{band}_mean_flux", f"phot_{band}_mean_flux_over_error"
        if ratio in sources and f"{flux}_error" not in sources:
            magnitude = sources[f"phot_{band}_mean_mag"].to_numpy(float)
            values = 10 ** (0.4 * (FLUX_ZERO_POINTS[band] - magnitude))
            values = sources[flux].to_numpy(float) if flux in sources else values
            with np.errstate(divide="ignore"):
                added |= {flux: values, f"{flux}_error": values / sources[ratio].to_numpy(float)}
    return sources.assign(**added)
