"""Small fields with and without clusters, for the tests of the search for first members."""

import numpy as np
import pandas as pd


def field(
    n_field=1200, clusters=((0.0, 0.0, -3.0, 2.0, 1.0, 80),), *, seed=1, radius=0.3, ra=120.0, dec=-20.0
):
    """Stars of a smooth field and of clusters (x and y [deg], pmra, pmdec, parallax, number), with truth.

    Field stars have all motions, places and colours independently; those of a cluster lie together in all.
    """
    rng = np.random.default_rng(seed)
    parts = [_field_stars(n_field, radius, rng)]
    parts += [_cluster_stars(*cluster, rng) for cluster in clusters]
    stars = pd.concat(parts, ignore_index=True).sample(frac=1, random_state=seed).reset_index(drop=True)
    n = len(stars)
    error = 0.02 * 10 ** (0.25 * (stars["phot_g_mean_mag"] - 15).clip(lower=0))
    for name, factor in (("pmra", 1.1), ("pmdec", 1.0), ("parallax", 1.2)):
        stars[f"{name}_error"] = factor * error
        stars[name] += rng.normal(size=n) * stars[f"{name}_error"]
    for name in ("parallax_pmra_corr", "parallax_pmdec_corr", "pmra_pmdec_corr"):
        stars[name] = 0.0
    stars["ra"] = ra + stars.pop("x") / np.cos(np.radians(dec))
    stars["dec"] = dec + stars.pop("y")
    colour = stars["bp_rp"]
    stars["phot_bp_mean_mag"] = stars["phot_g_mean_mag"] + colour / 2
    stars["phot_rp_mean_mag"] = stars["phot_g_mean_mag"] - colour / 2
    stars["g_rp"] = colour / 2
    stars["ruwe"] = 1.0
    stars = stars.assign(
        ecl_lat=-38.25, astrometric_params_solved=31, nu_eff_used_in_astrometry=1.5, pseudocolour=np.nan
    )
    stars.insert(0, "source_id", 5_000_000_000_000_000_001 + np.arange(n))
    return stars


def _field_stars(n, radius, rng):
    r, angle = radius * np.sqrt(rng.random(n)), 2 * np.pi * rng.random(n)
    return pd.DataFrame(
        {
            "x": r * np.cos(angle),
            "y": r * np.sin(angle),
            "pmra": rng.normal(-1, 2.5, n),
            "pmdec": rng.normal(0, 2.5, n),
            "parallax": rng.gamma(2, 0.35, n),
            "phot_g_mean_mag": 18 - rng.exponential(1.5, n).clip(0, 6),
            "bp_rp": rng.normal(1.2, 0.35, n),
            "is_member": 0,
        }
    )


def _cluster_stars(x, y, pmra, pmdec, parallax, n, rng):
    g = 18 - rng.exponential(1.5, n).clip(0, 6)
    return pd.DataFrame(
        {
            "x": x + rng.normal(0, 0.05, n),
            "y": y + rng.normal(0, 0.05, n),
            "pmra": pmra + rng.normal(0, 0.05, n),
            "pmdec": pmdec + rng.normal(0, 0.05, n),
            "parallax": parallax,
            "phot_g_mean_mag": g,
            "bp_rp": 0.3 + 0.15 * (g - 12) + rng.normal(0, 0.03, n),
            "is_member": 1 + round(abs(x * 100)),
        }
    )
