"""The table of what limits a posterior, on verdicts whose metrics are known."""

import numpy as np
import pandas as pd
import places


def test_a_line_has_the_metrics_of_its_kind_of_places():
    is_member = np.arange(40) % 4 == 0
    stars = pd.DataFrame(
        {
            "cluster": np.repeat(["A", "B"], 20),
            "f_r": np.where(np.arange(40) % 20 < 10, 5.0, 15.0),
            "is_member": is_member,
            "true": is_member.astype(float),
            "even": 0.5,
        }
    )
    assert places.row(stars, "true") == "| true | 1.000 | 1.000 | 1.00 | 2 of 2 | 0.00 | 0.0000 |"
    far = is_member[stars["f_r"] > 10]
    expected = f"0.250 | {far.mean():.3f} | {0.5 / far.mean():.2f} | 0 of 2 | {np.log(2):.2f} | 0.2500"
    assert places.row(stars, "even") == f"| even | {expected} |"
