"""Names of services and of their columns."""

import pytest
from cone_tables import REGION

from gaia_oc_amd.archive.results import GAIA_ARCHIVE
from gaia_oc_amd.columns import ARCHIVE_COLUMNS
from gaia_oc_amd.query import (
    MIRRORS,
    VIZIER_COLUMNS,
    available_columns,
    cone_query,
    find_mirror,
)


@pytest.mark.parametrize(
    ("source", "url", "table"),
    [
        ("gaia", GAIA_ARCHIVE, "gaiadr3.gaia_source"),
        ("ARI", "https://gaia.ari.uni-heidelberg.de/tap", "gaiadr3.gaia_source"),
        ("http://dc.g-vo.org/tap", "http://dc.g-vo.org/tap", "gaia.dr3lite"),
        ("https://dc.zah.uni-heidelberg.de/tap/", "https://dc.zah.uni-heidelberg.de/tap/", "gaia.dr3lite"),
        (
            "http://TAPVizieR.u-strasbg.fr/TAPVizieR/tap",
            "http://TAPVizieR.u-strasbg.fr/TAPVizieR/tap",
            '"I/355/gaiadr3"',
        ),
        ("vizier:http://127.0.0.1:8/tap", "http://127.0.0.1:8/tap", '"I/355/gaiadr3"'),
        ("https://tap.example.org/tap", "https://tap.example.org/tap", "gaiadr3.gaia_source"),
    ],
)
def test_services_are_known_by_name_and_by_host(source, url, table):
    mirror = find_mirror(source)
    assert (mirror.url, mirror.table) == (url, table)


@pytest.mark.parametrize(
    "source", ["vizer", "cones", "gaia/NGC_1.csv", "hats:https://data.lsdb.io/hats/gaia_dr3", "./gaia"]
)
def test_other_words_are_no_services(source):
    assert find_mirror(source) is None


def test_vizier_has_a_name_for_every_column():
    assert tuple(VIZIER_COLUMNS) == ARCHIVE_COLUMNS
    assert len(set(VIZIER_COLUMNS.values())) == len(ARCHIVE_COLUMNS)


def test_archives_own_names_give_the_archives_own_query():
    for name in ("gaia", "ari"):
        assert cone_query(REGION, columns=available_columns(MIRRORS[name])) == cone_query(REGION)


def test_vizier_query_is_plain_adql_in_quoted_names():
    query = str(cone_query(REGION, table=MIRRORS["vizier"].table, columns=VIZIER_COLUMNS))
    assert query.startswith('SELECT "Source" AS source_id, "RA_ICRS" AS ra, ')
    assert '"E(BP/RP)" AS phot_bp_rp_excess_factor\nFROM "I/355/gaiadr3"\nWHERE 1 = CONTAINS(POINT(' in query
    assert '"o_BPmag" > 0' in query
    assert "<>" not in query
