"""The options of the simulator."""

from dataclasses import dataclass
from typing import Literal

from gaia_oc_amd.options import Options, option, part, require


@dataclass(frozen=True)
class SimulationOptions(Options):
    """A cluster, its field, how much of the sky is kept, and the lists that know some of its members.

    Members are stars or unresolved binaries. Stars of cluster and field that are more massive than the 0.7 Msun of
    `binary_fraction` have companions more often. Stars farther from the mean motion or parallax than `cone_pm_sigmas`
    and `cone_plx_sigmas` standard deviations of the listed members are left out of the table: somewhat more than the
    10 of build_sets.
    """

    title = "Simulation"

    ra: float = option(106.0, "right ascension of the centre [deg]", at_least=0, below=360)
    dec: float = option(-2.0, "declination of the centre [deg]", at_least=-90, at_most=90)
    dist: float = option(1000.0, "distance [pc]", at_least=20, at_most=20_000)
    age: float = option(8.5, "log10 of the age [yr]", at_least=6.6, at_most=10.12)
    metal_fraction: float = option(
        0.0152, "Z; members lie on the isochrones with the nearest one", above=0, below=0.1
    )
    a0: float = option(0.3, "extinction at 550 nm [mag]", at_least=0, at_most=10)
    differential_reddening: float = option(
        0.05, "standard deviation of the extinction over the cluster [mag of A0]", at_least=0
    )
    pmra: float = option(-1.5, "proper motion in right ascension, with cos(dec) [mas/yr]")
    pmdec: float = option(-0.5, "proper motion in declination [mas/yr]")
    radial_velocity: float = option(
        0.0, "radial velocity [km/s], which makes a near cluster's proper motions converge"
    )
    n_members: int = option(400, "members brighter than the faint limit", at_least=10)
    core_radius: float = option(1.5, "core radius of the King profile [pc]", above=0)
    tidal_radius: float = option(12.0, "tidal radius of the King profile [pc]")
    profile: Literal["king", "plummer", "exponential"] = option(
        "king",
        "surface density of the body of the cluster; the latter two have core_radius as half-number radius",
    )
    ellipticity: float = option(0.0, "1 - b/a of the cluster on the sky", at_least=0, below=0.9)
    halo_fraction: float = option(
        0.1, "share of the members in a halo that reaches to 2.5 tidal radii", at_least=0, at_most=1
    )
    halo_profile: Literal["inverse_square", "plummer", "flat", "exponential"] = option(
        "inverse_square", "density of the halo in space"
    )
    tail_fraction: float = option(
        0.0, "share of the members in two tidal tails of some 50 pc", at_least=0, at_most=1
    )
    mass_segregation: float = option(0.2, "how strongly place follows mass, 0 to 1", at_least=0, at_most=1)
    velocity_dispersion: float = option(
        0.8, "standard deviation of the velocities in each direction [km/s]", at_least=0
    )
    binary_fraction: float = option(
        0.3, "fraction of stars of 0.7 Msun with an unresolved companion", at_least=0, at_most=1
    )
    g_max: float = option(20.7, "faint limit in G [mag]", at_most=20.95)
    field_density: float | None = option(
        None, "field stars brighter than g_max [1/deg^2] (default: from the Galactic model)", at_least=0
    )
    cone_radius: float = option(50.0, "radius that is filled with stars [pc]")
    square_half_width: float | None = option(
        None, "half the side of a square that is filled instead of the cone [pc]", at_least=0.1
    )
    max_field_stars: int | None = option(
        None,
        "a field with more stars is thinned evenly to about this number (default: 290000 with --vary, else no limit)",
        at_least=100,
    )
    cone_pm_sigmas: float = option(
        11.0,
        "proper motions kept, in standard deviations of the members; inf keeps all",
        above=0,
        finite=False,
    )
    cone_plx_sigmas: float = option(
        11.0, "parallaxes kept, in standard deviations of the members; inf keeps all", above=0, finite=False
    )
    list_g_max: float = option(18.0, "faint limit of the member lists [mag]")
    list_radius: float = option(6.0, "radius of the published member list [pc]", above=0)
    list_completeness: float = option(
        0.85, "share of the members within these limits that the published list has", above=0, at_most=1
    )
    list_contamination: float = option(
        0.04, "share of field stars in the published list", at_least=0, below=0.5
    )
    age_error: float = option(0.1, "standard deviation of the catalogue's error in age [dex]", at_least=0)
    a0_error: float = option(0.08, "standard deviation of the catalogue's error in a0 [mag]", at_least=0)
    dist_error: float = option(
        0.03, "standard deviation of the catalogue's relative error in distance", at_least=0, below=0.3
    )
    vary: bool = option(
        False, "give each cluster parameters of its own, drawn over ranges like those of catalogues"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.tidal_radius > self.core_radius, self, "tidal_radius", "greater than core_radius")
        require(self.cone_radius > self.tidal_radius, self, "cone_radius", "greater than tidal_radius")
        require(self.list_g_max <= self.g_max, self, "list_g_max", "at most g_max")
        require(
            self.halo_fraction + self.tail_fraction <= 1, self, "tail_fraction", "at most 1 - halo_fraction"
        )


@dataclass(frozen=True)
class SimulateOptions(Options):
    """Of simulate_clusters.py."""

    cluster: SimulationOptions = part(SimulationOptions())
