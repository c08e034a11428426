"""The field that is searched: its place, its stars, the quality cuts, and the tables that help."""

import dataclasses
import logging
from collections.abc import Hashable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.arguments import checked
from gaia_oc_amd.catalogues.names import NameIndex
from gaia_oc_amd.catalogues.published import CG20_PARAMETERS, find_catalogue
from gaia_oc_amd.catalogues.tables import read_parameter_table
from gaia_oc_amd.cone import ConeRegion
from gaia_oc_amd.exceptions import UnknownClusterError, one_line
from gaia_oc_amd.first_members.options import FieldOptions, QualityOptions
from gaia_oc_amd.first_members.other_groups import read_catalogues
from gaia_oc_amd.first_members.search import KnownMotion
from gaia_oc_amd.first_members.stars import NEEDED
from gaia_oc_amd.installation import script_command
from gaia_oc_amd.isochrones import read_isochrones
from gaia_oc_amd.options import CREDENTIALS, ISOCHRONES, ConeOptions, TablePaths
from gaia_oc_amd.query import load_cone

Mask = NDArray[np.bool_]

_CHI2, _N_GOOD = "astrometric_chi2_al", "astrometric_n_good_obs_al"

logger = logging.getLogger(__name__)


def quality_cuts(
    sources: pd.DataFrame, options: QualityOptions | None = None
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Stars that pass all cuts, and how many are left after each.

    A cut whose columns the table lacks, or has without a value, is left out, with a word in the log; a star whose own
    value is missing fails.

    Parameters
    ----------
    sources : DataFrame
        Stars with the archive's columns.
    options : QualityOptions, optional
        Which cuts, and their limits.

    Returns
    -------
    stars : DataFrame
        The rows that passed, with a new index.
    counts : dict of str to int
        Stars left, by the name of the cut, in their order.
    """
    options = options or QualityOptions()
    kept, counts = np.ones(len(sources), bool), {"all": len(sources)}
    for name, cut in _CUTS.items():
        passed = cut(sources, options)
        if passed is None:
            logger.info("the cut %s is left out: its columns are not in the table, or empty.", name)
            continue
        kept &= passed
        counts[name] = int(kept.sum())
    return sources[kept].reset_index(drop=True), counts


def said_counts(counts: Mapping[str, int]) -> str:
    """Stars left after each cut, for a message: "all 5000, complete 4980, search_g_max 3100"."""
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _has(sources: pd.DataFrame, *names: str) -> bool:
    """Whether a table has values in all of some columns."""
    return all(name in sources and sources[name].notna().any() for name in names)


def _complete(sources: pd.DataFrame, options: QualityOptions) -> Mask:
    return np.isfinite(sources[list(NEEDED)].to_numpy(float)).all(axis=1)


def _bright(sources: pd.DataFrame, options: QualityOptions) -> Mask:
    return sources["phot_g_mean_mag"].to_numpy(float) <= options.search_g_max


def _astrometric_quality(sources: pd.DataFrame, options: QualityOptions) -> Mask | None:
    """Unit weight error against its limit (Lindegren et al. 2018, Eq. C.1), or RUWE."""
    if not options.astrometric_quality:
        return np.ones(len(sources), bool)
    if _has(sources, _CHI2, _N_GOOD):
        freedom = np.maximum(sources[_N_GOOD].to_numpy(float) - 5, 1)
        unit_weight_error = np.sqrt(sources[_CHI2].to_numpy(float) / freedom)
        g = sources["phot_g_mean_mag"].to_numpy(float)
        return unit_weight_error < 1.2 * np.maximum(1, np.exp(-0.2 * (g - 19.5)))
    if _has(sources, "ruwe"):
        return sources["ruwe"].to_numpy(float) < options.max_ruwe
    return None


def _flux_excess(sources: pd.DataFrame, options: QualityOptions) -> Mask | None:
    """Flux excess factor between the limits of Lindegren et al. (2018), Eq. C.2, which crowding and galaxies exceed."""
    if not options.flux_excess:
        return np.ones(len(sources), bool)
    if not _has(sources, "phot_bp_rp_excess_factor"):
        return None
    square = sources["bp_rp"].to_numpy(float) ** 2
    excess = sources["phot_bp_rp_excess_factor"].to_numpy(float)
    return (excess > 1 + 0.015 * square) & (excess < 1.3 + 0.06 * square)


def _parallax_snr(sources: pd.DataFrame, options: QualityOptions) -> Mask:
    ratio = sources["parallax"].to_numpy(float) / sources["parallax_error"].to_numpy(float)
    return ratio >= options.min_parallax_snr


def _flux_snr(sources: pd.DataFrame, options: QualityOptions) -> Mask | None:
    fluxes = [f"phot_{band}_mean_flux" for band in ("g", "bp", "rp")]
    if not _has(sources, *fluxes, *(f"{flux}_error" for flux in fluxes)):
        return None
    passed = np.ones(len(sources), bool)
    for flux in fluxes:
        limit = options.min_flux_snr * sources[f"{flux}_error"].to_numpy(float)
        passed &= sources[flux].to_numpy(float) >= limit
    return passed


_CUTS = {
    "complete": _complete,
    "search_g_max": _bright,
    "astrometric_quality": _astrometric_quality,
    "flux_excess": _flux_excess,
    "parallax_snr": _parallax_snr,
    "flux_snr": _flux_snr,
}


@dataclass(frozen=True)
class SearchTables:
    """Cluster parameters, isochrones and credentials, each None where there are none; what columns are called.

    `catalogues` holds the parameter tables of all published catalogues that are there, for other groups of a field.
    """

    parameters: pd.DataFrame | None
    isochrones: pd.DataFrame | None
    credentials_path: Path | None
    columns: tuple[str, ...] = ()
    catalogues: Mapping[str, pd.DataFrame] = dataclasses.field(default_factory=dict)


def read_search_tables(
    data_dir: Path | str, paths: TablePaths | None = None, *, need_isochrones: bool = False
) -> SearchTables:
    """Read what is there of the tables that a search can use.

    Parameters
    ----------
    data_dir : path
        Holds the tables under their default names.
    paths : TablePaths, optional
        Other places; a path given here must exist.
    need_isochrones : bool
        Whether isochrones must exist, for a fit.

    Returns
    -------
    SearchTables

    Raises
    ------
    FileNotFoundError
        If a path that was given, or the isochrones of a fit, do not exist.
    ValueError
        If a table cannot be read.
    """
    data_dir, paths = Path(data_dir), paths or TablePaths()
    table = find_catalogue(paths.catalogue).parameters or CG20_PARAMETERS
    parameters = _there(paths.cluster_path, data_dir / table.file_name, "--cluster_path")
    isochrones = _there(paths.isochrone_path, data_dir / ISOCHRONES, "--isochrone_path")
    if need_isochrones and isochrones is None:
        command = script_command("download_isochrones.py", data_dir=data_dir)
        raise FileNotFoundError(
            f"{data_dir / ISOCHRONES} does not exist: run `{command}`, or name another file with "
            "--isochrone_path, or leave out --fit_isochrone."
        )
    return SearchTables(
        read_parameter_table(parameters, paths.columns) if parameters else None,
        read_isochrones(isochrones, rotation=paths.isochrone_rotation) if isochrones else None,
        _there(paths.credentials_path, data_dir / CREDENTIALS, "--credentials_path"),
        paths.columns,
        read_catalogues(data_dir),
    )


def _there(given: Path | None, default: Path, option: str) -> Path | None:
    if given is not None and not given.exists():
        raise FileNotFoundError(f"{given} does not exist: name another file with {option}.")
    if given is not None:
        return given
    return default if default.exists() else None


FIELD_FOLDER = "search_field"
"""Folder in the cluster's own that keeps the field: it is not the cluster's cone, which has limits in motion."""

_USUAL_RADIUS = 0.3
_SMALLEST, _LARGEST = 0.1, 2.0
_TIMEOUT = 10.0


@dataclass(frozen=True)
class SearchTarget:
    """A cluster to look for.

    Parameters
    ----------
    name : str
        As the parameter table spells it, else as the user does.
    ra, dec, radius : float
        Field [deg].
    known : KnownMotion, optional
        Mean motion of the parameter table.
    table_row : dict
        The table's other parameters of the cluster; may be empty.
    found_in : str
        Where the position is from.
    columns : tuple of str
        What columns of the table of stars are called, as the user says.
    """

    name: str
    ra: float
    dec: float
    radius: float
    known: KnownMotion | None
    table_row: dict[str, float]
    found_in: str
    columns: tuple[str, ...] = ()

    @property
    def region(self) -> ConeRegion:
        """Cone without limits in proper motion and parallax."""
        return ConeRegion(self.ra, self.dec, self.radius, 0.0, 0.0, np.inf, 0.0, np.inf)

    def as_dict(self) -> dict[str, Any]:
        """For a file."""
        known = asdict(self.known) if self.known else None
        return asdict(replace(self, known=None)) | {"known": known}


@checked
def find_target(name: str, parameters: pd.DataFrame | None, options: FieldOptions) -> SearchTarget:
    """Field of a cluster: given by hand, of a parameter table, or of Sesame.

    Parameters
    ----------
    name : str
        Cluster name in any spelling, or an alias.
    parameters : DataFrame, optional
        Cluster parameters, if there is a table.
    options : FieldOptions
        Position and radius given by hand go first.

    Returns
    -------
    SearchTarget

    Raises
    ------
    UnknownClusterError
        If the table does not know the name and Sesame does not either, or cannot be reached.
    ValueError
        If it is no table of cluster parameters.
    """
    if parameters is not None and "name" not in parameters:
        raise ValueError("the cluster parameters have no names: take `read_input_tables(...).parameters`.")
    names = NameIndex(parameters["name"] if parameters is not None else [])
    spelled = names.get(name)
    row: Mapping[Hashable, Any] = {}
    if spelled is not None and parameters is not None:
        row = parameters.loc[parameters["name"] == spelled].iloc[0].to_dict()
    if options.ra is not None and options.dec is not None:
        ra, dec, found_in = options.ra, options.dec, "given by hand"
    elif row:
        ra, dec, found_in = float(row["ra"]), float(row["dec"]), "the parameter table"
    else:
        ra, dec = sesame_position(name)
        found_in = "Sesame"
    values: dict[str, float] = {key: float(row[key]) for key in ("age", "a0", "dist") if key in row}
    radius = options.radius or _radius(values.get("dist", np.nan), options.search_pc)
    logger.info("%s: ra %.4f, dec %.4f (%s), radius %.3g deg", spelled or name, ra, dec, found_in, radius)
    known = _known_motion(row) if row else None
    return SearchTarget(spelled or name.strip(), ra, dec, radius, known, values, found_in)


def _radius(dist: float, search_pc: float) -> float:
    if not np.isfinite(dist):
        return _USUAL_RADIUS
    return float(np.clip(np.degrees(np.arctan2(search_pc, dist)), _SMALLEST, _LARGEST))


def _known_motion(row: Mapping[Hashable, Any]) -> KnownMotion:
    names = ("pmra", "pmdec", "parallax")
    mean = np.array([row.get(name, np.nan) for name in names], float)
    return KnownMotion(mean, np.array([row.get(f"{name}_error", np.nan) for name in names], float))


def sesame_position(
    name: str, *, servers: Sequence[str] | None = None, timeout: float = _TIMEOUT
) -> tuple[float, float]:
    """Position of an object by CDS's name resolver, which asks SIMBAD, NED and VizieR.

    Parameters
    ----------
    name : str
        Underscores stand for blanks.
    servers : sequence of str, optional
        Addresses of Sesame; by default those astropy knows.
    timeout : float
        Longest wait for a server [s].

    Returns
    -------
    ra, dec : float
        [deg]

    Raises
    ------
    UnknownClusterError
        If it does not know the name, or no server answers.
    """
    from astropy.coordinates import SkyCoord
    from astropy.coordinates.name_resolve import NameResolveError, sesame_url
    from astropy.utils.data import conf

    unknown = f"{name!r} is in no parameter table here, and Sesame"
    remedy = "give the position with --ra --dec (and --radius), or a parameter table that has the cluster."
    with ExitStack() as settings:
        settings.enter_context(conf.set_temp("remote_timeout", timeout))
        if servers is not None:
            settings.enter_context(sesame_url.set(list(servers)))
        try:
            place = SkyCoord.from_name(name.strip().replace("_", " "), cache=False)
        except NameResolveError as error:
            if "Unable to find coordinates" in str(error):
                raise UnknownClusterError(f"{unknown} does not know it: {remedy}") from error
            raise UnknownClusterError(
                f"{unknown} cannot be reached ({one_line(error, 200)}): {remedy}"
            ) from error
        except OSError as error:
            raise UnknownClusterError(
                f"{unknown} gave no answer ({one_line(error, 200)}): {remedy}"
            ) from error
    return float(place.ra.deg), float(place.dec.deg)


def load_search_field(
    target: SearchTarget, folder: Path, options: ConeOptions, *, credentials_path: Path | None = None
) -> pd.DataFrame:
    """Stars of the field whatever their motion, kept in `FIELD_FOLDER` as cones are kept (see `load_cone`).

    Parameters
    ----------
    target : SearchTarget
        Where to look.
    folder : path
        The cluster's folder.
    options : ConeOptions
        Sources, format, and whether a kept field is fetched again; its limits do not apply.
    credentials_path : path, optional
        Credentials of the Gaia archive.

    Returns
    -------
    DataFrame
    """
    return load_cone(
        target.name,
        target.region,
        folder / FIELD_FOLDER,
        options,
        credentials_path=credentials_path,
        columns=target.columns,
    )
