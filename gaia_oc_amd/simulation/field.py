"""The field stars around a simulated cluster as they are in truth, drawn only where they may be kept."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from gaia_oc_amd.isochrones import nearest_age
from gaia_oc_amd.simulation.errors import bad_fit_probability, mean_parallax_error, most_bad_fits
from gaia_oc_amd.simulation.galaxy import (
    MAX_A0,
    POPULATION_NAMES,
    POPULATIONS,
    Dust,
    Population,
    density,
    draw_metallicities,
    draw_velocities,
)
from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.simulation.schematic_isochrones import schematic_isochrones
from gaia_oc_amd.simulation.space import Patches, galactic_axes, seen_from_the_sun
from gaia_oc_amd.simulation.stars import (
    BANDS,
    absolute_magnitudes,
    binary_fractions,
    draw_mass_ratios,
    extinction,
    in_order_of_mass,
    metallicity_shift,
    number_below,
)

Array = NDArray[np.float64]

_CHUNK = 300_000
_BRIGHTEST = 4.0
_MARGIN, _CLEARER = 0.9, 0.75  # binaries and patchy dust make systems brighter than a mean single star [mag]
_DISTANCES = np.geomspace(15, 40_000, 150)
_PILOT = 6_000
_ERROR_MARGIN = 2.0  # published errors and noise exceed the mean error at a magnitude by less than this
_PM_SIGMAS = 5.0
_ZERO_POINT_MARGIN = 0.07  # [mas]


@dataclass(frozen=True)
class ConeCut:
    """Region of proper motion and parallax that is kept; by default all of it.

    Parameters
    ----------
    pmra, pmdec, parallax : float
        Centre [mas/yr, mas].
    pm_limit, parallax_limit : float
        Largest distance from it [mas/yr, mas].
    error_weight : float
        How many of a star's own errors are added to both limits, as `gaia_oc_amd.cone.ConeRegion` does.
    """

    pmra: float = 0.0
    pmdec: float = 0.0
    parallax: float = 0.0
    pm_limit: float = np.inf
    parallax_limit: float = np.inf
    error_weight: float = 0.0

    def keeps(self, sources: pd.DataFrame) -> NDArray[np.bool_]:
        """Whether measured sources are in the region.

        Parameters
        ----------
        sources : DataFrame
            pmra, pmdec [mas/yr], parallax [mas] and their errors.

        Returns
        -------
        ndarray of bool, shape (n,)
        """
        pm_errors = sources[["pmra_error", "pmdec_error"]].to_numpy(float)
        pm_error = np.hypot(pm_errors[:, 0], pm_errors[:, 1]) / np.sqrt(2)
        aside = np.abs(sources["parallax"].to_numpy() - self.parallax)
        near = aside < self.parallax_limit + self.error_weight * sources["parallax_error"].to_numpy()
        return near & (self._pm_distance(sources) < self.pm_limit + self.error_weight * pm_error)

    def may_keep(self, stars: pd.DataFrame, g: Array, error_scale: float) -> NDArray[np.bool_]:
        """Whether stars may be in the region after 5 sigma of noise, and the errors that widen it.

        Parameters
        ----------
        stars : DataFrame
            True pmra, pmdec [mas/yr].
        g : ndarray, shape (n,)
            True G [mag].
        error_scale : float
            Errors of the field over those of the mean field.

        Returns
        -------
        ndarray of bool, shape (n,)
        """
        sigmas = _PM_SIGMAS + self.error_weight
        noise = sigmas * np.sqrt(_ERROR_MARGIN) * error_scale * mean_parallax_error(g)
        return self._pm_distance(stars) < self.pm_limit + noise

    def _pm_distance(self, stars: pd.DataFrame) -> Array:
        return np.hypot(stars["pmra"].to_numpy() - self.pmra, stars["pmdec"].to_numpy() - self.pmdec)


def field_stars(
    options: SimulationOptions,
    *,
    rng: np.random.Generator,
    dust: Dust | None = None,
    cut: ConeCut | None = None,
    error_scale: float = 1.0,
    isochrones: pd.DataFrame | None = None,
    share: float = 1.0,
) -> Iterator[pd.DataFrame]:
    """Field stars of the cone that may pass its cut, as they are, in chunks.

    Distances follow the populations' densities along lines of sight 3 deg apart, magnitudes a Kroupa mass
    function on isochrones of their ages moved by their metallicities, velocities Galactic rotation with
    asymmetric drift and dispersions. Directions are uniform over the cone, whose radius is cone_radius at
    the cluster's distance, at most 60 deg.

    A star far outside the cut in parallax can only pass with much noise of one sign. Such stars are drawn
    as often as that happens, and carry a deviate from that tail of the normal distribution, which
    `gaia_oc_amd.simulation.measurement.measure` then uses: the sources that pass are as if all had been drawn.
    Stars with a bad fit (RUWE above 1.4), which have large errors and pass from anywhere, are all drawn.

    Parameters
    ----------
    options : SimulationOptions
        Cluster, cone and density.
    rng : Generator
        Source of randomness.
    dust : Dust, optional
        By default drawn here.
    cut : ConeCut, optional
        What will be kept; by default everything.
    error_scale : float
        Errors of this field over those of the mean field.
    isochrones : DataFrame, optional
        From a stellar-evolution code, used if they cover the populations' ages; else schematic ones are.
    share : float
        Share of the stars that is drawn, for fields that shall be thinner than the Galaxy's.

    Yields
    ------
    DataFrame
        The columns of `gaia_oc_amd.simulation.cluster.cluster_stars`, bad_fit and parallax_deviate.
    """
    cut, dust = cut or ConeCut(), dust or Dust(options, rng=rng)
    tracks = _tracks(isochrones)
    patches = Patches.cover(options)
    for number in range(len(patches.centres)):
        sampler = _PatchSampler(options, tracks, dust, cut, error_scale, patches.centres[number])
        expected = sampler.expected_per_sr * patches.solid_angle
        if options.field_density is not None:
            area = patches.solid_angle * np.degrees(1) ** 2
            expected = options.field_density * area * sampler.drawn_per_visible_star(patches, number, rng)
        expected *= share
        n_rounds = int(np.ceil(expected / _CHUNK)) or 1
        for _ in range(n_rounds):
            stars = sampler.draw(expected / n_rounds, patches, number, rng)
            if len(stars):
                yield stars


@dataclass(frozen=True)
class _Track:
    """Isochrone of one population, what metallicity changes along it, and the stars per mass segment."""

    points: pd.DataFrame
    shift: Array
    numbers: Array


def _tracks(isochrones: pd.DataFrame | None) -> list[_Track]:
    ages = [population.log_age for population in POPULATIONS]
    if isochrones is None or not _covers(isochrones, ages):
        isochrones = schematic_isochrones(ages)
    tracks = []
    for age in ages:
        points = in_order_of_mass(nearest_age(isochrones, age))
        tracks.append(_Track(points, metallicity_shift(points), np.diff(number_below(points["Mini"]))))
    return tracks


def _covers(isochrones: pd.DataFrame, ages: list[float]) -> bool:
    """Whether there is an isochrone within 0.1 dex of every age, down to low masses."""
    distance = np.abs(isochrones["logAge"].unique()[:, None] - np.array(ages)).min(axis=0)
    return bool(np.all(distance < 0.11)) and isochrones["Mini"].min() < 0.15


class _PatchSampler:
    """Draws stars along one line of sight from a table of all combinations of population, mass and distance."""

    def __init__(
        self,
        options: SimulationOptions,
        tracks: list[_Track],
        dust: Dust,
        cut: ConeCut,
        error_scale: float,
        sight: Array,
    ) -> None:
        self._options, self._tracks, self._dust, self._cut = options, tracks, dust, cut
        self._error_scale = error_scale
        self._a0 = dust.along_sight(sight, _DISTANCES)
        self._galactic_sight = galactic_axes() @ sight
        tables = [self._table(*pair) for pair in zip(POPULATIONS, tracks, strict=True)]
        self._all, self._chances, self._bad_shares = map(list, zip(*tables, strict=True))
        self._well_fitted = [weights * np.abs(chance) for weights, chance, _ in tables]
        self._badly_fitted = [weights * share for weights, _, share in tables]
        drawn = (*self._well_fitted, *self._badly_fitted)
        self.expected_per_sr = float(sum(table.sum() for table in drawn))

    def _table(self, population: Population, track: _Track) -> tuple[Array, Array, Array]:
        """Stars per sr, chances of a good fit to pass the parallax cut, largest share of bad fits.

        All have the shape (segments, distances). A chance is negative if the noise must be; it is 1 where any noise
        will do.
        """
        middle = np.sqrt(_DISTANCES[1:] * _DISTANCES[:-1])
        volume = np.diff(_DISTANCES**3) / 3 * density(population, middle[:, None] * self._galactic_sight)
        magnitude = track.points["Gmag"].to_numpy()
        modulus = 5 * np.log10(middle) - 5
        a0 = (self._a0[1:] + self._a0[:-1]) / 2
        brighter, fainter = (
            np.minimum(magnitude[1:], magnitude[:-1]),
            np.maximum(magnitude[1:], magnitude[:-1]),
        )
        teff = np.repeat(10 ** track.points["logTe"].to_numpy()[1:, None], len(a0), axis=1)
        bright_end = brighter[:, None] + modulus + extinction("g", teff, _CLEARER * a0)
        faint_end = np.minimum(fainter[:, None] + modulus + 1.3 * a0, self._options.g_max)
        visible = (bright_end < self._options.g_max + _MARGIN) & (bright_end > _BRIGHTEST - 6)
        weights = track.numbers[:, None] * volume * visible
        return weights, np.where(visible, self._chance(faint_end), 0.0), most_bad_fits(bright_end - _MARGIN)

    def _chance(self, g: Array) -> Array:
        weight = self._cut.error_weight
        error = _ERROR_MARGIN * self._error_scale * mean_parallax_error(g)
        limit = self._cut.parallax_limit + _ZERO_POINT_MARGIN
        too_far = self._cut.parallax - limit - 1000 / _DISTANCES[:-1]  # > 0: needs positive noise
        too_near = 1000 / _DISTANCES[1:] - self._cut.parallax - limit
        chance = np.where(too_far > 0, ndtr(weight - too_far / error), 1.0)
        return np.where(too_near > 0, -ndtr(weight - too_near / error), chance)

    def drawn_per_visible_star(self, patches: Patches, number: int, rng: np.random.Generator) -> float:
        """Expected number drawn here for each star of the field that is brighter than the limit."""
        total = sum(table.sum() for table in self._all)
        counts = [rng.poisson(table * (_PILOT / total)) for table in self._all]
        pilot = self._systems(counts, rng)
        distance = pilot["distance"].to_numpy()
        a0 = self._smooth_a0(distance) * self._dust.pattern(patches.draw(number, len(pilot), rng))
        g = self._apparent("g", pilot, distance, np.minimum(a0, MAX_A0))
        fraction = np.mean((g < self._options.g_max) & (g > _BRIGHTEST))
        return float(self.expected_per_sr / (total * fraction))

    def draw(self, expected: float, patches: Patches, number: int, rng: np.random.Generator) -> pd.DataFrame:
        """About so many stars, less those that turn out too faint or cannot pass the cut in proper motion."""
        scale = expected / self.expected_per_sr if expected > 0 else 0.0
        systems = pd.concat(
            [self._drawn(scale, bad_fit, rng) for bad_fit in (False, True)], ignore_index=True
        )
        distance, direction = systems["distance"].to_numpy(), patches.draw(number, len(systems), rng)
        a0 = np.minimum(self._smooth_a0(distance) * self._dust.pattern(direction), MAX_A0)
        g = self._apparent("g", systems, distance, a0)
        bad_fits = bad_fit_probability(g, systems["is_binary"].to_numpy())
        share = np.where(systems["bad_fit"], bad_fits / systems["bad_share"], 1 - bad_fits)
        visible = (g < self._options.g_max) & (g > _BRIGHTEST)
        seen = np.flatnonzero(visible & (rng.uniform(size=len(g)) < share))
        systems = systems.iloc[seen].assign(g=g[seen], a0=a0[seen])
        position = distance[seen, None] * direction[seen]
        velocity = draw_velocities(position @ galactic_axes().T, systems["population"].to_numpy(), rng=rng)
        sky = seen_from_the_sun(position, velocity)
        may = self._cut.may_keep(sky, g[seen], self._error_scale) | systems["bad_fit"].to_numpy()
        systems, sky = systems[may].reset_index(drop=True), sky[may].reset_index(drop=True)
        for band in ("bp", "rp"):
            systems[band] = self._apparent(
                band, systems, sky["distance"].to_numpy(), systems["a0"].to_numpy()
            )
        columns = ["g", "bp", "rp", "mass", "is_binary", "a0", "bad_fit", "parallax_deviate"]
        codes = np.array([POPULATION_NAMES.index(population.name) for population in POPULATIONS])
        names = pd.Categorical.from_codes(
            codes[systems["population"].to_numpy()], categories=pd.Index(POPULATION_NAMES)
        )
        return pd.concat([sky, systems[columns]], axis=1).assign(population=names)

    def _smooth_a0(self, distance: Array) -> Array:
        return np.interp(distance, _DISTANCES, self._a0)

    @staticmethod
    def _apparent(band: str, systems: pd.DataFrame, distance: Array, a0: Array) -> Array:
        absolute = systems[f"absolute_{band}"].to_numpy()
        return absolute + 5 * np.log10(distance) - 5 + extinction(band, systems["teff"].to_numpy(), a0)

    def _drawn(self, scale: float, bad_fit: bool, rng: np.random.Generator) -> pd.DataFrame:
        """Systems with a good or a bad fit; more of either than there are, which `draw` thins."""
        tables = self._badly_fitted if bad_fit else self._well_fitted
        counts = [rng.poisson(table * scale) for table in tables]
        systems = self._systems(counts, rng).assign(bad_fit=bad_fit)
        if bad_fit:  # whose errors let nearly any noise pass
            return systems.assign(parallax_deviate=rng.normal(size=len(systems)))
        return systems

    def _systems(self, counts: list[NDArray[np.int64]], rng: np.random.Generator) -> pd.DataFrame:
        """Systems of all populations, counts given by mass segment and distance bin."""
        parts = [self._systems_of(index, table, rng) for index, table in enumerate(counts)]
        return pd.concat(parts, ignore_index=True)

    def _systems_of(self, index: int, counts: NDArray[np.int64], rng: np.random.Generator) -> pd.DataFrame:
        track, filled = self._tracks[index], np.flatnonzero(counts)
        cell = np.repeat(filled, counts.ravel()[filled])
        segment, bin_number = np.divmod(cell, counts.shape[1])
        knots = track.points["Mini"].to_numpy()
        mass = knots[segment] + rng.uniform(size=len(cell)) * np.diff(knots)[segment]
        distance = _DISTANCES[bin_number] * (_DISTANCES[1] / _DISTANCES[0]) ** rng.uniform(size=len(cell))
        ratio = draw_mass_ratios(len(cell), binary_fractions(mass, self._options.binary_fraction), rng=rng)
        magnitudes = absolute_magnitudes(track.points, mass, ratio)
        shift = _metal_shift(POPULATIONS[index], distance[:, None] * self._galactic_sight, rng)
        shift = shift[:, None] * track.shift[segment]  # (stars, [G, BP-RP, G-RP])
        g = magnitudes["g"].to_numpy() + shift[:, 0]
        rp = magnitudes["rp"].to_numpy() + shift[:, 0] - shift[:, 2]
        bp = magnitudes["bp"].to_numpy() + shift[:, 0] - shift[:, 2] + shift[:, 1]
        return pd.DataFrame(
            {f"absolute_{band}": value for band, value in zip(BANDS, (g, bp, rp), strict=True)}
            | {
                "teff": magnitudes["teff"].to_numpy(),
                "mass": mass,
                "is_binary": ratio > 0,
                "distance": distance,
                "population": index,
                "parallax_deviate": _tail_deviates(self._chances[index].ravel()[cell], rng),
                "bad_share": self._bad_shares[index].ravel()[cell],
            }
        )


def _metal_shift(population: Population, galactic: Array, rng: np.random.Generator) -> Array:
    """Metallicities as they move stars in the diagram: half as much per dex below -0.5."""
    metallicity = draw_metallicities(population, galactic, rng=rng)
    return np.where(metallicity < -0.5, -0.5 + 0.5 * (metallicity + 0.5), metallicity)


def _tail_deviates(chance: Array, rng: np.random.Generator) -> Array:
    """Standard normal deviates from the tail of this probability, the lower one where it is negative."""
    tail = ndtri(np.maximum(np.abs(chance) * (1 - rng.uniform(size=len(chance))), 1e-300))
    return np.where(chance < 0, tail, -tail)
