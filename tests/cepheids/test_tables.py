"""Cepheids from an archive and from tables, and tables that are refused."""

import numpy as np
import pandas as pd
import pytest
from tap_stub import TapStub, serve

from gaia_oc_amd.cepheids.options import CepheidOptions
from gaia_oc_amd.cepheids.simulated import SimulatedCepheids, simulate_cepheids
from gaia_oc_amd.cepheids.tables import read_cepheids

COLUMNS_OF_THE_STAR = (
    *("ra", "dec", "l", "b", "ecl_lat", "parallax", "parallax_error", "pmra", "pmdec", "phot_g_mean_mag"),
    *("nu_eff_used_in_astrometry", "pseudocolour", "astrometric_params_solved", "ruwe"),
)


@pytest.fixture(scope="module")
def table():
    stars = simulate_cepheids(SimulatedCepheids(n_milky_way=30, n_lmc=30), rng=np.random.default_rng(1))
    nothing = dict.fromkeys(("p1_o", "p1_o_error", "g_absorption", "g_absorption_error", "metallicity"), 0.5)
    return stars.assign(ruwe=1.0, pseudocolour=1.4, pf_error=1e-5, **nothing)


@pytest.fixture(scope="module")
def service(table):
    """The archive's tables of both releases; one star of DR3 has no distance."""
    source = table[["source_id", *COLUMNS_OF_THE_STAR]]
    cepheids = table.drop(columns=list(COLUMNS_OF_THE_STAR))
    near = pd.DataFrame({"source_id": table["source_id"], "r_est": 1000.0, "r_lo": 900.0, "r_hi": 1100.0})
    old = near.assign(r_len=500.0, result_flag=1, modality_flag=1)
    new = near.rename(
        columns={
            f"r_{end}": f"r_{name}_geo"
            for end, name in zip(("est", "lo", "hi"), ("med", "lo", "hi"), strict=True)
        }
    )
    stub = TapStub(
        **{
            "gaiadr2.vari_cepheid": cepheids,
            "gaiadr2.gaia_source": source,
            "external.gaiadr2_geometric_distance": old,
            "gaiadr3.vari_cepheid": cepheids,
            "gaiadr3.gaia_source": source,
            "external.gaiaedr3_distance": new.iloc[1:],
        }
    )
    server = serve(stub)
    yield stub
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("release", ["dr2", "dr3"])
def test_the_archive_is_asked_for_cepheids_with_distances(service, table, release):
    stars = read_cepheids(CepheidOptions(source=service.url, release=release)).set_index("source_id")
    assert set(stars.index) == set(table["source_id"])
    assert f"gaia{release}.vari_cepheid" in service.queries[-1]
    assert stars["r_est"].isna().sum() == (1 if release == "dr3" else 0)
    expected = table.set_index("source_id").loc[stars.index]
    assert stars["pf"].to_numpy() == pytest.approx(expected["pf"].to_numpy())
    assert stars["parallax"].to_numpy() == pytest.approx(expected["parallax"].to_numpy())


def refused(tmp_path, table, match, **options):
    path = tmp_path / "table.csv"
    table.to_csv(path, index=False)
    with pytest.raises(ValueError, match=match):
        read_cepheids(CepheidOptions(source=str(path), **options))


def test_tables_that_are_refused(tmp_path, table):
    refused(tmp_path, table.drop(columns="pf"), "no column pf")
    refused(tmp_path, table.drop(columns="p1_o"), "no column p1_o", mode="FIRST_OVERTONE")
    refused(tmp_path, table.drop(columns="ecl_lat"), "give --release dr2")
    refused(tmp_path, table.head(0), "holds no row")
    refused(tmp_path, table.assign(pf="long"), "pf is 'long', not a number")
    refused(tmp_path, pd.concat([table, table.head(2)]), "2 source_id more than once")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read_cepheids(CepheidOptions(source=str(tmp_path / "none.csv")))


def test_a_table_reads_as_it_was_written(tmp_path, table):
    table.to_csv(tmp_path / "table.csv", index=False)
    stars = read_cepheids(CepheidOptions(source=str(tmp_path / "table.csv")))
    assert stars["source_id"].tolist() == table["source_id"].tolist()
    assert stars["parallax"].to_numpy() == pytest.approx(table["parallax"].to_numpy())
