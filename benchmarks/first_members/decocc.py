"""The table of the slides on DECOCC beside ours, on simulated fields like theirs.

C. D. Alvaro Yunta compared SIMBAD, Clusterix with TOPCAT, K-Means and DECOCC (Deep Embedded Clustering, with and
without its filter of 10 to 90 %) in circles around clusters of Gaia DR2. No field of theirs is at hand: each is
simulated, with the catalogue's motion, distance, age and extinction, and as many members as Cantat-Gaudin et al. (2018)
list in the circle (the Hyades: as Clusterix found). Two clusters whose Clusterix lists are at hand are not in the
slides. The means of the Clusterix lists are those of their stars in Cantat-Gaudin et al. (2018) or Tarricq et al.
(2022). For our ways completeness and purity (of stars with PMemb >= 0.5, to G = 18) are given, for the truth is known.

example: python benchmarks/first_members/decocc.py --clusters NGC_2516 NGC_2632 --n_runs 2
"""

import argparse
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from fields import MOTIONS, isochrones, lists

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.astrometry import angular_separation
from gaia_oc_amd.catalogues.names import cluster_rng
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.first_members.field import quality_cuts
from gaia_oc_amd.first_members.options import SearchOptions
from gaia_oc_amd.first_members.search import find_first_members, without_tails
from gaia_oc_amd.first_members.stars import clustering_stars
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.simulation.simulate import simulate_cluster


@dataclass(frozen=True)
class Region:
    """A circle of the slides [deg, arcmin] and what stands in their table: pmra, pmdec, parallax, number of stars."""

    ra: float
    dec: float
    radius: float
    published: dict[str, tuple[float, float, float, float]]


def published(simbad, clusterix, kmeans, decocc, filtered):
    names = ("SIMBAD", "Clusterix + TOPCAT", "K-Means", "DECOCC", "DECOCC, filtered")
    return dict(zip(names, (simbad, clusterix, kmeans, decocc, filtered), strict=True))


NONE = np.nan
REGIONS = {
    "Melotte_22": Region(
        *(56.75, 24.117, 60),
        published(
            *((20.0, -45.6, 7.36, 1326), (20.0, -45.8, 7.33, 634), (20.3, -38.0, 7.23, 1378)),
            *((23.7, -46.2, 8.04, 878), (19.5, -44.2, 7.42, 438)),
        ),
    ),
    "Melotte_25": Region(
        *(66.725, 15.867, 165),
        published(
            *((104.9, -28.0, 21.05, NONE), (106.8, -24.9, 21.2, 109), (79.9, -45.4, 20.9, 374)),
            *((104.1, -33.4, 22.1, 219), (106.0, -30.0, 21.74, 175)),
        ),
    ),
    "NGC_2516": Region(
        *(119.517, -60.753, 15),
        published(
            *((-4.66, 11.15, 2.4118, 1727), (-4.7, 11.2, 2.4, 638), (-4.3, 9.5, 2.23, 1542)),
            *((-4.4, 10.0, 2.44, 1532), (-4.5, 10.1, 2.392, 1072)),
        ),
    ),
    "NGC_2632": Region(
        *(130.1, 19.667, 35),
        published(
            *((-36.05, -12.92, 5.371, NONE), (-36.2, -12.9, 5.3, 371), (-26.4, -15.8, 5.39, 629)),
            *((-20.0, -14.7, 4.69, 894), (-21.6, -14.2, 4.72, 714)),
        ),
    ),
    "NGC_2682": Region(
        *(132.825, 11.8, 12.5),
        published(
            *((-10.974, -2.94, 1.133, 1194), (-11.0, -3.0, 1.14, 649), (-8.6, -3.7, 1.2, 1374)),
            *((-8.9, -3.6, 1.144, 1238), (-9.6, -3.3, 1.14, 990)),
        ),
    ),
    "NGC_6494": Region(269.237, -18.987, 20, {}),
    "NGC_6705": Region(282.766, -6.272, 15, {}),
}
HYADES = {"dist": 47.5, "age": 8.8, "a0": 0.01, "pmra": 104.9, "pmdec": -28.0, "radial_velocity": 39.3}
"""No catalogue at hand has the parameters of Melotte 25."""
MOST_FIELD_STARS = 15_000
OURS = {
    "K-Means": SearchOptions(method="kmeans"),
    "DEC": SearchOptions(method="dec"),
    "DEC, divided features": SearchOptions(method="dec", features="divided"),
    "DEC from DBSCAN": SearchOptions(method="dec", dec_start="dbscan"),
    "DEC from HDBSCAN": SearchOptions(method="dec", dec_start="hdbscan"),
    "HDBSCAN": SearchOptions(),
}
FILTERED = "DEC"


def simulated(name, region, real_dir):
    """Stars of a field like that of the slides, with truth."""
    parameters, cg18, *_ = lists(real_dir)
    listed = cg18[cg18["cluster"] == name]
    near = angular_separation(listed["ra"].to_numpy(), listed["dec"].to_numpy(), region.ra, region.dec)
    n_members = int((near <= region.radius / 60).sum()) or int(region.published["Clusterix + TOPCAT"][3])
    known = HYADES if name == "Melotte_25" else parameters.loc[name, list(HYADES)[:5]].to_dict()
    size = known["dist"] * np.tan(np.radians(region.radius / 60))
    options = SimulationOptions(
        ra=region.ra,
        dec=region.dec,
        n_members=n_members,
        tidal_radius=0.95 * size,
        core_radius=0.2 * size,
        cone_radius=size,
        cone_pm_sigmas=np.inf,
        cone_plx_sigmas=np.inf,
        g_max=18.3,
        list_g_max=18.0,
        list_radius=0.9 * size,
        max_field_stars=MOST_FIELD_STARS,
        **known,
    )
    cluster = simulate_cluster(options, isochrones(), rng=cluster_rng(7, name), name=name)
    return cluster.cone.assign(is_member=cluster.truth["is_member"].to_numpy(bool))


def clusterix_means(name, list_dir, real_dir):
    """Means of the stars of a Clusterix list that a list with measurements has, and how many those are."""
    path = list_dir / f"{name.upper().replace('_', '')}.csv"
    if not path.exists():
        return None
    ids = set(pd.read_csv(path)["source_id"])
    _, cg18, t22, _ = lists(real_dir)
    measured = pd.concat([cg18, t22]).drop_duplicates("source_id")
    found = measured[measured["source_id"].isin(ids)]
    if found.empty:
        return (NONE, NONE, NONE, len(ids))
    return (*found[MOTIONS].mean(), len(ids))


def line(cluster, way, numbers, rest=("", "", "")):
    pmra, pmdec, parallax, n = (
        f"{value:.{digits}f}" for value, digits in zip(numbers, (2, 2, 2, 0), strict=True)
    )
    cells = (cluster, way, pmra, pmdec, parallax, n, *rest)
    print("| " + " | ".join(str(cell).replace("nan", "-") for cell in cells) + " |", flush=True)


def described(stars, probability, truth):
    """Means and number of the accepted stars, completeness and purity."""
    accepted = stars[probability >= 0.5]
    is_member = accepted["source_id"].isin(truth)
    numbers = (*accepted[MOTIONS].mean(), len(accepted))
    return numbers, f"{100 * is_member.sum() / len(truth):.0f} %", f"{100 * is_member.mean():.0f} %"


def searched(name, region, way, options, cone, truth):
    """One way in one field, as lines of the table."""
    stars, _ = quality_cuts(cone)
    start = time.perf_counter()
    try:
        found = find_first_members(
            name, stars, options, ra=region.ra, dec=region.dec, rng=cluster_rng(42, name)
        )
    except ClusterError as error:
        line(name, way, (NONE,) * 4, ("none", str(error)[:70], f"{time.perf_counter() - start:.0f}"))
        return
    seconds = f"{time.perf_counter() - start:.0f}"
    probability = found.stars["PMemb"].to_numpy()
    numbers, *rates = described(found.stars, probability, truth)
    line(name, way, numbers, (*rates, seconds))
    if way == FILTERED:
        kept = without_tails(clustering_stars(found.stars), probability, 0.1)
        numbers, *rates = described(found.stars, kept, truth)
        line(name, f"{way}, filtered", numbers, (*rates, ""))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clusters", nargs="+", choices=REGIONS, default=list(REGIONS))
    parser.add_argument("--ways", nargs="+", choices=OURS, default=list(OURS))
    parser.add_argument("--real_dir", type=Path, default=Path("../shared/data/real"))
    parser.add_argument("--list_dir", type=Path, default=Path("../shared/data/decocc"))
    parser.add_argument("--n_runs", type=int, default=5)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| cluster | way | pmra | pmdec | parallax | stars | completeness | purity | s |")
    print("| --- |" + " --- |" * 8, flush=True)
    for name in arguments.clusters:
        region = REGIONS[name]
        for way, numbers in region.published.items():
            line(name, f"slides: {way}", numbers)
        means = clusterix_means(name, arguments.list_dir, arguments.real_dir)
        if means is not None:
            line(name, "Clusterix list", means)
        cone = simulated(name, region, arguments.real_dir)
        is_bright = cone["phot_g_mean_mag"] <= 18
        truth = cone.loc[cone["is_member"] & is_bright, "source_id"]
        members = cone[cone["is_member"] & is_bright]
        line(name, f"truth, of {int(is_bright.sum())} stars", (*members[MOTIONS].mean(), len(members)))
        for way in arguments.ways:
            options = SearchOptions(**{**vars(OURS[way]), "n_runs": arguments.n_runs})
            searched(name, region, way, options, cone.drop(columns="is_member"), truth)


if __name__ == "__main__":
    main()
