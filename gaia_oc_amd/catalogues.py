"""Published catalogues of open clusters: where their tables are on VizieR, and how such tables are read."""

import logging
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from gaia_oc_amd.cluster_names import normalise_name
from gaia_oc_amd.data_directory import CLUSTER_PARAMETERS, write_csv
from gaia_oc_amd.exceptions import ArchiveUnavailableError
from gaia_oc_amd.tables import from_astropy, read_table, whole_numbers

MEMBERS_FILE = "cg18_members.csv"
COMPARISON_FILE = "t22_members.csv"
"""Default member list to learn from, and to compare with, in the data directory."""

VIZIER = "vizier.cds.unistra.fr"
_TIMEOUT = 300  # s without a byte; the member lists take VizieR a minute or two

MEMBER_COLUMNS = ("cluster", "source_id", "PMemb")
"""Columns that a member list must have."""

PARAMETER_COLUMNS = ("name", "ra", "dec", "pmra", "pmdec", "parallax")
"""Columns that a cluster parameter table must have."""

OPTIONAL_PARAMETER_COLUMNS = ("pmra_error", "pmdec_error", "parallax_error", "age", "a0", "dist")
"""Columns of a cluster parameter table that are filled with NaN where it lacks them."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Catalogue:
    """A published table, as data.

    Parameters
    ----------
    key : str
        Short name.
    table : str
        Identifier on VizieR.
    file_name : str
        Name in the data directory.
    kind : {'members', 'parameters'}
        What it lists.
    reference : str
        The paper.
    columns : mapping of str to tuple of str
        Our column name, and the names it may have on VizieR in order of preference. Case does not matter,
        and ``*`` equals ``_``, which some clients write in its place.
    optional_columns : mapping of str to tuple of str
        The same for columns that are left out where the table lacks them.
    """

    key: str
    table: str
    file_name: str
    kind: Literal["members", "parameters"]
    reference: str
    columns: Mapping[str, tuple[str, ...]]
    optional_columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


_ERRORS = ("pmra_error", "pmdec_error", "parallax_error")
_POSITIONS = {
    "ra": ("RA_ICRS", "RAdeg", "RAJ2000"),
    "dec": ("DE_ICRS", "DEdeg", "DEJ2000"),
    "pmra": ("pmRA*", "pmRA"),
    "pmdec": ("pmDE",),
    "parallax": ("plx",),
    "phot_g_mean_mag": ("Gmag",),
}

CATALOGUES = (
    Catalogue(
        key="parameters",
        table="J/A+A/640/A1/table1",
        file_name=CLUSTER_PARAMETERS,
        kind="parameters",
        reference="Cantat-Gaudin et al. (2020), A&A 640, A1",
        columns={
            "name": ("Cluster", "Name"),
            "ra": ("RA_ICRS", "RAdeg"),
            "dec": ("DE_ICRS", "DEdeg"),
            "pmra": ("pmRA*", "pmRA"),
            "pmdec": ("pmDE",),
            # the standard deviations of the members; VizieR has labelled them both ways
            "pmra_error": ("s_pmRA*", "s_pmRA", "e_pmRA*", "e_pmRA"),
            "pmdec_error": ("s_pmDE", "e_pmDE"),
            "parallax": ("plx",),
            "parallax_error": ("s_plx", "e_plx"),
            "age": ("AgeNN", "logAgeNN"),
            "a0": ("AVNN",),
            "dist": ("DistPc", "Dist"),
        },
    ),
    Catalogue(
        key="cg18",
        table="J/A+A/618/A93/members",
        file_name=MEMBERS_FILE,
        kind="members",
        reference="Cantat-Gaudin et al. (2018), A&A 618, A93",
        columns={"cluster": ("Cluster",), "source_id": ("Source", "GaiaDR2"), "PMemb": ("PMemb", "Proba")},
        optional_columns=_POSITIONS,
    ),
    Catalogue(
        key="cg20",
        table="J/A+A/640/A1/nodup",
        file_name="cg20_members.csv",
        kind="members",
        reference="Cantat-Gaudin et al. (2020), A&A 640, A1",
        columns={"cluster": ("Cluster",), "source_id": ("GaiaDR2", "Source"), "PMemb": ("Proba", "PMemb")},
        optional_columns=_POSITIONS,
    ),
    Catalogue(
        key="t22",
        table="J/A+A/659/A59/table2",
        file_name=COMPARISON_FILE,
        kind="members",
        reference="Tarricq et al. (2022), A&A 659, A59",
        columns={"cluster": ("Cluster",), "source_id": ("GaiaEDR3", "Source"), "PMemb": ("Proba", "PMemb")},
        optional_columns=_POSITIONS,
    ),
)
"""The catalogues that download_members_and_cluster_params.py fetches, in this order."""

_KEYS = tuple(catalogue.key for catalogue in CATALOGUES)


def download_catalogues(
    data_dir: Path = Path("data"),
    *,
    catalogues: tuple[str, ...] = _KEYS,
    overwrite: bool = False,
    server: str = VIZIER,
) -> list[Path]:
    """Download several catalogues from VizieR.

    Parameters
    ----------
    data_dir : path
        The data directory.
    catalogues : tuple of str
        Keys of `CATALOGUES`.
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
    from tqdm import tqdm

    known = {catalogue.key: catalogue for catalogue in CATALOGUES}
    unknown = [key for key in catalogues if key not in known]
    if unknown:
        raise ValueError(f"there is no catalogue {unknown[0]!r}: choose among {', '.join(known)}.")
    return [
        download_catalogue(known[key], data_dir, overwrite=overwrite, server=server)
        for key in tqdm(catalogues, desc="catalogues", unit="table", disable=None)
    ]


def download_catalogue(
    catalogue: Catalogue, data_dir: Path | str, *, overwrite: bool = False, server: str = VIZIER
) -> Path:
    """Download one catalogue from VizieR to a CSV file with our column names.

    Parameters
    ----------
    catalogue : Catalogue
        An entry of `CATALOGUES`.
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
    path = Path(data_dir) / catalogue.file_name
    if path.exists() and not overwrite:
        logger.info("%s exists and is kept; --overwrite replaces it", path)
        return path
    table = _our_columns(_query_vizier(catalogue, server), catalogue)
    check = _check_members if catalogue.kind == "members" else _check_parameters
    table = check(table, f"VizieR's {catalogue.table}")
    write_csv(path, table)
    logger.info("%s: %d rows of %s (%s)", path, len(table), catalogue.reference, catalogue.table)
    return path


def _query_vizier(catalogue: Catalogue, server: str) -> Any:
    """VizieR's answer, an astropy table of at least one row."""
    import requests
    from astroquery import cache_conf  # imported here: it takes a second
    from astroquery.exceptions import TableParseError
    from astroquery.vizier import VizierClass

    wanted = [*catalogue.columns.values(), *catalogue.optional_columns.values()]
    columns = list(dict.fromkeys(name for names in wanted for name in names))
    vizier = VizierClass(columns=columns, row_limit=-1, timeout=_TIMEOUT, vizier_server=server)
    remedy = "try again later, or with another mirror (--server vizier.cfa.harvard.edu)."
    try:
        with warnings.catch_warnings(), cache_conf.set_temp("cache_active", False):
            warnings.simplefilter("ignore")  # about units and UCDs; the values are checked below
            answer = vizier.get_catalogs(catalogue.table)
    except (requests.RequestException, TableParseError) as error:
        reason = " ".join(str(error).split()).rpartition("(Caused by ")[2][:200]
        raise ArchiveUnavailableError(
            f"VizieR at {server} gave no readable table {catalogue.table} ({reason}): {remedy}"
        ) from error
    if not answer or not len(answer[0]):
        raise ArchiveUnavailableError(f"VizieR at {server} gave no rows of {catalogue.table}: {remedy}")
    return answer[0]


def _our_columns(table: Any, catalogue: Catalogue) -> pd.DataFrame:
    found = {_canonical(name): name for name in table.colnames}
    names: dict[str, str] = {}
    for ours, theirs in {**catalogue.columns, **catalogue.optional_columns}.items():
        match = next((found[_canonical(name)] for name in theirs if _canonical(name) in found), None)
        if match is not None:
            names[ours] = match
        elif ours in catalogue.columns:
            raise ValueError(
                f"VizieR's {catalogue.table} has no column {' or '.join(theirs)} for {ours}, "
                f"only {', '.join(table.colnames)}: add the name it has now to CATALOGUES in catalogues.py."
            )
    return from_astropy(table[list(names.values())]).set_axis(list(names), axis=1)


def _canonical(name: str) -> str:
    return re.sub(r"\W", "_", name).casefold()


def read_member_list(path: Path | str) -> pd.DataFrame:
    """Read a list of cluster members.

    Parameters
    ----------
    path : path
        Any table that `tables.read_table` reads, with the columns cluster, source_id and PMemb.

    Returns
    -------
    DataFrame
        One row per cluster and source, in the file's order: ``cluster`` (str), ``source_id`` (int64),
        ``PMemb`` (0 to 1) and the other columns as they are. Of rows given twice the one with the highest
        PMemb is kept, with a warning.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file cannot be read, lacks a column or rows, or has values that cannot be.
    """
    return _check_members(read_table(path), str(path))


def read_parameter_table(path: Path | str) -> pd.DataFrame:
    """Read a table of cluster parameters.

    Parameters
    ----------
    path : path
        Any table that `tables.read_table` reads, with the columns of `PARAMETER_COLUMNS`.

    Returns
    -------
    DataFrame
        One row per cluster with name, ra and dec [deg], pmra and pmdec [mas/yr], parallax [mas], their
        standard deviations, age [log10(yr)], a0 [mag], dist [pc], in this order before other columns.
        What the file lacks of `OPTIONAL_PARAMETER_COLUMNS` is NaN.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file cannot be read, lacks a column or rows, names a cluster twice, or has values that cannot
        be.
    """
    return _check_parameters(read_table(path), str(path))


def _check_members(table: pd.DataFrame, source: str) -> pd.DataFrame:
    _require_columns(table, MEMBER_COLUMNS, source)
    probability = _numbers(table, "PMemb", source)
    outside = ~probability.between(0, 1)
    if outside.any():
        raise ValueError(
            f"{source} has PMemb {probability[outside].iloc[0]:g} in {int(outside.sum())} rows, but it must "
            "be between 0 and 1 (percentages divided by 100)."
        )
    table = table.assign(
        cluster=_names(table, "cluster", source),
        source_id=whole_numbers(table["source_id"], f"source_id in {source}"),
    )
    measured = [name for name in (*_POSITIONS, *_ERRORS) if name in table]
    table = table.assign(**{name: _numbers(table, name, source) for name in measured})
    if "dec" in table:
        _check_declinations(table, source)
    return _without_duplicates(table, source)


def _without_duplicates(members: pd.DataFrame, source: str) -> pd.DataFrame:
    key = ["cluster", "source_id"]
    n_more = int(members.duplicated(key).sum())
    if not n_more:
        return members
    warnings.warn(
        f"{source} lists {n_more} members more than once: the row with the highest PMemb is kept.",
        stacklevel=4,
    )
    best = members.sort_values("PMemb", ascending=False, kind="stable").drop_duplicates(key)
    return best.sort_index().reset_index(drop=True)


def _check_parameters(table: pd.DataFrame, source: str) -> pd.DataFrame:
    _require_columns(table, PARAMETER_COLUMNS, source)
    names = _names(table, "name", source)
    twice = names[names.map(normalise_name).duplicated()]
    if len(twice):
        raise ValueError(
            f"{source} has {twice.iloc[0]} in more than one row: keep one (case, _ and - do not count)."
        )
    absent = {name: np.nan for name in OPTIONAL_PARAMETER_COLUMNS if name not in table}
    table = table.assign(name=names, **absent)
    for name in (*PARAMETER_COLUMNS[1:], *OPTIONAL_PARAMETER_COLUMNS):
        _numbers(table, name, source)
    _check_declinations(table, source)
    ours = [
        *("name", "ra", "dec", "pmra", "pmdec", "pmra_error", "pmdec_error"),
        *("parallax", "parallax_error", "age", "a0", "dist"),
    ]
    return table[[*ours, *(name for name in table if name not in ours)]]


def _require_columns(table: pd.DataFrame, names: tuple[str, ...], source: str) -> None:
    absent = [name for name in names if name not in table]
    if absent:
        raise ValueError(
            f"{source} has no column {', '.join(absent)}, only {', '.join(map(str, table))}: "
            f"rename its columns, {', '.join(names)} are needed."
        )
    if table.empty:
        raise ValueError(f"{source} has no rows: make or download it again.")


def _names(table: pd.DataFrame, column: str, source: str) -> pd.Series:
    names = table[column].astype("str").str.strip()
    nameless = names.isna() | (names == "")
    if nameless.any():
        raise ValueError(
            f"{source} has {int(nameless.sum())} rows without a {column}: name the cluster or remove them."
        )
    return names


def _numbers(table: pd.DataFrame, column: str, source: str) -> pd.Series:
    if not pd.api.types.is_numeric_dtype(table[column]):
        raise ValueError(
            f"{source} has a {column} that is no number ({table[column].dropna().iloc[0]!r} is the first): "
            "give decimal numbers."
        )
    return table[column]


def _check_declinations(table: pd.DataFrame, source: str) -> None:
    dec = _numbers(table, "dec", source)
    outside = dec.abs() > 90
    if outside.any():
        raise ValueError(
            f"{source} has dec {dec[outside].iloc[0]:g} deg, outside -90..90: are ra and dec swapped?"
        )
