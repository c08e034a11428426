"""Stars around a cone in tables on this machine, or in a HATS catalogue."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from gaia_oc_amd.archive.parquet import ParquetFiles
from gaia_oc_amd.catalogues.names import canonical_name, normalise_name
from gaia_oc_amd.column_names import SOURCES
from gaia_oc_amd.cone import ERRORS_OF, ConeRegion, no_star_in_cone
from gaia_oc_amd.exceptions import ClusterError, ConeUnavailableError, missing_library, one_line
from gaia_oc_amd.files.containers import from_arrow, warn_of_row_limit
from gaia_oc_amd.files.tables import canonical, read_table
from gaia_oc_amd.source_checks import refuse_missing_columns

_PARQUET_SUFFIXES = (".parquet", ".pq")
_TABLE_SUFFIXES = (
    *(".csv", ".tsv", ".ecsv", ".txt", ".dat", ".asc", ".vot", ".votable", ".xml", ".fits", ".fit", ".fts"),
    *(".feather", *_PARQUET_SUFFIXES),
)
_PACKED = re.compile(r"\.(?:gz|bz2|xz|zip)$", re.IGNORECASE)
_HATS_FILES = ("hats.properties", "collection.properties", "properties")


@dataclass(frozen=True)
class LocalTable:
    """A table of one cluster's field.

    Parameters
    ----------
    path : path
        Its file.
    columns : tuple of str
        What columns are called that are not found by their usual names, ``ra=RAJ2000``.
    """

    path: Path
    columns: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """Its path."""
        return str(self.path)

    def rows(self, region: ConeRegion) -> pd.DataFrame:
        """All its rows, whatever the region."""
        return self.whole()

    def whole(self) -> pd.DataFrame:
        """The table with the archive's names and units, whatever those of the file."""
        table = read_table(self.path, names=SOURCES.with_given(self.columns))
        warn_of_row_limit(len(table), self.origin)
        return table

    def no_star(self, rows: pd.DataFrame, region: ConeRegion) -> ClusterError:
        """Why none of its rows is in the region."""
        return no_star_in_cone(rows, region, self.origin)


@dataclass(frozen=True)
class SharedTable(LocalTable):
    """A table that holds the fields of all clusters, so that it is read once.

    Parameters
    ----------
    version : tuple of int
        Times of the last change and size of the file: a table that changes is another one. The second time is that of
        any change, since copies can be given the first.
    """

    version: tuple[int, ...] = ()


def cluster_table(source: Path, name: str, columns: tuple[str, ...] = ()) -> LocalTable | ParquetFiles:
    """Table that holds a cluster's field.

    Parameters
    ----------
    source : path
        A table, used for every cluster, or a folder with one table per cluster, named after it.
    name : str
        Cluster name; case, underscores, spaces and hyphens are ignored, then zeros and aliases too. It is compared
        with the names of the folder's files, never made a part of a path.
    columns : tuple of str
        What columns are called that are not found by their usual names.

    Returns
    -------
    LocalTable or ParquetFiles
        A Parquet file for every cluster is read in parts, another one as a whole, once for all of them.

    Raises
    ------
    ConeUnavailableError
        If there is none.
    ClusterError
        If there is more than one.
    """
    if source.is_file():
        if source.suffix.lower() in _PARQUET_SUFFIXES:
            return ParquetFiles(source, columns)
        state = source.stat()
        return SharedTable(source, columns, (state.st_mtime_ns, state.st_ctime_ns, state.st_size))
    if not source.is_dir():
        raise ConeUnavailableError(
            f"--cone_source {source} is neither a file nor a folder, nor a TAP URL, hats:, parquet:, gaia, ari, "
            "gavo or vizier."
        )
    stems = _stems(source)
    matching = [path for path, stem in stems if normalise_name(stem) == normalise_name(name)]
    matching = matching or [path for path, stem in stems if canonical_name(stem) == canonical_name(name)]
    if not matching:
        raise ConeUnavailableError(
            f"{source} holds no table for {name}: one named {name}.csv.gz, say, is expected{_hint(source)}."
        )
    if len(matching) > 1:
        found = ", ".join(path.name for path in matching)
        raise ClusterError(f"{source} holds more than one table ({found}) for {name}: leave one.")
    return LocalTable(matching[0], columns)


def _stems(folder: Path) -> list[tuple[Path, str]]:
    """Tables of a folder with their names without the ending, whose case does not matter."""
    stems = []
    for path in sorted(folder.iterdir()):
        name = _PACKED.sub("", path.name)
        if name.lower().endswith(_TABLE_SUFFIXES) and not name.startswith("."):
            stems.append((path, name[: name.rindex(".")]))
    return stems


def _hint(folder: Path) -> str:
    """What a folder that is no folder of tables may be."""
    if any((folder / name).exists() for name in _HATS_FILES):
        return f"; a HATS catalogue is named hats:{folder}"
    if any(path.suffix.lower() in _PARQUET_SUFFIXES for path in folder.iterdir()):
        return f"; Parquet files to search as one are named parquet:{folder}"
    return ""


_MARGIN = 1.0
"""Added to the radius that LSDB cuts at [arcsec]; the exact cut is not made here."""
_QUIET = {"progress_bar": False}


@dataclass(frozen=True)
class HatsCatalogue:
    """A HATS catalogue.

    Parameters
    ----------
    path : str
        Folder or URL of a catalogue or a collection.
    columns : tuple of str
        What columns are called that are not found by their usual names.
    """

    path: str
    columns: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """Its path, as ``--cone_source`` has it."""
        return f"hats:{self.path}"

    def rows(self, region: ConeRegion) -> pd.DataFrame:
        """Stars in and just around the region.

        Raises
        ------
        ConeUnavailableError
            If LSDB is not installed, the catalogue cannot be opened or read, lacks columns, or does not cover the
            cone.
        """
        with self._opened(region) as (catalogue, names):
            limits = _near_in_motion(names, region)
            found = (catalogue.query(limits) if limits else catalogue).compute(**_QUIET)
            return _plain(found[list(names.values())], names, self.origin)

    def no_star(self, rows: pd.DataFrame, region: ConeRegion) -> ClusterError:
        """Why none of its stars is in the region, by the positions around it."""
        if rows.empty:
            with self._opened(region) as (catalogue, names):
                rows = _plain(catalogue[[names["ra"], names["dec"]]].compute(**_QUIET), names, self.origin)
        return no_star_in_cone(rows, region, self.origin)

    @contextmanager
    def _opened(self, region: ConeRegion) -> Iterator[tuple[Any, dict[str, str]]]:
        """Its circle around a region, not yet read, and its name of each archive column that it has."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of pandas, about an option that lsdb sets
                import dask
                import lsdb
        except ImportError as error:
            raise ConeUnavailableError(missing_library(self.origin, error, "lsdb>=0.11")) from error
        cone = lsdb.ConeSearch(region.ra, region.dec, region.radius * 3600 + _MARGIN)
        try:
            # threads of this process, for a worker of a batch must not wait for the other workers
            with dask.config.set(scheduler="threads"), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of other people's dtypes and worker counts
                known = SOURCES.with_given(self.columns)
                names = known.find(lsdb.open_catalog(self.path, columns="all").columns)
                refuse_missing_columns(names, self.origin, ConeUnavailableError)
                yield lsdb.open_catalog(self.path, columns=list(names.values()), search_filter=cone), names
        except ConeUnavailableError:
            raise
        except (
            Exception
        ) as error:  # of fsspec, aiohttp, hats, dask and pyarrow, which have no common ancestor
            raise ConeUnavailableError(
                f"{self.origin} cannot be read ({one_line(error, 200)}): check the path, and that it is a HATS "
                "catalogue that covers the cone."
            ) from error


def _plain(rows: pd.DataFrame, names: dict[str, str], origin: str) -> pd.DataFrame:
    """Rows with NumPy's types in place of Arrow's, and the archive's names."""
    import pyarrow as pa

    plain = from_arrow(pa.Table.from_pandas(pd.DataFrame(rows), preserve_index=False))
    return canonical(plain.rename(columns={theirs: ours for ours, theirs in names.items()}), origin)


def _near_in_motion(names: dict[str, str], region: ConeRegion) -> str:
    """Condition on proper motion and parallax, a little wider than the cone's; empty if it has none."""
    conditions = []
    for name, (centre, width) in region.motion_intervals.items():
        width += 1e-6 * max(1.0, abs(centre), width)
        errors = " + ".join(f"`{names[error]}`" for error in ERRORS_OF[name])
        allowed = f"{region.error_weight!r} * ({errors})" if region.error_weight else "0"
        value = f"`{names[name]}`"
        conditions.append(f"{value} + {allowed} >= {centre - width!r}")
        conditions.append(f"{value} - {allowed} <= {centre + width!r}")
    return " and ".join(conditions)
