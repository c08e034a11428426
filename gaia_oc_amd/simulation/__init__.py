"""Simulated clusters in their fields, with known truth.

The door: `simulate_cluster`, `SimulationOptions`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "simulate": ["simulate_cluster"],
        "options": ["SimulationOptions"],
    },
)
