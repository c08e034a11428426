"""From a cluster's name to its first members and parameters, and the files that hold them."""

from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from gaia_oc_amd.catalogues.names import cluster_rng
from gaia_oc_amd.files.data_directory import cluster_directory, read_json, write_json
from gaia_oc_amd.files.provenance import versions
from gaia_oc_amd.files.tables import write_csv
from gaia_oc_amd.first_members import FirstMembers, find_first_members
from gaia_oc_amd.first_members_options import QualityOptions, SearchOptions
from gaia_oc_amd.found_parameters import MEMBER_PROBABILITY, found_parameters
from gaia_oc_amd.group_choice import JudgedGroup
from gaia_oc_amd.options import ConeOptions
from gaia_oc_amd.quality_cuts import quality_cuts
from gaia_oc_amd.search_field import FIELD_FOLDER, SearchTarget, load_field
from gaia_oc_amd.source_sets import existing_name

MEMBERS_FILE = "first_members.csv"
PARAMETERS_FILE = "first_members_parameters.csv"
RECORD_FILE = "first_members.json"

_LISTED = ("source_id", "PMemb", "ra", "dec", "pmra", "pmdec", "parallax", "phot_g_mean_mag")


@dataclass(frozen=True)
class MemberSearch:
    """What a search found, and how.

    Parameters
    ----------
    target : SearchTarget
        Where it looked.
    found : FirstMembers
        The members.
    row : dict
        The cluster's row of a parameter table.
    record : dict
        Options, versions, source, counts and significance.
    """

    target: SearchTarget
    found: FirstMembers
    row: dict[str, Any]
    record: dict[str, Any]

    @property
    def members(self) -> pd.DataFrame:
        """Member list as build_sets reads it."""
        listed = self.found.members[list(_LISTED)]
        listed.insert(0, "cluster", self.target.name)
        return listed

    @property
    def parameters(self) -> pd.DataFrame:
        """Parameter table of one row as build_sets reads it."""
        return pd.DataFrame([self.row])

    def counts(self) -> dict[str, Any]:
        """Numbers for the table at the end of a run."""
        probability = self.found.stars["PMemb"]
        return {
            "stars": len(probability),
            "p>=0.5": int((probability >= MEMBER_PROBABILITY).sum()),
            "p>=0.8": int((probability >= 0.8).sum()),
            "sigma": round(self.found.significance, 1),
            "others": len(self.found.others),
        }


def search_members(
    target: SearchTarget,
    data_dir: Path | str,
    *,
    isochrones: pd.DataFrame | None = None,
    cone: ConeOptions | None = None,
    quality: QualityOptions | None = None,
    search: SearchOptions | None = None,
    fit_isochrone: bool = False,
    credentials_path: Path | None = None,
    seed: int = 42,
) -> MemberSearch:
    """Find a cluster's first members in its field.

    Parameters
    ----------
    target : SearchTarget
        From `search_field.find_target`.
    data_dir : path
        The field is kept in the cluster's folder there.
    isochrones : DataFrame, optional
        Points of all isochrones.
    cone, quality, search : options, optional
        What the stars come from, which count, how groups are found.
    fit_isochrone : bool
        Whether age, extinction and distance are fitted to the members' colour-magnitude diagram.
    credentials_path : path, optional
        Credentials of the Gaia archive.
    seed : int
        With the name it determines the result.

    Returns
    -------
    MemberSearch
        Not yet saved: see `save_search`.

    Raises
    ------
    ClusterError
        If there are no stars, or no cluster among them.
    """
    cone, quality, search = cone or ConeOptions(), quality or QualityOptions(), search or SearchOptions()
    folder = search_folder(target, data_dir)
    sources = load_field(target, folder, cone, credentials_path=credentials_path)
    stars, counts = quality_cuts(sources, quality)
    rng = cluster_rng(seed, target.name)
    found = find_first_members(
        target.name, stars, search, ra=target.ra, dec=target.dec, known=target.known, rng=rng
    )
    row, origins = found_parameters(
        target.name,
        found.members,
        table_row=target.table_row,
        isochrones=isochrones,
        fit=fit_isochrone,
        rng=rng,
    )
    options = {"cone": asdict(cone), "quality": asdict(quality), "search": asdict(search), "seed": seed}
    record = {
        "target": target.as_dict(),
        "source": _source(folder),
        "counts": counts,
        "significance": found.significance,
        "cluster": _described(found.group),
        "other_groups": [_described(group) for group in found.others],
        "parameters": origins,
        "options": options,
        "versions": versions() | {"scikit-learn": version("scikit-learn")},
    }
    return MemberSearch(target, found, row, record)


def search_folder(target: SearchTarget, data_dir: Path | str) -> Path:
    """Folder of the cluster that is looked for, which may be there already under another spelling."""
    return cluster_directory(data_dir, existing_name(target.name, data_dir))


def _described(group: JudgedGroup) -> dict[str, Any]:
    profile = group.profile
    return {
        **dict(zip(("pmra", "pmdec", "parallax"), profile.mean, strict=True)),
        "scatter": profile.scatter,
        "n_core": int(profile.core.sum()),
        "n_field_expected": profile.expected,
        "excess": profile.excess,
        "sky_concentration": group.sky,
        "sequence_concentration": group.sequence,
        "overlap": group.overlap,
        "closeness": group.closeness,
        "score": group.score,
    }


def _source(folder: Path) -> str | None:
    record = folder / FIELD_FOLDER / "cone.json"
    return read_json(record).get("source") if record.exists() else None


def save_search(search: MemberSearch, data_dir: Path | str) -> Path:
    """Write member list, parameter row and record into the cluster's folder.

    Parameters
    ----------
    search : MemberSearch
        What to save.
    data_dir : path
        The data directory.

    Returns
    -------
    Path
        The folder.
    """
    folder = search_folder(search.target, data_dir)
    (folder / RECORD_FILE).unlink(
        missing_ok=True
    )  # written last: without it the others are not of one search
    write_csv(folder / MEMBERS_FILE, search.members)
    write_csv(folder / PARAMETERS_FILE, search.parameters)
    write_json(folder / RECORD_FILE, search.record)
    return folder
