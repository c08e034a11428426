"""The tables that a run reads once for all its clusters, and a cluster's row in them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.catalogues import COMPARISON_FILE, MEMBERS_FILE, read_member_list, read_parameter_table
from gaia_oc_amd.cluster import PARAMETERS, Cluster, check_complete
from gaia_oc_amd.cluster_names import find_name, normalise_name
from gaia_oc_amd.data_directory import CLUSTER_PARAMETERS, CREDENTIALS, ISOCHRONES
from gaia_oc_amd.isochrone_files import read_isochrones
from gaia_oc_amd.member_matching import rows_by_cluster
from gaia_oc_amd.options import TablePaths


@dataclass(frozen=True)
class InputTables:
    """Tables that a run reads once for all its clusters.

    Parameters
    ----------
    parameters : DataFrame
        Cluster parameters, one row per cluster.
    parameters_path : str
        Where they come from, for messages.
    members, comparison : DataFrame
        Member lists; the comparison list may be empty.
    isochrones : DataFrame
        Points of all isochrones.
    credentials_path : path, optional
        Credentials of the Gaia archive, if there are any.
    """

    parameters: pd.DataFrame
    parameters_path: str
    members: pd.DataFrame
    comparison: pd.DataFrame
    isochrones: pd.DataFrame
    credentials_path: Path | None

    def listed_members(self, name: str) -> pd.DataFrame:
        """Rows of one cluster in the member list, as `member_matching.listed_members` gives them."""
        return self.members.iloc[self._member_rows.get(normalise_name(name), [])].reset_index(drop=True)

    def listed_for_comparison(self, name: str) -> pd.DataFrame:
        """Rows of one cluster in the comparison list."""
        return self.comparison.iloc[self._comparison_rows.get(normalise_name(name), [])].reset_index(
            drop=True
        )

    @cached_property
    def _member_rows(self) -> dict[str, NDArray[np.int64]]:
        return rows_by_cluster(self.members)

    @cached_property
    def _comparison_rows(self) -> dict[str, NDArray[np.int64]]:
        return rows_by_cluster(self.comparison)


def read_input_tables(data_dir: Path | str, paths: TablePaths | None = None) -> InputTables:
    """Read the tables that `build_sets` needs.

    Parameters
    ----------
    data_dir : path
        Holds the tables under their default names.
    paths : TablePaths, optional
        Other places. A path given here must exist; the default comparison list and credentials may be absent.

    Returns
    -------
    InputTables

    Raises
    ------
    FileNotFoundError, ValueError
        If a table is missing or unreadable.
    """
    data_dir, paths = Path(data_dir), paths or TablePaths()
    parameters_path = _existing(paths.cluster_path or data_dir / CLUSTER_PARAMETERS, "--cluster_path")
    members_path = _existing(paths.members_path or data_dir / MEMBERS_FILE, "--members_path")
    isochrone_path = _existing(
        paths.isochrone_path or data_dir / ISOCHRONES, "--isochrone_path", "download_isochrones.py"
    )
    comparison_path = paths.comparison_path or data_dir / COMPARISON_FILE
    comparison = (
        read_member_list(comparison_path) if paths.comparison_path or comparison_path.exists() else None
    )
    credentials_path = paths.credentials_path or data_dir / CREDENTIALS
    if paths.credentials_path:
        _existing(paths.credentials_path, "--credentials_path", "create_gaia_credentials_file.py")
    members = read_member_list(members_path)
    return InputTables(
        parameters=read_parameter_table(parameters_path),
        parameters_path=str(parameters_path),
        members=members,
        comparison=members.iloc[:0] if comparison is None else comparison,
        isochrones=read_isochrones(isochrone_path),
        credentials_path=credentials_path if credentials_path.exists() else None,
    )


def _existing(path: Path, option: str, script: str = "download_members_and_cluster_params.py") -> Path:
    if not path.exists():
        raise FileNotFoundError(
            f"{path} does not exist: run `python {script}` or name another file with {option}."
        )
    return path


def find_cluster(name: str, tables: InputTables) -> Cluster:
    """Cluster of a name, with what its table row lacks computed from its listed members where possible.

    Missing standard deviations are those of the listed proper motions and parallaxes, a missing distance is
    1000 / parallax.

    Parameters
    ----------
    name : str
        Cluster name as the user spells it.
    tables : InputTables
        Parameters and member list.

    Returns
    -------
    Cluster

    Raises
    ------
    UnknownClusterError
        If no row has the name.
    ClusterError
        If the row lacks something that cannot be computed.
    """
    parameters = tables.parameters
    known = find_name(name, parameters["name"], table=tables.parameters_path)
    row = parameters.loc[parameters["name"] == known].iloc[0]
    values = {key: float(row[key]) if key in row else np.nan for key in PARAMETERS}
    listed = tables.listed_members(known)
    for quantity in ("pmra", "pmdec", "parallax"):
        if not np.isfinite(values[f"{quantity}_error"]) and quantity in listed and len(listed) > 1:
            values[f"{quantity}_error"] = float(listed[quantity].std())
    if not np.isfinite(values["dist"]) and values["parallax"] > 0:
        values["dist"] = 1000 / values["parallax"]
    return check_complete(Cluster(name=known, **values))
