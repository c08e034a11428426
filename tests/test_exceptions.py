"""Errors of others in one line of ours."""

import os
import subprocess
import sys

PROBE = """
from gaia_oc_amd.exceptions import one_line
try:
    import matplotlib
except ValueError as error:
    print(one_line(error))
"""


def test_a_backend_that_matplotlib_does_not_know_is_named_with_its_variable():
    environment = os.environ | {"MPLBACKEND": "nonsense"}
    result = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, env=environment, check=True
    )
    assert result.stdout == (
        "MPLBACKEND is 'nonsense', which Matplotlib does not know: unset it, or set it to agg.\n"
    )
