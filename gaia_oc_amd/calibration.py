"""Calibration: making probabilities agree with how often they turn out right."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Array = NDArray[np.float64]

KNOTS = (16.0, 18.0, 19.0, 20.0, 20.7)
"""G magnitudes between which the calibration is interpolated."""
_STIFFNESS = 20.0  # of the prior that nothing needs to be changed
_SMALLEST = 1e-9


@dataclass(frozen=True)
class Calibration:
    """Linear map of the logit of a probability, with an intercept that changes with magnitude (Platt 1999).

    Parameters
    ----------
    slope : float
        Positive, so that the order of stars of one magnitude does not change.
    intercepts : tuple of float
        At the magnitudes `KNOTS`.
    """

    slope: float = 1.0
    intercepts: tuple[float, ...] = (0.0,) * len(KNOTS)

    @classmethod
    def from_dict(cls, content: dict[str, Any] | None) -> "Calibration":
        """Calibration as a model folder keeps it; none changes nothing.

        Raises
        ------
        ValueError
            If the content is not that of a calibration.
        """
        if content is None:
            return cls()
        try:
            calibration = cls(float(content["slope"]), tuple(float(value) for value in content["intercepts"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"the model's calibration lacks or garbles {error}: train it again.") from error
        numbers = (calibration.slope, *calibration.intercepts)
        if (
            len(calibration.intercepts) != len(KNOTS)
            or not np.isfinite(numbers).all()
            or calibration.slope <= 0
        ):
            raise ValueError(f"the model's calibration {calibration} is none: train it again.")
        return calibration

    def as_dict(self) -> dict[str, Any]:
        """Values by name, for the model folder."""
        return asdict(self)

    def __call__(self, probability: Array, g: Array) -> Array:
        """Calibrated probabilities of stars of magnitudes G [mag], both of shape (n,)."""
        shift = np.interp(g, KNOTS, self.intercepts)
        return 1 / (1 + np.exp(-(self.slope * log_odds(probability) + shift)))


def log_odds(probability: Array) -> Array:
    """Logarithm of p / (1 - p), kept finite."""
    bounded = np.clip(probability, _SMALLEST, 1 - _SMALLEST)
    return np.log(bounded) - np.log1p(-bounded)


def fit_calibration(probability: Array, g: Array, is_member: Array, weight: Array) -> Calibration:
    """Calibration of largest likelihood, drawn towards changing nothing.

    Parameters
    ----------
    probability, g : ndarray, shape (n,)
        Probabilities and magnitudes [mag].
    is_member : ndarray of bool, shape (n,)
        Truth.
    weight : ndarray, shape (n,)
        Weight of each star.

    Returns
    -------
    Calibration
    """
    x, y = log_odds(probability), np.asarray(is_member, float)
    hats = np.stack([np.interp(g, KNOTS, row) for row in np.eye(len(KNOTS))], axis=1)

    def loss(parameters: Array) -> tuple[float, Array]:
        slope, intercepts = np.exp(parameters[0]), parameters[1:]
        z = slope * x + hats @ intercepts
        value = weight @ (np.logaddexp(0, z) - y * z) + _STIFFNESS * parameters @ parameters
        residual = weight * (1 / (1 + np.exp(-z)) - y)
        return value, np.append(residual @ (slope * x), residual @ hats) + 2 * _STIFFNESS * parameters

    best = minimize(loss, np.zeros(1 + len(KNOTS)), jac=True, method="L-BFGS-B").x
    return Calibration(float(np.exp(best[0])), tuple(map(float, best[1:])))
