"""The options of the simulator: where its defaults stand and their bounds are checked."""

from dataclasses import dataclass

from gaia_oc_amd.options import require

_SHARES = ("halo_fraction", "tail_fraction", "mass_segregation")


@dataclass(frozen=True)
class SimulationOptions:
    """A cluster, its field, how much of the sky is kept, and the lists that know some of its members.

    Parameters
    ----------
    ra, dec : float
        Direction of the cluster's centre [deg].
    dist : float
        Distance [pc].
    age : float
        log10 of the age [yr].
    metal_fraction : float
        Z; members lie on the isochrones with the nearest one, where there are several.
    a0 : float
        Extinction at 550 nm [mag] at the cluster's distance.
    differential_reddening : float
        Standard deviation of the extinction over the cluster's face [mag of A0].
    pmra, pmdec : float
        Proper motion of the cluster's centre [mas/yr]; pmra includes cos(dec).
    radial_velocity : float
        Radial velocity [km/s], which makes a near cluster's proper motions converge.
    n_members : int
        Member stars (or unresolved binaries) brighter than `g_max`.
    core_radius, tidal_radius : float
        Radii of the King profile [pc].
    halo_fraction, tail_fraction : float
        Fraction of the members in a halo that reaches to 2.5 tidal radii, and in two tidal tails of some 50 pc.
    mass_segregation : float
        How strongly place follows mass: 0 not at all, 1 strictly.
    velocity_dispersion : float
        Standard deviation of the velocities in each direction [km/s].
    binary_fraction : float
        Fraction of stars of 0.7 Msun, in cluster and field, that have an unresolved companion; massive ones
        have it more often.
    g_max : float
        Faint limit in G [mag].
    field_density : float, optional
        Field stars per square degree brighter than `g_max`; by default what the Galactic model gives there.
    cone_radius : float
        Radius around the cluster that is filled with stars [pc at the cluster's distance].
    cone_pm_sigmas, cone_plx_sigmas : float
        Stars farther from the mean proper motion or parallax than so many standard deviations of the listed
        members are left out of the table: somewhat more than the 10 of build_sets. Infinity keeps all.
    list_g_max : float
        Faint limit of the member lists [mag].
    list_radius : float
        Projected radius within which the published list knows members [pc].
    list_completeness, list_contamination : float
        Fraction of the members within these limits that are listed, and of the listed that are field stars.
    age_error, a0_error, dist_error : float
        Standard deviations of the catalogue's errors: of the age [dex], of a0 [mag], and of the distance,
        relative to it.
    vary : bool
        Whether each of several clusters gets parameters of its own, drawn over ranges like those of
        catalogues.
    """

    ra: float = 106.0
    dec: float = -2.0
    dist: float = 1000.0
    age: float = 8.5
    metal_fraction: float = 0.0152
    a0: float = 0.3
    differential_reddening: float = 0.05
    pmra: float = -1.5
    pmdec: float = -0.5
    radial_velocity: float = 0.0
    n_members: int = 400
    core_radius: float = 1.5
    tidal_radius: float = 12.0
    halo_fraction: float = 0.1
    tail_fraction: float = 0.0
    mass_segregation: float = 0.2
    velocity_dispersion: float = 0.8
    binary_fraction: float = 0.3
    g_max: float = 20.7
    field_density: float | None = None
    cone_radius: float = 50.0
    cone_pm_sigmas: float = 11.0
    cone_plx_sigmas: float = 11.0
    list_g_max: float = 18.0
    list_radius: float = 6.0
    list_completeness: float = 0.85
    list_contamination: float = 0.04
    age_error: float = 0.1
    a0_error: float = 0.08
    dist_error: float = 0.03
    vary: bool = False

    def __post_init__(self) -> None:
        require(0 <= self.ra < 360, self, "ra", "in [0, 360)")
        require(-90 <= self.dec <= 90, self, "dec", "between -90 and 90")
        require(20 <= self.dist <= 20000, self, "dist", "between 20 and 20000 pc")
        require(6.6 <= self.age <= 10.12, self, "age", "between 6.6 and 10.12")
        require(0 <= self.a0 <= 10, self, "a0", "between 0 and 10")
        require(self.n_members >= 10, self, "n_members", "at least 10")
        require(self.core_radius > 0, self, "core_radius", "greater than 0")
        require(self.tidal_radius > self.core_radius, self, "tidal_radius", "greater than core_radius")
        require(self.cone_radius > self.tidal_radius, self, "cone_radius", "greater than tidal_radius")
        require(self.g_max <= 20.95, self, "g_max", "at most 20.95")
        require(self.list_g_max <= self.g_max, self, "list_g_max", "at most g_max")
        require(self.field_density is None or self.field_density >= 0, self, "field_density", "at least 0")
        require(0 < self.metal_fraction < 0.1, self, "metal_fraction", "between 0 and 0.1")
        for name in ("velocity_dispersion", "differential_reddening", "age_error", "a0_error", "dist_error"):
            require(getattr(self, name) >= 0, self, name, "at least 0")
        require(self.dist_error < 0.3, self, "dist_error", "less than 0.3")
        for name in ("cone_pm_sigmas", "cone_plx_sigmas", "list_radius", "list_completeness"):
            require(getattr(self, name) > 0, self, name, "greater than 0")
        require(
            self.halo_fraction + self.tail_fraction <= 1, self, "tail_fraction", "at most 1 - halo_fraction"
        )
        for name in ("binary_fraction", "list_completeness", *_SHARES):
            require(0 <= getattr(self, name) <= 1, self, name, "between 0 and 1")
        require(0 <= self.list_contamination < 0.5, self, "list_contamination", "in [0, 0.5)")
