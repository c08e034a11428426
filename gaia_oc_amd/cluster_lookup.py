"""Parameters of a cluster: its row of the table, what is given by hand, and what its listed members tell."""

import warnings

import numpy as np

from gaia_oc_amd.catalogue_tables import read_parameter_table
from gaia_oc_amd.catalogues import CATALOGUES
from gaia_oc_amd.cluster import PARAMETERS, Cluster, check_complete
from gaia_oc_amd.cluster_names import NameIndex
from gaia_oc_amd.exceptions import UnknownClusterError
from gaia_oc_amd.given_cluster import fill_gaps, override, refuse_incomplete
from gaia_oc_amd.input_tables import InputTables
from gaia_oc_amd.options import GivenCluster

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
    given, the table need not know the name (see `given_cluster.fill_gaps` for what is then assumed).

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
        If the row lacks something that cannot be computed.
    """
    given = given or GivenCluster()
    known = tables.known_name(name)
    if known is None:
        refuse_incomplete(name, given, lambda: _unknown(name, tables))
    row = tables.parameters_of(known) if known else {}
    values = override(name, {key: float(row.get(key, np.nan)) for key in PARAMETERS}, given)
    listed = tables.listed_members(known or name)
    for quantity in ("pmra", "pmdec", "parallax"):
        if not np.isfinite(values[f"{quantity}_error"]) and quantity in listed and len(listed) > 1:
            values[f"{quantity}_error"] = float(listed[quantity].std())
    if not np.isfinite(values["dist"]) and values["parallax"] > 0:
        values["dist"] = 1000 / values["parallax"]
    if known is None:
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
