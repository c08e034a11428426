"""Tables of sources in files: one reader and one writer for every format."""

import gzip
import io
import struct
import warnings
import zlib
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal
from xml.parsers.expat import ExpatError

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.columns import UNITS
from gaia_oc_amd.csv_files import file_content, read_csv, write_rows
from gaia_oc_amd.data_directory import write_atomically

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
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(
            f"{path} cannot be read as a table ({reason}): it is truncated or not what its name says, "
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

    return from_arrow(pq.read_table(path))


def from_arrow(table: "pa.Table") -> pd.DataFrame:  # noqa: F821
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
        return from_astropy(Table.read(tables[0]))


def _read_votable(path: Path) -> pd.DataFrame:
    from astropy.io.votable import parse_single_table

    with warnings.catch_warnings():
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
    writers = {"votable": _write_votable, "csv": _write_csv, "csv.gz": _write_csv, "parquet": _write_parquet}
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


def _write_votable(path: Path, table: pd.DataFrame, compressed: bool) -> None:
    from astropy.table import Table

    units = {name: UNITS[name] for name in table if UNITS.get(name)}
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # log10(yr) is no unit of the VOTable standard
        Table.from_pandas(table, units=units).write(content, format="votable", tabledata_format="binary2")
    with _opened(path, compressed) as file:
        file.write(content.getbuffer())


_READERS = (
    ((".csv",), read_csv),
    ((".vot", ".votable", ".xml"), _read_votable),
    ((".fits", ".fit"), _read_fits),
    ((".parquet", ".pq"), _read_parquet),
)
