"""Figures of ages from light curves: what the light looks like, ages beside the literature's, and the skill."""

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from gaia_oc_amd.canvas import ONE_COLUMN, TWO_COLUMNS, Canvas
from gaia_oc_amd.light_curves.ages import BASELINES, CHOSEN, MODELS, Judgement
from gaia_oc_amd.light_curves.tables import LightCurves
from gaia_oc_amd.plot_style import INK, LINE_COLOURS, SETTINGS, STYLES

WORDS = {
    "gaussian_network": "Gaussian network",
    "random_forest": "random forest",
    "regression": "regression",
    CHOSEN: "chosen in each fold",
    "brightness": "brightness alone",
    "median": "median age",
}
"""What models and baselines are called."""

_N_SHOWN = 6
_AGE_LABEL = r"$\log_{10}(\mathrm{age}\,/\,\mathrm{yr})$"


@rc_context(SETTINGS)
def curves_figure(known: LightCurves) -> Figure:
    """One sector of six clusters from young to old, relative to each one's median.

    Parameters
    ----------
    known : LightCurves
        With ages.
    """
    clusters = known.clusters.dropna(subset="log_age").sort_values("log_age", kind="stable")
    places = np.unique(np.linspace(0, len(clusters) - 1, _N_SHOWN).round().astype(int))
    canvas = Canvas(
        None, (len(places), 1), title="Integrated light of clusters", width=TWO_COLUMNS, heights=0.12
    )
    for ax, (_, row) in zip(canvas.axes, clusters.iloc[places].iterrows(), strict=True):
        curve = known.curves[known.curves["cluster"] == row["cluster"]]
        curve = curve[curve["sector"] == curve["sector"].iloc[0]]
        relative = 1e3 * (curve["flux"] / curve["flux"].median() - 1)
        ax.plot(curve["time"] - curve["time"].min(), relative, ".", ms=1.5, color=LINE_COLOURS[1])
        words = f"{row['cluster']} ({row['galaxy']}), log age {row['log_age']:.2f}"
        ax.set_title(words, loc="left", pad=2)
        ax.set_xlim(0, max(27.0, float((curve["time"] - curve["time"].min()).max())))
        ax.margins(y=0.12)
        ax.tick_params(labelbottom=ax is canvas.axes[-1])
    canvas.axes[len(places) // 2].set_ylabel(r"(flux / median - 1) $\times 10^3$")
    canvas.axes[-1].set_xlabel("time [d]")
    canvas.fit_panel_titles()
    return canvas.figure


@rc_context(SETTINGS)
def ages_figure(judgement: Judgement) -> Figure:
    """Ages from light curves against known ones, a panel for each galaxy, with the median age that has to be beaten."""
    table = judgement.predictions
    galaxies = sorted(set(table["galaxy"]))
    width = TWO_COLUMNS if len(galaxies) > 1 else ONE_COLUMN
    canvas = Canvas(None, (1, len(galaxies)), title="Ages of clusters not learned from", width=width)
    low, high = table["log_age"].min() - 0.3, table["log_age"].max() + 0.3
    for ax, galaxy in zip(canvas.axes, galaxies, strict=True):
        part = table[table["galaxy"] == galaxy]
        ax.plot([low, high], [low, high], color=INK, lw=0.8, label="the known age")
        ax.axhline(
            part["log_age"].median(),
            color=LINE_COLOURS[2],
            ls="--",
            label="median age of the galaxy's clusters",
        )
        ax.scatter(
            part["log_age"],
            part[CHOSEN],
            s=9,
            lw=0,
            alpha=0.7,
            color=LINE_COLOURS[1],
            label="age from the light curve",
        )
        skill = judgement.skill(galaxy)
        ax.set_title(f"{galaxy}: skill {_percent(skill)}")
        ax.set_xlim(low, high)
        ax.set_ylim(low, high)
        ax.set_xlabel(f"known {_AGE_LABEL}")
    canvas.axes[0].set_ylabel(f"estimated {_AGE_LABEL}")
    canvas.fit_panel_titles()
    handles, labels = canvas.axes[0].get_legend_handles_labels()
    canvas.legend(handles=handles, labels=labels, ncols=3)
    return canvas.figure


@rc_context(SETTINGS)
def skill_figure(judgement: Judgement) -> Figure:
    """Skill of each model over the median age, with its 95 % interval, a panel for each galaxy."""
    table = judgement.skills[judgement.skills["baseline"] == BASELINES[0]]
    names = ["brightness", *MODELS, CHOSEN]
    galaxies = sorted(set(table["galaxy"]))
    width = TWO_COLUMNS if len(galaxies) > 1 else ONE_COLUMN
    canvas = Canvas(None, (1, len(galaxies)), title="Skill over the median age", width=width, left=32.0)
    for ax, galaxy in zip(canvas.axes, galaxies, strict=True):
        rows = table[table["galaxy"] == galaxy].set_index("model").loc[names]
        height = np.arange(len(names))[::-1]
        spread = 100 * np.abs(rows[["lower", "upper"]].sub(rows["skill"], axis=0).to_numpy().T)
        colours = [STYLES["elsewhere"].colour, *[LINE_COLOURS[1]] * len(MODELS), INK]
        for place, x, error, colour in zip(height, 100 * rows["skill"], spread.T, colours, strict=True):
            ax.errorbar(x, place, xerr=error[:, None], fmt="o", ms=4, color=colour, capsize=2)
        ax.axvline(0, color=INK, lw=0.6, ls=":")
        ax.set_yticks(height, [WORDS[name] for name in names] if ax is canvas.axes[0] else [])
        ax.set_ylim(-0.7, len(names) - 0.3)
        ax.set_title(f"{galaxy}, {int(rows['n_clusters'].iloc[0])} clusters")
        ax.set_xlabel("skill [%]")
    canvas.fit_panel_titles()
    return canvas.figure


def _percent(skill: pd.Series) -> str:
    return f"{100 * skill['skill']:.0f} % ({100 * skill['lower']:.0f} to {100 * skill['upper']:.0f})"
