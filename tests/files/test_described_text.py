"""Tables that describe themselves, as astropy writes them and as CDS keeps them."""

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table

from gaia_oc_amd.column_names import MEMBERS
from gaia_oc_amd.files.tables import read_table

BIG = 5853498713190525697


@pytest.fixture
def stars():
    table = Table({"source_id": [BIG, BIG + 2, BIG + 4], "cluster": ["NGC 2509", "M 67", "M 67"]})
    table["ra"] = MaskedColumn([120.25, 120.5, 120.75], unit="deg")
    table["dec"] = MaskedColumn([-19.5, -19.25, 0.0], mask=[False, False, True], unit="deg")
    table["PMemb"] = [0.5, 0.75, 1.0]
    return table


@pytest.mark.parametrize(
    ("name", "format"), [("t.tbl", "ascii.ipac"), ("t.txt", "ascii.mrt"), ("t.dat", "ascii.cds")]
)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_tables_of_ipac_and_aas(tmp_path, stars, name, format, ends):
    stars.write(tmp_path / name, format="ascii.mrt" if format == "ascii.cds" else format)
    (tmp_path / name).write_bytes((tmp_path / name).read_text().replace("\n", ends).encode())
    table = read_table(tmp_path / name, names=MEMBERS)
    assert table["source_id"].tolist() == [BIG, BIG + 2, BIG + 4]
    assert table["cluster"].tolist() == ["NGC 2509", "M 67", "M 67"]
    np.testing.assert_array_equal(table["dec"], [-19.5, -19.25, np.nan])
    assert table["PMemb"].tolist() == [0.5, 0.75, 1.0]


def test_units_of_an_ipac_header_become_ours(tmp_path, stars):
    stars["ra"] = MaskedColumn(np.radians([120.25, 120.5, 120.75]), unit="rad")
    stars.write(tmp_path / "t.tbl", format="ascii.ipac")
    np.testing.assert_allclose(read_table(tmp_path / "t.tbl", names=MEMBERS)["ra"], [120.25, 120.5, 120.75])


README = """J/A+A/999/1      Members of clusters     (Someone+, 2024)
================================================================================
File Summary:
--------------------------------------------------------------------------------
 FileName      Lrecl  Records   Explanations
--------------------------------------------------------------------------------
clusters.dat      20        2   Clusters
members.dat       60        2   Members
--------------------------------------------------------------------------------
Byte-by-byte Description of file: clusters.dat
--------------------------------------------------------------------------------
   Bytes Format Units   Label     Explanations
--------------------------------------------------------------------------------
   1-  8  A8    ---     Cluster   Name
--------------------------------------------------------------------------------
Byte-by-byte Description of file: members.dat
--------------------------------------------------------------------------------
   Bytes Format Units   Label     Explanations
--------------------------------------------------------------------------------
   1-  8  A8    ---     Cluster   Name
  10- 28  I19   ---     GaiaDR3   Identifier
  30- 31  I2    h       RAh       Hour of right ascension
  33- 34  I2    min     RAm       Minute of right ascension
  36- 39  F4.1  s       RAs       Second of right ascension
      41  A1    ---     DE-       Sign of the declination
  42- 43  I2    deg     DEd       Degree of declination
  45- 46  I2    arcmin  DEm       Arcminute of declination
  48- 51  F4.2  ---     Proba     ? Probability
--------------------------------------------------------------------------------
History: from electronic version
================================================================================
(End)
"""


def test_a_file_of_cds_with_its_readme_beside(tmp_path):
    rows = [f"NGC 2509 {BIG} 06 41 20.5 -00 30 0.75", f"M 67     {BIG + 2} 06 41 20.5 +00 30     "]
    (tmp_path / "members.dat").write_text("\n".join(rows) + "\n")
    with pytest.raises(ValueError, match="it has no header: the first line"):
        read_table(tmp_path / "members.dat", names=MEMBERS)
    (tmp_path / "ReadMe").write_text(README)
    table = read_table(tmp_path / "members.dat", names=MEMBERS)
    assert table["source_id"].tolist() == [BIG, BIG + 2]
    np.testing.assert_allclose(table["ra"], 100.335416667)
    assert table["dec"].tolist() == [-0.5, 0.5]
    np.testing.assert_array_equal(table["PMemb"], [0.75, np.nan])


def test_rows_that_are_not_as_the_header_says(tmp_path, stars):
    stars.write(tmp_path / "t.tbl", format="ascii.ipac")
    text = (tmp_path / "t.tbl").read_text().replace(str(BIG + 2), "x" * 19)
    (tmp_path / "t.tbl").write_text(text)
    with pytest.raises(
        ValueError, match=r"it is an IPAC table, whose rows are not as its header says"
    ) as caught:
        read_table(tmp_path / "t.tbl", names=MEMBERS)
    assert "\n" not in str(caught.value)
