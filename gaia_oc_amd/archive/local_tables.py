"""Stars of a cone from tables on this machine, or from a HATS catalogue."""

import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from gaia_oc_amd.archive.parquet import scan_cone
from gaia_oc_amd.catalogues.names import normalise_name
from gaia_oc_amd.columns import ARCHIVE_COLUMNS
from gaia_oc_amd.cone import (
    ConeRegion,
    check_sources,
    cut_to_region,
    in_order,
    refuse_empty,
    refuse_missing_columns,
)
from gaia_oc_amd.exceptions import ClusterError, ConeUnavailableError, one_line
from gaia_oc_amd.files.tables import canonical, from_arrow, read_table

_MARGIN = 1.0
"""Added to the radius that LSDB cuts at [arcsec]; the exact cut is ours."""
_QUIET = {"progress_bar": False}


def hats_cone(path: str, region: ConeRegion) -> pd.DataFrame:
    """Stars of a cone in a HATS catalogue.

    Parameters
    ----------
    path : str
        Folder or URL of a catalogue or a collection, with the archive's column names in any case.
    region : ConeRegion
        Where to cut.

    Returns
    -------
    DataFrame
        Checked sources inside the region, sorted by source_id.

    Raises
    ------
    ConeUnavailableError
        If LSDB is not installed, the catalogue cannot be opened or read, lacks columns, or does not cover the cone.
    ClusterError
        If its data in the cone are wrong.
    """
    origin = f"hats:{path}"
    try:
        import dask
        import lsdb
    except ImportError as error:
        raise ConeUnavailableError(
            f"{origin} needs LSDB: pip install 'gaia_oc_amd[hats]', or 'lsdb>=0.11'."
        ) from error
    cone = lsdb.ConeSearch(region.ra, region.dec, region.radius * 3600 + _MARGIN)
    try:
        # threads of this process, for a worker of a batch must not wait for the other workers
        with dask.config.set(scheduler="threads"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other people's dtypes and worker counts
            names = _archive_names(lsdb.open_catalog(path, columns="all").columns)
            refuse_missing_columns(names, origin, ConeUnavailableError)
            catalog = lsdb.open_catalog(path, columns=list(names.values()), search_filter=cone)
            limits = _near_in_motion(names, region)
            rows = (catalog.query(limits) if limits else catalog).compute(**_QUIET)
            around = rows if len(rows) else catalog[[names["ra"], names["dec"]]].compute(**_QUIET)
    except ConeUnavailableError:
        raise
    except Exception as error:  # of fsspec, aiohttp, hats, dask and pyarrow, which have no common ancestor
        raise ConeUnavailableError(
            f"{origin} cannot be read ({one_line(error, 200)}): check the path, and that it is a HATS "
            "catalogue that covers the cone."
        ) from error
    uncut = check_sources(_plain(rows[list(names.values())], origin), origin)
    sources = cut_to_region(uncut, region)
    refuse_empty(sources, uncut if len(uncut) else _plain(around, origin), region, origin)
    return in_order(sources)


def _plain(rows: pd.DataFrame, origin: str) -> pd.DataFrame:
    """Rows with NumPy's types in place of Arrow's, and the archive's names."""
    import pyarrow as pa

    return canonical(from_arrow(pa.Table.from_pandas(pd.DataFrame(rows), preserve_index=False)), origin)


def _archive_names(columns: Any) -> dict[str, str]:
    """The catalogue's name of each archive column that it has."""
    theirs = {str(name).lower(): str(name) for name in columns} | {str(name): str(name) for name in columns}
    return {name: theirs[name] for name in ARCHIVE_COLUMNS if name in theirs}


def _near_in_motion(names: dict[str, str], region: ConeRegion) -> str:
    """Condition on proper motion and parallax, a little wider than the cone's; empty if it has none."""
    conditions = []
    for name, (centre, width) in region.motion_intervals.items():
        width += 1e-6 * max(1.0, abs(centre), width)
        conditions.append(f"`{names[name]}` >= {centre - width!r} and `{names[name]}` <= {centre + width!r}")
    return " and ".join(conditions)


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
        As for `local_table`. A Parquet file is read in parts (see `archive.parquet.scan_cone`), another one as a
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
