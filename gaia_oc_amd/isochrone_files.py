"""Read isochrones as people have them: of PARSEC's CMD web form, MIST and BaSTI-IAC, joined or in a folder."""

import codecs
import html
import io
import logging
import lzma
import re
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.exceptions import one_line
from gaia_oc_amd.files.packed import file_content
from gaia_oc_amd.installation import script_command
from gaia_oc_amd.options import ISOCHRONES

Array = NDArray[np.float64]

ISOCHRONE_COLUMNS = ("Zini", "logAge", "Mini", "logTe", "logg", "label", "Gmag", "G_BPmag", "G_RPmag")
"""Columns of isochrones, as PARSEC calls them."""

_SOLAR_Z_MIST = 0.0142857
"""Initial Z of MIST's [Fe/H] = 0 (Choi et al. 2016)."""
_MIST_LABELS = {-1: 0, 0: 1, 2: 3, 3: 4, 4: 7, 5: 8, 6: 9, 9: 9}
"""PARSEC's evolutionary stage of each phase of MIST: before and on the main sequence, subgiant and red-giant branch,
core helium burning, early and thermally pulsing AGB, post-AGB, Wolf-Rayet."""
_BASTI_POINTS = 2100
_BASTI_STAGES = ((99, 0), (360, 1), (490, 2), (1290, 3), (1950, 4), (_BASTI_POINTS, 7))
"""Line that ends each stage in BaSTI-IAC's normalised isochrones (Hidalgo et al. 2018, ApJ 856, 125, Table 4)."""
_SUN_LOGG, _SUN_TEFF = 4.438, 5772.0
_REDDEST_RESTART = 0.5
"""Share of its range of initial masses by which a curve falls back where another one begins."""
_LIKELY_FILES = re.compile(r"\.(?:dat|txt|iso|cmd|isc[\w\-]*)(?:\.(?:gz|bz2|xz|zip))?$", re.IGNORECASE)

_RUN = re.compile(r"(?P<comments>(?:^[ \t]*(?:#.*)?\n)+)|(?P<rows>(?:^[ \t]*[^#\s].*\n)+)", re.MULTILINE)
_OTHER_PASSBANDS = re.compile(
    r"\bDR1\b|\bDR2\b|Jordi|Evans et al|Weiler|\bAB\s*mag|\(AB\)|all ABmags", re.IGNORECASE
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Heading:
    """What comment lines say that holds for the rows after them."""

    system: str = ""
    extinction: float = 0.0
    z: float = np.nan
    rotation: float = np.nan
    log_age: float = np.nan
    n_points: int | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Curves:
    """Points of one source of isochrones, with what tells curves of one age apart."""

    kind: str
    points: pd.DataFrame
    rotation: Array = field(default_factory=lambda: np.empty(0))


def read_isochrone_files(path: Path | str, *, rotation: float | None = None) -> pd.DataFrame:
    """Read isochrones of PARSEC (1.2S, COLIBRI, 2.0), MIST or BaSTI-IAC in the Gaia EDR3 passbands.

    Parameters
    ----------
    path : path
        A file, compressed or not, saved from a browser or joined of several, or a folder of such files.
    rotation : float, optional
        Initial rotation of the curves to take where there are several (PARSEC's OmegaInit, MIST's v/vcrit).

    Returns
    -------
    DataFrame
        `ISOCHRONE_COLUMNS` of every point, in the files' order: Z, log10 of the age [yr], initial mass [Msun], log10 of
        the effective temperature [K] and gravity [cm/s^2], evolutionary stage as PARSEC counts them, magnitudes [mag].

    Raises
    ------
    FileNotFoundError
        If there is no such file, or no isochrones in the folder.
    ValueError
        If a file has no such table, is truncated, has magnitudes in other passbands or with extinction, or if there are
        several curves of one age and metallicity.
    """
    path = Path(path)
    parts = [_read_file(file) for file in _files(path)]
    curves = [curve for part in parts for curve in part]
    kinds = sorted({curve.kind for curve in curves})
    if len(kinds) > 1:
        raise ValueError(f"{path} holds isochrones of {' and '.join(kinds)}: leave those of one.")
    points = pd.concat([curve.points for curve in curves], ignore_index=True)
    rotations = np.concatenate([curve.rotation for curve in curves])
    points = _one_curve_each(_of_rotation(points, rotations, rotation, path), path)
    if not np.isfinite(points.to_numpy()).all():
        raise ValueError(f"{path} has missing values: download it again.")
    ages, metallicities = points["logAge"].unique(), points["Zini"].unique()
    logger.info(
        "%s: isochrones of %s, %d ages from log age %.2f to %.2f, Z %s.",
        *(path, kinds[0], len(ages), ages.min(), ages.max()),
        ", ".join(f"{z:.4g}" for z in np.sort(metallicities)),
    )
    return points


def _remedy(path: Path) -> str:
    """How a file of isochrones that lies where it is looked for is replaced; another one is the user's."""
    if path.name != ISOCHRONES:
        return "name another one with --isochrone_path"
    command = script_command("download_isochrones.py", "--overwrite", data_dir=path.parent)
    return f"run `{command}`, or name another one with --isochrone_path"


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(f"{path} is no file: {_remedy(path)}.")
    files = sorted(file for file in path.rglob("*") if file.is_file() and _LIKELY_FILES.search(file.name))
    if not files:
        raise FileNotFoundError(
            f"{path} holds no isochrones, files that end in .dat, .iso, .cmd or .isc: name the file itself."
        )
    return files


def _read_file(path: Path) -> list[_Curves]:
    """All curves of one file, block by block as its headers divide it."""
    text = _text(path)
    groups: dict[tuple[str, _Heading], list[str]] = {}
    for heading, block in _blocks(text, path):
        groups.setdefault((_kind(heading.names), heading), []).append(block)
    if not groups:
        raise ValueError(f"{path} has no isochrone table: {_remedy(path)}.")
    curves = []
    for (kind, heading), rows in groups.items():
        _refuse_other_passbands(heading, path)
        curves.append(_READERS[kind](heading, "".join(rows), path))
    if next(iter(groups))[0] == "PARSEC" and "terminated" not in text.rstrip().rpartition("\n")[2]:
        warnings.warn(f"{path} does not end as PARSEC's files do: is it complete?", stacklevel=5)
    return curves


def _text(path: Path) -> str:
    """Content as text: unpacked, decoded, out of a saved web page, with line feeds."""
    try:
        content = file_content(path)
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as isochrones ({error}).") from error
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise ValueError(f"{path} is truncated ({error}): download it again.") from error
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = content.decode("utf-16" if is_wide else "utf-8-sig", errors="replace")
    if re.match(r"\s*<", text):
        parts = re.findall(r"<pre[^>]*>(.*?)</pre>", text, re.DOTALL | re.IGNORECASE)
        text = html.unescape(re.sub(r"<[^>]+>", "", "\n".join(parts)))
        if not text.strip():
            raise ValueError(
                f"{path} is a saved web page without isochrones in it: save the file that its link leads to."
            )
    return _divided_by_blanks(text.replace("\r\n", "\n").replace("\r", "\n").rstrip() + "\n")


def _divided_by_blanks(text: str) -> str:
    """Text as it is; one that another program saved as CSV, or without #, with its names in a comment again."""
    lines = re.finditer(r"^.*\S.*$", text, re.MULTILINE)
    head = next((line for line in lines if _NAMES & set(re.split(r'[\s,;"#]+', line[0]))), None)
    if head is None or (head[0].lstrip().startswith("#") and not re.search("[,;]", head[0])):
        return text
    return "# " + re.sub('[,;"]', " ", text[head.start() :].lstrip("\n"))


def _blocks(text: str, path: Path) -> Iterator[tuple[_Heading, str]]:
    """Rows of a text, each run with the heading that holds for it."""
    heading = _Heading()
    for run in _RUN.finditer(text):
        if run["comments"]:
            try:
                heading = _read_heading(heading, run["comments"])
            except ValueError as error:
                raise ValueError(
                    f"{path} has a header that cannot be read ({one_line(error, 100)}): download it again."
                ) from error
            continue
        rows = run["rows"]
        n_values = len(rows.partition("\n")[0].split())
        if not heading.names:
            raise ValueError(f"{path} has no isochrone table, or no names of its columns: {_remedy(path)}.")
        if n_values != len(heading.names):
            raise ValueError(
                f"{path} has rows of unequal length ({n_values} values, {len(heading.names)} columns), it looks "
                "truncated: download it again."
            )
        n_rows = rows.count("\n")
        if heading.n_points is not None and n_rows != heading.n_points:
            raise ValueError(
                f"{path} has an isochrone of {n_rows} points that its header says has {heading.n_points}, it looks "
                "truncated: download it again."
            )
        yield replace(heading, n_points=None), rows


def _read_heading(before: _Heading, comments: str) -> _Heading:
    """Heading with what comment lines change in it."""
    lines = [line.strip().lstrip("#").strip() for line in comments.splitlines()]
    found = replace(before, n_points=None)
    for number, line in enumerate(lines):
        fields = line.split()
        if line.startswith(("File generated by", "MIST version", "Isochrone from BaSTI")):
            found = _Heading()
        if system := re.match(r"Photometric system\s*[:=]\s*(.*)", line, re.IGNORECASE):
            found = replace(found, system=system[1])
        elif re.match(r"(?:Scaled solar|Alpha enhanced|.*models & transformations)", line, re.IGNORECASE):
            found = replace(found, system=line.rpartition("-  ")[2].strip() or line)
        elif extinction := re.search(
            r"(?:extinction of A_?v|A_?v extinction|extinction:\s*A_?v(?:,\s*R_?v)?)\s*=\s*([\d.]+)",
            line,
            re.IGNORECASE,
        ):
            found = replace(found, extinction=float(extinction[1].rstrip(".")))
        elif rotation := re.search(r"(?:omega|\u03c9)_?i(?:nit)?\s*=\s*(\d*\.?\d+)", line, re.IGNORECASE):
            found = replace(found, rotation=float(rotation[1]))
        elif fields[:2] == ["Yinit", "Zinit"] and number + 1 < len(lines):
            values = dict(zip(fields, map(float, lines[number + 1].split()), strict=False))
            found = replace(found, z=values.get("Zinit", np.nan), rotation=values.get("v/vcrit", np.nan))
        elif points := re.match(r"number of EEPs, cols\s*=\s*(\d+)", line):
            found = replace(found, n_points=int(points[1]))
        elif points := re.match(r"Np\s*=\s*(\d+)", line):
            z = re.search(r"\bZ\s*=\s*([\d.eE+\-]+)", line)
            age = re.search(r"Age\s*\(Myr\)\s*=\s*([\d.]+)", line)
            if z and age:
                found = replace(
                    found, n_points=int(points[1]), z=float(z[1]), log_age=np.log10(float(age[1])) + 6
                )
        elif _NAMES & set(fields) and len(fields) > 5:
            found = replace(found, names=tuple(fields))
    return found


_NAMES = {"Zini", "Mini", "initial_mass", "M/Mo(ini)", "M_ini"}
"""A line with one of them names columns."""
_OLDER_NAMES = {"Z": "Zini", "log(age/yr)": "logAge", "M_ini": "Mini", "logG": "logg", "stage": "label"}
"""What older versions of the CMD form call columns."""

_ROTATING_NAMES = {f"{band}_fSBmag": f"{band}mag" for band in ("G", "G_BP", "G_RP")}
"""What PARSEC 2.0 calls magnitudes that depend on no inclination: of a star of the mean surface brightness."""


def _kind(names: tuple[str, ...]) -> str:
    if "M/Mo(ini)" in names:
        return "BaSTI"
    return "MIST" if "initial_mass" in names else "PARSEC"


def _refuse_other_passbands(heading: _Heading, path: Path) -> None:
    wrong = _OTHER_PASSBANDS.search(heading.system)
    if wrong and not re.search(r"E?DR3", heading.system):
        raise ValueError(
            f"{path} has magnitudes in the system {heading.system[:70]!r}, but those of the stars are Gaia EDR3's "
            "(Vega): ask for the photometric system Gaia EDR3; DR2's columns have the same names."
        )
    if heading.extinction > 0:
        raise ValueError(
            f"{path} has magnitudes with an extinction of Av = {heading.extinction:g} mag, which would be added twice: "
            "ask for isochrones without extinction."
        )


def _values(names: tuple[str, ...], rows: str, path: Path) -> pd.DataFrame:
    """Rows as numbers; every row must be as long as the header."""
    try:
        table = pd.read_csv(
            io.StringIO(rows),
            sep=r"\s+",
            header=None,  # the first row says how many columns there are; a longer one is an error
            low_memory=False,
        )
        unequal = table.shape[1] != len(names) or table.iloc[:, -1].isna().any()
    except pd.errors.ParserError:
        unequal = True
    if unequal:
        raise ValueError(f"{path} has rows of unequal length, it looks truncated: download it again.")
    return table.set_axis(names, axis=1)


def _needed(table: pd.DataFrame, names: dict[str, str], path: Path, kind: str) -> pd.DataFrame:
    """Columns by our names, of which none may be absent."""
    absent = [theirs for theirs in names.values() if theirs not in table]
    if absent:
        dr2 = any(re.search(r"DR2|MAW|BPbr|BPft", name) for name in map(str, table))
        raise ValueError(
            f"{path} lacks the columns {', '.join(absent)} of {kind}'s isochrones"
            + (", its Gaia magnitudes are those of DR2" if dr2 else "")
            + ": ask the form for the photometric system 'Gaia EDR3' and isochrone tables, or run `python "
            "download_isochrones.py`."
        )
    try:
        chosen = table[list(names.values())].astype(float)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{path} has a value that is no number ({error}): download it again.") from error
    return chosen.set_axis(list(names), axis=1)


def _parsec(heading: _Heading, rows: str, path: Path) -> _Curves:
    table = _values(heading.names, rows, path).rename(
        columns=_OLDER_NAMES if "Zini" not in heading.names else {}
    )
    if "logAge" not in table and "Age" in table:  # in years, in versions before 3.2
        table = table.assign(logAge=np.log10(table["Age"].astype(float)))
    if "Gmag" not in table:
        table = table.rename(columns=_ROTATING_NAMES)
    points = _needed(table, {name: name for name in ISOCHRONE_COLUMNS}, path, "PARSEC")
    return _Curves("PARSEC", points, _initial_rotation(table, heading))


def _initial_rotation(table: pd.DataFrame, heading: _Heading) -> Array:
    """Initial rotation of PARSEC's curves: a column, a comment, or no rotation at any point."""
    column = next((name for name in ("OmegaInit", "Omega_i", "omega_i") if name in table), None)
    if column is not None:
        return table[column].to_numpy(float)
    at_rest = np.isnan(heading.rotation) and "omega" in table and not table["omega"].astype(float).any()
    return np.full(len(table), 0.0 if at_rest else heading.rotation)


def _mist(heading: _Heading, rows: str, path: Path) -> _Curves:
    table = _values(heading.names, rows, path)
    if "log10_isochrone_age_yr" not in table and "isochrone_age_yr" in table:
        table = table.assign(log10_isochrone_age_yr=np.log10(table["isochrone_age_yr"].astype(float)))
    names = {
        "logAge": "log10_isochrone_age_yr",
        "Mini": "initial_mass",
        "logTe": "log_Teff",
        "logg": "log_g",
        "label": "phase",
        "Gmag": "Gaia_G_EDR3",
        "G_BPmag": "Gaia_BP_EDR3",
        "G_RPmag": "Gaia_RP_EDR3",
    }
    points = _needed(table, names, path, "MIST")
    z = heading.z
    if not np.isfinite(z):
        iron = [name for name in ("[Fe/H]_init", "[Fe/H]") if name in table]
        if not iron:
            raise ValueError(f"{path} states neither Zinit nor [Fe/H]: download it again, with its header.")
        z = _SOLAR_Z_MIST * 10 ** float(table[iron[0]].iloc[0])
    points = points.assign(
        Zini=z,
        logAge=points["logAge"].round(6),
        label=points["label"].round().map(_MIST_LABELS).astype(float),
    )
    return _Curves("MIST", points[list(ISOCHRONE_COLUMNS)], np.full(len(points), heading.rotation))


def _basti(heading: _Heading, rows: str, path: Path) -> _Curves:
    table = _values(heading.names, rows, path)
    if not np.isfinite(heading.z) or not np.isfinite(heading.log_age):
        raise ValueError(
            f"{path} lacks the header line with Z and Age (Myr): download it again, with its header."
        )
    short = "G_BP" not in table and "BP" in table
    names = {
        "Mini": "M/Mo(ini)",
        "Mass": "M/Mo(fin)",
        "logL": "log(L/Lo)",
        "logTe": "logTe",
        "Gmag": "G",
        "G_BPmag": "BP" if short else "G_BP",
        "G_RPmag": "RP" if short else "G_RP",
    }
    points = _needed(table, names, path, "BaSTI")
    gravity = (
        _SUN_LOGG + np.log10(points["Mass"]) + 4 * (points["logTe"] - np.log10(_SUN_TEFF)) - points["logL"]
    )
    points = points.assign(
        Zini=heading.z,
        logAge=round(heading.log_age, 6),
        logg=gravity,
        label=_basti_labels(points["logL"].to_numpy(), points["logTe"].to_numpy()),
    )
    return _Curves("BaSTI", points[list(ISOCHRONE_COLUMNS)], np.full(len(points), np.nan))


def _basti_labels(luminosity: Array, temperature: Array) -> Array:
    """Evolutionary stages: by line in normalised isochrones, else by the turn-off and the drop of the helium flash."""
    n_points = len(luminosity)
    labels = np.ones(n_points)
    if n_points == _BASTI_POINTS:
        start = 0
        for end, label in _BASTI_STAGES:
            labels[start:end] = label
            start = end
        return labels
    labels[int(np.argmax(temperature)) + 1 :] = 3
    drop = np.diff(luminosity, prepend=luminosity[:1])
    flash = int(np.argmin(drop))
    if drop[flash] < -0.3:
        labels[flash:] = 4
    return labels


_READERS: dict[str, Callable[[_Heading, str, Path], _Curves]] = {
    "PARSEC": _parsec,
    "MIST": _mist,
    "BaSTI": _basti,
}


def _of_rotation(points: pd.DataFrame, rotations: Array, wanted: float | None, path: Path) -> pd.DataFrame:
    """Points of one initial rotation."""
    available = np.unique(rotations[np.isfinite(rotations)])
    listed = ", ".join(f"{value:g}" for value in available)
    if wanted is None:
        if len(available) > 1:
            raise ValueError(
                f"{path} has several curves of one age, of initial rotations {listed}: choose one with "
                "--isochrone_rotation."
            )
        return points
    if not len(available) or np.abs(available - wanted).min() > 0.01:
        raise ValueError(
            f"isochrone_rotation is {wanted:g}, but {path} has "
            + (
                f"the initial rotations {listed}: choose one."
                if len(available)
                else "no rotation: leave it out."
            )
        )
    return points[np.abs(rotations - available[np.abs(available - wanted).argmin()]) < 1e-6]


def _one_curve_each(points: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Points with copies of a curve left out; two curves of one age and metallicity that differ are refused."""
    kept = []
    for (z, age), group in points.groupby(["Zini", "logAge"], sort=False):
        mass = group["Mini"].to_numpy()
        starts = np.flatnonzero(np.diff(mass) < -_REDDEST_RESTART * np.ptp(mass)) + 1
        curves = np.split(group.to_numpy(), starts) if np.ptp(mass) else [group.to_numpy()]
        if any(not np.array_equal(curve, curves[0]) for curve in curves[1:]):
            raise ValueError(
                f"{path} has {len(curves)} different curves of log age {age:.3f} and Z {z:g}: leave one of them in it."
            )
        if len(curves) > 1:
            warnings.warn(
                f"{path} has the curve of log age {age:.3f} and Z {z:g} {len(curves)} times: one is kept.",
                stacklevel=5,
            )
        kept.append(group.iloc[: len(curves[0])])
    return pd.concat(kept).sort_index().reset_index(drop=True)
