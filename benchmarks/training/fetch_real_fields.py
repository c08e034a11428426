"""Ask for the real fields and the lists that the shipped model learns from, and write them as its training reads them.

The stars of each field of real_fields.csv from the Gaia archive (cones/NAME.csv.gz), the lists of Cantat-Gaudin et al.
(2018) and Tarricq et al. (2022) and the parameters of Cantat-Gaudin et al. (2020) from VizieR, the members of Almeida
et al. (2023) from their authors' repository, and PARSEC isochrones of six metallicities from the CMD web form. What is
there is not asked for again, so the same command goes on where a run was stopped; a field that the archive still works
on is fetched from there. Ends with 1 if something is missing, and says what.

example: python benchmarks/training/fetch_real_fields.py --real data/real
"""

import argparse
import io
import logging
import re
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import requests

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from gaia_oc_amd.archive import GAIA_ARCHIVE, Select, query_archive
from gaia_oc_amd.archive.session import ArchiveSession, GaveUpError, NonsenseError, Patience
from gaia_oc_amd.astrometry import angular_separation
from gaia_oc_amd.catalogues.download import download_isochrones, download_table
from gaia_oc_amd.catalogues.names import normalise_name, read_cluster_names
from gaia_oc_amd.catalogues.published import (
    CG18_MEMBERS,
    CG20_PARAMETERS,
    CMD_FORM,
    T22_MEMBERS,
    VIZIER,
    PublishedTable,
)
from gaia_oc_amd.catalogues.tables import check_members
from gaia_oc_amd.columns import ARCHIVE_COLUMNS
from gaia_oc_amd.cone import ConeRegion, in_order, wrong_rows
from gaia_oc_amd.exceptions import ClusterError, one_line
from gaia_oc_amd.files.data_directory import write_atomically
from gaia_oc_amd.files.tables import write_table
from gaia_oc_amd.options import ISOCHRONES

HERE = Path(__file__).parent
CLUSTERS = (str(HERE / "training_clusters.txt"), str(HERE / "test_clusters.txt"))
TABLE = "gaiaedr3.gaia_source"
"""EDR3: DR3 has other G magnitudes for sources with six astrometric parameters."""
ALMEIDA = (
    "https://raw.githubusercontent.com/ander-son-almeida/DashboardOCmass/"
    "530e306306185970617cdd37bfeb43480cc79e2b/data/membership_data_edr3"
)
"""Folder of Almeida et al.'s lists in their own repository, at a commit; VizieR is not known to have them."""
LISTS = (
    replace(CG18_MEMBERS, file_name="cg18_members.csv.gz"),
    replace(T22_MEMBERS, file_name="t22_members.csv.gz"),
    CG20_PARAMETERS,
)
ISOCHRONE_FILES = {
    "parsec_colibri_z0.010_0.015_0.020.dat": ((0.010, 0.015, 0.020), (7.0, 9.5, 0.25)),
    "parsec_colibri_z0.0152.dat": ((0.0152,), (7.5, 8.4, 0.1)),
    "parsec_z0.0205.dat": ((0.0205,), (7.0, 10.1, 0.05)),
    "parsec_z0.0105.dat": ((0.0105,), (7.0, 10.1, 0.05)),
}
"""File, metal fractions, and first, last and step of log age."""
EDGE = 1e-6
"""Margin of a service's rounding [deg, mas, mag]."""
GIVE_UP_AFTER = 2
"""Failures one after the other, after which a service is not asked for more."""

logger = logging.getLogger("fetch_real_fields")


@dataclass(frozen=True)
class RealField:
    """A box on the sky and the limits of a row of real_fields.csv.

    Parameters
    ----------
    cluster : str
        Name of the cluster in it.
    ra_min, ra_max, dec_min, dec_max : float
        Edges [deg].
    g_max : float
        Sources are brighter [mag].
    parallax_min, parallax_max : float
        Limits in parallax [mas], NaN where there is none.
    n_sources : int
        What the field had when the shipped model was trained.
    in_almeida : bool
        Whether Almeida et al. (2023) list the cluster.
    """

    cluster: str
    ra_min: float
    ra_max: float
    dec_min: float
    dec_max: float
    g_max: float
    parallax_min: float
    parallax_max: float
    n_sources: int
    in_almeida: bool

    @property
    def region(self) -> ConeRegion:
        """The smallest circle about the box, without limits in motion."""
        ra, dec = (self.ra_min + self.ra_max) / 2, (self.dec_min + self.dec_max) / 2
        corners = [
            angular_separation(np.array([a]), np.array([d]), ra, dec)[0]
            for a in (self.ra_min, self.ra_max)
            for d in (self.dec_min, self.dec_max)
        ]
        radius = round(float(max(corners)) + EDGE, 6)
        return ConeRegion(round(ra, 6), round(dec, 6), radius, 0.0, 0.0, np.inf, 0.0, np.inf)

    def query(self, table: str = TABLE) -> Select:
        """Query for all archive columns of the sources of the field.

        The circle is what a service has an index for; the box cuts it.
        """
        region = self.region
        columns = {name: name for name in ARCHIVE_COLUMNS}
        conditions = [
            f"1 = CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', {region.ra!r}, {region.dec!r}, {region.radius!r}))",
            f"ra BETWEEN {self.ra_min!r} AND {self.ra_max!r}",
            f"dec BETWEEN {self.dec_min!r} AND {self.dec_max!r}",
            f"phot_g_mean_mag < {self.g_max!r}",
        ]
        conditions += [f"parallax >= {self.parallax_min!r}"] if np.isfinite(self.parallax_min) else []
        conditions += [f"parallax <= {self.parallax_max!r}"] if np.isfinite(self.parallax_max) else []
        return Select(columns, table, tuple(conditions))

    def complaint(self, rows: pd.DataFrame) -> str | None:
        """What the query cannot have asked for, None if nothing."""
        if rows.empty:
            return "no rows"
        if wrong := wrong_rows(rows, self.region):
            return wrong
        limits = {
            "ra": (self.ra_min, self.ra_max),
            "dec": (self.dec_min, self.dec_max),
            "phot_g_mean_mag": (-np.inf, self.g_max),
            "parallax": (self.parallax_min, self.parallax_max),
        }
        for name, (low, high) in limits.items():
            values = pd.to_numeric(rows[name], errors="coerce").to_numpy(float)
            if (outside := (values < low - EDGE) | (values > high + EDGE)).any():  # nothing is beyond a NaN
                return f"{outside.sum()} rows with {name} outside what was asked for"
        return None


def real_fields(clusters: list[str], path: Path = HERE / "real_fields.csv") -> list[RealField]:
    """Fields of clusters.

    Raises
    ------
    ValueError
        If the table does not have one.
    """
    table = pd.read_csv(path, true_values=["yes"], false_values=["no"])
    rows = {normalise_name(row["cluster"]): RealField(**row) for row in table.to_dict("records")}
    names = read_cluster_names(clusters)
    unknown = [name for name in names if normalise_name(name) not in rows]
    if unknown:
        raise ValueError(f"{path.name} has no field of {', '.join(unknown)}: choose among its clusters.")
    return [rows[normalise_name(name)] for name in names]


def fetch_field(field: RealField, folder: Path, *, url: str, table: str) -> None:
    """Write a field's sources to ``cones/NAME.csv.gz``, as the archive gives them."""
    path = folder / "cones" / f"{field.cluster}.csv.gz"
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = query_archive(
        field.query(table),
        url=url,
        job_file=path.with_name(f"{field.cluster}_job.json"),
        complaint=field.complaint,
    )
    write_table(path, in_order(rows[list(ARCHIVE_COLUMNS)]), "csv.gz")
    note = "" if len(rows) == field.n_sources else f"; the shipped model's field has {field.n_sources}"
    logger.info("%s: %d sources%s", path, len(rows), note)


def fetch_list(published: PublishedTable, folder: Path, *, server: str) -> None:
    """Download a list of VizieR's, if it is not there."""
    if not (folder / published.file_name).exists():
        download_table(published, folder, server=server)


def fetch_almeida_part(session: ArchiveSession, name: str, folder: Path) -> None:
    """Keep Almeida et al.'s file of one cluster as it is, if it is a list."""
    path = folder / f"{name}.npy"
    if path.exists():
        return

    def is_list(response: requests.Response) -> None:
        response.raise_for_status()
        _almeida_list(response.content, name)

    step = f"fetching Almeida et al.'s list of {name} from {session.url}"
    response = session.request("GET", f"{session.url}/{name}_data_stars.npy", step=step, check=is_list)
    with write_atomically(path) as temporary:
        temporary.write_bytes(response.content)


def _almeida_list(content: bytes, name: str) -> pd.DataFrame:
    """Rows of one of their files; pickled objects are not read."""
    try:
        table = pd.DataFrame(np.load(io.BytesIO(content), allow_pickle=False))
    except (ValueError, EOFError, OSError, MemoryError) as error:
        raise NonsenseError(f"the answer is no table of numbers ({one_line(error, 100)})") from error
    absent = {"Source", "Pmemb", "RA_ICRS", "DE_ICRS"} - set(table)
    if absent or table.empty:
        lacks = f"no column {', '.join(sorted(absent))}" if absent else "no rows"
        raise NonsenseError(f"the answer has {lacks}")
    ours = {"Source": "source_id", "Pmemb": "PMemb", "RA_ICRS": "ra", "DE_ICRS": "dec"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a few stars that are listed twice
            check_members(table.rename(columns=ours).assign(cluster=name), f"the list of {name}")
    except ValueError as error:
        raise NonsenseError(one_line(error, 200)) from error
    return table.assign(cluster=name)


def join_almeida(folder: Path, path: Path) -> None:
    """Join the lists of all clusters: one that is missing would count as one that they do not know."""
    parts = sorted(part for part in folder.glob("*.npy") if not part.name.startswith("."))  # left by a kill
    if path.exists() and path.stat().st_mtime >= max(part.stat().st_mtime for part in parts):
        return
    tables = [_almeida_list(part.read_bytes(), part.stem) for part in parts]
    write_table(path, pd.concat(tables, ignore_index=True), "parquet")
    logger.info("%s: %d clusters", path, len(parts))


def fetch_isochrones(file_name: str, folder: Path, *, url: str) -> None:
    """Write the isochrones of one or several metallicities, joined as the form gives them."""
    path = folder / file_name
    if path.exists():
        return
    fractions, (first, last, step) = ISOCHRONE_FILES[file_name]
    texts = []
    for fraction in fractions:
        part = folder / f"{path.stem}_parts" / f"{fraction:g}"
        download_isochrones(
            part,
            log_age_min=first,
            log_age_max=last,
            log_age_step=step,
            metal_frac=fraction,
            url=url,
        )
        texts.append((part / ISOCHRONES).read_text())
    with write_atomically(path) as temporary:
        temporary.write_text("".join(texts))


def missing(tasks: dict[str, Callable[[], None]], service: str) -> list[str]:
    """Do tasks one after the other; returns one line for each that failed, and for those that were not tried."""
    failures: list[str] = []
    in_a_row = 0
    for number, (what, task) in enumerate(tasks.items()):
        try:
            task()
            in_a_row = 0
        except (ClusterError, GaveUpError, ValueError, OSError) as error:
            failures.append(f"{what} is missing: {_reason(error)}")
            in_a_row += 1
        left = len(tasks) - number - 1
        if in_a_row == GIVE_UP_AFTER and left:
            failures.append(f"{service} is not asked for the other {left}.")
            break
    return failures


def _reason(error: Exception) -> str:
    """What went wrong, without a remedy that this command does not have."""
    return re.sub(r"(: trying again will not help, use|, or use) --cone_source .*", ".", one_line(error, 400))


def fetch(arguments: argparse.Namespace, fields: list[RealField]) -> list[str]:
    """Fetch everything; returns what is missing."""
    folder = arguments.real
    archive = {
        f"{field.cluster}'s field": partial(
            fetch_field, field, folder, url=arguments.url, table=arguments.table
        )
        for field in fields
    }
    lists = {
        published.file_name: partial(fetch_list, published, folder, server=arguments.server)
        for published in LISTS
    }
    isochrones = {
        name: partial(fetch_isochrones, name, folder / "isochrones", url=arguments.cmd_url)
        for name in ISOCHRONE_FILES
    }
    return [
        *missing(archive, arguments.url),
        *missing(lists, f"VizieR at {arguments.server}"),
        *_fetch_almeida(fields, folder, arguments.almeida_url),
        *missing(isochrones, arguments.cmd_url),
    ]


def _fetch_almeida(fields: list[RealField], folder: Path, url: str) -> list[str]:
    path, parts = folder / "almeida23_members.parquet", folder / "almeida23"
    listed = {f"Almeida et al.'s list of {field.cluster}": field for field in fields if field.in_almeida}
    with ArchiveSession(url, Patience()) as session:
        tasks = {
            what: partial(fetch_almeida_part, session, field.cluster, parts) for what, field in listed.items()
        }
        failures = missing(tasks, url)
    if failures or not parts.exists():
        return failures
    return missing({path.name: partial(join_almeida, parts, path)}, url)


def main(arguments: list[str] | None = None) -> int:
    """Fetch, and say what is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "clusters",
        nargs="*",
        default=list(CLUSTERS),
        help="names of real_fields.csv, or files with one name a line (default: training and test clusters)",
    )
    parser.add_argument("--real", type=Path, default=Path("data/real"), help="folder that is written to")
    parser.add_argument("--url", default=GAIA_ARCHIVE, help="TAP address of the Gaia archive")
    parser.add_argument("--table", default=TABLE, help="its table of sources")
    parser.add_argument("--server", default=VIZIER, help="host of VizieR or one of its mirrors")
    parser.add_argument("--almeida_url", default=ALMEIDA, help="folder of the lists of Almeida et al. (2023)")
    parser.add_argument("--cmd_url", default=CMD_FORM, help="address of the CMD web form")
    parsed = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if not re.fullmatch(r"\w+(\.\w+)*", parsed.table):
        parser.error(f"--table {parsed.table} is no name of a table: give one like {TABLE}.")
    try:
        fields = real_fields(parsed.clusters)
    except (ValueError, OSError) as error:
        parser.error(one_line(error))
    failures = fetch(parsed, fields)
    for failure in failures:
        print(failure)
    if failures:
        print(f"{parsed.real} is not complete: run the same command again, it asks for what is missing.")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
