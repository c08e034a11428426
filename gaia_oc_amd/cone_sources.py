"""Where the stars of a cone come from: a kept cone file, the archive, a TAP service or local tables."""

import logging
from functools import lru_cache
from pathlib import Path

import pandas as pd

from gaia_oc_amd.archive import GAIA_ARCHIVE, cone_query, query_archive
from gaia_oc_amd.cluster_names import normalise_name
from gaia_oc_amd.cone import ConeRegion, check_sources, cut_to_region, refuse_empty
from gaia_oc_amd.data_directory import read_json, write_json
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.options import ConeOptions
from gaia_oc_amd.tables import read_table, write_table

logger = logging.getLogger(__name__)

CONE_FILES = {"votable": "cone.vot.gz", "csv": "cone.csv", "parquet": "cone.parquet"}
_KEPT_NAMES = (*CONE_FILES.values(), "cone.csv.gz")
_TABLE_SUFFIXES = (".csv", ".csv.gz", ".vot", ".vot.gz", ".votable", ".xml", ".fits", ".fits.gz", ".parquet")


def load_cone(
    name: str,
    region: ConeRegion,
    folder: Path,
    options: ConeOptions,
    *,
    credentials_path: Path | None = None,
) -> pd.DataFrame:
    """Stars of a cone, from the cluster's folder if they are there, else from the source of the options.

    Parameters
    ----------
    name : str
        Cluster name.
    region : ConeRegion
        Where to look.
    folder : path
        The cluster's folder. The cone is kept there as ``cone.*`` with its region in ``cone.json``; a kept
        cone of another region or source is fetched again, one without ``cone.json`` (put there by hand) is cut
        to the region.
    options : ConeOptions
        Source, format, and whether a kept cone is fetched again.
    credentials_path : path, optional
        Credentials of the Gaia archive.

    Returns
    -------
    DataFrame
        Checked sources inside the region (see `cone.check_sources`), sorted by source_id: a service gives them
        in any order.

    Raises
    ------
    ClusterError
        If the source has no usable stars for the cluster, or cannot be reached.
    """
    kept = next((folder / name for name in _KEPT_NAMES if (folder / name).exists()), None)
    made_by = {"region": region.as_dict(), "source": options.cone_source}
    if kept and not options.overwrite_cone and _is_current(folder / "cone.json", made_by):
        logger.debug("%s: the cone in %s is used.", name, kept)
        return _from_table(kept, region)
    sources = _fetch(name, region, options, credentials_path)
    write_json(folder / "cone.json", made_by | {"n_sources": None})  # not yet complete
    new = folder / CONE_FILES[options.cone_format]
    write_table(new, sources, options.cone_format)
    for old in {folder / name for name in _KEPT_NAMES} - {new}:
        old.unlink(missing_ok=True)
    write_json(folder / "cone.json", made_by | {"n_sources": len(sources)})
    return sources


def _is_current(record: Path, made_by: dict[str, object]) -> bool:
    """Whether a kept cone was made for the same region from the same source, or by the user's own hand."""
    if not record.exists():
        return True
    kept = read_json(record)
    same = kept.get("n_sources") is not None and all(kept.get(key) == value for key, value in made_by.items())
    if not same:
        logger.info(
            "%s describes another region or source, or an unfinished cone: it is fetched again.", record
        )
    return same


def _fetch(
    name: str, region: ConeRegion, options: ConeOptions, credentials_path: Path | None
) -> pd.DataFrame:
    """Stars from the source that ``--cone_source`` names."""
    source = options.cone_source
    if source == "gaia" or source.startswith(("http://", "https://")):
        url = GAIA_ARCHIVE if source == "gaia" else source
        credentials_path = credentials_path if source == "gaia" else None
        sources = check_sources(
            query_archive(cone_query(region), url=url, credentials_path=credentials_path), url
        )
        if sources.empty:
            raise ClusterError(f"{name}: {url} has no source in the cone: check its parameters in the table.")
        return _sorted(sources)
    if source.startswith("hats:"):
        raise ClusterError(
            f"--cone_source {source}: HATS catalogues cannot be read yet; use a TAP URL or a table."
        )
    path = local_table(Path(source), name)
    if path == Path(source):
        state = path.stat()
        return _cut(_one_for_all(path, (state.st_mtime_ns, state.st_size)), region, path)
    return _from_table(path, region)


@lru_cache(1)
def _one_for_all(path: Path, version: tuple[int, int]) -> pd.DataFrame:
    """Table that every cluster of a run is cut from, read once."""
    return check_sources(read_table(path), str(path))


def _from_table(path: Path, region: ConeRegion) -> pd.DataFrame:
    """Stars of a local table inside the region."""
    return _cut(check_sources(read_table(path), str(path)), region, path)


def _cut(table: pd.DataFrame, region: ConeRegion, path: Path) -> pd.DataFrame:
    sources = cut_to_region(table, region)
    refuse_empty(sources, table, region, str(path))
    return _sorted(sources)


def _sorted(sources: pd.DataFrame) -> pd.DataFrame:
    in_order = sources["source_id"].is_monotonic_increasing
    return sources if in_order else sources.sort_values("source_id", ignore_index=True)


def local_table(source: Path, name: str) -> Path:
    """Path of the table that holds a cluster's field.

    Parameters
    ----------
    source : path
        A table, used for every cluster, or a folder with one table per cluster, named after it.
    name : str
        Cluster name; case, underscores, spaces and hyphens are ignored.

    Returns
    -------
    Path

    Raises
    ------
    ClusterError
        If there is none, or more than one.
    """
    if source.is_file():
        return source
    if not source.is_dir():
        raise ClusterError(
            f"--cone_source {source} is neither a file nor a folder, nor 'gaia' nor a TAP URL."
        )
    tables = {
        path: path.name.removesuffix(suffix)
        for path in sorted(source.iterdir())
        for suffix in _TABLE_SUFFIXES
        if path.name.endswith(suffix)
    }
    matching = [path for path, stem in tables.items() if normalise_name(stem) == normalise_name(name)]
    if len(matching) != 1:
        found = (
            "no table"
            if not matching
            else "more than one table (" + ", ".join(p.name for p in matching) + ")"
        )
        raise ClusterError(f"{source} holds {found} for {name}: one named {name}.csv.gz, say, is expected.")
    return matching[0]
