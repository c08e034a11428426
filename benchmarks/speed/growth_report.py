"""Growth curves as a table, and what they say of a whole catalogue of clusters."""

from collections.abc import Sequence
from dataclasses import dataclass

from timing import interpolated, markdown_table, short, slope

HEADER = ("what", "n", "seconds", "peak memory [MiB]", "exponent from the size before")
CATALOGUE_CLUSTERS = 2000
CATALOGUE_CANDIDATES = 20_000
SOURCES_PER_CANDIDATE = 2.8
"""Sources in a cone for each of its candidates, as in the simulated crowded field."""


@dataclass(frozen=True)
class Curve:
    """Time and memory against a size.

    Parameters
    ----------
    kind : str
        votes, posterior, build or workers_N.
    label, unit : str
        What was done, and with what the size counts.
    n : tuple of int
        Sizes, ascending.
    seconds, peaks : tuple of float
        At each size [s, MiB].
    """

    kind: str
    label: str
    unit: str
    n: tuple[int, ...]
    seconds: tuple[float, ...]
    peaks: tuple[float, ...]

    def slope(self) -> float:
        """Exponent over the upper half of the sizes, where fixed costs matter little; NaN for one size."""
        first = min(len(self.n) // 2, max(len(self.n) - 2, 0))
        return slope(self.n[first:], self.seconds[first:])

    def rows(self) -> list[list[str]]:
        """Cells of the table."""
        rows = []
        for i, (n, seconds, peak) in enumerate(zip(self.n, self.seconds, self.peaks, strict=True)):
            exponent = f"{slope(self.n[i - 1 : i + 1], self.seconds[i - 1 : i + 1]):.2f}" if i else "-"
            rows.append([self.label, f"{n:,} {self.unit}", short(seconds), short(peak), exponent])
        return rows


def report(curves: Sequence[Curve], lines: Sequence[str], about: str, speed_up: float | None) -> str:
    """Everything in Markdown."""
    slopes = [
        f"{curve.label}: time grows as the {curve.slope():.2f} power of the number of {curve.unit}."
        for curve in curves
        if len(curve.n) > 1
    ]
    rows = [row for curve in curves for row in curve.rows()]
    parts = [about, markdown_table(HEADER, rows), *slopes, *lines, *projection(curves, speed_up)]
    return "\n\n".join(parts)


def projection(curves: Sequence[Curve], speed_up: float | None) -> list[str]:
    """Time of a catalogue of clusters, with what it is based on.

    Parameters
    ----------
    curves : sequence of Curve
        Of whatever parts were run.
    speed_up : float, optional
        Of two workers.

    Returns
    -------
    list of str
        One line per kind of probability that was measured.
    """
    known = {curve.kind: curve for curve in curves}
    build, lines = known.get("build"), []
    for kind in ("votes", "posterior"):
        if kind not in known:
            continue
        judging = interpolated(known[kind].n, known[kind].seconds, CATALOGUE_CANDIDATES)
        steps = [f"{short(judging)} s for the probabilities"]
        building = 0.0
        if build:
            n_sources = SOURCES_PER_CANDIDATE * CATALOGUE_CANDIDATES
            building = interpolated(build.n, build.seconds, n_sources)
            steps.append(f"{short(building)} s for building the sets of {n_sources:,.0f} sources")
        total = CATALOGUE_CLUSTERS * (judging + building)
        hours = f"{total / 3600:.1f} h with one worker"
        if speed_up:
            hours += f", {total / speed_up / 3600:.1f} h with two ({speed_up:.2f} times as fast)"
        basis = "along straight lines in log-log between measured sizes"
        if not known[kind].n[0] <= CATALOGUE_CANDIDATES <= known[kind].n[-1]:
            basis = "EXTRAPOLATED from the measured sizes"
        lines.append(
            f"Projection, {CATALOGUE_CLUSTERS:,} clusters of {CATALOGUE_CANDIDATES:,} candidates, "
            f"{known[kind].label}: {hours}. For each cluster {' and '.join(steps)}, {basis}"
            f"{'' if build else '; building the sets was not measured and is not counted'}; "
            "without download, plots and start of the program, and all clusters alike."
        )
    return lines
