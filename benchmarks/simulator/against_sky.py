"""How like the sky simulated fields are: the same boxes of real and simulated Gaia sources side by side.

Simulates the field (no cluster) at the places of real source tables, with the distance and extinction that
the catalogue gives for the cluster there, and compares with the real stars outside the cluster: counts,
colours, motions, errors, and the density of stars that look like members. Writes a table into
docs/simulator.md, between its markers, and three pictures beside it. Takes about two minutes.

example: python benchmarks/simulator/against_sky.py --real_dir ../shared/data/real
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import itertools

from gaia_oc_amd.catalogues.names import cluster_rng, normalise_name, read_cluster_names
from gaia_oc_amd.simulation.errors import USUAL_DENSITY, ScanningLaw
from gaia_oc_amd.simulation.field import field_stars
from gaia_oc_amd.simulation.galaxy import Dust
from gaia_oc_amd.simulation.measurement import measure
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.simulation.space import ecliptic_latitude, galactic_coordinates

CUT_IN_PARALLAX = {"NGC_2354", "NGC_2447", "NGC_3680", "NGC_5460", "NGC_7654", "IC_4651", "Berkeley_31"}
"""Tables that hold only a part of their stars."""
DEEP = {"field_ber26": "Berkeley_26", "field_ber29": "Berkeley_29", "field_saurer1": "Saurer_1"}
COUNT_EDGES = np.array([13.0, 14, 15, 16, 17, 18, 19, 20, 20.5])
ERROR_EDGES = np.array([9.0, 11, 12, 13, 14, 15, 16, 17, 18, 18.5, 19, 19.5, 20, 20.5])
OUTSIDE = 0.75  # of the half-width: nearer to the centre there are members
MEMBER_LIKE = {"pm": 0.7, "parallax": 0.15}  # [mas/yr], [mas], widened by 3 errors of each star
SIMULATIONS = 3
MARKERS = ("<!-- made by benchmarks/simulator/against_sky.py -->", "<!-- end -->")
REAL, SIMULATED = {"color": "#222222"}, {"color": "#d55e00"}  # apart for every kind of colour vision


@dataclass
class Field:
    """One real box, its simulated counterpart and their areas [deg^2]."""

    name: str
    cluster: pd.Series
    real: pd.DataFrame
    simulated: pd.DataFrame
    areas: tuple[float, float]
    held_out: bool

    def density(self, column: str, edges, select=lambda stars: np.ones(len(stars), bool)):
        """Stars per square degree in bins, real and simulated."""
        return [
            np.histogram(table[column][select(table)], edges)[0] / area
            for table, area in zip((self.real, self.simulated), self.areas, strict=True)
        ]

    def looks_like_members(self, stars: pd.DataFrame):
        """Stars near the cluster in proper motion and parallax."""
        errors = 3 * np.hypot(stars["pmra_error"], stars["pmdec_error"]) / np.sqrt(2)
        pm = np.hypot(stars["pmra"] - self.cluster["pmra"], stars["pmdec"] - self.cluster["pmdec"])
        parallax = np.abs(stars["parallax"] - self.cluster["parallax"])
        near = parallax < MEMBER_LIKE["parallax"] + 3 * stars["parallax_error"]
        return (near & (pm < MEMBER_LIKE["pm"] + errors)).to_numpy()


def main() -> int:
    """Compare, write table and pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real_dir", type=Path, default=ROOT.parent / "shared" / "data" / "real")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    parser.add_argument("--seed", type=int, default=42)
    arguments = parser.parse_args()
    parameters = pd.read_csv(arguments.real_dir / "cluster_parameters.csv")
    parameters.index = parameters["name"].map(normalise_name)
    held_out = {
        normalise_name(name)
        for name in read_cluster_names([str(ROOT / "benchmarks/training/test_clusters.txt")])
    }
    fields = []
    for path in sorted((arguments.real_dir / "cones").glob("*.csv.gz")):
        name = path.name.removesuffix(".csv.gz")
        if name not in CUT_IN_PARALLAX:
            fields.append(compare_field(path, name, parameters, held_out, arguments.seed))
    write_table(arguments.docs / "simulator.md", report(fields))
    counts_figure(fields, arguments.docs / "simulator_counts.png")
    errors_figure(fields, arguments.docs / "simulator_errors.png")
    motions_figure(fields, arguments.docs / "simulator_motions.png")
    return 0


def compare_field(path, name, parameters, held_out, seed) -> Field:
    """Real stars outside the cluster, and a simulation of the same place."""
    stars = pd.read_csv(path)
    ra, dec = ((stars[axis].max() + stars[axis].min()) / 2 for axis in ("ra", "dec"))
    half = (stars["dec"].max() - stars["dec"].min()) / 2
    key = normalise_name(DEEP.get(name, name))
    east = (stars["ra"] - ra) * np.cos(np.radians(dec))
    outside = np.hypot(east, stars["dec"] - dec) > OUTSIDE * half
    complete = stars["pmra"].notna() & (stars["phot_bp_n_obs"] > 0) & (stars["phot_rp_n_obs"] > 0)
    real = stars[outside & complete].copy()
    width = (stars["ra"].max() - stars["ra"].min()) * np.cos(np.radians(dec))
    area = 2 * half * width - np.pi * (OUTSIDE * half) ** 2
    place = dict(zip(("l", "b"), galactic_coordinates(np.array([ra % 360]), np.array([dec])), strict=True))
    cluster = catalogue_row(parameters, key, real, abs(float(place["b"][0])))
    options = options_for(cluster, ra % 360, dec, deep=name in DEEP)
    tables = [simulate(options, cluster_rng(seed + i, name)) for i in range(SIMULATIONS)]
    radius = np.arctan(options.cone_radius / options.dist)
    sim_area = SIMULATIONS * 2 * np.pi * (1 - np.cos(radius)) * np.degrees(1) ** 2
    return Field(name, cluster, real, pd.concat(tables, ignore_index=True), (area, sim_area), key in held_out)


def catalogue_row(parameters, key, real, latitude) -> pd.Series:
    """Distance, extinction and motion of the cluster; a usual extinction where the catalogue has none."""
    if key in parameters.index and np.isfinite(parameters.loc[key, "a0"]):
        return parameters.loc[key]
    motion = real[["pmra", "pmdec", "parallax"]].median()
    return pd.Series(dict(motion) | {"dist": 3000.0, "a0": 1.71 * np.exp(-latitude / 12)})


def options_for(cluster, ra, dec, *, deep) -> SimulationOptions:
    """A cone of 0.3 deg to the real table's faint limit."""
    radius = cluster["dist"] * np.tan(np.radians(0.3))
    return SimulationOptions(
        ra=ra,
        dec=dec,
        dist=cluster["dist"],
        a0=cluster["a0"],
        cone_radius=radius,
        tidal_radius=radius / 2,
        core_radius=radius / 20,
        g_max=20.7 if deep else 18.1,
        list_g_max=18.0,
    )


def simulate(options, rng) -> pd.DataFrame:
    """Measured field stars of the cone."""
    place = np.array([options.ra]), np.array([options.dec])
    density = 60_000 * 2 ** (-abs(galactic_coordinates(*place)[1][0]) / 8)
    law = ScanningLaw.draw(rng, ecl_lat=ecliptic_latitude(*place)[0], crowding=density / USUAL_DENSITY)
    dust = Dust(options, rng=rng)
    return pd.concat([measure(stars, law, rng=rng) for stars in field_stars(options, rng=rng, dust=dust)])


def report(fields: list[Field]) -> str:
    """The Markdown tables."""
    return "\n\n".join(
        [count_table(fields), member_like_table(fields), distribution_table(fields), error_table(fields)]
    )


def markdown(header, rows) -> str:
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    return "\n".join(lines + [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows])


def count_table(fields) -> str:
    """Simulated over real counts by magnitude."""
    header = [
        "field",
        "l",
        "b",
        *(f"G {a:g}-{b:g}" for a, b in itertools.pairwise(COUNT_EDGES)),
    ]
    rows, ratios = [], []
    for field in fields:
        real, simulated = field.density("phot_g_mean_mag", COUNT_EDGES)
        enough = real * field.areas[0] >= 15
        faint = COUNT_EDGES[1:] > (21 if field.name in DEEP else 18.01)
        ratio = np.where(enough & ~faint, simulated / np.where(real > 0, real, np.nan), np.nan)
        ratios.append(ratio)
        sky = field.real[["l", "b"]].median()
        name = field.name + (" (test)" if field.held_out else "")
        rows.append(
            [name, f"{sky['l']:.0f}", f"{sky['b']:.0f}", *("" if np.isnan(r) else f"{r:.2f}" for r in ratio)]
        )
    ratios = np.array(ratios)
    within = np.nanmean((ratios > 1 / 1.5) & (ratios < 1.5), axis=0, where=np.isfinite(ratios))
    rows.append(["**median**", "", "", *(f"**{r:.2f}**" for r in np.nanmedian(ratios, axis=0))])
    rows.append(["within a factor 1.5", "", "", *(f"{100 * w:.0f} %" for w in within)])
    return "Simulated over real counts of stars per square degree:\n\n" + markdown(header, rows)


def member_like_table(fields) -> str:
    """Simulated over real density of stars near the cluster's proper motion and parallax."""
    edges = np.array([13.0, 15, 16, 17, 18, 19, 20, 20.5])
    header = ["fields", *(f"G {a:g}-{b:g}" for a, b in itertools.pairwise(edges))]
    rows = []
    deep = [field for field in fields if field.name in DEEP]
    wide = [field for field in fields if field.name not in DEEP]
    for name, group in (*((f.name, [f]) for f in deep), (f"{len(wide)} boxes, pooled", wide)):
        pairs = [field.density("phot_g_mean_mag", edges, field.looks_like_members) for field in group]
        real, simulated = np.sum(pairs, axis=0)
        seen = edges[1:] <= (21 if name in DEEP else 18)
        rows.append(
            [
                name,
                *(f"{s / r:.2f}" if ok and r else "" for s, r, ok in zip(simulated, real, seen, strict=True)),
            ]
        )
    text = (
        "Simulated over real density of field stars that look like members "
        f"(within {MEMBER_LIKE['pm']} mas/yr and {MEMBER_LIKE['parallax']} mas, each + 3 errors, of the cluster's; "
        "real stars outside 3/4 of the half-width, where rich clusters still have members):"
    )
    return f"{text}\n\n{markdown(header, rows)}"


def distribution_table(fields) -> str:
    """Median over the fields of quantiles in G 16 to 18, real and simulated."""
    rows = []
    for column, unit in (
        ("bp_rp", "mag"),
        ("g_rp", "mag"),
        ("pmra", "mas/yr"),
        ("pmdec", "mas/yr"),
        ("parallax", "mas"),
    ):
        differences, widths = [], []
        for field in fields:
            q = [
                table[column][table["phot_g_mean_mag"].between(16, 18)].quantile([0.16, 0.5, 0.84]).to_numpy()
                for table in (field.real, field.simulated)
            ]
            differences.append(q[1][1] - q[0][1])
            widths.append((q[1][2] - q[1][0]) / (q[0][2] - q[0][0]))
        low, median, high = np.percentile(differences, [10, 50, 90])
        width = np.percentile(widths, [10, 50, 90])
        rows.append(
            [
                f"{column} [{unit}]",
                f"{median:+.2f} ({low:+.2f} to {high:+.2f})",
                f"{width[1]:.2f} ({width[0]:.2f} to {width[2]:.2f})",
            ]
        )
    header = ["G 16 to 18", "median, simulated - real", "width (16 to 84 %), simulated / real"]
    return "Distributions, median over the fields (10 to 90 %):\n\n" + markdown(header, rows)


def magnitude_error(stars, band):
    return 1.0857 * stars[f"phot_{band}_mean_flux_error"] / stars[f"phot_{band}_mean_flux"]


def quantities():
    """What the error table shows: name and function."""
    return {
        "parallax_error [mas]": lambda s: s["parallax_error"],
        "pmra_error [mas/yr]": lambda s: s["pmra_error"],
        "G error [mmag]": lambda s: 1000 * magnitude_error(s, "g"),
        "BP error [mmag]": lambda s: 1000 * magnitude_error(s, "bp"),
        "RP error [mmag]": lambda s: 1000 * magnitude_error(s, "rp"),
        "n_obs in BP": lambda s: s["phot_bp_n_obs"],
        "excess factor": lambda s: (s["phot_bp_mean_flux"] + s["phot_rp_mean_flux"]) / s["phot_g_mean_flux"],
        "RUWE": lambda s: s["ruwe"],
    }


def stars_of(fields, deep_only):
    chosen = [f for f in fields if (f.name in DEEP or not deep_only)]
    return pd.concat([f.real for f in chosen]), pd.concat([f.simulated for f in chosen])


def error_table(fields) -> str:
    """Medians against magnitude, real / simulated."""
    bins = [(13, 14), (15, 16), (17, 18), (18.5, 19), (19.5, 20), (20, 20.5)]
    rows = []
    pairs = [stars_of(fields, low >= 18) for low, _ in bins]
    cut = [
        [t[t["phot_g_mean_mag"].between(*edges)] for t in pair]
        for pair, edges in zip(pairs, bins, strict=True)
    ]
    for name, function in quantities().items():
        cells = [" / ".join(f"{function(table).median():.3g}" for table in pair) for pair in cut]
        rows.append([name, *cells])
    shares = {
        "RUWE > 1.4 [%]": lambda s: 100 * (s["ruwe"] > 1.4).mean(),
        "6-parameter solutions [%]": lambda s: 100 * (s["astrometric_params_solved"] == 95).mean(),
    }
    for name, function in shares.items():
        rows.append([name, *(" / ".join(f"{function(table):.1f}" for table in pair) for pair in cut)])
    header = ["median, real / simulated", *(f"G {a:g}-{b:g}" for a, b in bins)]
    text = "Measurement (beyond G = 18 in the three deep fields, which lie where Gaia looked least):"
    return f"{text}\n\n{markdown(header, rows)}"


def counts_figure(fields, path) -> None:
    """Counts of six fields."""
    chosen = [f for f in fields if f.name in (*DEEP, "Haffner_6", "NGC_1193", "Berkeley_54")][:6]
    figure, panels = plt.subplots(2, 3, figsize=(9, 5.2), sharex=True, sharey=True, layout="constrained")
    edges = np.arange(12, 20.76, 0.5)
    for field, panel in zip(chosen, panels.flat, strict=False):
        real, simulated = field.density("phot_g_mean_mag", edges)
        visible = edges[1:] <= (21 if field.name in DEEP else 18)
        real[~visible], simulated[~visible] = np.nan, np.nan
        panel.stairs(2 * real, edges, label="Gaia", lw=1.6, **REAL)
        panel.stairs(2 * simulated, edges, label="simulated", ls="--", lw=1.6, **SIMULATED)
        sky = field.real[["l", "b"]].median()
        panel.set_title(f"{field.name}, l {sky['l']:.0f}, b {sky['b']:.0f} deg", fontsize=9)
    panels[0, 0].set(yscale="log", ylim=(20, 40_000))
    panels[0, 0].legend(fontsize=8)
    figure.supxlabel("G [mag]", fontsize=9)
    figure.supylabel("stars per square degree and magnitude", fontsize=9)
    save(figure, path)


def errors_figure(fields, path) -> None:
    """Errors against magnitude: medians and 16 to 84 %."""
    figure, panels = plt.subplots(2, 4, figsize=(11, 5.2), sharex=True, layout="constrained")
    middle = (ERROR_EDGES[1:] + ERROR_EDGES[:-1]) / 2
    for (name, function), panel in zip(quantities().items(), panels.flat, strict=True):
        for index, (label, style) in enumerate((("Gaia", REAL), ("simulated", SIMULATED))):
            lines = []
            for low, high in itertools.pairwise(ERROR_EDGES):
                table = stars_of(fields, low >= 18)[index]
                lines.append(
                    function(table[table["phot_g_mean_mag"].between(low, high)]).quantile([0.16, 0.5, 0.84])
                )
            lower, median, upper = np.transpose(lines)
            panel.plot(middle, median, label=label, ls="-" if index == 0 else "--", **style)
            panel.fill_between(middle, lower, upper, alpha=0.2, lw=0, **style)
        panel.set_title(name, fontsize=9)
        if "error" in name:
            panel.set_yscale("log")
    panels[0, 0].legend(fontsize=8)
    figure.supxlabel("G [mag]; beyond 18 only the three deep fields", fontsize=9)
    save(figure, path)


def motions_figure(fields, path) -> None:
    """Proper motion, parallax and colour of the deep fields, and stars that look like members."""
    deep = [field for field in fields if field.name in DEEP]
    axes = {
        "pmra": ("pmra [mas/yr]", np.linspace(-12, 12, 49)),
        "parallax": ("parallax [mas]", np.linspace(-2, 3, 51)),
        "g_rp": ("G - RP [mag]", np.linspace(0, 1.6, 41)),
    }
    figure, panels = plt.subplots(2, 3, figsize=(9, 5.2), layout="constrained")
    for row, (low, high) in enumerate(((15, 18), (19, 20.5))):
        for panel, (column, (label, edges)) in zip(panels[row], axes.items(), strict=True):
            pairs = [
                f.density(column, edges, lambda s, a=low, b=high: s["phot_g_mean_mag"].between(a, b))
                for f in deep
            ]
            real, simulated = np.mean(pairs, axis=0)
            panel.stairs(real, edges, label="Gaia", lw=1.4, **REAL)
            panel.stairs(simulated, edges, label="simulated", ls="--", lw=1.4, **SIMULATED)
            panel.set_xlabel(label, fontsize=9)
            panel.set_title(f"G {low:g} to {high:g}", fontsize=9)
    panels[0, 0].legend(fontsize=8)
    figure.supylabel("stars per square degree and bin, mean of the three deep fields", fontsize=9)
    save(figure, path)


def save(figure, path: Path) -> None:
    figure.savefig(path, dpi=90)
    plt.close(figure)


def write_table(path: Path, text: str) -> None:
    """Put the tables between the markers of the page."""
    start, end = MARKERS
    page = path.read_text()
    before, rest = page.split(start)
    path.write_text(f"{before}{start}\n\n{text}\n\n{end}{rest.split(end)[1]}")


if __name__ == "__main__":
    sys.exit(main())
