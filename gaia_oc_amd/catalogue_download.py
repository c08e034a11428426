"""Downloads of published catalogues from VizieR, to CSV files with our column names and units."""

import logging
import re
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from gaia_oc_amd.catalogue_tables import check_members, check_parameters
from gaia_oc_amd.catalogues import DEFAULT_KEYS, PublishedTable, find_catalogue
from gaia_oc_amd.columns import UNITS
from gaia_oc_amd.exceptions import ArchiveUnavailableError
from gaia_oc_amd.files.tables import canonical, from_astropy, write_csv

VIZIER = "vizier.cds.unistra.fr"
_TIMEOUT = 600  # s without a byte; VizieR needs minutes before it sends a million rows

logger = logging.getLogger(__name__)


def download_catalogues(
    data_dir: Path = Path("data"),
    *,
    catalogues: tuple[str, ...] = DEFAULT_KEYS,
    overwrite: bool = False,
    server: str = VIZIER,
) -> list[Path]:
    """Download several catalogues from VizieR.

    Parameters
    ----------
    data_dir : path
        The data directory.
    catalogues : tuple of str
        Keys of `catalogues.CATALOGUES`. A table that two of them share is downloaded once.
    overwrite : bool
        Whether to replace existing files.
    server : str
        Host name of VizieR or one of its mirrors.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    ValueError
        If a key is unknown.
    ArchiveUnavailableError
        At the first failure; what was finished is kept.
    """
    from gaia_oc_amd.progress import progress_bar

    tables = {table.file_name: table for key in catalogues for table in find_catalogue(key).tables}
    return [
        download_table(table, data_dir, overwrite=overwrite, server=server)
        for table in progress_bar(tables.values(), desc="catalogues", unit="table")
    ]


def download_table(
    published: PublishedTable, data_dir: Path | str, *, overwrite: bool = False, server: str = VIZIER
) -> Path:
    """Download one table from VizieR to a CSV file with our column names and units.

    Parameters
    ----------
    published : PublishedTable
        A table of one of `catalogues.CATALOGUES`.
    data_dir : path
        The data directory.
    overwrite : bool
        Whether to replace an existing file.
    server : str
        Host name of VizieR or one of its mirrors.

    Returns
    -------
    Path
        The file, with the columns that `read_member_list` or `read_parameter_table` needs.

    Raises
    ------
    ArchiveUnavailableError
        If VizieR does not answer, or its answer cannot be read or is empty.
    ValueError
        If the table lacks a column, or its values cannot be what they should be.
    """
    path = Path(data_dir) / published.file_name
    if path.exists() and not overwrite:
        logger.info("%s exists and is kept; --overwrite replaces it", path)
        return path
    table = _our_columns(_query_vizier(published, server), published)
    source = f"VizieR's {published.table}"
    if published.kind == "members":
        table = check_members(table, source)
    else:
        table = check_parameters(table, source, published=True)
    write_csv(path, table)
    logger.info("%s: %d rows of %s (%s)", path, len(table), published.reference, published.table)
    return path


def _query_vizier(published: PublishedTable, server: str) -> list[Any]:
    """VizieR's answer, astropy tables of at least one row."""
    import requests
    from astroquery import cache_conf  # imported here: it takes a second
    from astroquery.exceptions import TableParseError
    from astroquery.vizier import VizierClass

    wanted = [*published.columns.values(), *published.optional_columns.values()]
    columns = list(dict.fromkeys(name for names in wanted for name in names))
    vizier = VizierClass(columns=columns, row_limit=-1, timeout=_TIMEOUT, vizier_server=server)
    remedy = "try again later, or with another mirror (--server vizier.cfa.harvard.edu)."
    try:
        with warnings.catch_warnings(), cache_conf.set_temp("cache_active", False):
            warnings.simplefilter("ignore")  # about units and UCDs; the values are checked below
            answer = vizier.get_catalogs(published.table)
    except (requests.RequestException, TableParseError) as error:
        reason = " ".join(str(error).split()).rpartition("(Caused by ")[2][:200]
        raise ArchiveUnavailableError(
            f"VizieR at {server} gave no readable table {published.table} ({reason}): {remedy}"
        ) from error
    tables = [table for table in answer or () if len(table)]
    if not tables:
        raise ArchiveUnavailableError(f"VizieR at {server} gave no rows of {published.table}: {remedy}")
    return tables


def _our_columns(tables: list[Any], published: PublishedTable) -> pd.DataFrame:
    """The first of VizieR's tables that has all columns, with our names and units."""
    fitting = next((table for table in tables if not _absent(table, published)), tables[0])
    absent = _absent(fitting, published)
    if absent:
        raise ValueError(
            f"VizieR's {published.table} has no column {' or '.join(published.columns[absent[0]])} for {absent[0]}, "
            f"only {', '.join(fitting.colnames)}: add the name it has now to catalogues.py."
        )
    wanted = {**published.columns, **published.optional_columns}
    names = {ours: found for ours, theirs in wanted.items() if (found := _find_column(fitting, theirs))}
    source = f"VizieR's {published.table}"
    factors = {ours: _factor(fitting[theirs], ours, source) for ours, theirs in names.items()}
    ours = canonical(from_astropy(fitting[list(names.values())]).set_axis(list(names), axis=1), source)
    return ours.assign(
        **{name: ours[name] * factor for name, factor in factors.items() if factor != 1},
        **published.constants,
    )


def _absent(table: Any, published: PublishedTable) -> list[str]:
    return [ours for ours, theirs in published.columns.items() if not _find_column(table, theirs)]


def _find_column(table: Any, names: tuple[str, ...]) -> str | None:
    found = {_without_signs(name): name for name in table.colnames}
    return next((found[_without_signs(name)] for name in names if _without_signs(name) in found), None)


def _without_signs(name: str) -> str:
    return re.sub(r"\W", "_", name).casefold()


def _factor(column: Any, ours: str, source: str) -> float:
    """By what to multiply a column of VizieR's to have it in our unit; 1 where it states none, or one unknown."""
    from astropy.units import Unit, UnitConversionError, UnrecognizedUnit

    unit, expected = column.unit, UNITS.get(re.sub("_(16|84)$", "", ours), "")
    if isinstance(unit, UnrecognizedUnit):  # by the VOTable standard; VizieR also writes %, mas.yr-1
        unit = Unit(unit.to_string(), format="cds", parse_strict="silent")
    if unit is None or isinstance(unit, UnrecognizedUnit) or expected.startswith("log"):
        return 1.0
    try:
        return float(unit.to(expected))
    except UnitConversionError as error:
        raise ValueError(
            f"{source} has {column.name} in {unit}, which is no {expected or 'plain number'}: "
            f"catalogues.py may take another column than it means for {ours}."
        ) from error
