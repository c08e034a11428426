"""The toy field as the Gaia archive would hold it, and as other places name its columns."""

import numpy as np

from gaia_oc_amd.astrometry import source_ids
from gaia_oc_amd.columns import ARCHIVE_COLUMNS
from gaia_oc_amd.cone import ConeRegion
from gaia_oc_amd.query import FLUX_ZERO_POINTS, VIZIER_COLUMNS

REGION = ConeRegion(
    ra=120.0, dec=-20.0, radius=2.5, pmra=-3.0, pmdec=2.0, pm_radius=1.0, parallax=1.0, parallax_width=0.5
)


def with_archive_columns(toy):
    """Give a toy field Gaia's identifiers and all columns of the archive; its member list follows."""
    rng = np.random.default_rng(3)
    sources = toy.sources
    identifiers = source_ids(sources["ra"].to_numpy(), sources["dec"].to_numpy(), rng=rng)
    new = dict(zip(sources["source_id"], identifiers, strict=True))
    toy.members["source_id"] = toy.members["source_id"].map(new)
    added = {"source_id": identifiers, "l": 240.5, "b": 5.25, "ruwe": 1.0 + rng.random(len(sources)) / 3}
    for band, zero_point in FLUX_ZERO_POINTS.items():
        flux = 10 ** (0.4 * (zero_point - sources[f"phot_{band}_mean_mag"]))
        added |= {f"phot_{band}_mean_flux": flux, f"phot_{band}_mean_flux_error": flux * 0.002}
    sources = sources.assign(**added, phot_bp_rp_excess_factor=1.2)
    sources["pseudocolour"] = np.where(np.arange(len(sources)) % 7 == 0, 1.5, np.nan)
    toy.sources = sources[list(ARCHIVE_COLUMNS)]
    return toy


def as_vizier(sources):
    """Columns in VizieR's names."""
    return sources.rename(columns={ours: theirs.strip('"') for ours, theirs in VIZIER_COLUMNS.items()})
