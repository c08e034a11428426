"""Evaluated sets that the tests of plots and member lists share: rich, poor and empty."""

from dataclasses import replace

import numpy as np
import pandas as pd

from gaia_oc_amd.candidates import SelectionLimits
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.isochrones import Isochrone
from gaia_oc_amd.source_sets import SourceSets

CLUSTER = Cluster(
    name="Test_1",
    ra=0.2,  # the field crosses ra = 0
    dec=60.0,
    pmra=-2.0,
    pmdec=1.0,
    parallax=2.0,
    pmra_error=0.2,
    pmdec_error=0.2,
    parallax_error=0.05,
    age=8.5,
    a0=0.3,
    dist=500.0,
)


LIMITS = SelectionLimits(pm=0.8, parallax_far=0.15, parallax_near=0.17, colour=0.12, g=0.96)


G = np.linspace(6, 22, 100)


ISOCHRONE = Isochrone(colour=0.1 + 0.06 * (G - 6) + 0.02 * np.sin(G), g=G)


def make_sources(rng, n, first_id, *, pm_spread, radius, probability):
    """Sources within a radius [deg] of the cluster, on the isochrone."""
    separation = radius * np.sqrt(rng.uniform(size=n))
    angle = rng.uniform(0, 2 * np.pi, n)
    g = rng.uniform(8, 20.5, n)
    table = pd.DataFrame(
        {
            "source_id": np.arange(n) + first_id,
            "ra": (CLUSTER.ra + separation * np.sin(angle) / np.cos(np.radians(CLUSTER.dec))) % 360,
            "dec": CLUSTER.dec + separation * np.cos(angle),
            "pmra": CLUSTER.pmra + rng.normal(0, pm_spread, n),
            "pmdec": CLUSTER.pmdec + rng.normal(0, pm_spread, n),
            "parallax": CLUSTER.parallax + rng.normal(0, 0.2 * pm_spread, n),
            "phot_g_mean_mag": g,
            "g_rp": np.interp(g, ISOCHRONE.g, ISOCHRONE.colour) + rng.normal(0, 0.05, n),
        }
    )
    offsets = {
        "f_r": CLUSTER.dist * np.radians(separation),
        "f_pm": 0.1,
        "f_plx": 0.0,
        "f_c": 0.0,
        "f_g": 0.0,
    }
    sigmas = dict.fromkeys(("f_pm_sigma", "f_plx_sigma", "f_c_sigma", "f_g_sigma"), 0.5)
    words = {"rejected_by": "", "PMemb": probability, "PMemb_list": np.nan}
    return table.assign(bp_rp=1.8 * table["g_rp"], **offsets, **sigmas, **words)


def example_sets():
    """150 members, 400 candidates, all judged, 1000 others; a comparison list of some of each and 5 strangers.

    Of the training members, 15 are judged below 0.5; the first 40 candidates are listed, but not to learn from.
    """
    rng = np.random.default_rng(0)
    members = make_sources(rng, 150, 0, pm_spread=0.2, radius=0.6, probability=1.0)
    candidates = make_sources(
        rng, 400, 1000, pm_spread=0.5, radius=3, probability=rng.uniform(0, 1, 400).round(2)
    )
    non_members = make_sources(rng, 1000, 5000, pm_spread=3, radius=3, probability=0.0)
    outside = make_sources(rng, 5, 9000, pm_spread=0.2, radius=4, probability=0.6)
    members = members.assign(PMemb_list=1.0)
    candidates = candidates.assign(PMemb_list=np.where(np.arange(400) < 40, 0.7, np.nan))
    non_members = non_members.assign(rejected_by=np.where(np.arange(1000) % 4, "parallax", "isochrone"))
    listed = pd.concat([members[:100], candidates[:120], non_members[:20]], ignore_index=True)
    return SourceSets(
        cluster=CLUSTER,
        limits=LIMITS,
        isochrone=ISOCHRONE,
        colour="g_rp",
        members=members,
        candidates=candidates,
        non_members=non_members,
        comparison=listed.assign(PMemb=0.6),
        judged_members=members.assign(PMemb=np.where(np.arange(150) % 10, 0.95, 0.2)),
        comparison_outside=outside[["source_id", "ra", "dec", "pmra", "pmdec", "parallax", "f_r", "PMemb"]],
        comparison_name="T22",
    )


def shortened(sets, n):
    """Sets of n rows each."""
    names = ("members", "candidates", "non_members", "comparison", "judged_members", "comparison_outside")
    return replace(sets, **{name: getattr(sets, name)[:n] for name in names})


def not_evaluated(sets):
    return replace(sets, candidates=sets.candidates.assign(PMemb=np.nan), judged_members=sets.members[:0])


def without_comparison(sets):
    return replace(sets, comparison=sets.comparison[:0], comparison_outside=sets.comparison_outside[:0])


def without_photometry(sets):
    return replace(sets, candidates=sets.candidates.assign(g_rp=np.nan, phot_g_mean_mag=np.nan, f_r=np.nan))


VARIANTS = {
    "normal": lambda sets: sets,
    "empty": lambda sets: shortened(sets, 0),
    "one row": lambda sets: shortened(sets, 1),
    "two rows": lambda sets: shortened(sets, 2),
    "not evaluated": not_evaluated,
    "no comparison": without_comparison,
    "no photometry": without_photometry,
    "other colour": lambda sets: replace(sets, colour="bp_rp"),
}


def texts(figure):
    """Everything that is written in a figure, apart from axis labels."""
    found = [figure.get_suptitle()]
    legends = [*figure.legends, *(ax.get_legend() for ax in figure.axes if ax.get_legend())]
    found += [text.get_text() for legend in legends for text in legend.get_texts()]
    found += [text.get_text() for ax in figure.axes for text in ax.texts]
    return " ".join(found).replace("\N{NO-BREAK SPACE}", " ")
