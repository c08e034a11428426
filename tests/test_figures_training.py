"""The figure of a training, whole and incomplete."""

from io import BytesIO

import numpy as np
import pytest
from plot_sets import texts
from printable import assert_printable

from gaia_oc_amd.figures import training_metrics_figure


class TestTrainingMetrics:
    @pytest.fixture
    def metrics(self):
        names = ("loss", "precision", "recall", "selectivity", "accuracy", "balanced_accuracy", "f1")
        part = {name: list(np.linspace(0.2, 0.9, 30)) for name in names}
        return {"train": part, "validation": part, "best_epoch": 24}

    def test_all_curves_and_the_best_epoch(self, metrics):
        figure = training_metrics_figure(metrics)
        assert_printable(figure)
        loss, scores = figure.axes
        assert len(loss.lines) == 3
        assert len(scores.lines) == 13
        assert loss.lines[-1].get_xdata()[0] == 25  # epochs are counted from 1 on the axis
        assert loss.lines[0].get_xdata()[0] == 1

    @pytest.mark.parametrize(
        "metrics",
        [
            {},
            {"train": {}, "validation": {}, "best_epoch": -1},
            {"train": {"loss": [0.5]}, "validation": None, "best_epoch": 0},
            {"train": {"loss": [0.5, 0.4], "f1": [0.1, np.nan]}},
        ],
    )
    def test_incomplete_metrics(self, metrics):
        figure = training_metrics_figure(metrics)
        figure.savefig(BytesIO(), dpi=20)
        if not any(metrics.values()):
            assert "no training history" in texts(figure)
