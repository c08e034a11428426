"""Writes the table of the test server, gaia.csv, and its description, q.rd, from the columns that we query.

Called by set_up.sh:  python -m tap_server.table_description FOLDER ROWS [CLUSTERS]
"""

import sys
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import pandas as pd

from gaia_oc_amd.columns import ARCHIVE_COLUMNS, UNITS

CENTRE = (130.1, 19.7)
"""Of the stars on the sky [deg]."""
INTEGERS = ("astrometric_params_solved", "phot_g_n_obs", "phot_bp_n_obs", "phot_rp_n_obs")
DOUBLES = (
    *("ra", "dec", "l", "b", "ecl_lat", "parallax", "pmra", "pmdec"),
    *("phot_g_mean_flux", "phot_bp_mean_flux", "phot_rp_mean_flux"),
)


def synthetic_sources(n: int = 20_000, seed: int = 1) -> pd.DataFrame:
    """Random stars with every column of the archive, as it types them."""
    rng = np.random.default_rng(seed)
    g = rng.uniform(8, 20.5, n)
    colour, solved = rng.uniform(0.2, 1.2, n), np.where(rng.random(n) < 0.8, 31, 95)
    columns = {name: rng.uniform(0.01, 0.5, n) for name in ARCHIVE_COLUMNS}
    columns |= {
        # as in the archive the upper digits are a HEALPix pixel; two groups with a wide gap between them
        "source_id": np.sort(rng.choice(2**40, n, replace=False))
        + np.where(np.arange(n) < n // 2, 3, 7) * 10**17,
        "ra": CENTRE[0] + rng.normal(0, 1.5, n),
        "dec": CENTRE[1] + rng.normal(0, 1.5, n),
        "parallax": rng.normal(5, 0.5, n),
        "pmra": rng.normal(-36, 4, n),
        "pmdec": rng.normal(-13, 4, n),
        "phot_g_mean_mag": g,
        "phot_bp_mean_mag": g + colour,
        "phot_rp_mean_mag": g - colour,
        "bp_rp": 2 * colour,
        "g_rp": colour,
        "ruwe": rng.uniform(0.9, 1.6, n),
        "astrometric_params_solved": solved,
        "nu_eff_used_in_astrometry": np.where(solved == 31, rng.uniform(1.2, 1.8, n), np.nan),
        "pseudocolour": np.where(solved == 95, rng.uniform(1.2, 1.7, n), np.nan),
        "phot_g_n_obs": rng.integers(0, 400, n),
        "phot_bp_n_obs": rng.integers(0, 60, n),
        "phot_rp_n_obs": rng.integers(0, 60, n),
    }
    table = pd.DataFrame(columns).astype(dict.fromkeys(INTEGERS, np.int16))
    singles = [name for name in table if name != "source_id" and name not in (*INTEGERS, *DOUBLES)]
    return table.astype(dict.fromkeys(singles, np.float32))


def description() -> str:
    """DaCHS resource descriptor of gaiadr3.gaia_source."""
    return f"""<resource schema="gaiadr3">
  <meta name="title">Synthetic table shaped like Gaia DR3</meta>
  <meta name="description">Synthetic rows for tests on loopback.</meta>
  <meta name="creationDate">2026-11-25T00:00:00Z</meta>
  <meta name="creator">tests</meta>
  <meta name="subject">surveys</meta>
  <table id="gaia_source" onDisk="True" adql="True" primary="source_id" mixin="//scs#q3cindex">
    <meta name="description">Synthetic stars with the columns of gaia_source that are queried</meta>
{chr(10).join(map(_column, ARCHIVE_COLUMNS))}
  </table>
  <data id="import">
    <sources>gaia.csv</sources>
    <csvGrammar/>
    <make table="gaia_source"><rowmaker idmaps="*"/></make>
  </data>
</resource>
"""


def _column(name: str) -> str:
    kind = "bigint" if name == "source_id" else "smallint" if name in INTEGERS else "real"
    kind = "double precision" if name in DOUBLES else kind
    required = ' required="True"' if kind in ("bigint", "smallint") or name in ("ra", "dec") else ""
    ucd = {"source_id": "meta.id;meta.main", "ra": "pos.eq.ra;meta.main", "dec": "pos.eq.dec;meta.main"}
    unit = UNITS[name].replace("1/um", "um**-1").replace("electron/s", "s**-1")
    return (
        f"    <column name={quoteattr(name)} type={quoteattr(kind)}{required} unit={quoteattr(unit)} "
        f"ucd={quoteattr(ucd.get(name, ''))} description={quoteattr(name)}/>"
    )


def as_typed(sources: pd.DataFrame) -> pd.DataFrame:
    """Table with whole numbers where the archive has them."""
    return sources.astype(dict.fromkeys(("source_id", *INTEGERS), np.int64))


if __name__ == "__main__":
    from tap_server.clusters import cluster_sources

    folder, tables = Path(sys.argv[1]), [as_typed(synthetic_sources(int(sys.argv[2])))]
    if len(sys.argv) > 3:
        tables.append(as_typed(cluster_sources(Path(sys.argv[3]))))
    pd.concat(tables, ignore_index=True).to_csv(folder / "gaia.csv", index=False)
    (folder / "q.rd").write_text(description())
