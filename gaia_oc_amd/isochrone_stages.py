"""How far the members' sequence lies beside their isochrone: main sequence, turn-off, giants, red clump."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gaia_oc_amd.columns import LISTED_PROBABILITY, REJECTED_BY

if TYPE_CHECKING:
    from gaia_oc_amd.isochrones import Isochrone
    from gaia_oc_amd.source_sets import SourceSets

Array = NDArray[np.float64]

FAR, FAR_IN_G, FAR_SIGMAS = 0.06, 0.4, 3.0
"""A stage lies beside its isochrone where its colour or, of the red clump, its G is off by more than this [mag], and
by more than so many errors. The bound is that of G - RP."""

_SCALE = {"g_rp": 1.0, "bp_rp": 2.0, "bp_g": 1.0}
"""Width of a colour in units of that of G - RP."""

_FEWEST, _FEWEST_GIANTS = 12, 6
"""Stars without which nothing is said of a stage."""
_STEP, _TURN_OFF, _NEAR_GIANTS = 1.0, 0.75, 0.3
"""Width of a part of the main sequence, half of that of the turn-off, and of the piece of the giant branch that a giant
is compared with, all in G [mag]."""
_WINDOW = 0.3
"""Stars that are farther from the isochrone in colour belong to no sequence [mag]."""
_STEEP = 12.0
"""Where G changes by more than this per magnitude of colour, an offset in colour says nothing of G."""
_COMPACT = 0.25
"""Largest standard deviation of G along the isochrone of a red clump [mag]; young giants have none."""
_CALIBRATION = 0.01
"""Error of the colours of isochrones and photometry, added to each error [mag]."""
_RESAMPLED, _SEED = 100, 2023
_BIN = 0.002
"""Steps in which a mode is looked for [mag]."""


@dataclass(frozen=True)
class StageOffset:
    """Offset of the members of one evolutionary stage from the isochrone, members minus isochrone.

    Parameters
    ----------
    stage : str
        "main sequence", "turn-off", "giants" or "red clump".
    bright, faint : float
        Range of G [mag].
    n_stars : int
        Members that were compared.
    colour, colour_error : float
        Offset in colour at equal G [mag].
    g, g_error : float
        Offset in G [mag]: on the main sequence at equal colour, of the red clump that of its middle; NaN where the
        isochrone is too steep.
    at_colour, at_g : float
        The point of the isochrone that stands for the stage [mag].
    bound : float
        Offset in colour up to which the stage is not beside its isochrone [mag].
    """

    stage: str
    bright: float
    faint: float
    n_stars: int
    colour: float
    colour_error: float
    g: float
    g_error: float
    at_colour: float
    at_g: float
    bound: float = FAR

    @property
    def is_far(self) -> bool:
        """Whether the stage lies beside its isochrone, see `FAR`."""
        in_g = self.stage == "red clump" and _is_far(self.g, self.g_error, FAR_IN_G)
        return _is_far(self.colour, self.colour_error, self.bound) or in_g

    def __str__(self) -> str:
        side = "redder" if self.colour > 0 else "bluer"
        text = f"{self.stage} at G {self.bright:.1f} to {self.faint:.1f}"
        text += f" {abs(self.colour):.2f} ± {self.colour_error:.2f} mag {side}"
        if self.stage == "red clump":
            side = "fainter" if self.g > 0 else "brighter"
            text += f", {abs(self.g):.2f} ± {self.g_error:.2f} mag {side}"
        return f"{text} ({self.n_stars} stars)"


def _is_far(offset: float, error: float, bound: float) -> bool:
    return abs(offset) > max(bound, FAR_SIGMAS * error)


def stage_offsets(sets: "SourceSets") -> list[StageOffset]:
    """Compare the listed members with the isochrone by evolutionary stage.

    The members are those of the list that was learnt from, for the selection and the network have chosen the others by
    their distance from the same isochrone. Binaries make a second sequence beside the first: on the main sequence
    and at the turn-off the mode of the offsets counts, among giants the median.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.

    Returns
    -------
    list of StageOffset
        Stages with enough members, the faint ones first; none where the isochrone does not say which of its points are
        in which stage.
    """
    isochrone = sets.isochrone
    if isochrone.label is None or isochrone.mass is None or sets.members.empty:
        return []
    if (isochrone.label <= 1).sum() < 2:
        return []
    colour, g = _listed_members(sets)
    scale = _SCALE[sets.colour]
    isochrone = replace(isochrone, colour=isochrone.colour / scale)
    found = [*_dwarfs(isochrone, colour / scale, g), *_giants(isochrone, colour / scale, g)]
    return [_in_units_of(each, scale) for each in found]


def _in_units_of(offset: StageOffset, scale: float) -> StageOffset:
    in_colour = ("colour", "colour_error", "at_colour", "bound")
    return replace(offset, **{name: scale * getattr(offset, name) for name in in_colour})


def _listed_members(sets: "SourceSets") -> tuple[Array, Array]:
    """Colour and G of listed members, with those that only the isochrone condition refused."""
    least = sets.members["PMemb"].min()
    others = sets.candidates
    if {LISTED_PROBABILITY, REJECTED_BY} <= set(others):
        others = others[(others[LISTED_PROBABILITY] >= least) & others[REJECTED_BY].isin(["", "isochrone"])]
    else:  # stars that a user brings
        others = others.iloc[:0]
    columns = [sets.colour, "phot_g_mean_mag"]
    stars = np.concatenate([sets.members[columns].to_numpy(float), others[columns].to_numpy(float)])
    colour, g = stars[np.isfinite(stars).all(axis=1)].T
    return colour, g


def _dwarfs(isochrone: "Isochrone", colour: Array, g: Array) -> Iterator[StageOffset]:
    """Main sequence in steps of G, and the turn-off."""
    curve_g, curve_colour = _main_sequence(isochrone)
    offset = colour - np.interp(g, curve_g, curve_colour, left=np.nan, right=np.nan)
    bluest = float(curve_g[np.argmin(curve_colour)])
    start = bluest + _TURN_OFF
    edges = np.arange(start, np.max(g, initial=start), _STEP)
    for edge in edges[::-1]:
        chosen = (np.abs(offset) < _WINDOW) & (g >= edge) & (g < edge + _STEP)
        if chosen.sum() >= _FEWEST:
            yield _dwarf_offset("main sequence", g[chosen], offset[chosen], (curve_g, curve_colour))
    chosen = (offset > -_WINDOW) & (offset < _room(isochrone, curve_colour.min()))
    chosen &= (g >= bluest - _TURN_OFF) & (g < start)
    if chosen.sum() >= _FEWEST:
        yield _dwarf_offset("turn-off", g[chosen], offset[chosen], (curve_g, curve_colour))


def _main_sequence(isochrone: "Isochrone") -> tuple[Array, Array]:
    """G, rising, and colour of the isochrone up to the brightest star of the main sequence."""
    on = np.flatnonzero(np.asarray(isochrone.label) <= 1)
    on = on[np.argsort(np.asarray(isochrone.mass)[on])]
    g, colour = isochrone.g[on], isochrone.colour[on]
    end = int(np.argmin(g)) + 1
    return np.maximum.accumulate(g[:end][::-1]), colour[:end][::-1]


def _room(isochrone: "Isochrone", bluest: float) -> float:
    """Colour by which a star at the turn-off is redder when it is half way to the giants [mag]."""
    giants = np.asarray(isochrone.label) >= 3
    if not giants.any():
        return _WINDOW
    return float(np.clip((np.median(isochrone.colour[giants]) - bluest) / 2, _WINDOW / 3, _WINDOW))


def _dwarf_offset(stage: str, g: Array, offset: Array, curve: tuple[Array, Array]) -> StageOffset:
    shift, error = _with_error(offset, _mode)
    at = float(np.median(g))
    bluer, here, redder = (float(np.interp(at + step, *curve)) for step in (-0.25, 0.0, 0.25))
    slope = 0.5 / (redder - bluer) if redder > bluer else np.inf
    in_g = (-shift * slope, error * slope) if slope < _STEEP else (np.nan, np.nan)
    return StageOffset(stage, float(g.min()), float(g.max()), len(g), shift, error, *in_g, here, at)


def _giants(isochrone: "Isochrone", colour: Array, g: Array) -> Iterator[StageOffset]:
    """All giants, each against the giants that the isochrone has at its G; and the middle of the red clump."""
    label, time = np.asarray(isochrone.label), _time_spent(isochrone)
    branch = (label >= 3) & (time > 0)
    if not branch.any():
        return
    expected = _expected_colour(isochrone, branch, time, g)
    bluest = _main_sequence(isochrone)[1].min()
    giant = (g < _faintest_giant(isochrone, branch)) & (colour < expected + _WINDOW)
    giant &= colour > np.maximum(expected - _WINDOW, (expected + bluest) / 2)
    g, colour, expected = g[giant], colour[giant], expected[giant]
    if len(g) < _FEWEST_GIANTS:
        return
    in_colour = _with_error(colour - expected, _median)
    at = float(np.median(expected)), float(np.median(g))
    yield StageOffset("giants", float(g.min()), float(g.max()), len(g), *in_colour, np.nan, np.nan, *at)
    clump = branch & (label <= 6) & (label >= 4)
    if clump.any():
        yield from _red_clump(isochrone.g[clump], isochrone.colour[clump], time[clump], g, colour)


def _faintest_giant(isochrone: "Isochrone", branch: NDArray[np.bool_]) -> float:
    """G of the faintest giants; of an old cluster only those brighter than its subgiants can be told from these."""
    subgiants = isochrone.g[isochrone.label == 2]
    faintest = float(isochrone.g[branch].max())
    if len(subgiants) and subgiants.min() > np.median(isochrone.g[branch]):
        return min(faintest, float(subgiants.min()))
    return faintest


def _red_clump(
    clump_g: Array, clump_colour: Array, time: Array, g: Array, colour: Array
) -> Iterator[StageOffset]:
    """Middle of the giants near the isochrone's red clump against its own, if it has a compact one."""
    middle, at_colour = (float(np.average(values, weights=time)) for values in (clump_g, clump_colour))
    near = np.abs(g - middle) < 3 * _COMPACT
    if np.sqrt(np.average((clump_g - middle) ** 2, weights=time)) > _COMPACT or near.sum() < _FEWEST_GIANTS:
        return
    in_colour = _with_error(colour[near] - at_colour, _median)
    in_g = _with_error(g[near] - middle, _mode)
    ends = float(g[near].min()), float(g[near].max())
    yield StageOffset("red clump", *ends, int(near.sum()), *in_colour, *in_g, at_colour, middle)


def _time_spent(isochrone: "Isochrone") -> Array:
    """Share of the stars at each point: the range of initial masses that it stands for."""
    return np.nan_to_num(np.gradient(np.asarray(isochrone.mass, float)))


def _expected_colour(isochrone: "Isochrone", branch: NDArray[np.bool_], weight: Array, g: Array) -> Array:
    """Mean colour of the giants that the isochrone has within `_NEAR_GIANTS` of each G; NaN where it has none."""
    near = np.abs(g[:, None] - isochrone.g[branch]) < _NEAR_GIANTS  # (stars, points)
    shares = near * weight[branch]
    with np.errstate(invalid="ignore"):
        return shares @ isochrone.colour[branch] / shares.sum(axis=1)


def _with_error(values: Array, centre: Callable[[Array], Array]) -> tuple[float, float]:
    """Centre of some values and its error, from the stars drawn again and the calibration [mag]."""
    rng = np.random.default_rng(_SEED)
    again = centre(rng.choice(values, (_RESAMPLED, len(values))))
    return float(centre(values[None])[0]), float(np.hypot(np.std(again), _CALIBRATION))


def _median(values: Array) -> Array:
    """Median of each row."""
    return np.median(values, axis=1)


def _mode(values: Array) -> Array:
    """Where the values of each row lie densest, by a Gaussian kernel whose width follows from their middle half."""
    spread = float(np.subtract(*np.quantile(values[0], [0.75, 0.25]))) / 1.35
    width = max(0.9 * spread * values.shape[1] ** -0.2, _CALIBRATION)
    middle = np.arange(values.min(), values.max() + _BIN, _BIN)
    bins = np.rint((values - middle[0]) / _BIN).astype(int) + len(middle) * np.arange(len(values))[:, None]
    counts = np.bincount(bins.ravel(), minlength=len(middle) * len(values)).reshape(len(values), -1)
    kernel = np.exp(-0.5 * (np.subtract.outer(middle, middle) / width) ** 2)
    return middle[np.argmax(counts @ kernel, axis=1)]


def poor_stages(offsets: list[StageOffset]) -> list[StageOffset]:
    """Stages that lie beside their isochrone, the farthest first."""
    return sorted((each for each in offsets if each.is_far), key=lambda each: -abs(each.colour))


def as_records(offsets: list[StageOffset]) -> list[dict[str, Any]]:
    """Offsets as cluster.json holds them: a mapping of each stage, with whether it is far."""
    return [asdict(each) | {"is_far": each.is_far} for each in offsets]
