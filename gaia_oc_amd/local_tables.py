"""Stars of a cone from the user's own tables: one for all clusters, or a folder with one per cluster."""

from functools import lru_cache
from pathlib import Path

import pandas as pd

from gaia_oc_amd.catalogues.names import normalise_name
from gaia_oc_amd.cone import ConeRegion, check_sources, cut_to_region, in_order, refuse_empty
from gaia_oc_amd.exceptions import ClusterError, ConeUnavailableError
from gaia_oc_amd.files.tables import read_table
from gaia_oc_amd.parquet_scan import scan_cone

_PARQUET_SUFFIXES = (".parquet", ".pq")
_TABLE_SUFFIXES = (
    *(".csv", ".csv.gz", ".vot", ".vot.gz", ".votable", ".xml", ".fits", ".fits.gz"),
    *_PARQUET_SUFFIXES,
)
_HATS_FILES = ("hats.properties", "collection.properties", "properties")


def cut_from_files(source: Path, name: str, region: ConeRegion) -> pd.DataFrame:
    """Stars of a cone from a table, or from the cluster's table in a folder.

    Parameters
    ----------
    source : path
        As for `local_table`. A Parquet file is read in parts (see `parquet_scan.scan_cone`), another one as a
        whole, once for all clusters.
    name : str
        Cluster name.
    region : ConeRegion
        Where to cut.

    Returns
    -------
    DataFrame
        Checked sources inside the region, sorted by source_id.

    Raises
    ------
    ConeUnavailableError
        If there is no table, or it is of another field.
    ClusterError
        If its data are wrong, or there is more than one table.
    """
    path = local_table(source, name)
    if path != source:
        return cut_from_table(path, region)
    if path.suffix.lower() in _PARQUET_SUFFIXES:
        return scan_cone(path, region)
    state = path.stat()
    return _cut(_one_for_all(path, (state.st_mtime_ns, state.st_size)), region, path)


def cut_from_table(path: Path, region: ConeRegion) -> pd.DataFrame:
    """Stars of one table inside the region, as `cut_from_files` gives them."""
    return _cut(check_sources(read_table(path), str(path)), region, path)


@lru_cache(1)
def _one_for_all(path: Path, version: tuple[int, int]) -> pd.DataFrame:
    """Table that every cluster of a run is cut from, read once."""
    return check_sources(read_table(path), str(path))


def _cut(table: pd.DataFrame, region: ConeRegion, path: Path) -> pd.DataFrame:
    sources = cut_to_region(table, region)
    refuse_empty(sources, table, region, str(path))
    return in_order(sources)


def local_table(source: Path, name: str) -> Path:
    """Path of the table that holds a cluster's field.

    Parameters
    ----------
    source : path
        A table, used for every cluster, or a folder with one table per cluster, named after it.
    name : str
        Cluster name; case, underscores, spaces and hyphens are ignored. It is compared with the names of the
        folder's files, never made a part of a path.

    Returns
    -------
    Path

    Raises
    ------
    ConeUnavailableError
        If there is none.
    ClusterError
        If there is more than one.
    """
    if source.is_file():
        return source
    if not source.is_dir():
        raise ConeUnavailableError(
            f"--cone_source {source} is neither a file nor a folder, nor a TAP URL, hats:, parquet:, gaia, ari, "
            "gavo or vizier."
        )
    matching = [path for path, stem in _stems(source) if normalise_name(stem) == normalise_name(name)]
    if not matching:
        raise ConeUnavailableError(
            f"{source} holds no table for {name}: one named {name}.csv.gz, say, is expected{_hint(source)}."
        )
    if len(matching) > 1:
        found = ", ".join(path.name for path in matching)
        raise ClusterError(f"{source} holds more than one table ({found}) for {name}: leave one.")
    return matching[0]


def _stems(folder: Path) -> list[tuple[Path, str]]:
    """Tables of a folder with their names without the ending."""
    return [
        (path, path.name.removesuffix(suffix))
        for path in sorted(folder.iterdir())
        for suffix in _TABLE_SUFFIXES
        if path.name.endswith(suffix)
    ]


def _hint(folder: Path) -> str:
    """What a folder that is no folder of tables may be."""
    if any((folder / name).exists() for name in _HATS_FILES):
        return f"; a HATS catalogue is named hats:{folder}"
    if any(path.suffix.lower() in _PARQUET_SUFFIXES for path in folder.iterdir()):
        return f"; Parquet files to search as one are named parquet:{folder}"
    return ""
