"""A small cluster in its field, made from nothing but random numbers, its input tables and its sets."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from gaia_oc_amd.candidates import SelectionLimits
from gaia_oc_amd.catalogues.tables import InputTables
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.features import add_features
from gaia_oc_amd.isochrones import nearest_age, place_isochrone
from gaia_oc_amd.photometry import add_magnitude_errors
from gaia_oc_amd.source_sets import SourceSets


@dataclass
class ToyField:
    """A cluster of 60 listed members among 400 field stars, with the tables that describe it."""

    sources: pd.DataFrame
    members: pd.DataFrame
    parameters: pd.DataFrame
    isochrones: pd.DataFrame


def toy_isochrones():
    """Straight isochrones G_abs = 2 + 8 (G-RP) for three ages, 40 points each."""
    tables = []
    for age in (8.0, 8.5, 9.0):
        g_rp = np.linspace(0.0, 1.2, 40)
        tables.append(
            pd.DataFrame(
                {
                    "Zini": 0.0152,
                    "logAge": age,
                    "Mini": np.linspace(3, 0.2, 40),
                    "logTe": 3.75,
                    "logg": 4.5,
                    "label": 1.0,
                    "Gmag": 2 + 8 * g_rp + (age - 8.5),
                    "G_BPmag": 2 + 9 * g_rp + (age - 8.5),
                    "G_RPmag": 2 + 7 * g_rp + (age - 8.5),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def toy_field(seed=1, *, n_members=60, n_field=400, ra=120.0, dec=-20.0, dist=1000.0, name="Toy_1"):
    rng = np.random.default_rng(seed)
    n = n_members + n_field
    is_member = np.arange(n) < n_members
    spread = np.where(is_member, np.degrees(2 / dist), np.degrees(30 / dist))
    offset = rng.normal(0, 1, (n, 2)) * spread[:, None]
    g = rng.uniform(12, 18, n)
    g_rp = (g - 10 - 2) / 8 + np.where(is_member, 0, rng.normal(0, 0.25, n))
    error = 0.02 * 10 ** (0.2 * (g - 15).clip(0))
    scatter = np.where(is_member, 0.05, 1.0)
    sources = pd.DataFrame(
        {
            "source_id": rng.permutation(n) + 5_000_000_000_000_000_001,
            "ra": (ra + offset[:, 0] / np.cos(np.radians(dec))) % 360,
            "dec": dec + offset[:, 1],
            "parallax": 1000 / dist + np.where(is_member, 0, rng.normal(0, 0.2, n)) + rng.normal(0, error),
            "parallax_error": error,
            "pmra": -3 + rng.normal(0, scatter) + rng.normal(0, error),
            "pmra_error": error,
            "pmdec": 2 + rng.normal(0, scatter) + rng.normal(0, error),
            "pmdec_error": error,
            "parallax_pmra_corr": rng.uniform(-0.3, 0.3, n),
            "parallax_pmdec_corr": rng.uniform(-0.3, 0.3, n),
            "pmra_pmdec_corr": rng.uniform(-0.3, 0.3, n),
            "phot_g_mean_mag": g,
            "phot_bp_mean_mag": g + g_rp,
            "phot_rp_mean_mag": g - g_rp,
            "g_rp": g_rp,
            "bp_rp": 2 * g_rp,
            "phot_g_n_obs": 300,
            "phot_bp_n_obs": 35,
            "phot_rp_n_obs": 35,
            "ecl_lat": -38.25,
            "astrometric_params_solved": 31,
            "nu_eff_used_in_astrometry": 1.5,
            "pseudocolour": np.nan,
        }
    )
    listed = sources[is_member]
    members = listed[["source_id", "ra", "dec", "pmra", "pmdec", "parallax", "phot_g_mean_mag"]].assign(
        cluster=name, PMemb=np.where(np.arange(n_members) < n_members - 10, 1.0, 0.8)
    )
    parameters = pd.DataFrame(
        {
            "name": [name], "ra": [ra], "dec": [dec], "pmra": [-3.0], "pmdec": [2.0], "parallax": [1000 / dist],
            "pmra_error": [0.1], "pmdec_error": [0.1], "parallax_error": [0.05],
            "age": [8.5], "a0": [0.0], "dist": [dist],
        }
    )  # fmt: skip
    shuffled = sources.sample(frac=1, random_state=2).reset_index(drop=True)
    return ToyField(shuffled, members.reset_index(drop=True), parameters, toy_isochrones())


def tables(toy, **changes):
    contents = {
        "parameters": toy.parameters, "parameters_path": "table.csv", "members": toy.members,
        "comparison": toy.members.iloc[:20], "isochrones": toy.isochrones, "credentials_path": None,
    }  # fmt: skip
    return InputTables(**contents | changes)


def toy_sets(seed, *, n_members=60):
    field = toy_field(seed, name=f"Toy_{seed}", n_members=n_members)
    cluster = Cluster(**field.parameters.iloc[0].to_dict())
    isochrone = place_isochrone(nearest_age(field.isochrones, 8.5), cluster.dist, 0.0)
    limits = SelectionLimits(pm=0.5, parallax_far=0.1, parallax_near=0.1, colour=0.15, g=1.2)
    sources = add_features(add_magnitude_errors(field.sources), cluster, limits, isochrone)
    is_member = sources["source_id"].isin(field.members["source_id"])
    sources = sources.assign(rejected_by="")
    members = sources[is_member].assign(PMemb=1.0, PMemb_list=1.0)
    others = sources[~is_member].assign(PMemb=0.0, PMemb_list=np.nan)
    return SourceSets(
        cluster, limits, isochrone, "g_rp", members, others.iloc[:50], others.iloc[50:], others.iloc[:0]
    )
