"""Read and write tables of any format; CSV quickly."""

import csv
import gzip
import io
import lzma
import re
import struct
import zlib
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal
from xml.parsers.expat import ExpatError

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.arguments import checked
from gaia_oc_amd.column_names import TableNames
from gaia_oc_amd.columns import UNITS
from gaia_oc_amd.exceptions import one_line
from gaia_oc_amd.files.containers import (
    FileTable,
    read_feather,
    read_fits,
    read_parquet,
    read_votable,
)
from gaia_oc_amd.files.data_directory import write_atomically
from gaia_oc_amd.files.packed import TableError, first_bytes
from gaia_oc_amd.files.sexagesimal import in_degrees, with_joined_parts
from gaia_oc_amd.files.text_tables import read_text
from gaia_oc_amd.files.units import in_our_unit
from gaia_oc_amd.files.votable import DescribedTable, votable_content

if TYPE_CHECKING:
    import pyarrow as pa


_SPECIAL = r'[",\r\n]'
"""Characters that need quotes."""


def write_rows(file: BinaryIO | gzip.GzipFile, table: pd.DataFrame) -> None:
    """Write a table as CSV, without an index column.

    Each number has the fewest digits that give the same number back; integers stay integers, and a column of
    floating-point numbers that are all whole keeps its decimal points. Missing values are empty.

    Parameters
    ----------
    file : binary file
        Open for writing.
    table : DataFrame
        What to write.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(table.columns)
    file.write(text.getvalue().encode())
    rows = _arrow_rows(table)
    if rows is None:
        table.to_csv(file, index=False, header=False, lineterminator="\n", mode="wb")
        return
    from pyarrow.csv import WriteOptions, write_csv

    write_csv(rows, file, WriteOptions(include_header=False, quoting_style="none"))


def require_columns(table: pd.DataFrame, names: Iterable[str], what: str, remedy: str) -> pd.DataFrame:
    """Table with these columns of numbers; anything else is refused.

    Parameters
    ----------
    table : DataFrame
        As a user gives it from Python.
    names : iterable of str
        Columns that are needed.
    what : str
        What the rows are, "sources".
    remedy : str
        What gives such a table.

    Returns
    -------
    DataFrame
        The same; of one without rows the columns are of numbers.

    Raises
    ------
    TypeError
        If a column holds something else than numbers, source_id than whole ones.
    ValueError
        If a column is missing, or there twice.
    """
    names = list(names)
    if twice := sorted(set(map(str, table.columns[table.columns.duplicated()]))):
        raise ValueError(f"{what} have the column(s) {', '.join(twice)} more than once: keep one of them.")
    if absent := [name for name in names if name not in table.columns]:
        raise ValueError(f"{what} lack the column(s) {', '.join(absent)}: {remedy}.")
    if not len(table):
        return table.astype({name: np.int64 if name == "source_id" else float for name in names})
    for name in names:
        is_id, kind = name == "source_id", table[name].dtype
        if not (pd.api.types.is_integer_dtype if is_id else pd.api.types.is_numeric_dtype)(kind):
            wanted = "64-bit integers, as other types lose digits" if is_id else "numbers"
            raise TypeError(f"{what} have {name} as {kind}, but it must hold {wanted}: {remedy}.")
    return table


def _arrow_rows(table: pd.DataFrame) -> "pa.Table | None":
    """Table as pyarrow writes it; None where it would not write what pandas writes."""
    import pyarrow as pa

    if table.shape[1] < 2 or not table.columns.is_unique:  # an empty line is no row
        return None
    columns = [_arrow_column(table[name]) for name in table]
    if any(column is None for column in columns):
        return None
    return pa.table(columns, names=[str(name) for name in table])


def _arrow_column(values: pd.Series) -> "pa.Array | pa.ChunkedArray | None":
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    if values.dtype in (np.float64, np.int64):
        column = pa.array(values.to_numpy(), from_pandas=True)
        is_whole = values.dtype == np.float64 and _all_whole(values.to_numpy(float))
        return _with_points(column) if is_whole else column
    if values.dtype == np.bool_:
        return pa.array(np.where(values.to_numpy(), "True", "False").astype(object), pa.string())
    if isinstance(values.dtype, pd.StringDtype):
        # made anew: pyarrow's writer reads wrong memory where the strings are parts of other arrays
        column = pa.array(values.to_numpy(dtype=object), pa.string(), from_pandas=True)
        return None if pc.any(pc.match_substring_regex(column, _SPECIAL)).as_py() else column
    return None


def _all_whole(values: NDArray[np.float64]) -> bool:
    """Whether floating-point numbers could be taken for integers."""
    return _whole(values[:1000]) and _whole(values) and bool(np.isfinite(values).any())


def _whole(values: NDArray[np.float64]) -> bool:
    with np.errstate(invalid="ignore"):
        return bool((np.isnan(values) | (values == np.trunc(values))).all())


def _with_points(column: "pa.Array") -> "pa.Array":
    """Whole numbers as text with a decimal point."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = column.cast(pa.string())
    return pc.if_else(
        pc.match_substring_regex(text, r"^-?\d+$"), pc.binary_join_element_wise(text, ".0", ""), text
    )


def write_csv(path: Path | str, table: pd.DataFrame) -> None:
    """Write a table as CSV without an index column, compressed if the name ends in .gz, as a whole or not at all."""
    with write_atomically(path) as temporary, _opened(temporary, str(path).endswith(".gz")) as file:
        write_rows(file, table)


_GZIP_LEVEL = 1  # 200,000 sources: 55 MB in 2 s; level 6 needs 40 % longer to save 2 % of the size

_UNREADABLE = (
    ValueError,
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    csv.Error,
    ExpatError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
    SyntaxError,  # astropy's VOTable errors
    Warning,  # which astropy raises, too
)


@checked
def read_table(
    path: Path | str,
    *,
    columns: Container[str] | None = None,
    names: TableNames | None = None,
    required: Sequence[str] = (),
) -> pd.DataFrame:
    """Read a table of any format that astronomers exchange.

    What a file is, is seen from how it begins; its name decides only where that tells nothing.

    Parameters
    ----------
    path : path
        Text of any dialect (CSV, TSV, ECSV, VizieR's and TOPCAT's: see `files.text_tables`), VOTable, FITS, Parquet
        or Feather. Each may be compressed with gzip; text and VOTable also with bzip2 or xz, or in a zip archive of
        one file.
    columns : container of str, optional
        Columns of a text file that are read if they are there; by default, and from other formats, all.
    names : TableNames, optional
        What kind of table it is: columns are then found by any of their spellings, units that the file states become
        ours, and of several tables in the file the one that has most of the needed columns is taken.
    required : sequence of str
        Columns that the file must have.

    Returns
    -------
    DataFrame
        Columns of plain NumPy types or strings, in the file's order; single precision becomes double by way
        of the decimal digits, so that a table reads the same from every format; missing values are NaN.
        ``source_id`` is int64, exact to the last digit; with `names` it is left as strings where an identifier is
        missing or none, for these are left out or refused by who knows the rows. Names of `columns.UNITS` are found
        whatever their case (``SOURCE_ID``). Array columns are left out. ``attrs["first_line"]`` is the line of a text
        file that the first row stands in.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is truncated, is not of the format its name says, lacks a required column, has two columns of one
        name that is needed, or has source ids that are missing or no whole numbers; the message names the file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} {'is a folder' if path.is_dir() else 'does not exist'}: check the path."
        )
    import pyarrow as pa

    try:
        reader = _reader(path)
        wanted = None if columns is None else columns.__contains__
        tables = read_text(path, wanted) if reader is None else reader(path)
    except TableError as error:
        raise ValueError(f"{path} cannot be read as a table ({one_line(error, 200)}).") from error
    except (*_UNREADABLE, pa.ArrowException) as error:
        raise ValueError(
            f"{path} cannot be read as a table ({one_line(error, 200)}): it is truncated or not what its name says, "
            "make or download it again."
        ) from error
    table = _most_fitting(tables, names)
    if names is None:
        rows = canonical(table.rows, str(path))
    else:
        rows = canonical(_renamed(table, names, str(path)), str(path), strict=False)
    if absent := [name for name in required if name not in rows]:
        raise ValueError(f"{path} has no column {', '.join(absent)}: make it again.")
    rows.attrs["first_line"] = table.first_line
    return rows


_Reader = Callable[[Path], list[FileTable]]


def _reader(path: Path) -> _Reader | None:
    """Reader of a file, None for text: by how it begins, else by its name."""
    head = first_bytes(path, 400)
    for magic, reader in _MAGIC:
        if head.startswith(magic):
            return reader
    if re.search(rb"<(?:\w+:)?VOTABLE", head, re.IGNORECASE):
        return read_votable
    if re.match(rb"\s*<(?:!doctype html|html|head|body)\b", head, re.IGNORECASE):
        return None  # whose reader says so
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    return next((reader for suffixes, reader in _READERS if suffix in suffixes), None)


def _most_fitting(tables: list[FileTable], names: TableNames | None) -> FileTable:
    """The table of a file that has most of the needed columns; the first of equals."""
    if names is None or len(tables) == 1:
        return tables[0]
    return max(tables, key=lambda table: len(set(names.needed) & set(names.find(table.rows.columns))))


def _renamed(table: FileTable, names: TableNames, origin: str) -> pd.DataFrame:
    """Rows with our names and units in place of the file's, without what else bears one of our names."""
    found = names.find(table.rows.columns)
    rows = _without_repeats(table.rows, set(found.values()), origin)
    others = [ours for ours, theirs in found.items() if ours != theirs and ours in rows]
    rows = rows.drop(columns=others) if others else rows
    rows = rows.rename(columns={theirs: ours for ours, theirs in found.items()})
    changed = {
        ours: in_our_unit(rows[ours], table.units[theirs], ours, theirs=theirs, origin=origin)
        for ours, theirs in found.items()
        if theirs in table.units and pd.api.types.is_numeric_dtype(rows[ours])
    }
    for ours in {"ra", "dec"} & found.keys():
        if not pd.api.types.is_numeric_dtype(rows[ours]):
            degrees = in_degrees(rows[ours], ours, table.units.get(found[ours], ""), origin)
            changed |= {} if degrees is None else {ours: degrees}
    rows = rows.assign(**changed) if changed else rows
    return with_joined_parts(rows) if {"ra", "dec"} <= set(names.spellings) - set(found) else rows


def _without_repeats(table: pd.DataFrame, needed: Container[str], origin: str) -> pd.DataFrame:
    """Table without columns that stand twice: a copy goes, as does what nobody needs."""
    if table.columns.is_unique:
        return table
    for name in table.columns[table.columns.duplicated()].unique():
        copies = table.loc[:, table.columns == name]
        is_same = all(copies.iloc[:, 0].equals(copies.iloc[:, i]) for i in range(1, copies.shape[1]))
        if name in needed and not is_same:
            raise ValueError(
                f"{origin} has the column {name} more than once, with different values: rename or remove one."
            )
    return table.loc[:, ~table.columns.duplicated()]


_OUR_SPELLING = {name.lower(): name for name in UNITS}


def canonical(table: pd.DataFrame, origin: str, *, strict: bool = True) -> pd.DataFrame:
    """Table with the column names this package uses, int64 source ids and no single precision.

    Parameters
    ----------
    table : DataFrame
        As a file or a service gave it.
    origin : str
        Where it comes from, for messages.
    strict : bool
        Whether an identifier that is missing or no whole number is an error; else the column is left as it is.

    Returns
    -------
    DataFrame
        Single precision becomes double by way of the decimal digits.

    Raises
    ------
    ValueError
        If a column of `columns.UNITS` is there twice with different values, or a source id is missing or no whole
        number.
    """
    names = [str(name).strip() for name in table.columns]
    lower = [_OUR_SPELLING.get(name.lower(), name) if len(name) > 1 else name for name in names]
    names = [new if new == old or new not in names else old for old, new in zip(names, lower, strict=True)]
    table = _without_repeats(table.set_axis(names, axis=1), UNITS, origin)
    single: dict[str, NDArray[np.float64] | NDArray[np.int64]] = {
        name: _double(table[name].to_numpy()) for name in table.columns if table[name].dtype == np.float32
    }
    if "source_id" in table:
        try:
            single["source_id"] = whole_numbers(table["source_id"], f"source_id in {origin}")
        except ValueError:
            if strict:
                raise
    return table.assign(**single)


_RELEASE = re.compile(r"^(?:gaia)?[\s_]*(?:e?dr[123])?[\s_:]*(?=\d)", re.IGNORECASE)
"""What stands before the number of a designation."""
_AROUND = re.compile(r"^[='\"`\u2018\u2019]+|['\"`\u2018\u2019]+$")
"""What people put around identifiers so that a spreadsheet leaves them alone."""
_GROUPED = re.compile(r"\d{1,3}(?:[,.'\s]\d{3})+")
"""Digits in groups of three."""


def whole_numbers(values: pd.Series, what: str) -> NDArray[np.int64]:
    """Values as int64, never by way of a float.

    Parameters
    ----------
    values : Series
        Integers, or strings of digits, with or without the release before them (``Gaia DR3 4295806720``).
    what : str
        Name of the values for the error message, ``source_id in FILE``.

    Returns
    -------
    ndarray of int64, shape (n,)
        The same numbers.

    Raises
    ------
    ValueError
        If a value is missing, is a float (which cannot hold 19 digits), or is no whole number.
    """
    remedy = "give every row its 64-bit integer id, as the Gaia archive writes it."
    if values.empty:
        return np.zeros(0, np.int64)
    if values.isna().any():
        raise ValueError(f"{what} is missing in {int(values.isna().sum())} of {len(values)} rows: {remedy}")
    if pd.api.types.is_bool_dtype(values) or pd.api.types.is_float_dtype(values):
        raise ValueError(
            f"{what} is {values.iloc[0]!s}, not an integer (a float loses its last digits): {remedy}"
        )
    if pd.api.types.is_integer_dtype(values):
        _refuse_beyond_64_bits(values.max(), what)
        return values.to_numpy(dtype=np.int64)
    text = values.astype(str).str.strip().str.replace(_AROUND, "", regex=True)
    text = text.str.replace(_RELEASE, "", regex=True)
    if text.str.contains(_GROUPED, regex=True).any():
        text = text.mask(text.str.fullmatch(_GROUPED), text.str.replace(r"\D", "", regex=True))
    wrong = ~text.str.fullmatch(r"[+-]?\d{1,19}")
    if wrong.any():
        raise ValueError(f"{what} is {values[wrong].iloc[0]!r}, not an integer: {remedy}")
    numbers = [int(number) for number in text]
    _refuse_beyond_64_bits(max(numbers), what)
    return np.array(numbers, np.int64)


def _refuse_beyond_64_bits(largest: int, what: str) -> None:
    if largest > np.iinfo(np.int64).max:
        raise ValueError(f"{what} is {largest}, more than a 64-bit integer holds: is it a Gaia source id?")


def _double(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Double precision with the digits that single precision prints: 0.7, not 0.699999988."""
    import pyarrow as pa

    return pa.array(values).cast(pa.string()).cast(pa.float64()).to_numpy(zero_copy_only=False)


def write_table(
    path: Path | str, table: pd.DataFrame, format: Literal["votable", "csv", "csv.gz", "parquet"]
) -> None:
    """Write a table as a whole or not at all.

    Parameters
    ----------
    path : path
        The file; a VOTable is compressed if the name ends in ``.gz``.
    table : DataFrame
        Columns of numbers, booleans or strings. The index is not written.
    format : {'votable', 'csv', 'csv.gz', 'parquet'}
        VOTables have a BINARY2 stream and the units of `columns.UNITS`;
        astropy needs half a minute to write 200,000 sources.

    Raises
    ------
    ValueError
        If there is no such format.
    """
    writers = {
        "votable": _write_described,
        "csv": _write_csv,
        "csv.gz": _write_csv,
        "parquet": _write_parquet,
    }
    if format not in writers:
        raise ValueError(f"there is no table format {format!r}: choose one of {', '.join(writers)}.")
    with write_atomically(path) as temporary:
        writers[format](temporary, table, format.endswith(".gz") or str(path).endswith(".gz"))


@contextmanager
def _opened(path: Path, compressed: bool) -> Iterator[BinaryIO | gzip.GzipFile]:
    with path.open("wb") as plain:
        if not compressed:
            yield plain
            return
        # without name and time in the header, equal tables make equal files
        with gzip.GzipFile("", "wb", _GZIP_LEVEL, plain, mtime=0) as packed:
            yield packed


def _write_csv(path: Path, table: pd.DataFrame, compressed: bool) -> None:
    with _opened(path, compressed) as file:
        write_rows(file, table)


def _write_parquet(path: Path, table: pd.DataFrame, compressed: bool) -> None:
    # dictionaries do not pay for numbers that hardly repeat
    few_values = [
        name for name in table if not pd.api.types.is_float_dtype(table[name]) and name != "source_id"
    ]
    table.to_parquet(path, index=False, use_dictionary=few_values)


def _write_described(path: Path, table: pd.DataFrame, compressed: bool) -> None:
    with _opened(path, compressed) as file:
        file.writelines(votable_content(DescribedTable("sources", "", table)))


_MAGIC = (
    (b"SIMPLE  =", read_fits),
    (b"PAR1", read_parquet),
    (b"ARROW1", read_feather),
    (b"FEA1", read_feather),
)
_READERS = (
    ((".vot", ".votable", ".xml"), read_votable),
    ((".fits", ".fit", ".fts"), read_fits),
    ((".parquet", ".pq"), read_parquet),
    ((".feather", ".arrow"), read_feather),
)
