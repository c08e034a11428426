"""Ages, extinctions and distances of the isochrone fit against the catalogue's on real fields, and against the truth.

Real fields: the listed members with PMemb of at least --prob_threshold that are in the field's table, fitted and
compared with the parameter table. The first 14 fields by name are those that the widths and priors were tuned on; the
others are reported apart. Simulated clusters (--simulated N): the published list of a simulated cluster, whose age,
extinction and distance are known; members lie on the isochrones of --truth_isochrones, which may have another
metallicity than those that are fitted. Clusters of Almeida et al. (2023), a list with photometry: N of those with
known age that are no real field (--almeida N), or all those without (--ageless). Prints Markdown; offsets are fit
minus catalogue (or truth).

example: python benchmarks/isochrone_fits/accuracy.py --isochrones ../shared/data/real/isochrones/parsec_z0.0205.dat
         python benchmarks/isochrone_fits/accuracy.py --simulated 36
         python benchmarks/isochrone_fits/accuracy.py --almeida 60
"""

import argparse
import sys
import time
import warnings
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.catalogues.names import cluster_rng
from gaia_oc_amd.catalogues.tables import read_member_list, read_parameter_table
from gaia_oc_amd.cone import calibrate
from gaia_oc_amd.files.tables import read_table
from gaia_oc_amd.isochrone_fit.fit import fit_isochrone
from gaia_oc_amd.isochrone_fit.members import mean_parallax
from gaia_oc_amd.isochrone_fit.options import IsochroneFitOptions
from gaia_oc_amd.isochrones import nearest_age, read_isochrones
from gaia_oc_amd.members import listed_members, match_to_cone
from gaia_oc_amd.simulation.catalogue import draw_cluster
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.simulation.simulate import simulate_cluster

N_TUNING = 14
REAL = Path("../shared/data/real")
QUANTITIES = {"age": "log age [dex]", "a0": "A0 [mag]", "modulus": "distance modulus [mag]"}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real_data", type=Path, default=REAL)
    parser.add_argument("--isochrones", type=Path, default=REAL / "isochrones" / "parsec_z0.0205.dat")
    parser.add_argument(
        "--truth_isochrones", type=Path, help="of the simulated clusters (default: --isochrones)"
    )
    parser.add_argument("--prob_threshold", type=float, default=0.7)
    parser.add_argument("--simulated", type=int, default=0, help="fit so many simulated clusters instead")
    parser.add_argument(
        "--almeida", type=int, default=0, help="fit so many clusters of Almeida et al. instead"
    )
    parser.add_argument("--ageless", action="store_true", help="fit their clusters without known age instead")
    parser.add_argument("--tuning_only", action="store_true", help="only the fields that may be tuned on")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--set", nargs="*", default=[], metavar="OPTION=VALUE", help="options of the fit")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    options = read_options(arguments.set)
    isochrones = read_isochrones(arguments.isochrones)
    if arguments.simulated:
        truth = read_isochrones(arguments.truth_isochrones or arguments.isochrones)
        stars = simulated(arguments.simulated, truth, arguments.seed)
    elif arguments.almeida or arguments.ageless:
        stars = of_almeida(arguments)
    else:
        stars = real(arguments)
    table = fits(stars, isochrones, options, arguments.seed)
    print(rows(table))
    groups = {"all": table}
    if not (arguments.simulated or arguments.almeida or arguments.ageless or arguments.tuning_only):
        groups = {"first 14, tuned on": table[:N_TUNING], "other": table[N_TUNING:], "all": table}
    if not arguments.ageless:
        print()
        print(summary(groups))


def read_options(pairs):
    """Options of the fit from OPTION=VALUE."""
    given = dict(pair.split("=") for pair in pairs)
    kinds = {field.name: field.type for field in fields(IsochroneFitOptions)}
    casts = {float: float, int: int}
    return IsochroneFitOptions(**{name: casts.get(kinds[name], str)(value) for name, value in given.items()})


def real(arguments):
    """Name, sure members and catalogue values of each real field."""
    names = sorted(pd.read_csv(arguments.real_data / "cones.csv")["cluster"])
    names = names[:N_TUNING] if arguments.tuning_only else names
    member_list = read_member_list(arguments.real_data / "cg18_members.csv.gz")
    known = read_parameter_table(arguments.real_data / "cluster_parameters.csv").set_index("name")
    for name in names:
        sources = read_table(arguments.real_data / "cones" / f"{name}.csv.gz")
        probability = match_to_cone(listed_members(member_list, name), sources)
        yield name, sure(sources, probability, arguments.prob_threshold), known.loc[name]


ALMEIDA = {
    "Source": "source_id", "Plx": "parallax", "e_Plx": "parallax_error", "Gmag": "phot_g_mean_mag",
    "e_Gmag": "phot_g_mean_mag_error", "BPmag": "bp", "e_BPmag": "e_bp", "RPmag": "rp", "e_RPmag": "e_rp",
    "Pmemb": "PMemb",
}  # fmt: skip
"""Columns of the list, whose parallaxes are corrected already."""


def of_almeida(arguments):
    """Name, sure members and catalogue values of clusters that are no real field."""
    table = pd.read_parquet(arguments.real_data / "almeida23_members.parquet")
    known = read_parameter_table(arguments.real_data / "cluster_parameters.csv").set_index("name")
    fields = set(pd.read_csv(arguments.real_data / "cones.csv")["cluster"])
    table = table[table["Pmemb"] >= arguments.prob_threshold].rename(columns=ALMEIDA)
    table = table.assign(
        bp_rp=table["bp"] - table["rp"],
        g_rp=table["phot_g_mean_mag"] - table["rp"],
        bp_rp_error=np.hypot(table["e_bp"], table["e_rp"]),
        g_rp_error=np.hypot(table["phot_g_mean_mag_error"], table["e_rp"]),
    )
    counts = table.loc[table["phot_g_mean_mag"] < 18, "cluster"].value_counts()
    wanted = known["age"].isna() if arguments.ageless else known["age"].notna()
    names = sorted(set(known.index[wanted]) & set(counts.index[counts >= 20]) - fields)
    if arguments.almeida:
        names = [names[i] for i in np.linspace(0, len(names) - 1, arguments.almeida).astype(int)]
    for name in names:
        yield name, table[(table["cluster"] == name) & np.isfinite(table["parallax"])], known.loc[name]


def simulated(count, isochrones, seed):
    """Name, listed members and truth of simulated clusters as different as those of catalogues."""
    base = SimulationOptions(cone_radius=25.0, field_density=1000.0)
    for number in range(count):
        name = f"Simulated_{number + 1}"
        rng = cluster_rng(seed, name)
        options = draw_cluster(base, isochrones, rng=rng)
        cluster = simulate_cluster(options, isochrones, rng=rng, name=name)
        probability = cluster.members.set_index("source_id")["PMemb"]
        age = nearest_age(isochrones, options.age, metal_fraction=options.metal_fraction)["logAge"].iloc[0]
        yield name, sure(cluster.cone, probability, 0.7), {"age": age, "a0": options.a0, "dist": options.dist}


def sure(sources, probability, threshold):
    """Calibrated listed stars that have a parallax."""
    sources = sources[sources["source_id"].isin(probability.index) & np.isfinite(sources["parallax"])]
    stars = calibrate(sources.reset_index(drop=True))
    stars = stars.assign(PMemb=stars["source_id"].map(probability))
    return stars[stars["PMemb"] >= threshold - 1e-9]


def fits(clusters, isochrones, options, seed):
    """One row per cluster: fit, interval, catalogue or truth, time."""
    table = []
    for name, stars, known in clusters:
        start = time.perf_counter()
        parallax, error = mean_parallax(stars)
        fit = fit_isochrone(
            stars,
            isochrones,
            parallax=parallax,
            parallax_error=error,
            weights=stars["PMemb"].to_numpy(float),
            options=options,
            rng=cluster_rng(seed, name),
        )
        row = {
            "name": name,
            "n": fit.n_stars,
            "seconds": time.perf_counter() - start,
            "limit": fit.age_limit(),
        }
        for key in ("age", "a0", "dist"):
            for end in ("", "_lower", "_upper"):
                value = getattr(fit, f"{key}{end}")
                row[f"{key}{end}".replace("dist", "modulus")] = modulus(value) if key == "dist" else value
        table.append(
            row
            | {"known_age": known["age"], "known_a0": known["a0"], "known_modulus": modulus(known["dist"])}
        )
        print(f"{name}: {table[-1]['seconds']:.1f} s", file=sys.stderr, flush=True)
    return pd.DataFrame(table)


def modulus(dist):
    return float(5 * np.log10(dist) - 5)


def rows(table):
    """Markdown: one row per cluster."""
    lines = [
        "| cluster | stars | log age | known | A0 | known | modulus | known | age limit |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in table.to_dict("records"):
        cells = [row["name"], str(row["n"])]
        for key in QUANTITIES:
            up, down = (abs(row[f"{key}_{end}"] - row[key]) for end in ("upper", "lower"))
            cells += [
                f"{row[key]:.2f} +{up:.2f} -{down:.2f}",
                f"{row[f'known_{key}']:.2f}".replace("nan", "-"),
            ]
        lines.append(f"| {' | '.join([*cells, row['limit']])} |")
    return "\n".join(lines)


def summary(groups):
    """Markdown: median offset, robust scatter, share within the 68 % interval, median error."""
    lines = [
        "| clusters | | median offset | scatter (1.48 MAD) | standard deviation | largest | share within the interval "
        "| median half interval |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for label, part in groups.items():
        for key, quantity in QUANTITIES.items():
            offset = part[key] - part[f"known_{key}"]
            scatter = 1.4826 * (offset - offset.median()).abs().median()
            held = part[f"known_{key}"].between(part[f"{key}_lower"] - 1e-6, part[f"{key}_upper"] + 1e-6)
            half = ((part[f"{key}_upper"] - part[f"{key}_lower"]) / 2).median()
            cells = [f"{label} ({offset.notna().sum()})", quantity, f"{offset.median():+.3f}"]
            cells += [f"{value:.3f}" for value in (scatter, offset.std(), offset.abs().max())]
            lines.append(f"| {' | '.join([*cells, f'{100 * held.mean():.0f} %', f'{half:.3f}'])} |")
    seconds = next(reversed(groups.values()))["seconds"]
    return "\n".join(
        [*lines, "", f"Seconds a cluster: median {seconds.median():.1f}, most {seconds.max():.1f}."]
    )


if __name__ == "__main__":
    main()
