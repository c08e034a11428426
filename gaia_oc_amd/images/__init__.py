"""Images of several classes told apart by networks, and whether a group of stars is one population by its diagram.

The door: `read_images`, `simulate_images`, `judge_images`, `classify`, `population_probability`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "classification": ["classify", "judge_images"],
        "populations": ["population_probability"],
        "simulated": ["simulate_images"],
        "tables": ["read_images"],
    },
)
