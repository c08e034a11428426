"""Find a cluster by its name, in the parameter table or among what is given by hand."""

import logging
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

from gaia_oc_amd.astrometry import mean_direction
from gaia_oc_amd.catalogues.names import NameIndex
from gaia_oc_amd.catalogues.published import CATALOGUES
from gaia_oc_amd.catalogues.tables import InputTables, read_parameter_table
from gaia_oc_amd.cluster import OPTIONAL_PARAMETERS, PARAMETERS, Cluster, check_complete
from gaia_oc_amd.exceptions import ClusterError, UnknownClusterError
from gaia_oc_amd.options import GivenCluster

NEEDED = ("ra", "dec", "parallax", "pmra", "pmdec")
"""What must be known of a cluster that no table knows, from its members where it is not given; a distance may stand
for the parallax."""
_SURE = 0.5
"""PMemb from which listed members count for the means of a cluster that no table knows, if there are enough."""

# the parameters of 2,017 clusters of Cantat-Gaudin et al. (2020) have these medians, at all distances within a third
_LOG_AGE = 8.2
_A0_PER_KPC, _LARGEST_A0 = 0.6, 1.5  # mag
_PM_SCATTER, _VELOCITY_SCATTER = 0.1, 0.5  # mas/yr of the measurements, km/s
_LEAST_PARALLAX = 0.005  # mas, of 200 kpc
_PARALLAX_SCATTER, _DEPTH = 0.05, 5.0  # mas of the measurements, pc

logger = logging.getLogger(__name__)


def means_of_members(listed: pd.DataFrame) -> dict[str, float]:
    """Position, motion and parallax of a cluster from its member list.

    Parameters
    ----------
    listed : DataFrame
        The cluster's rows, with the columns that the list has.

    Returns
    -------
    dict of str to float
        Mean direction, ra and dec [deg], and medians of parallax [mas], pmra and pmdec [mas/yr], of those that the
        list has; of the members with PMemb of at least 0.5 if they are at least half of all.
    """
    sure = listed[listed["PMemb"] >= _SURE]
    listed = sure if len(sure) >= len(listed) / 2 else listed
    values = {
        key: float(listed[key].median()) for key in NEEDED if key in listed and listed[key].notna().any()
    }
    if {"ra", "dec"} <= set(values):
        placed = listed[["ra", "dec"]].dropna().to_numpy(float)
        values["ra"], values["dec"] = mean_direction(*placed.T)
    return values


def refuse_incomplete(
    name: str, given: GivenCluster, of_members: dict[str, float], unknown: Callable[[], UnknownClusterError]
) -> None:
    """Refuse a cluster that no table knows and that is not given by hand either.

    Parameters
    ----------
    name : str
        Its name.
    given : GivenCluster
        What is given of it.
    of_members : dict of str to float
        What its listed members say of it.
    unknown : callable
        Makes the error for a cluster of which nothing is given.

    Raises
    ------
    UnknownClusterError
        That of `unknown` if nothing is given; else one that says what is missing.
    """
    values = given.values()
    if not values:
        raise unknown()
    known = of_members | values
    missing = [key for key in NEEDED if key not in known and not (key == "parallax" and "dist" in known)]
    if missing:
        options = " ".join(f"--{key}" for key in missing)
        raise UnknownClusterError(
            f"{name!r} is in no row of the parameter table: add {options}, or a --members_path that has such columns "
            "of its members."
        )


def override(name: str, values: dict[str, float], given: GivenCluster) -> dict[str, float]:
    """Parameters with those in place that were given by hand.

    Parameters
    ----------
    name : str
        Cluster name, for the log.
    values : dict of str to float
        The table's parameters, NaN where it has none.
    given : GivenCluster
        What goes before them. A given parallax also replaces a distance that is not given, and a given distance a
        parallax that is missing.

    Returns
    -------
    dict of str to float
    """
    chosen = given.values()
    if "parallax" in chosen and "dist" not in chosen:
        if chosen["parallax"] < _LEAST_PARALLAX:
            raise ClusterError(
                f"{name} has parallax {chosen['parallax']:g} mas, which gives no distance: add --dist, or leave "
                "--parallax out and give --dist alone."
            )
        chosen["dist"] = 1000 / chosen["parallax"]
    if "dist" in chosen and "parallax" not in chosen and not np.isfinite(values["parallax"]):
        chosen["parallax"] = 1000 / chosen["dist"]
    replaced = [f"{key} {values[key]:g} by {chosen[key]:g}" for key in chosen if np.isfinite(values[key])]
    if replaced:
        logger.info("%s: the given values replace the table's: %s", name, ", ".join(replaced))
    return values | chosen


def fill_gaps(name: str, values: dict[str, float]) -> dict[str, float]:
    """Parameters of a cluster that no table knows, typical ones where none are given.

    Log age 8.2; A0 of 0.6 mag per kpc, at most 1.5 mag; standard deviations of the members of 0.1 mas/yr and
    0.05 mas together with 0.5 km/s and 5 pc at the cluster's distance. They are medians of known clusters; a warning
    names what was assumed.

    Parameters
    ----------
    name : str
        Cluster name, for the warning.
    values : dict of str to float
        Its parameters with a distance, NaN where there are none.

    Returns
    -------
    dict of str to float
    """
    kpc = values["dist"] / 1000
    scatter = float(np.hypot(_PM_SCATTER, _VELOCITY_SCATTER / (4.74 * kpc)))
    typical = {
        "pmra_error": scatter,
        "pmdec_error": scatter,
        "parallax_error": float(np.hypot(_PARALLAX_SCATTER, _DEPTH / 1000 / kpc**2)),
        "age": _LOG_AGE,
        "a0": min(_A0_PER_KPC * kpc, _LARGEST_A0),
    }
    assumed = {key: value for key, value in typical.items() if not np.isfinite(values[key])}
    if assumed:
        warnings.warn(
            f"{name}: {', '.join(f'{key} {value:.3g}' for key, value in assumed.items())} is assumed, as of a typical "
            f"cluster at {values['dist']:.0f} pc: give {' '.join(f'--{key}' for key in assumed)} if you know better.",
            stacklevel=3,
        )
    return values | assumed


_TYPES = {
    "m": "a moving group",
    "g": "a globular cluster",
    "d": "too distant to be classified",
    "r": "rejected as a cluster",
}
"""Hunt & Reffert's types of objects other than open clusters."""


def find_cluster(name: str, tables: InputTables, given: GivenCluster | None = None) -> Cluster:
    """Cluster of a name, with what its table row lacks computed from its listed members where possible.

    Missing standard deviations are those of the listed proper motions and parallaxes, a missing distance is
    1000 / parallax. What is given by hand goes before the row; with position, motion and parallax (or distance)
    given, the table need not know the name: what is not given is that of its listed members as far as these are
    measured, and typical else (see `catalogues.lookup.fill_gaps`).

    Parameters
    ----------
    name : str
        Cluster name as the user spells it, or an alias.
    tables : InputTables
        Parameters and member list.
    given : GivenCluster, optional
        Parameters given by hand.

    Returns
    -------
    Cluster

    Raises
    ------
    UnknownClusterError
        If no row has the name and too little is given, or if the name is an alias that fits several rows.
    ClusterError
        If the row lacks something that cannot be computed, or if nothing gives a distance.
    """
    given = given or GivenCluster()
    known = tables.known_name(name)
    listed = tables.listed_members(known or name)
    of_members = means_of_members(listed) if known is None else {}
    if known is None:
        refuse_incomplete(name, given, of_members, lambda: _unknown(name, tables))
    row = tables.parameters_of(known) if known else {}
    known_values = {key: float(row.get(key, np.nan)) for key in (*PARAMETERS, *OPTIONAL_PARAMETERS)}
    values = override(name, known_values, given)
    found = {key: value for key, value in of_members.items() if not np.isfinite(values[key])}
    if found:
        text = ", ".join(f"{key} {value:.5g}" for key, value in found.items())
        logger.info("%s: %s are those of its %d listed members", name, text, len(listed))
        values |= found
    for quantity in ("pmra", "pmdec", "parallax"):
        if not np.isfinite(values[f"{quantity}_error"]) and quantity in listed and len(listed) > 1:
            values[f"{quantity}_error"] = float(listed[quantity].std())
    if not np.isfinite(values["dist"]) and values["parallax"] > 0:
        values["dist"] = 1000 / values["parallax"]
    if known is None:
        if not np.isfinite(values["dist"]):
            raise ClusterError(
                f"{name}: its listed members have a median parallax of {values['parallax']:.3g} mas, which gives no "
                "distance: add --dist."
            )
        values = fill_gaps(name, values)
    _warn_of_type(known, row.get("type"))
    return check_complete(Cluster(name=known or name.strip(), **values))


def _warn_of_type(name: str | None, letter: object) -> None:
    if letter in _TYPES:
        warnings.warn(
            f"{name} is {_TYPES[letter]} in the parameter table, not an open cluster: its sets are built all the same.",
            stacklevel=3,
        )


def _unknown(name: str, tables: InputTables) -> UnknownClusterError:
    """What `NameIndex.find` says, or which of the other downloaded tables knows the name."""
    elsewhere = _catalogue_with(name, tables)
    if elsewhere:
        return UnknownClusterError(
            f"{name!r} is in none of the {len(tables.parameters)} rows of {tables.parameters_path}, but {elsewhere} "
            f"has it: try --catalogue {elsewhere}."
        )
    try:
        NameIndex(tables.parameters["name"], table=tables.parameters_path).find(name)
    except UnknownClusterError as error:
        return error
    raise ValueError(f"{name!r} is in {tables.parameters_path}.")


def _catalogue_with(name: str, tables: InputTables) -> str | None:
    """First catalogue among those downloaded whose parameter table, another than that of this run, has the name."""
    for catalogue in CATALOGUES:
        if tables.data_dir is None or catalogue.parameters is None or catalogue.key == "parameters":
            continue
        path = tables.data_dir / catalogue.parameters.file_name
        if str(path) != tables.parameters_path and path.exists():
            try:
                names = read_parameter_table(path)["name"]
            except ValueError:  # of a table that this run does not use
                continue
            if NameIndex(names, table=str(path)).get(name):
                return catalogue.key
    return None
