"""Where the stars of a cone come from: a kept cone file, else the sources that the user names, tried in turn."""

import logging
from pathlib import Path

import pandas as pd

from gaia_oc_amd.cone import ConeRegion
from gaia_oc_amd.exceptions import ArchiveBusyError, ArchiveUnavailableError, ConeUnavailableError
from gaia_oc_amd.files.data_directory import read_json, write_json
from gaia_oc_amd.files.tables import write_table
from gaia_oc_amd.hats import hats_cone
from gaia_oc_amd.local_tables import cut_from_files, cut_from_table
from gaia_oc_amd.mirrors import fetch_cone, find_mirror
from gaia_oc_amd.options import ConeOptions
from gaia_oc_amd.parquet_scan import scan_cone

logger = logging.getLogger(__name__)

CONE_FILES = {"votable": "cone.vot.gz", "csv": "cone.csv", "parquet": "cone.parquet"}
_KEPT_NAMES = (*CONE_FILES.values(), "cone.csv.gz")
RECORD = "cone.json"
JOB_FILE = "cone_job.json"
"""In the cluster's folder while a service works on the cone: a killed run goes on with its job."""


def cone_files(folder: Path) -> list[str]:
    """Names of the files in a cluster's folder that hold its cone."""
    return [name for name in (RECORD, *_KEPT_NAMES) if (folder / name).exists()]


def load_cone(
    name: str,
    region: ConeRegion,
    folder: Path,
    options: ConeOptions,
    *,
    credentials_path: Path | None = None,
) -> pd.DataFrame:
    """Stars of a cone, from the cluster's folder if they are there, else from the first source that has them.

    The next source is tried where one cannot be reached, does not exist, lacks the columns, or has no star of the
    field. Wrong data (repeated identifiers, impossible values, a damaged file, no star that passes the cone's cuts)
    end the cluster at once: they are to be looked at, not passed over.

    Parameters
    ----------
    name : str
        Cluster name.
    region : ConeRegion
        Where to look.
    folder : path
        The cluster's folder. The cone is kept there as ``cone.*``, with its region and source in ``cone.json``;
        a kept cone of another region, or of a source that is none of the options', is fetched again, one without
        ``cone.json`` (put there by hand) is cut to the region.
    options : ConeOptions
        Sources, format, and whether a kept cone is fetched again.
    credentials_path : path, optional
        Credentials of the Gaia archive.

    Returns
    -------
    DataFrame
        Checked sources inside the region (see `cone.check_sources`), sorted by source_id: a service gives them
        in any order.

    Raises
    ------
    ArchiveUnavailableError, ConeUnavailableError
        If no source has the stars; the message names each with its reason. An `ArchiveBusyError` if a
        service may answer later.
    ClusterError
        If the data are wrong.
    """
    kept = next((folder / name for name in _KEPT_NAMES if (folder / name).exists()), None)
    record = folder / RECORD
    if kept and not options.overwrite_cone and _is_current(record, region, options.cone_source):
        logger.debug("%s: the cone in %s is used.", name, kept)
        return cut_from_table(kept, region)
    sources, source = _from_first(options.cone_source, name, region, folder, credentials_path)
    made_by = {"region": region.as_dict(), "source": source}
    write_json(record, made_by | {"n_sources": None})  # not yet complete
    new = folder / CONE_FILES[options.cone_format]
    write_table(new, sources, options.cone_format)
    for old in {folder / name for name in _KEPT_NAMES} - {new}:
        old.unlink(missing_ok=True)
    write_json(record, made_by | {"n_sources": len(sources)})
    return sources


def _is_current(record: Path, region: ConeRegion, asked_for: tuple[str, ...]) -> bool:
    """Whether a kept cone was made for the same region from one of the sources, or by the user's own hand."""
    if not record.exists():
        return True
    kept = read_json(record)
    same = kept.get("region") == region.as_dict() and kept.get("source") in asked_for
    if not same or kept.get("n_sources") is None:
        logger.info(
            "%s describes another region or source, or an unfinished cone: it is fetched again.", record
        )
        return False
    return True


def _from_first(
    asked_for: tuple[str, ...], name: str, region: ConeRegion, folder: Path, credentials_path: Path | None
) -> tuple[pd.DataFrame, str]:
    """Stars from the first source that has them, and which it was."""
    failures: dict[str, ArchiveUnavailableError | ConeUnavailableError] = {}
    for source in dict.fromkeys(asked_for):
        try:
            stars = _from_source(source, name, region, folder, credentials_path)
        except (ArchiveUnavailableError, ConeUnavailableError) as error:
            if len(asked_for) == 1:
                raise
            logger.warning("%s: no stars from %s: %s", name, source, error)
            failures[source] = error
        else:
            logger.log(
                logging.INFO if failures else logging.DEBUG, "%s: %d stars from %s", name, len(stars), source
            )
            return stars, source
    reasons = " | ".join(f"{source}: {error}" for source, error in failures.items())
    kinds = (ArchiveBusyError, ArchiveUnavailableError, ConeUnavailableError)
    kind = next(kind for kind in kinds if any(isinstance(error, kind) for error in failures.values()))
    raise kind(f"{name}: none of the {len(failures)} sources has its stars: {reasons}")


def _from_source(
    source: str, name: str, region: ConeRegion, folder: Path, credentials_path: Path | None
) -> pd.DataFrame:
    """Stars from what one word of ``--cone_source`` names."""
    mirror = find_mirror(source)
    if mirror:
        return fetch_cone(name, region, mirror, credentials_path=credentials_path, job_file=folder / JOB_FILE)
    if source.lower().startswith("hats:"):
        return hats_cone(source[len("hats:") :], region)
    if source.lower().startswith("parquet:"):
        return scan_cone(Path(source[len("parquet:") :]), region)
    return cut_from_files(Path(source), name, region)
