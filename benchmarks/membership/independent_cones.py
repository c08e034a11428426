"""Sixteen simulated cones for an independent measurement: training never draws from these settings.

The table below was fixed before the model was trained, and nothing was chosen by what it gives. It differs from what
`simulate_clusters.py --vary` draws in its seeds, in its own grid of distances, ages and places, in the halo (an
exponential one, which training does not know, or none), in ellipticity and tails, in the quality of the lists, in the
isochrones that members lie on and that the sets are built with, and in two crowded cones near the Galactic centre.

example: python benchmarks/membership/independent_cones.py --data_dir data/independent \
             --isochrones ../shared/data/real/isochrones/parsec_z0.0105.dat
"""

import argparse
import sys
from pathlib import Path
from shutil import copyfile

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.catalogues.names import cluster_rng
from gaia_oc_amd.options import ISOCHRONES
from gaia_oc_amd.simulation.galaxy import circular_velocity
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.simulation.space import galactic_axes, seen_from_the_sun
from gaia_oc_amd.stages.simulate import simulate_clusters

SEED = 770_001
"""Training uses others."""
MOST_FIELD_STARS = 120_000
"""Of an ordinary cone; the crowded ones have 200,000. Cones have 32 pc, not 50, so that less is thinned."""

# name: distance [pc], l, b [deg], log age, members, half-number or core radius, tidal radius [pc], profile,
# halo share, halo profile, tail share, ellipticity, a0, dispersion [km/s], list completeness, list contamination
CONES = {
    "Ind_01": (150, 165, -24, 8.10, 700, 2.2, 11, "king", 0.10, "exponential", 0.05, 0.15, 0.15, 0.6, 0.90, 0.02),
    "Ind_02": (270, 290, -12, 8.65, 350, 1.6, 9, "plummer", 0.30, "exponential", 0.15, 0.35, 0.20, 0.5, 0.80, 0.05),
    "Ind_03": (480, 95, 8, 7.90, 260, 1.3, 10, "king", 0.20, "exponential", 0.00, 0.10, 0.40, 0.9, 0.70, 0.08),
    "Ind_04": (720, 220, 14, 9.15, 600, 2.0, 14, "plummer", 0.45, "exponential", 0.10, 0.25, 0.10, 0.7, 0.85, 0.03),
    "Ind_05": (950, 135, -4, 8.35, 180, 0.9, 7, "exponential", 0.00, "exponential", 0.00, 0.00, 0.70, 0.8, 0.65, 0.10),
    "Ind_06": (1150, 245, -7, 8.80, 450, 1.8, 12, "king", 0.50, "flat", 0.05, 0.30, 0.35, 0.6, 0.75, 0.06),
    "Ind_07": (1350, 78, 3, 7.30, 320, 1.5, 11, "king", 0.15, "exponential", 0.00, 0.05, 1.40, 1.1, 0.60, 0.09),
    "Ind_08": (1600, 205, 2, 9.40, 800, 2.6, 16, "plummer", 0.25, "exponential", 0.08, 0.20, 0.60, 0.9, 0.90, 0.04),
    "Ind_09": (1850, 115, -9, 8.95, 140, 1.2, 8, "exponential", 0.35, "exponential", 0.00, 0.40, 0.45, 0.5, 0.70, 0.12),
    "Ind_10": (2150, 275, -1, 8.20, 500, 1.7, 12, "king", 0.05, "exponential", 0.00, 0.00, 1.10, 1.0, 0.80, 0.05),
    "Ind_11": (2500, 185, 5, 9.05, 380, 1.4, 13, "king", 0.40, "exponential", 0.00, 0.15, 0.80, 0.7, 0.85, 0.03),
    "Ind_12": (2900, 150, -3, 7.60, 260, 2.0, 13, "exponential", 0.20, "flat", 0.10, 0.25, 1.60, 0.8, 0.75, 0.07),
    "Ind_13": (3400, 230, -5, 9.55, 1100, 2.4, 17, "plummer", 0.10, "exponential", 0.00, 0.10, 0.70, 1.1, 0.80, 0.02),
    "Ind_14": (4100, 170, 1, 8.55, 420, 1.9, 14, "king", 0.30, "exponential", 0.00, 0.20, 1.30, 0.6, 0.70, 0.06),
    "Ind_15": (1450, 6, -2, 8.70, 260, 1.2, 10, "king", 0.25, "exponential", 0.00, 0.20, 1.20, 0.8, 0.75, 0.06),
    "Ind_16": (2100, 352, 3, 9.00, 400, 1.6, 12, "plummer", 0.15, "exponential", 0.05, 0.10, 1.50, 0.9, 0.80, 0.05),
}  # fmt: skip
CONE_RADIUS = 32.0  # [pc]
CROWDED = ("Ind_15", "Ind_16")


def options_of(name: str) -> SimulationOptions:
    """Everything that one of the cones is simulated with."""
    (dist, longitude, latitude, age, members, core, tidal, profile, halo, halo_profile, tail, ellipticity,
     a0, dispersion, complete, contaminated) = CONES[name]  # fmt: skip
    rng = cluster_rng(SEED, name)
    l_, b_ = np.radians([longitude, latitude])
    position = (
        dist * np.array([np.cos(l_) * np.cos(b_), np.sin(l_) * np.cos(b_), np.sin(b_)]) @ galactic_axes()
    )
    velocity = circular_velocity(position[None])[0] + rng.normal(0, 8, 3)
    sky = seen_from_the_sun(position[None], velocity[None]).iloc[0]
    return SimulationOptions(
        ra=float(sky["ra"] % 360), dec=float(sky["dec"]), dist=float(dist), age=age, metal_fraction=0.0105,
        a0=a0, differential_reddening=0.06 * a0 + 0.01, pmra=float(sky["pmra"]), pmdec=float(sky["pmdec"]),
        radial_velocity=float(velocity @ position / dist), n_members=members, core_radius=core,
        tidal_radius=float(tidal), profile=profile, ellipticity=ellipticity, halo_fraction=halo,
        halo_profile=halo_profile, tail_fraction=tail, mass_segregation=float(rng.uniform(0, 0.6)),
        velocity_dispersion=dispersion, binary_fraction=float(rng.uniform(0.2, 0.45)),
        max_field_stars=200_000 if name in CROWDED else MOST_FIELD_STARS,
        cone_radius=CONE_RADIUS,
        list_radius=0.65 * tidal, list_completeness=complete, list_contamination=contaminated,
        age_error=0.12, a0_error=0.12, dist_error=0.04,
    )  # fmt: skip


def main() -> int:
    """Simulate the cones into a data directory, and list their names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data_dir", type=Path, required=True)
    parser.add_argument("--isochrones", type=Path, help="that members lie on; by default schematic ones")
    parser.add_argument("--names", nargs="*", default=list(CONES))
    arguments = parser.parse_args()
    arguments.data_dir.mkdir(parents=True, exist_ok=True)
    if arguments.isochrones:
        copyfile(arguments.isochrones, arguments.data_dir / ISOCHRONES)
    for name in arguments.names:
        simulate_clusters([name], arguments.data_dir, options_of(name), seed=SEED)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
