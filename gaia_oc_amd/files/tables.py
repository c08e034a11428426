"""Read and write tables of any format; CSV quickly."""

import csv
import gzip
import io
import mmap
import struct
import warnings
import zlib
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal
from xml.parsers.expat import ExpatError

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.columns import UNITS
from gaia_oc_amd.exceptions import one_line
from gaia_oc_amd.files.bounds import refuse_cells, refuse_outsized_text, unpacked
from gaia_oc_amd.files.data_directory import write_atomically
from gaia_oc_amd.files.votable import DescribedTable, foreign_units, votable_content

if TYPE_CHECKING:
    import pyarrow as pa


_SPECIAL = r'[",\r\n]'
"""Characters that need quotes."""


def write_rows(file: BinaryIO, table: pd.DataFrame) -> None:
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

    if values.dtype in (np.float64, np.int64):
        column = pa.array(values.to_numpy(), from_pandas=True)
        return _with_points(column) if _all_whole(values.to_numpy()) else column
    if isinstance(values.dtype, pd.StringDtype):
        # made anew: pyarrow's writer reads wrong memory where the strings are parts of other arrays
        column = pa.array(values.to_numpy(dtype=object), pa.string(), from_pandas=True)
        return None if pc.any(pc.match_substring_regex(column, _SPECIAL)).as_py() else column
    return None


def _all_whole(values: NDArray[np.float64] | NDArray[np.int64]) -> bool:
    """Whether floating-point numbers could be taken for integers."""
    if values.dtype != np.float64:
        return False
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


def file_content(path: Path) -> bytes:
    """Content of a file, unpacked if it is compressed with gzip, whatever its name."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return unpacked(path) if packed else path.read_bytes()


def read_csv(path: Path, columns: Container[str] | None = None) -> pd.DataFrame:
    """Read a CSV file that has a header, compressed or not.

    Parameters
    ----------
    path : path
        The file.
    columns : container of str, optional
        Those that are read if they are there; by default all.

    Returns
    -------
    DataFrame
        As `pandas.read_csv` types its columns: integers where all values are, else floating-point numbers, else
        strings.

    Raises
    ------
    ValueError, OSError, EOFError, zlib.error
        If it is truncated, has a header that names a column twice, or is no table.
    """
    with path.open("rb") as file:
        packed, empty = file.read(2) == b"\x1f\x8b", file.seek(0, io.SEEK_END) == 0
        if packed or empty:
            content = file_content(path)
            _refuse_damaged(content)
            return _typed(io.BytesIO(content), columns)
        with mmap.mmap(
            file.fileno(), 0, access=mmap.ACCESS_READ
        ) as content:  # of which only the ends are read
            _refuse_damaged(content)
    return _typed(path, columns)


def _typed(source: Path | io.BytesIO, columns: Container[str] | None) -> pd.DataFrame:
    wanted = None if columns is None else columns.__contains__
    # compression: it was looked for in the content, names may err; pyarrow's reader is no faster
    return pd.read_csv(source, usecols=wanted, low_memory=False, index_col=False, compression=None)


def _refuse_damaged(content: "bytes | mmap.mmap") -> None:
    """Look at the size, the header, the first and the last row for what pandas would fill, cut or choke on."""
    refuse_outsized_text(content)
    end = content.find(b"\n")
    header = content[:] if end < 0 else content[:end]
    first, last = _first_row(content, len(header) + 1), _last_row(content, len(header) + 1)
    if last and last.count(b",") < header.count(b","):
        raise ValueError("the last row has fewer columns than the header")
    if first.count(b",") > header.count(b",") and b'"' not in first:
        raise ValueError("its rows have more columns than the header")
    names = next(csv.reader([header.decode("utf-8-sig")]), [])
    if len(set(names)) < len(names):  # pandas would number them
        raise ValueError(f"its header names a column twice: {', '.join(names)}")


def _first_row(content: "bytes | mmap.mmap", start: int) -> bytes:
    end = content.find(b"\n", start)
    return content[start:] if end < 0 else content[start:end]


def _last_row(content: "bytes | mmap.mmap", start: int) -> bytes:
    end = len(content)
    while end > start and content[end - 1] in b"\r\n":
        end -= 1
    return content[max(content.rfind(b"\n", start, end) + 1, start) : end]


def write_csv(path: Path | str, table: pd.DataFrame) -> None:
    """Write a table as CSV without an index column, as a whole or not at all."""
    with write_atomically(path) as temporary, temporary.open("wb") as file:
        write_rows(file, table)


_GZIP_LEVEL = 1  # 200,000 sources: 55 MB in 2 s; level 6 needs 40 % longer to save 2 % of the size

_LARGEST_VOTABLE = (
    2**31
)  # bytes, unpacked: ten million sources, of which astropy would make several times as much
_GZIP_GROWTH = 1032  # nothing unpacks to more than this many times its size
_ENTITIES = ("<!ENTITY".encode("ascii"), "<!ENTITY".encode("utf-16-le"))

_UNREADABLE = (
    ValueError,
    OSError,
    EOFError,
    zlib.error,
    struct.error,
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

_OUR_SPELLING = {name.lower(): name for name in UNITS}


def read_table(path: Path | str, *, columns: Container[str] | None = None) -> pd.DataFrame:
    """Read a table of any format that astronomers exchange.

    Parameters
    ----------
    path : path
        CSV (``.csv``, ``.csv.gz``), VOTable (``.vot``, ``.votable``, ``.xml``, each also with ``.gz``), FITS
        (``.fits``, ``.fit``, ``.fits.gz``) or Parquet (``.parquet``, ``.pq``).
    columns : container of str, optional
        Columns of a CSV file that are read if they are there; by default, and from other formats, all.

    Returns
    -------
    DataFrame
        Columns of plain NumPy types or strings, in the file's order; single precision becomes double by way
        of the decimal digits, so that a table reads the same from every format; missing values are NaN.
        ``source_id`` is int64, exact to the last digit. Names of `columns.UNITS` are found whatever
        their case (``SOURCE_ID``). Array columns are left out.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is truncated, is not of the format its name says, names a column twice, or has source ids
        that are missing or no whole numbers; the message names the file.
    """
    path = Path(path)
    reader = _reader(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} {'is a folder' if path.is_dir() else 'does not exist'}: check the path."
        )
    import pyarrow as pa

    try:
        table = reader(path) if columns is None or reader is not read_csv else read_csv(path, columns)
    except (*_UNREADABLE, pa.ArrowException) as error:
        raise ValueError(
            f"{path} cannot be read as a table ({one_line(error, 200)}): it is truncated or not what its name says, "
            "make or download it again."
        ) from error
    return canonical(table, str(path))


def _reader(path: Path) -> Callable[[Path], pd.DataFrame]:
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    for suffixes, reader in _READERS:
        if suffix in suffixes:
            return reader
    known = ", ".join(suffix for suffixes, _ in _READERS for suffix in suffixes)
    raise ValueError(f"{path}: no table format ends in {suffix or 'nothing'!r}, known are {known}.")


def canonical(table: pd.DataFrame, origin: str) -> pd.DataFrame:
    """Table with the column names this package uses, int64 source ids and no single precision.

    Parameters
    ----------
    table : DataFrame
        As a file or a service gave it.
    origin : str
        Where it comes from, for messages.

    Returns
    -------
    DataFrame
        Single precision becomes double by way of the decimal digits.

    Raises
    ------
    ValueError
        If a column is there twice, or a source id is missing or no whole number.
    """
    names = [str(name).strip() for name in table.columns]
    lower = [_OUR_SPELLING.get(name.lower(), name) if len(name) > 1 else name for name in names]
    names = [new if new == old or new not in names else old for old, new in zip(names, lower, strict=True)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{origin} has the column {', '.join(twice)} more than once: rename or remove one.")
    table = table.set_axis(names, axis=1)
    single = {name: _double(table[name].to_numpy()) for name in names if table[name].dtype == np.float32}
    if "source_id" in names:
        single["source_id"] = whole_numbers(table["source_id"], f"source_id in {origin}")
    return table.assign(**single)


def whole_numbers(values: pd.Series, what: str) -> NDArray[np.int64]:
    """Values as int64, never by way of a float.

    Parameters
    ----------
    values : Series
        Integers, or strings of digits.
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
    text = values.astype(str).str.strip()
    wrong = ~text.str.fullmatch(r"[+-]?\d{1,19}")
    if wrong.any():
        raise ValueError(f"{what} is {text[wrong].iloc[0]!r}, not an integer: {remedy}")
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


def _read_parquet(path: Path) -> pd.DataFrame:
    import pyarrow.parquet as pq

    about = pq.read_metadata(path)
    refuse_cells(about.num_rows, about.num_columns)
    return from_arrow(pq.read_table(path))


def from_arrow(table: "pa.Table") -> pd.DataFrame:
    """Plain columns of an Arrow table, in its order; nested columns are left out.

    Parameters
    ----------
    table : pyarrow.Table
        From a Parquet file, say.

    Returns
    -------
    DataFrame
        Of NumPy types and strings; integers with missing values become floats with NaN.
    """
    import pyarrow as pa

    columns: dict[str, Any] = {}
    for name in table.column_names:
        column = table[name]
        table = table.drop_columns(name)  # whose memory is free once it is converted
        if name.startswith("__index_level_") or pa.types.is_nested(column.type):
            continue
        if pa.types.is_dictionary(column.type) or pa.types.is_binary(column.type):
            column = column.cast(pa.string())
        columns[name] = column.to_pandas()
    pa.default_memory_pool().release_unused()  # what it was unpacked in, more than the table itself
    return pd.DataFrame(columns, copy=False)


def _read_fits(path: Path) -> pd.DataFrame:
    from astropy.io import fits
    from astropy.table import Table

    with warnings.catch_warnings(), fits.open(path, memmap=False) as units:
        warnings.simplefilter("ignore")  # units and keywords that say nothing about the numbers
        tables = [unit for unit in units if isinstance(unit, fits.BinTableHDU | fits.TableHDU)]
        if not tables:
            raise ValueError("it holds no table")
        header = tables[0].header
        refuse_cells(int(header["NAXIS2"]), int(header["TFIELDS"]))
        return from_astropy(Table.read(tables[0]))


def _read_votable(path: Path) -> pd.DataFrame:
    from astropy.io.votable import parse_single_table

    with warnings.catch_warnings(), foreign_units():
        warnings.simplefilter("ignore")  # units and UCDs of other people's tables
        return from_astropy(
            parse_single_table(io.BytesIO(_votable_content(path))).to_table(use_names_over_ids=True)
        )


def _votable_content(path: Path) -> bytes:
    """Unpacked document; astropy would expand its entities, to a thousand times its size."""
    packed = path.stat().st_size
    if packed <= _LARGEST_VOTABLE // _GZIP_GROWTH:
        content = file_content(path)
    else:
        with path.open("rb") as file:
            is_packed = file.read(2) == b"\x1f\x8b"
        with (gzip.open if is_packed else open)(path, "rb") as file:
            content = file.read(_LARGEST_VOTABLE + 1)
    if len(content) > _LARGEST_VOTABLE:
        raise ValueError(f"it has more than {_LARGEST_VOTABLE} bytes, try Parquet or CSV")
    if any(entity in content for entity in _ENTITIES):
        raise ValueError("it defines XML entities, which no VOTable needs")
    return content


def from_astropy(table: Any) -> pd.DataFrame:
    """Plain columns of an astropy table, in its order.

    Parameters
    ----------
    table : astropy.table.Table
        Masked or not, of any byte order.

    Returns
    -------
    DataFrame
        Integers stay integers unless a value is masked, then they become floats with NaN; bytes become
        strings; columns of arrays are left out.
    """
    return pd.DataFrame({name: _plain(table[name]) for name in table.colnames if table[name].ndim == 1})


def _plain(column: Any) -> NDArray[Any] | pd.Series:
    values, mask = np.asarray(column), np.ma.getmaskarray(np.ma.asarray(column))
    if values.dtype.kind in "SUO":
        text = [
            item.decode(errors="replace") if isinstance(item, bytes) else str(item)
            for item in values.tolist()
        ]
        return pd.Series(text, dtype="str").str.rstrip(" \0").mask(mask)
    return _with_missing(values, mask)


def _with_missing(values: NDArray[Any], missing: NDArray[np.bool_]) -> NDArray[Any]:
    """Native byte order, and NaN where a value is missing."""
    values = values.astype(values.dtype.newbyteorder("="))
    return np.where(missing, np.nan, values) if missing.any() else values


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
def _opened(path: Path, compressed: bool) -> Iterator[BinaryIO]:
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


_READERS = (
    ((".csv",), read_csv),
    ((".vot", ".votable", ".xml"), _read_votable),
    ((".fits", ".fit"), _read_fits),
    ((".parquet", ".pq"), _read_parquet),
)
