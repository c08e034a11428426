"""Stars around a cone in Parquet files of any size, of which only the parts that can hold it are read."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from operator import add, and_, or_
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gaia_oc_amd.astrometry import agree_with_positions, identifier_ranges
from gaia_oc_amd.column_names import SOURCES
from gaia_oc_amd.cone import ERRORS_OF, ConeRegion, no_star_in_cone
from gaia_oc_amd.exceptions import ClusterError, ConeUnavailableError, one_line
from gaia_oc_amd.files.containers import from_arrow
from gaia_oc_amd.files.tables import canonical
from gaia_oc_amd.source_checks import refuse_missing_columns

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.dataset import Dataset, Expression


logger = logging.getLogger(__name__)

_SAMPLED_FILES, _SAMPLED_ROWS = 5, 400


@dataclass(frozen=True)
class ParquetFiles:
    """A Parquet file, or all Parquet files of a folder and its subfolders, sorted or not.

    Columns that are not needed are not read. Row groups are left out by their statistics of source_id and position
    (of proper motion and parallax, too, where the cone's cuts do not grow with a star's errors), rows by proper motion,
    parallax and a box on the sky. Identifiers are trusted to hold HEALPix pixels, as Gaia's
    do, only if those of a sample of rows agree with the positions.

    Parameters
    ----------
    path : path
        File or folder.
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
        """Rows that the region may hold.

        Raises
        ------
        ConeUnavailableError
            If there is no such file.
        ClusterError
            If it lacks columns.
        ValueError
            If it cannot be read.
        """
        if not self.path.exists():
            raise ConeUnavailableError(f"{self.path} does not exist: check the path.")
        with _readable(self.path):
            dataset, names = _open(self.path, self.columns)
            where = row_filter(dataset, names, region)
            logger.debug("%s: %d of %d rows are looked at.", self.path, *rows_to_read(dataset, where))
            rows = from_arrow(_read(dataset, list(names.values()), where))
            return canonical(
                rows.rename(columns={theirs: ours for ours, theirs in names.items()}), self.origin
            )

    def no_star(self, rows: pd.DataFrame, region: ConeRegion) -> ClusterError:
        """Why none of its stars is in the region, by the positions around it."""
        with _readable(self.path):
            return no_star_in_cone(
                _positions_near(*_open(self.path, self.columns), region), region, self.origin
            )


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Make of every way in which pyarrow fails to read one error."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise ValueError(
            f"{path} cannot be read as Parquet ({one_line(error, 200)}): it is truncated or not what its name says, "
            "make or download it again."
        ) from error


def _open(path: Path, columns: tuple[str, ...]) -> tuple["Dataset", dict[str, str]]:
    """Dataset, and its name of each archive column that it has, whatever it calls it."""
    import pyarrow.dataset as ds

    dataset = ds.dataset(path, format="parquet")
    names = SOURCES.with_given(columns).find(dataset.schema.names)
    refuse_missing_columns(names, str(path))
    return dataset, names


def _read(dataset: "Dataset", columns: list[str], where: "Expression | None") -> "pa.Table":
    """Rows that meet a condition, read so that the memory needed is that of these rows and a few batches."""
    import pyarrow.dataset as ds

    return dataset.to_table(
        columns=columns,
        filter=where,
        batch_size=1 << 16,
        batch_readahead=2,
        fragment_readahead=1,
        fragment_scan_options=ds.ParquetFragmentScanOptions(pre_buffer=False),  # four times the memory
    )


def row_filter(dataset: "Dataset", names: dict[str, str], region: ConeRegion) -> "Expression | None":
    """Condition that all rows of the cone meet, for Parquet's statistics and rows; None if columns are text.

    Parameters
    ----------
    dataset : pyarrow.dataset.Dataset
        The files.
    names : dict of str
        Their name of each archive column.
    region : ConeRegion
        Where to look.
    """
    conditions = [
        _within(dataset, names, name, interval, region.error_weight)
        for name, interval in region.motion_intervals.items()
        if _is_number(dataset, names[name])
    ]
    conditions += _on_the_sky(dataset, names, region)
    return _all(conditions) if conditions else None


def _within(
    dataset: "Dataset",
    names: dict[str, str],
    quantity: str,
    interval: tuple[float, float],
    error_weight: float,
) -> "Expression":
    """Condition on a proper motion or a parallax, with at least the errors that the exact cut allows."""
    import pyarrow.dataset as ds

    centre, width = interval
    errors = [names[name] for name in ERRORS_OF[quantity]]
    if not error_weight:
        return _between(names[quantity], centre - width, centre + width)
    if not all(_is_number(dataset, name) for name in errors):
        return ds.field(names[quantity]).is_valid()
    allowed = reduce(add, (ds.field(name).cast("float64") for name in errors)) * error_weight
    width += 1e-6 * max(1.0, abs(centre), width)
    value = ds.field(names[quantity]).cast("float64")
    return (value - allowed <= centre + width) & (value + allowed >= centre - width)


def _on_the_sky(dataset: "Dataset", names: dict[str, str], region: ConeRegion) -> list["Expression"]:
    """Conditions on position and, if they can be trusted, on identifiers."""
    import pyarrow.dataset as ds

    conditions = []
    if _is_number(dataset, names["dec"]):
        conditions.append(_between(names["dec"], region.dec - region.radius, region.dec + region.radius))
    reach = np.cos(np.radians(region.dec))
    if _is_number(dataset, names["ra"]) and np.sin(np.radians(region.radius)) < reach:  # no pole inside
        width = float(np.degrees(np.arcsin(np.sin(np.radians(region.radius)) / reach)))
        turns = (-360.0, 0.0, 360.0)
        conditions.append(
            _any(_between(names["ra"], region.ra + turn - width, region.ra + turn + width) for turn in turns)
        )
    if _has_healpix_identifiers(dataset, names):
        identifier = ds.field(names["source_id"])
        ranges = identifier_ranges(region.ra, region.dec, region.radius)
        conditions.append(_any((identifier >= lower) & (identifier < upper) for lower, upper in ranges))
    return conditions


def _any(conditions: Iterable["Expression"]) -> "Expression":
    return reduce(or_, conditions)


def _all(conditions: Iterable["Expression"]) -> "Expression":
    return reduce(and_, conditions)


def _between(name: str, lower: float, upper: float) -> "Expression":
    """Interval, a little wider than asked for: single precision and rounding must not lose a star."""
    import pyarrow.dataset as ds

    margin = 1e-6 * max(1.0, abs(lower), abs(upper))
    field = ds.field(name)
    return (field >= lower - margin) & (field <= upper + margin)


def _is_number(dataset: "Dataset", name: str) -> bool:
    import pyarrow as pa

    kind = dataset.schema.field(name).type
    return pa.types.is_floating(kind) or pa.types.is_integer(kind)


def _has_healpix_identifiers(dataset: "Dataset", names: dict[str, str]) -> bool:
    """Whether the identifiers of a sample of rows name pixels at their positions."""
    import pyarrow as pa

    wanted = [names[name] for name in ("source_id", "ra", "dec")]
    if not (pa.types.is_integer(dataset.schema.field(wanted[0]).type) and _is_number(dataset, wanted[1])):
        return False
    sample = _sample(dataset, wanted).drop_null()
    identifiers, ra, dec = (column.to_numpy() for column in sample.itercolumns())
    return agree_with_positions(identifiers.astype(np.int64), ra.astype(float), dec.astype(float))


def _sample(dataset: "Dataset", columns: list[str]) -> "pa.Table":
    """Rows from the first, middle and last row group of files that are spread over all."""
    import pyarrow as pa

    files = list(dataset.get_fragments())
    parts = []
    for file in _spread(files, _SAMPLED_FILES):
        groups = _spread(file.row_groups, 3)
        fragments = [file.subset(row_group_ids=[group.id]) for group in groups]
        parts += [part.head(_SAMPLED_ROWS, columns=columns, batch_size=_SAMPLED_ROWS) for part in fragments]
    return (
        pa.concat_tables(parts, promote_options="permissive") if parts else dataset.head(0, columns=columns)
    )


def _spread(items: list[Any], number: int) -> list[Any]:
    """At most `number` items, the first and the last among them."""
    return [items[i] for i in np.unique(np.linspace(0, len(items) - 1, min(number, len(items))).astype(int))]


def rows_to_read(dataset: "Dataset", where: "Expression | None") -> tuple[int, int]:
    """Rows of the row groups whose statistics leave the condition open, and all rows."""
    looked_at = total = 0
    for file in dataset.get_fragments():
        total += file.metadata.num_rows
        kept = file if where is None else file.subset(filter=where, schema=dataset.schema)
        looked_at += sum(group.num_rows for group in kept.row_groups)
    return looked_at, total


def _positions_near(dataset: "Dataset", names: dict[str, str], region: ConeRegion) -> pd.DataFrame:
    """Positions around the cone whatever the proper motion, or those of a sample if there are none, for messages."""
    columns = [names["ra"], names["dec"]]
    where = _on_the_sky(dataset, names, region)
    around = _read(dataset, columns, _all(where)) if where else None
    if around is None or around.num_rows == 0:
        around = _sample(dataset, columns)
    positions = from_arrow(around).set_axis(["ra", "dec"], axis=1)
    return positions.apply(pd.to_numeric, errors="coerce").dropna()
