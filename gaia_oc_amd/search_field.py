"""Where a search for first members looks: from a name or a position to a field on the sky, and its stars."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaia_oc_amd.archive.session import one_line
from gaia_oc_amd.catalogues.names import NameIndex
from gaia_oc_amd.cone import ConeRegion
from gaia_oc_amd.exceptions import UnknownClusterError
from gaia_oc_amd.first_members import KnownMotion
from gaia_oc_amd.first_members_options import FieldOptions
from gaia_oc_amd.options import ConeOptions
from gaia_oc_amd.query import load_cone

FIELD_FOLDER = "search_field"
"""Folder in the cluster's own that keeps the field: it is not the cluster's cone, which has limits in motion."""

_USUAL_RADIUS = 0.3
_SMALLEST, _LARGEST = 0.1, 2.0
_TIMEOUT = 10.0

logger = logging.getLogger(__name__)


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
    """

    name: str
    ra: float
    dec: float
    radius: float
    known: KnownMotion | None
    table_row: dict[str, float]
    found_in: str

    @property
    def region(self) -> ConeRegion:
        """Cone without limits in proper motion and parallax."""
        return ConeRegion(self.ra, self.dec, self.radius, 0.0, 0.0, np.inf, 0.0, np.inf)

    def as_dict(self) -> dict[str, Any]:
        """For a file."""
        known = asdict(self.known) if self.known else None
        return asdict(replace(self, known=None)) | {"known": known}


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
    """
    names = NameIndex(parameters["name"] if parameters is not None else [])
    spelled = names.get(name)
    row: dict[str, Any] = {}
    if spelled is not None and parameters is not None:
        row = parameters.loc[parameters["name"] == spelled].iloc[0].to_dict()
    if options.ra is not None and options.dec is not None:
        ra, dec, found_in = options.ra, options.dec, "given by hand"
    elif row:
        ra, dec, found_in = float(row["ra"]), float(row["dec"]), "the parameter table"
    else:
        ra, dec = sesame_position(name)
        found_in = "Sesame"
    values = {key: float(row[key]) for key in ("age", "a0", "dist") if key in row}
    radius = options.radius or _radius(values.get("dist", np.nan), options.search_pc)
    logger.info("%s: ra %.4f, dec %.4f (%s), radius %.3g deg", spelled or name, ra, dec, found_in, radius)
    known = _known_motion(row) if row else None
    return SearchTarget(spelled or name.strip(), ra, dec, radius, known, values, found_in)


def _radius(dist: float, search_pc: float) -> float:
    if not np.isfinite(dist):
        return _USUAL_RADIUS
    return float(np.clip(np.degrees(np.arctan2(search_pc, dist)), _SMALLEST, _LARGEST))


def _known_motion(row: dict[str, Any]) -> KnownMotion:
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
            raise UnknownClusterError(f"{unknown} cannot be reached ({one_line(error)}): {remedy}") from error
        except OSError as error:
            raise UnknownClusterError(f"{unknown} gave no answer ({one_line(error)}): {remedy}") from error
    return float(place.ra.deg), float(place.dec.deg)


def load_field(
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
        target.name, target.region, folder / FIELD_FOLDER, options, credentials_path=credentials_path
    )
