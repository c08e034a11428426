"""The parameters of a cluster, ours and those of the catalogues that are there, and the selection limits."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gaia_oc_amd.astrometry import galactic_coordinates
from gaia_oc_amd.candidates import ZERO_POINT_ERROR
from gaia_oc_amd.catalogues.names import NameIndex
from gaia_oc_amd.catalogues.published import CATALOGUES
from gaia_oc_amd.catalogues.tables import read_parameter_table
from gaia_oc_amd.exceptions import UnknownClusterError
from gaia_oc_amd.member_list import our_members
from gaia_oc_amd.profiles import KingProfile, UnconstrainedProfileError, density_profile, king_profile
from gaia_oc_amd.radial_figures import complete_radius
from gaia_oc_amd.report.tables import TextTable
from gaia_oc_amd.spatial import SpatialSummary, number_interval

if TYPE_CHECKING:
    from gaia_oc_amd.cluster import Cluster
    from gaia_oc_amd.source_sets import SourceSets

_MEANS, _SCATTER, _TABLE = "mean of the training members", "their scatter beyond errors", "parameter table"
_SPATIAL = "model of core and halo"
_SAME_PARALLAX = 3.0  # errors


@dataclass(frozen=True)
class Row:
    """One quantity as text.

    Parameters
    ----------
    quantity : str
        What it is, with its symbol.
    value, error, systematic, spread : str
        The number, the error of the mean, what is common to all stars of a region of the sky, and the standard
        deviation of the members.
    unit : str
        Of all of them; empty where there is none.
    origin : str
        Where it comes from.
    name : str
        What a parameter table calls it; empty for what none has.
    digits : int
        Decimals of a table's value.
    """

    quantity: str
    value: str
    unit: str
    origin: str
    error: str = ""
    systematic: str = ""
    spread: str = ""
    name: str = ""
    digits: int = 2


def parameter_table(
    sets: "SourceSets",
    fit: dict[str, Any] | None = None,
    spatial: SpatialSummary | None = None,
    *,
    king: KingProfile | str = "",
    literature: dict[str, pd.Series] | None = None,
) -> TextTable:
    """The cluster's parameters with their errors, and what catalogues say of them.

    Parameters
    ----------
    sets : SourceSets
        Give the cluster.
    fit : dict, optional
        From `source_sets.fitted_parameters`: three rows more.
    spatial : SpatialSummary, optional
        What the evaluation found of number, radii and halo: six rows more.
    king : KingProfile or str
        Gives the tidal radius; a text says why there is none.
    literature : dict of str to Series, optional
        From `literature_values`: a column for each.

    Returns
    -------
    TextTable
        Empty where something does not apply, a dash where it is not known.
    """
    rows = [*_of_cluster(sets.cluster), *_fitted(fit or {}), *_of_profile(spatial), *_tidal(king)]
    literature = literature or {}
    columns = ["quantity", "value", "± formal", "± Gaia's systematic", "spread of members", "unit"]
    cells = [
        [row.quantity, row.value, row.error, row.systematic, row.spread, row.unit]
        + [_catalogue_value(values, row) for values in literature.values()]
        + [row.origin]
        for row in rows
    ]
    return TextTable("", [*columns, *literature, "from"], cells)


def _catalogue_value(values: pd.Series, row: Row) -> str:
    value = values.get(row.name, np.nan) if row.name else np.nan
    return _number(float(value), row.digits) if np.isfinite(value) else ""


def _of_cluster(c: "Cluster") -> list[Row]:
    longitude, latitude = galactic_coordinates(c.ra, c.dec)
    pm, parallax = _number(c.pm_systematic_error, 3), _number(c.parallax_systematic_error, 3)
    distance, formal, systematic = _parallax_distance(c)
    return [
        Row("right ascension", f"{c.ra:.5f}", "deg", _MEANS, name="ra", digits=4),
        Row("declination", f"{c.dec:+.5f}", "deg", _MEANS, name="dec", digits=4),
        Row("galactic longitude l", f"{longitude:.4f}", "deg", _MEANS),
        Row("galactic latitude b", f"{latitude:+.4f}", "deg", _MEANS),
        _measured("proper motion μα cos δ", (c.pmra, c.pmra_mean_error, c.pmra_error), pm, "mas/yr", "pmra"),
        _measured("proper motion μδ", (c.pmdec, c.pmdec_mean_error, c.pmdec_error), pm, "mas/yr", "pmdec"),
        _measured(
            "parallax ϖ", (c.parallax, c.parallax_mean_error, c.parallax_error), parallax, "mas", "parallax"
        ),
        Row(
            "distance of 1 / ϖ",
            distance,
            "pc",
            f"systematic: {ZERO_POINT_ERROR:g} mas of zero point and {c.parallax_systematic_error:g} mas of Gaia's own",
            formal,
            systematic,
        ),
        Row("distance of the isochrone", _number(c.dist, 0), "pc", _TABLE, name="dist", digits=0),
        Row("log10(age / yr)", _number(c.age, 2), "", f"{_TABLE}, {_years(c.age)}", name="age"),
        Row("extinction A0", _number(c.a0, 2), "mag", _TABLE, name="a0"),
        Row("own scatter in proper motion", _number(c.pm_dispersion, 3), "mas/yr", _SCATTER),
        Row("own scatter in parallax", _number(c.parallax_dispersion, 4), "mas", _SCATTER),
        Row(
            "radial velocity of the perspective",
            _number(c.perspective_velocity, 1),
            "km/s",
            _velocity_origin(c),
            _number(c.perspective_velocity_error, 1),
            name="radial_velocity",
            digits=1,
        ),
    ]


def _measured(
    quantity: str, measured: tuple[float, float, float], systematic: str, unit: str, name: str
) -> Row:
    """Value, error of the mean and spread with the same digits, those of the error."""
    value, error, spread = measured
    digits = int(np.clip(1 - np.floor(np.log10(error)), 2, 5)) if np.isfinite(error) and error > 0 else 3
    cells = (_number(error, digits), systematic, _number(spread, 3))
    return Row(quantity, _number(value, digits), unit, _MEANS, *cells, name=name, digits=3)


def _parallax_distance(cluster: "Cluster") -> tuple[str, str, str]:
    """1 / parallax, its formal and its systematic error [pc], where the parallax is significant."""
    systematic = float(np.hypot(cluster.parallax_systematic_error, ZERO_POINT_ERROR))
    formal = float(np.nan_to_num(cluster.parallax_mean_error))
    if not cluster.parallax > _SAME_PARALLAX * np.hypot(formal, systematic):
        return "–", "–", "–"
    scale = 1000 / cluster.parallax**2
    return (
        _number(1000 / cluster.parallax, 0),
        _number(scale * cluster.parallax_mean_error, 0),
        _number(scale * systematic, 0),
    )


def _fitted(fit: dict[str, Any]) -> list[Row]:
    """What fit_isochrone.py found, with half its range and the ends of that."""
    rows = []
    words = {"age": ("log10(age / yr), fitted", 2, ""), "a0": ("extinction A0, fitted", 2, "mag"),
             "dist": ("distance, fitted", 0, "pc")}  # fmt: skip
    for name, (label, digits, unit) in words.items():
        if name in fit:
            value, low, high = (float(fit[key]) for key in (name, f"{name}_lower", f"{name}_upper"))
            limit = f", {fit['age_limit']} limit" if name == "age" and fit.get("age_limit") else ""
            ends = f"fit_isochrone.py, {_number(low, digits)} to {_number(high, digits)}{limit}"
            error = _number((high - low) / 2, digits)
            rows.append(Row(label, _number(value, digits), unit, ends, error, name=name, digits=digits))
    return rows


def _of_profile(spatial: SpatialSummary | None) -> list[Row]:
    """Number of members, radii and shape; none where the evaluation has no spatial model."""
    if spatial is None:
        return []
    quantities = [
        ("number of members in the cone", "n_members", 0, ""),
        ("half-number radius", "half_number_radius", 2, "pc"),
        ("core radius, half the central density", "core_radius", 2, "pc"),
        ("halo's share of the members", "halo_share", 2, ""),
        ("ellipticity 1 − b/a", "ellipticity", 2, ""),
        ("ln of the core's scale per magnitude", "segregation", 3, "1/mag"),
    ]
    low, high = number_interval(spatial.n_members, spatial.n_members_error)
    origin = {"n_members": f"{_SPATIAL}, 68 %: {low:.0f} to {high:.0f}"}
    found = {name: (getattr(spatial, name), getattr(spatial, f"{name}_error")) for _, name, *_ in quantities}
    return [
        Row(
            label,
            _number(found[name][0], digits),
            unit,
            origin.get(name, _SPATIAL),
            _number(found[name][1], digits),
        )
        for label, name, digits, unit in quantities
    ]


def _tidal(king: KingProfile | str) -> list[Row]:
    if not king:
        return []
    if isinstance(king, str):
        return [Row("tidal radius", "–", "pc", king)]
    error = king.tidal_radius_error
    digits = int(np.clip(1 - np.floor(np.log10(error)), 0, 2)) if error > 0 else 1
    text = "King profile of the members"
    return [Row("tidal radius", _number(king.tidal_radius, digits), "pc", text, _number(error, digits))]


def king_profile_of(sets: "SourceSets", prob_threshold: float) -> KingProfile | str:
    """King profile of our members, as the figure of the surface density shows it, or why there is none."""
    members, outer = our_members(sets, prob_threshold), complete_radius(sets)
    if members.empty or not outer:
        return "there are no members in a field around the centre"
    try:
        return king_profile(density_profile(members["f_r"].to_numpy(float), outer_radius=outer))
    except UnconstrainedProfileError as error:
        return f"no King profile: {error}"


def literature_values(name: str, data_dir: Path | str) -> dict[str, pd.Series]:
    """What the parameter tables in a data directory say of a cluster.

    Parameters
    ----------
    name : str
        The cluster, in any spelling.
    data_dir : path
        Where download_members_and_cluster_params.py put its tables.

    Returns
    -------
    dict of str to Series
        The cluster's row by the catalogue's key in capitals, as "HUNT23". A table that cannot be read, or does not
        have the cluster, is left out.
    """
    tables = {}
    for catalogue in CATALOGUES:
        if catalogue.parameters and catalogue.key != "parameters":
            tables[catalogue.key.upper()] = Path(data_dir) / catalogue.parameters.file_name
    found = {key: _row_of(name, path) for key, path in tables.items() if path.is_file()}
    return {key: row for key, row in found.items() if row is not None}


def _row_of(name: str, path: Path) -> pd.Series | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # build_sets.py says what is doubtful about a table
            table = read_parameter_table(path)
        known = NameIndex(table["name"]).get(name)
    except (OSError, ValueError, UnknownClusterError):
        return None
    return None if known is None else table[table["name"] == known].iloc[0]


def limit_table(sets: "SourceSets") -> TextTable:
    """The selection limits for stars without measurement errors."""
    limits = sets.limits
    colour = {"g_rp": "G − G_RP", "bp_rp": "G_BP − G_RP"}[sets.colour]
    rows = [
        ["proper motion", f"{limits.pm:.3f}", "mas/yr"],
        ["parallax, far side", f"{limits.parallax_far:.3f}", "mas"],
        ["parallax, near side", f"{limits.parallax_near:.3f}", "mas"],
        [f"distance to the isochrone in {colour}", f"{limits.colour:.3f}", "mag"],
        ["distance to the isochrone in G", f"{limits.g:.3f}", "mag"],
    ]
    return TextTable(
        "Largest offsets of a candidate without measurement errors", ["condition", "limit", "unit"], rows
    )


def _number(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:,.{digits}f}" if np.isfinite(value) else "–"  # no -0.0


def _years(age: float) -> str:
    """Age in words from log10(age / yr)."""
    return f"{10 ** (age - 9):.2f} Gyr" if age >= 9 else f"{10 ** (age - 6):.0f} Myr"


def _velocity_origin(cluster: "Cluster") -> str:
    """Where the radial velocity comes from that turns the motions over the field."""
    if cluster.known_velocity:
        return _TABLE
    return "gradient of the members' motions" if cluster.perspective_velocity else "not known"
