"""Read FITS, VOTable, Parquet and Feather files: every table that they hold, as plain columns with their units."""

import binascii
import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.exceptions import one_line
from gaia_oc_amd.files.bounds import refuse_cells
from gaia_oc_amd.files.packed import TableError, file_content, first_bytes
from gaia_oc_amd.files.votable import foreign_units

if TYPE_CHECKING:
    import pyarrow as pa
    from astropy.io import fits

_LARGEST_VOTABLE = (
    2**31
)  # bytes, unpacked: ten million sources, of which astropy would make several times as much
_GZIP_GROWTH = 1032  # nothing unpacks to more than this many times its size
_ENTITIES = ("<!ENTITY".encode("ascii"), "<!ENTITY".encode("utf-16-le"))
_HEAD = 1 << 20


ROW_LIMITS = {
    50: "VizieR's and astroquery's default",
    500: "the default of the Gaia archive's page",
    2000: "the Gaia archive's limit of synchronous queries",
    3_000_000: "the Gaia archive's limit without a login",
}
"""Numbers of rows at which services cut results off, and whose they are."""


@dataclass(frozen=True)
class FileTable:
    """One table of a file.

    Parameters
    ----------
    rows : DataFrame
        Numbers and strings; a name that the file has twice stands here twice.
    units : dict of str
        Units that the file states, by column.
    first_line : int, optional
        Line of a text file that the first row stands in, where rows are lines.
    """

    rows: pd.DataFrame
    units: dict[str, str] = field(default_factory=dict)
    first_line: int | None = None


def read_parquet(path: Path) -> list[FileTable]:
    """Table of a Parquet file."""
    import pyarrow.parquet as pq

    about = pq.read_metadata(path)
    refuse_cells(about.num_rows, about.num_columns)
    return [FileTable(from_arrow(pq.read_table(path)))]


def read_feather(path: Path) -> list[FileTable]:
    """Table of a Feather (Arrow IPC) file."""
    from pyarrow import feather

    return [FileTable(from_arrow(feather.read_table(path)))]


def from_arrow(table: "pa.Table") -> pd.DataFrame:
    """Plain columns of an Arrow table, in its order; nested columns are left out.

    Parameters
    ----------
    table : pyarrow.Table
        From a Parquet file, say.

    Returns
    -------
    DataFrame
        Of NumPy types and strings; integers with missing values become floats with NaN, or strings of digits where
        a float cannot hold them.
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
        if pa.types.is_integer(column.type) and column.null_count and _too_large(column):
            column = column.cast(pa.string())
        columns[name] = column.to_pandas()
    pa.default_memory_pool().release_unused()  # what it was unpacked in, more than the table itself
    return pd.DataFrame(columns, copy=False)


def _too_large(column: "pa.ChunkedArray") -> bool:
    import pyarrow.compute as pc

    ends = pc.min_max(column).as_py()
    return any(end is not None and abs(end) > 2**53 for end in ends.values())


@contextmanager
def opened_fits(path: Path) -> Iterator["fits.HDUList"]:
    """A FITS file, read into memory; what else than an OSError astropy makes of a damaged one becomes that."""
    from astropy.io import fits
    from astropy.io.fits.verify import VerifyError

    try:
        with fits.open(path, memmap=False) as units:
            yield units
    except (VerifyError, zipfile.BadZipFile, LookupError, AttributeError, TypeError, MemoryError) as error:
        raise OSError(f"{type(error).__name__}: {one_line(error)}") from error


def read_fits(path: Path) -> list[FileTable]:
    """Tables of a FITS file, in binary or ASCII; TOPCAT's column-oriented ones (one row of arrays) too."""
    from astropy.io import fits
    from astropy.table import Table

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # units and keywords that say nothing about the numbers
        with opened_fits(path) as units:
            tables = [unit for unit in units if isinstance(unit, fits.BinTableHDU | fits.TableHDU)]
            if not tables:
                raise TableError("it holds no table: name a file with a table of rows")
            for table in tables:
                refuse_cells(int(table.header["NAXIS2"]), int(table.header["TFIELDS"]))
            return [file_table(_with_rows(Table.read(table))) for table in tables]


def _with_rows(table: Any) -> Any:
    """Table of one row whose cells are columns, as the table of these columns; another one as it is."""
    if len(table) != 1 or not table.colnames or any(table[name].ndim < 2 for name in table.colnames):
        return table
    cells = {name: table[name][0] for name in table.colnames}
    cells = {name: cell.reshape(len(cell), -1) for name, cell in cells.items()}
    if len({len(cell) for cell in cells.values()}) != 1:
        return table
    from astropy.table import Table

    return Table(
        {name: cell[:, 0] if cell.shape[1] == 1 else cell for name, cell in cells.items()},
        units=_units(table),
    )


def _units(table: Any) -> dict[str, str]:
    return {
        name: str(table[name].unit)
        for name in table.colnames
        if getattr(table[name], "unit", None) is not None
    }


def file_table(table: Any) -> FileTable:
    """Plain columns of an astropy table with its units (see `from_astropy`)."""
    return FileTable(from_astropy(table), _units(table))


def read_votable(path: Path) -> list[FileTable]:
    """Tables of a VOTable document.

    Raises
    ------
    TableError
        If it says that its result was cut off, or holds no table.
    """
    from astropy.io.votable import parse

    content = _votable_content(path)
    stream = _STREAM.search(content)
    end = content.find(b"<", stream.end()) if stream else -1  # of one letter: quick
    stream = stream if content.startswith(b"</STREAM>", end) else None
    xml = content[: stream.end()] + content[end:] if stream else content
    if any(entity in xml for entity in _ENTITIES):  # astropy would expand them, to a thousand times its size
        raise TableError("it defines XML entities, which no VOTable needs")
    with warnings.catch_warnings(), foreign_units():
        warnings.simplefilter("ignore")  # units and UCDs of other people's tables
        if stream and xml.count(b"<TABLE") == 1 and not _is_left_out(content[: stream.start()]):
            head = parse(io.BytesIO(xml))
            _refuse_cut(head)
            if (rows := _numbers(head.get_first_table(), content[stream.end() : end])) is not None:
                _refuse_short(xml, [rows])
                return [rows]
        document = parse(io.BytesIO(content))
        _refuse_cut(document)
        tables = [table for table in document.iter_tables() if len(table.fields)]
        if not tables:
            raise TableError("it holds no table: name a file with a table of rows")
        read = [file_table(table.to_table(use_names_over_ids=True)) for table in tables]
        _refuse_short(xml, read)
        return read


def _is_left_out(before: bytes) -> bool:
    """Whether what follows stands in a comment of XML, or is literal text."""
    return any(
        before.rfind(opens) > before.rfind(ends)
        for opens, ends in ((b"<!--", b"-->"), (b"<![CDATA[", b"]]>"))
    )


def _refuse_short(xml: bytes, tables: list[FileTable]) -> None:
    """Refuse a document with one table that says how many rows it has, and has others; astropy does not look."""
    stated = _N_ROWS.findall(xml)
    if len(stated) == len(tables) == xml.count(b"<TABLE") == 1 and int(stated[0]) != (
        found := len(tables[0].rows)
    ):
        raise TableError(
            f"it has {found} of its {int(stated[0])} rows: it was cut off, make or download it again"
        )


_N_ROWS = re.compile(rb"<TABLE\b[^>]*\bnrows=[\"'](\d{1,18})[\"']")
_STREAM = re.compile(rb"<BINARY2>\s*<STREAM encoding=[\"']base64[\"']>")
_NUMBERS = {
    "unsignedByte": "u1",
    "short": ">i2",
    "int": ">i4",
    "long": ">i8",
    "float": ">f4",
    "double": ">f8",
}


_ROWS_AT_ONCE = 2048
"""Rows of a stream that a processor keeps at hand while its columns are taken from it."""


def _numbers(head: Any, stream: bytes) -> FileTable | None:
    """Rows of a BINARY2 stream at once, where astropy takes one after the other; None if not all are plain numbers.

    Parameters
    ----------
    head : astropy.io.votable.tree.TableElement
        The table without its rows.
    stream : bytes
        In base64.
    """
    kinds = [_NUMBERS.get(field.datatype) for field in head.fields]
    if None in kinds or any(field.arraysize or field.values.null is not None for field in head.fields):
        return None
    try:
        content = binascii.a2b_base64(stream.replace(b"\n", b""), strict_mode=True)
    except binascii.Error:  # of other white space, or damaged
        return None
    names = [f"f{number}" for number in range(len(kinds))]
    kind = np.dtype([("missing", np.uint8, (len(kinds) + 7) // 8), *zip(names, kinds, strict=True)])
    if len(content) % kind.itemsize:
        raise TableError("its stream ends within a row: it was cut off, make or download it again")
    rows = np.frombuffer(content, kind)
    missing = np.unpackbits(rows["missing"].reshape(len(rows), kind["missing"].itemsize), axis=1).astype(bool)
    values = {name: np.empty(len(rows), kind[name].newbyteorder("=")) for name in names}
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        for name in names:
            values[name][part] = rows[name][part]
    empty = head.to_table(use_names_over_ids=True)
    columns = {
        ours: _plain(
            np.ma.MaskedArray(values[name], missing[:, number] if missing[:, number].any() else False)
        )
        for number, (ours, name) in enumerate(zip(empty.colnames, names, strict=True))
    }
    return FileTable(pd.DataFrame(columns, copy=False), _units(empty))


def _refuse_cut(document: Any) -> None:
    """Refuse a result that its service cut off, or an error document."""
    infos = [info for resource in _resources(document.resources) for info in resource.infos]
    for info in infos:
        status = str(info.value).upper() if str(info.name).upper() == "QUERY_STATUS" else ""
        if status == "OVERFLOW":
            raise TableError(
                "it says QUERY_STATUS OVERFLOW: the service cut the result at its row limit; ask again with a higher "
                "MAXREC, or as an asynchronous job"
            )
        if status == "ERROR":
            raise TableError(
                f"it is the error of a service: {' '.join(str(info.content or '').split())[:150]}"
            )


def warn_of_row_limit(n_rows: int, source: str) -> None:
    """Warn of a table that has exactly as many rows as a service gives at most.

    Parameters
    ----------
    n_rows : int
        Its rows.
    source : str
        Where it comes from.
    """
    if n_rows in ROW_LIMITS:
        warnings.warn(
            f"{source} has exactly {n_rows} rows, {ROW_LIMITS[n_rows]}: it may be cut off there; if it is, ask for all "
            "rows again.",
            stacklevel=3,
        )


def _resources(resources: Any) -> list[Any]:
    return [inner for resource in resources for inner in (resource, *_resources(resource.resources))]


def _votable_content(path: Path) -> bytes:
    """Unpacked document."""
    packed = path.stat().st_size
    if packed <= _LARGEST_VOTABLE // _GZIP_GROWTH:
        content = file_content(path)
    else:
        content = first_bytes(path, _LARGEST_VOTABLE + 1)
    if len(content) > _LARGEST_VOTABLE:
        raise TableError(f"it has more than {_LARGEST_VOTABLE} bytes, try Parquet or CSV")
    if b"<FITS" in content[:_HEAD]:
        raise TableError(
            "its rows are a FITS file inside the document: save it as FITS, or as VOTable in TABLEDATA"
        )
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
        Integers stay integers unless a value is masked, then they become floats with NaN, or strings of digits where
        a float cannot hold them; bytes become strings; columns of arrays are left out.
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
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype.kind in "iu" and mask.any() and (np.abs(values[~mask].astype(float)) > 2.0**53).any():
        return pd.Series(values.astype(str), dtype="str").mask(mask)
    return np.where(mask, np.nan, values) if mask.any() else values
