"""The stars around a cluster: the kept cone, else the archive, another service or a table; checked and cut once."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd import archive
from gaia_oc_amd.archive import GAIA_ARCHIVE
from gaia_oc_amd.archive.local_tables import HatsCatalogue, LocalTable, SharedTable, cluster_table
from gaia_oc_amd.archive.parquet import ParquetFiles
from gaia_oc_amd.arguments import checked
from gaia_oc_amd.column_names import SOURCES, VIZIER_GAIA
from gaia_oc_amd.columns import ARCHIVE_COLUMNS
from gaia_oc_amd.cone import ConeRegion, cut_to_region, in_order, wrong_rows
from gaia_oc_amd.exceptions import (
    ArchiveBusyError,
    ArchiveUnavailableError,
    ClusterError,
    ConeUnavailableError,
)
from gaia_oc_amd.files.provenance import quick_fingerprint
from gaia_oc_amd.kept_cone import is_current, keep_cone, kept_cone, read_record
from gaia_oc_amd.options import ConeOptions
from gaia_oc_amd.photometry import BANDS
from gaia_oc_amd.source_checks import check_sources, refuse_missing_columns

logger = logging.getLogger(__name__)

JOB_FILE = "cone_job.json"
"""In the cluster's folder while a service works on the cone: a killed run goes on with its job."""


def load_cone(
    name: str,
    region: ConeRegion,
    folder: Path,
    options: ConeOptions,
    *,
    credentials_path: Path | None = None,
    columns: tuple[str, ...] = (),
) -> pd.DataFrame:
    """Stars of a cone, from the cluster's folder if they are there, else from the first source that has them.

    The next source is tried where one cannot be reached, does not exist, lacks the columns, or has no star of the
    field. Wrong data (repeated identifiers, impossible values, a damaged file, no star that passes the cone's cuts)
    end the cluster at once: they are to be looked at, not passed over.

    Parameters
    ----------
    name : str
        Cluster name.
    region : ConeRegion
        Where to look.
    folder : path
        The cluster's folder. The cone is kept there as ``cone.*``, with its region and source in ``cone.json``;
        a kept cone of another region, of a source that is none of the options', of a table that was replaced, or of
        other columns than are named now, is fetched again, one without ``cone.json`` (put there by hand) is cut to
        the region.
    options : ConeOptions
        Sources, format, and whether a kept cone is fetched again.
    credentials_path : path, optional
        Credentials of the Gaia archive.
    columns : tuple of str
        What columns of local tables are called, ``ra=RAJ2000``.

    Returns
    -------
    DataFrame
        Checked sources inside the region (see `source_checks.check_sources`), sorted by source_id: a service gives them
        in any order.

    Raises
    ------
    ArchiveUnavailableError, ConeUnavailableError
        If no source has the stars; the message names each with its reason. An `ArchiveBusyError` if a
        service may answer later.
    ClusterError
        If the data are wrong.
    ChangedFileError
        If the kept cone was changed since this program wrote it.
    """
    kept = None if options.overwrite_cone else kept_cone(folder)
    if kept and is_current(
        folder, region, same_source=not has_new_source(name, folder, options.cone_source, columns)
    ):
        logger.debug("%s: the cone in %s is used.", name, kept)
        return stars_in_cone(LocalTable(kept), region)
    find = partial(star_source, name=name, folder=folder, credentials_path=credentials_path, columns=columns)
    sources, source = _from_first(options.cone_source, name, region, find)
    made_by = {"region": region.as_dict(), "source": source}
    if mark := source_fingerprint(source, name, folder):
        made_by["source_fingerprint"] = mark
    if named := _named_columns(source, columns):
        made_by["columns"] = named
    keep_cone(folder, sources, options.cone_format, made_by)
    return sources


def has_new_source(
    name: str, folder: Path, asked_for: tuple[str, ...], columns: tuple[str, ...] = ()
) -> bool:
    """Whether a cluster's kept cone is from no source that is asked for, as that source and its columns are now.

    A table is known by its content, wherever it lies; one that is there no more is taken to be what it was.

    Raises
    ------
    ValueError
        If the cone's record is damaged.
    """
    record = read_record(folder)
    if record is None:
        return False
    word, mark = record.get("source"), record.get("source_fingerprint")
    if not isinstance(word, str) or record.get("columns", {}) != _named_columns(word, columns):
        return True
    if word in asked_for and (mark is None or source_fingerprint(word, name, folder) in (None, mark)):
        return False
    return mark is None or all(source_fingerprint(other, name, folder) != mark for other in asked_for)


def _named_columns(word: str, columns: tuple[str, ...]) -> dict[str, str]:
    """Columns of stars that the user names, by ours, where a source has names that are not known."""
    return {} if find_mirror(word) else dict(SOURCES.with_given(columns).given)


def source_fingerprint(word: str, name: str, folder: Path) -> str | None:
    """Fingerprint of the table on this machine that a word of `star_source` names; None if it names none."""
    try:
        source = star_source(word, name, folder)
        return quick_fingerprint(source.path) if isinstance(source, LocalTable | ParquetFiles) else None
    except (ClusterError, OSError):  # it is there no more: what was cut from it stays good
        return None


def _from_first(
    asked_for: tuple[str, ...], name: str, region: ConeRegion, find: Callable[[str], "StarSource"]
) -> tuple[pd.DataFrame, str]:
    """Stars from the first source that has them, and which it was."""
    failures: dict[str, ArchiveUnavailableError | ConeUnavailableError] = {}
    for source in dict.fromkeys(asked_for):
        try:
            stars = stars_in_cone(find(source), region)
        except (ArchiveUnavailableError, ConeUnavailableError) as error:
            if len(asked_for) == 1:
                raise
            logger.warning("%s: no stars from %s: %s", name, source, error)
            failures[source] = error
        else:
            logger.log(
                logging.INFO if failures else logging.DEBUG, "%s: %d stars from %s", name, len(stars), source
            )
            return stars, source
    reasons = " | ".join(f"{source}: {error}" for source, error in failures.items())
    kinds = (ArchiveBusyError, ArchiveUnavailableError, ConeUnavailableError)
    kind = next(kind for kind in kinds if any(isinstance(error, kind) for error in failures.values()))
    raise kind(f"{name}: none of the {len(failures)} sources has its stars: {reasons}")


class StarSource(Protocol):
    """A place that stars come from: `Service`, `LocalTable`, `SharedTable`, `ParquetFiles` or `HatsCatalogue`."""

    @property
    def origin(self) -> str:
        """What messages call it."""

    def rows(self, region: ConeRegion) -> pd.DataFrame:
        """Stars by the archive's names, neither checked nor sorted: all of a region, and any number of others."""

    def no_star(self, rows: pd.DataFrame, region: ConeRegion) -> ClusterError:
        """Why none of its checked rows is in a region: a `ConeUnavailableError` if another source may have some."""


def stars_in_cone(source: StarSource, region: ConeRegion) -> pd.DataFrame:
    """Stars of one source in a region.

    Parameters
    ----------
    source : StarSource
        Where they come from.
    region : ConeRegion
        Where to look.

    Returns
    -------
    DataFrame
        Checked sources inside the region, sorted by source_id.

    Raises
    ------
    ArchiveUnavailableError, ConeUnavailableError
        If the source gives no result, lacks columns, or is of another field.
    ClusterError
        If its data are wrong, or none of its stars of the field passes the cuts.
    """
    rows = _checked_for_all(source) if isinstance(source, SharedTable) else _checked(source, region)
    stars = cut_to_region(rows, region)
    if stars.empty:
        raise source.no_star(rows, region)
    return in_order(stars)


def _checked(source: StarSource, region: ConeRegion) -> pd.DataFrame:
    return check_sources(source.rows(region), source.origin)


@lru_cache(1)
def _checked_for_all(table: SharedTable) -> pd.DataFrame:
    """A table that every cluster of a run is cut from, read and checked once."""
    return check_sources(table.whole(), table.origin)


def star_source(
    word: str,
    name: str,
    folder: Path,
    credentials_path: Path | None = None,
    columns: tuple[str, ...] = (),
) -> StarSource:
    """What a word of ``--cone_source`` names.

    Parameters
    ----------
    word : str
        A service (see `find_mirror`), ``hats:`` or ``parquet:`` with a path, a table, or a folder of tables.
    name : str
        Cluster name.
    folder : path
        The cluster's folder, where a service's job is remembered.
    credentials_path : path, optional
        Credentials, sent to the Gaia archive alone.
    columns : tuple of str
        What columns of a table are called, ``ra=RAJ2000``.

    Returns
    -------
    StarSource

    Raises
    ------
    ConeUnavailableError
        If there is no such table.
    ClusterError
        If a folder has more than one table of the cluster.
    """
    mirror = find_mirror(word)
    if mirror:
        return Service(mirror, name, credentials_path, folder / JOB_FILE)
    kind, _, path = word.partition(":")
    if kind.lower() == "hats":
        return HatsCatalogue(path, columns)
    if kind.lower() == "parquet":
        return ParquetFiles(Path(path), columns)
    return cluster_table(Path(word), name, columns)


SOURCE_TABLE = "gaiadr3.gaia_source"


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


VIZIER_COLUMNS = {ours: f'"{theirs}"' for ours, theirs in VIZIER_GAIA.items()}
"""Columns of VizieR's I/355/gaiadr3, quoted because case tells some apart ("b_Teff", "B_Teff")."""

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


@dataclass(frozen=True)
class Service:
    """A TAP service as a source of stars.

    Parameters
    ----------
    mirror : Mirror
        From `find_mirror`.
    name : str
        Cluster name, for messages.
    credentials_path : path, optional
        Credentials, sent to the Gaia archive alone.
    job_file : path, optional
        Where the submitted job is remembered, so that a later call goes on with it.
    """

    mirror: Mirror
    name: str
    credentials_path: Path | None = None
    job_file: Path | None = None

    @property
    def origin(self) -> str:
        """Its URL."""
        return self.mirror.url

    def rows(self, region: ConeRegion) -> pd.DataFrame:
        """Answer of the service to the query for the cone.

        Raises
        ------
        ArchiveUnavailableError
            If the service gives no result.
        ConeUnavailableError
            If it lacks columns that nothing can stand in for.
        """
        login = self.credentials_path if self.mirror.url == GAIA_ARCHIVE else None
        query = cone_query(region, table=self.mirror.table, columns=available_columns(self.mirror))
        answer = archive.query_archive(
            query,
            url=self.mirror.url,
            credentials_path=login,
            job_file=self.job_file,
            complaint=partial(wrong_rows, region=region),
        )
        return with_fluxes(answer) if self.mirror.is_partial else answer

    def no_star(self, rows: pd.DataFrame, region: ConeRegion) -> ClusterError:
        """Nothing that another service could mend, for each has the whole sky."""
        others = f", but {len(rows)} outside it" if len(rows) else ""
        return ClusterError(
            f"{self.name}: {self.origin} has no source in the cone{others}: check its parameters in the table."
        )


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
    answer = archive.query_archive(
        f"SELECT column_name\nFROM TAP_SCHEMA.columns\nWHERE table_name = '{table}'", url=url
    )
    return frozenset(answer["column_name"].astype(str).str.strip().str.lower())


@checked
def cone_query(
    region: ConeRegion, *, table: str = SOURCE_TABLE, columns: Mapping[str, str] | None = None
) -> "archive.Select":
    """Cone search (Eqs. 1 and 2 of van Groeningen et al. 2023) for stars observed in G, BP and RP.

    Parameters
    ----------
    region : ConeRegion
        Where to look.
    table : str
        The service's name of the source table.
    columns : dict of str, optional
        The service's ADQL name of each archive column that it has; by default the archive's own.

    Returns
    -------
    Select
        A query whose result has the archive's names.
    """
    names = columns or {name: name for name in ARCHIVE_COLUMNS}
    circle = f"CIRCLE('ICRS', {region.ra!r}, {region.dec!r}, {region.radius!r})"
    inside = f"1 = CONTAINS(POINT('ICRS', {names['ra']}, {names['dec']}), {circle})"
    observed = (_observed(names, band) for band in BANDS)
    return archive.Select(names, table, (inside, *observed, *motion_conditions(region, names)))


def _observed(columns: Mapping[str, str], band: str) -> str:
    """Condition that a star was observed in a band."""
    n_obs = f"phot_{band}_n_obs"
    return f"{columns[n_obs]} > 0" if n_obs in columns else f"{columns[f'phot_{band}_mean_mag']} IS NOT NULL"


def motion_conditions(region: ConeRegion, names: Mapping[str, str]) -> tuple[str, str]:
    """ADQL of the limits in proper motion and in parallax.

    A region without a limit still leaves out the stars that lack the quantity, as one with a limit does.

    Parameters
    ----------
    region : ConeRegion
        Where to look.
    names : dict of str
        The service's ADQL name of each archive column.

    Returns
    -------
    tuple of str
    """
    pmra, pmdec, parallax = (names[name] for name in ("pmra", "pmdec", "parallax"))
    square = f"POWER({pmra} - ({region.pmra!r}), 2) + POWER({pmdec} - ({region.pmdec!r}), 2)"
    near = f"SQRT({square}) <= {region.pm_radius!r}"
    alike = f"ABS({parallax} - ({region.parallax!r})) <= {region.parallax_width!r}"
    if region.error_weight:
        errors = f"POWER({names['pmra_error']}, 2) + POWER({names['pmdec_error']}, 2)"
        near += f" + {region.error_weight!r} * SQRT(({errors}) / 2)"
        alike += f" + {region.error_weight!r} * {names['parallax_error']}"
    limits = region.motion_intervals
    return (
        near if "pmra" in limits else f"{pmra} IS NOT NULL",
        alike if "parallax" in limits else f"{parallax} IS NOT NULL",
    )


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
    added: dict[str, NDArray[np.float64]] = {}
    for band in BANDS:
        flux, ratio = f"phot_{band}_mean_flux", f"phot_{band}_mean_flux_over_error"
        if ratio in sources and f"{flux}_error" not in sources:
            magnitude = sources[f"phot_{band}_mean_mag"].to_numpy(float)
            values = 10 ** (0.4 * (FLUX_ZERO_POINTS[band] - magnitude))
            values = sources[flux].to_numpy(float) if flux in sources else values
            with np.errstate(divide="ignore"):
                added |= {flux: values, f"{flux}_error": values / sources[ratio].to_numpy(float)}
    return sources.assign(**added)
