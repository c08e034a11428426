"""Surface density, King profile, and mass segregation."""

import warnings
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, xlogy

from gaia_oc_amd.parallel import compiled

Array = NDArray[np.float64]


MIN_MEMBERS = 20
"""Fewer members do not constrain the four parameters of a King profile."""


FALSE_ALARM = 1e-3
"""Chance that a uniform field passes for a cluster in `king_profile`."""


_LEAST_PER_ANNULUS = 5


_WIDEST_ANNULUS = 1.6


_LARGEST_TIDAL_RADIUS = 100.0
"""In units of the field's radius."""


_TWO_SIGMA = 4.0
"""Difference in deviance."""


_LEAST_EXPECTED_COUNT = 0.5


_NO_BACKGROUND = 1e-9
"""A fit that ends this near to its lower bound found no background."""


_STARTS = 3
"""Fits of a King profile, from the starts of least deviance: nine found none that was better in 228 profiles."""


class UnconstrainedProfileError(ValueError):
    """The data do not constrain a King profile; the message says why."""


@dataclass(frozen=True)
class DensityProfile:
    """Numbers of sources in annuli around the centre.

    Parameters
    ----------
    edges : ndarray, shape (n_annuli + 1,)
        Radii between which the annuli lie [pc], from 0 to the last radius that the field covers fully.
    counts : ndarray, shape (n_annuli,)
        Numbers of sources.
    """

    edges: Array
    counts: NDArray[np.int64]

    @property
    def area(self) -> Array:
        """Areas of the annuli [pc^2], shape (n_annuli,)."""
        return np.pi * np.diff(np.square(self.edges))

    @property
    def radius(self) -> Array:
        """Radii that halve the areas of the annuli [pc], shape (n_annuli,)."""
        return np.sqrt((np.square(self.edges[:-1]) + np.square(self.edges[1:])) / 2)

    @property
    def density(self) -> Array:
        """Surface densities [1/pc^2], shape (n_annuli,)."""
        return self.counts / self.area

    @property
    def density_error(self) -> Array:
        """Poisson standard errors of the densities [1/pc^2], shape (n_annuli,); 0 for a count of 0."""
        return np.sqrt(self.counts) / self.area


@dataclass(frozen=True)
class KingProfile:
    """Profile of King (1962, AJ 67, 471) on a uniform background, with standard errors.

    Parameters
    ----------
    amplitude : float
        k [1/pc^2]; the central density is k (1 - 1 / sqrt(1 + (r_t / r_c)^2))^2.
    core_radius, tidal_radius : float
        r_c and r_t [pc].
    background : float
        Density outside the tidal radius [1/pc^2].
    covariance : ndarray, shape (4, 4)
        Of (amplitude, core_radius, tidal_radius, background).
    """

    amplitude: float
    core_radius: float
    tidal_radius: float
    background: float
    covariance: Array

    @property
    def errors(self) -> Array:
        """Standard errors of (amplitude, core_radius, tidal_radius, background), shape (4,)."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def tidal_radius_error(self) -> float:
        """Standard error of the tidal radius [pc]."""
        return float(self.errors[2])

    def density(self, radius: Array) -> Array:
        """Surface density [1/pc^2] at radii [pc], background included."""
        return king_density(radius, self.amplitude, self.core_radius, self.tidal_radius) + self.background


def field_radius(east: Array, north: Array) -> float:
    """Largest radius around (0, 0) that lies wholly inside the convex hull of source positions.

    Parameters
    ----------
    east, north : ndarray, shape (n_sources,)
        Offsets from the centre, in any one unit; positions that are not finite do not count.

    Returns
    -------
    float
        In the unit of the offsets; 0 if the centre lies outside, or if the positions span no area.
    """
    from scipy.spatial import ConvexHull, QhullError  # here: its import takes a third of a second

    points = np.column_stack([east, north]).astype(float)
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) < 3:
        return 0.0
    try:
        facets = ConvexHull(points).equations
    except QhullError:
        return 0.0
    return max(float(np.min(-facets[:, 2])), 0.0)


def density_profile(
    radius: Array, *, outer_radius: float | None = None, n_per_annulus: int | None = None
) -> DensityProfile:
    """Surface density of sources in annuli with about equal counts.

    Annuli that would span more than a factor 1.6 in radius are divided further, so that the empty outskirts
    of a cluster show as such.

    Parameters
    ----------
    radius : ndarray, shape (n_sources,)
        Distances from the centre [pc], as the feature f_r; values that are not finite do not count.
    outer_radius : float, optional
        Radius [pc] to which the field is complete (see `field_radius`), by default the largest one given.
    n_per_annulus : int, optional
        Sources in an annulus, by default the square root of their number, at least 5.

    Returns
    -------
    DensityProfile
        Without annuli if there is neither a source nor an outer radius.
    """
    radius = np.asarray(radius, float)
    radius = np.sort(radius[np.isfinite(radius)])
    if outer_radius is None:
        outer_radius = float(radius[-1]) if len(radius) else 0.0
    radius = radius[radius <= outer_radius]
    n_per_annulus = n_per_annulus or max(_LEAST_PER_ANNULUS, round(np.sqrt(len(radius))))
    edges = _divide_wide_annuli(_equal_count_edges(radius, outer_radius, n_per_annulus))
    counts, _ = np.histogram(radius, edges) if len(edges) > 1 else (np.zeros(0, int), None)
    return DensityProfile(edges=edges, counts=counts)


def _equal_count_edges(radius: Array, outer_radius: float, n_per_annulus: int) -> Array:
    """Edges halfway between sorted radii; unlike edges at the radii, these do not bias the density."""
    n_annuli = max(len(radius) // n_per_annulus, 1)
    first = np.linspace(0, len(radius), n_annuli + 1).astype(int)[1:-1]
    return np.unique([0.0, *(radius[first - 1] + radius[first]) / 2, outer_radius])


def _divide_wide_annuli(edges: Array) -> Array:
    divided = [edges[:2]]
    for inner, outer in pairwise(edges[1:]):
        parts = int(np.ceil(np.log(outer / inner) / np.log(_WIDEST_ANNULUS)))
        divided.append(np.geomspace(inner, outer, parts + 1)[1:])
    return np.concatenate(divided)


def joined_annuli(profile: DensityProfile, *, least_dex: float = 0.05) -> DensityProfile:
    """Join annuli that are too narrow to show as one point each: few stars in one make a spike.

    Parameters
    ----------
    profile : DensityProfile
        With annuli of any width.
    least_dex : float
        Least width of an annulus, as the decadic logarithm of the ratio of its edges.

    Returns
    -------
    DensityProfile
        Of the same stars, with some of the edges; the innermost annulus, which starts at 0, has no width in dex.
    """
    if len(profile.counts) < 2:
        return profile
    kept, outermost = [0, 1], len(profile.counts)
    for place in range(2, outermost + 1):
        if np.log10(profile.edges[place] / profile.edges[kept[-1]]) >= least_dex:
            kept.append(place)
    kept[-1] = outermost  # what is left beyond the last edge is too narrow on its own
    return DensityProfile(profile.edges[kept], np.add.reduceat(profile.counts, kept[:-1]))


def king_density(radius: Array, amplitude: float, core_radius: float, tidal_radius: float) -> Array:
    """Surface density of King (1962), without background.

    Parameters
    ----------
    radius : ndarray, shape (n,)
        Distances from the centre [pc].
    amplitude : float
        k [1/pc^2].
    core_radius, tidal_radius : float
        r_c and r_t [pc].

    Returns
    -------
    ndarray, shape (n,)
        [1/pc^2]; 0 from the tidal radius outwards.
    """
    inside = np.minimum(radius, tidal_radius)
    at_radius = 1 / np.hypot(1, inside / core_radius)
    return amplitude * np.square(at_radius - 1 / np.hypot(1, tidal_radius / core_radius))


def king_counts(radius: Array, amplitude: float, core_radius: float, tidal_radius: float) -> Array:
    """Number of cluster stars within radii, the integral of `king_density` (King 1962, Eq. 18).

    Parameters
    ----------
    radius : ndarray, shape (n,)
        Distances from the centre [pc].
    amplitude : float
        k [1/pc^2].
    core_radius, tidal_radius : float
        r_c and r_t [pc].

    Returns
    -------
    ndarray, shape (n,)
    """
    x = np.square(np.minimum(radius, tidal_radius) / core_radius)
    edge = 1 + (tidal_radius / core_radius) ** 2
    # (sqrt(1 + x) - 1) written so that it keeps its precision at small radii
    root = x / (np.sqrt(1 + x) + 1)
    return np.pi * core_radius**2 * amplitude * (np.log1p(x) - 4 * root / np.sqrt(edge) + x / edge)


def fit_king_profile(profile: DensityProfile) -> KingProfile | None:
    """King profile of a density profile; None, with the reason as a warning, where there is none to be found.

    Parameters
    ----------
    profile : DensityProfile
        From `density_profile`.

    Returns
    -------
    KingProfile or None
        See `king_profile`, which raises instead of warning.
    """
    try:
        return king_profile(profile)
    except UnconstrainedProfileError as error:
        warnings.warn(f"no King profile: {error}", stacklevel=2)
        return None


def king_profile(profile: DensityProfile) -> KingProfile:
    """King profile of greatest Poisson likelihood, its density integrated over each annulus.

    Parameters
    ----------
    profile : DensityProfile
        From `density_profile`.

    Returns
    -------
    KingProfile
        Errors from the Fisher matrix. In simulations that of the tidal radius is right on average for member
        lists, and a third too small where the background holds most of the stars.

    Raises
    ------
    UnconstrainedProfileError
        If there are fewer than 20 members or 5 annuli, if a uniform density describes the counts as well,
        or if the tidal radius may lie outside the field (at 2 sigma) or is smaller than its error.
    """
    _check_enough_data(profile)
    outer = profile.edges[-1]
    parameters, deviance = _fit(profile, smallest_tidal_radius=0.01 * outer)
    if _uniform_deviance(profile) - deviance < chdtri(3, FALSE_ALARM):  # of chi2
        raise UnconstrainedProfileError("a uniform density describes the counts as well.")
    _, deviance_outside = _fit(profile, smallest_tidal_radius=outer)
    if deviance_outside - deviance < _TWO_SIGMA:
        raise UnconstrainedProfileError(
            f"the tidal radius may lie outside the field, which is complete to {outer:.1f} pc."
        )
    amplitude, core, tidal, background = parameters.tolist()
    king = KingProfile(amplitude, core, tidal, background, _covariance(profile, parameters))
    if not king.tidal_radius_error < king.tidal_radius:
        raise UnconstrainedProfileError(
            f"the tidal radius, {king.tidal_radius:.2g} +- {king.tidal_radius_error:.2g} pc, is not constrained."
        )
    return king


def _check_enough_data(profile: DensityProfile) -> None:
    n_members, n_annuli = int(profile.counts.sum()), len(profile.counts)
    if n_members < MIN_MEMBERS:
        raise UnconstrainedProfileError(
            f"{n_members} members within the field, at least {MIN_MEMBERS} are needed."
        )
    if n_annuli < 5:
        raise UnconstrainedProfileError(f"{n_annuli} annuli, at least 5 are needed: lower n_per_annulus.")


def _uniform_deviance(profile: DensityProfile) -> float:
    """Deviance of a uniform density, the mean one."""
    expected = profile.area * (profile.counts.sum() / profile.area.sum())
    return float(np.square(_deviance_residuals(profile.counts, expected)).sum())


def _fit(profile: DensityProfile, *, smallest_tidal_radius: float) -> tuple[Array, float]:
    """Best (k, r_c, r_t, background) and its deviance, from several starts as there are local minima."""
    from scipy.optimize import least_squares  # here: it takes as long to import as pandas, and few runs fit

    outer, scale = profile.edges[-1], profile.counts.sum() / profile.area.sum()

    def natural(x: Array) -> Array:
        return np.array([*np.exp(x[:3]), x[3] * scale * (x[3] > _NO_BACKGROUND)])

    def residuals(x: Array) -> Array:
        return _deviance_residuals(profile.counts, _expected(profile.edges, natural(x)))

    ends = np.log([smallest_tidal_radius, _LARGEST_TIDAL_RADIUS * outer])
    lower = [np.log(scale) - 10, np.log(outer) - 12, ends[0], 0.0]
    upper = [np.log(scale) + 25, np.log(outer), ends[1], 2.0]
    starts = [
        np.clip(
            [*np.log([profile.density.max(), core * outer, tidal * outer + smallest_tidal_radius]), 0.3],
            lower,
            upper,
        )
        for core, tidal in product((0.03, 0.1, 0.25), (0.3, 0.6, 0.9))
    ]
    starts.sort(key=lambda start: float(np.square(residuals(start)).sum()))
    fits = [
        least_squares(residuals, start, bounds=(lower, upper), x_scale="jac") for start in starts[:_STARTS]
    ]
    best = min(fits, key=lambda fit: fit.cost)
    return natural(best.x), 2 * float(best.cost)


def _expected(edges: Array, parameters: Array) -> Array:
    """Expected counts between edges for (k, r_c, r_t, background)."""
    within = king_counts(edges, *parameters[:3]) + parameters[3] * np.pi * np.square(edges)
    return np.maximum(np.diff(within), np.finfo(float).tiny)


def _deviance_residuals(counts: NDArray[np.int64], expected: Array) -> Array:
    """Residuals whose squares sum to the Poisson deviance (C statistic)."""
    deviance = 2 * (expected - counts + xlogy(counts, counts / expected))
    return np.sign(counts - expected) * np.sqrt(np.maximum(deviance, 0))


def _covariance(profile: DensityProfile, parameters: Array) -> Array:
    """Inverse Fisher matrix; counts expected below 0.5 weigh as 0.5, where Gaussian errors end."""
    scale = profile.counts.sum() / profile.area.sum()
    steps = 1e-5 * np.maximum(parameters, [0, 0, 0, scale])
    gradient = np.empty((4, len(profile.counts)))
    for i, step in enumerate(steps):
        shift = np.zeros(4)
        shift[i] = step
        change = _expected(profile.edges, parameters + shift) - _expected(profile.edges, parameters - shift)
        gradient[i] = change / (2 * step)
    expected = np.maximum(_expected(profile.edges, parameters), _LEAST_EXPECTED_COUNT)
    # parameters differ by orders of magnitude: invert in units of the parameters
    fisher = (gradient / expected * steps[:, None]) @ (gradient * steps[:, None]).T
    return np.linalg.pinv(fisher, hermitian=True, rcond=1e-13) * np.outer(steps, steps)


@dataclass(frozen=True)
class MassSegregation:
    """Mass segregation ratio Lambda_MSR of Allison et al. (2009, MNRAS 395, 1449).

    Parameters
    ----------
    n_brightest : ndarray, shape (n,)
        Numbers of brightest sources.
    ratio, ratio_error : ndarray, shape (n,)
        Mean length of the minimum spanning trees of as many random sources, in units of the length of the
        brightest ones' tree, and its standard deviation over the random samples. Above 1 the bright stars lie
        closer together than the others.
    """

    n_brightest: NDArray[np.int64]
    ratio: Array
    ratio_error: Array


def mass_segregation(
    east: Array,
    north: Array,
    g: Array,
    *,
    rng: np.random.Generator,
    n_brightest: NDArray[np.int64] | None = None,
    n_random: int = 100,
) -> MassSegregation:
    """Mass segregation ratio as a function of the number of brightest sources, G standing for the mass.

    Parameters
    ----------
    east, north : ndarray, shape (n_sources,)
        Positions, in any one unit.
    g : ndarray, shape (n_sources,)
        G magnitude; sources that lack it or a position do not count.
    rng : Generator
        Draws the random samples.
    n_brightest : ndarray of int, optional
        Numbers of brightest sources, by default 15 numbers from 5 to half of all, at most 500.
    n_random : int
        Random samples for each number.

    Returns
    -------
    MassSegregation
        Without rows if there are fewer than 10 sources.
    """
    sources = np.column_stack([east, north, g]).astype(float)
    sources = sources[np.isfinite(sources).all(axis=1)]
    points = sources[np.argsort(sources[:, 2], kind="stable"), :2]
    if n_brightest is None:
        largest = min(len(points) // 2, 500)
        n_brightest = (
            np.unique(np.geomspace(5, largest, 15).round().astype(int)) if largest >= 5 else np.zeros(0, int)
        )
    ratios = [_tree_ratio(points, n, n_random, rng) for n in n_brightest]
    ratio, ratio_error = np.reshape(ratios, (len(n_brightest), 2)).T
    return MassSegregation(n_brightest=np.asarray(n_brightest), ratio=ratio, ratio_error=ratio_error)


def _tree_ratio(
    points: Array, n_brightest: int, n_random: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Lambda_MSR and its standard deviation for points sorted by brightness; NaN if those coincide."""
    samples = [rng.choice(points, n_brightest, replace=False) for _ in range(n_random)]
    lengths = np.array([tree_length(*sample.T) for sample in samples])
    brightest = tree_length(*points[:n_brightest].T)
    if brightest == 0:
        return np.nan, np.nan
    return float(lengths.mean() / brightest), float(lengths.std() / brightest)


def tree_length(east: Array, north: Array) -> float:
    """Length of the minimum spanning tree of positions in the plane.

    Parameters
    ----------
    east, north : ndarray, shape (n,)
        Positions, in any one unit.

    Returns
    -------
    float
        In the same unit; 0 for fewer than two different positions.
    """
    return _prim_length(np.asarray(east, float), np.asarray(north, float))


@compiled
def _prim_length(east: Array, north: Array) -> float:
    """Prim's algorithm: of all points outside the tree, the nearest to it joins next."""
    n, length = len(east), 0.0
    if n == 0:
        return length
    apart = np.full(n, np.inf)  # squared distance to the tree, negative inside
    point = 0
    for _ in range(n - 1):
        apart[point] = -1.0
        following, least = -1, np.inf
        for i in range(n):
            if apart[i] >= 0:
                apart[i] = min(apart[i], (east[i] - east[point]) ** 2 + (north[i] - north[point]) ** 2)
                if apart[i] < least or following < 0:
                    following, least = i, apart[i]
        length += np.sqrt(least)
        point = following
    return length
