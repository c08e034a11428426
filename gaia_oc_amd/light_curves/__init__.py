"""Ages of clusters from the light of all their stars together, and whether it tells any.

The door: `read_light_curves`, `features_of`, `judge_ages`, `predict_ages`, `simulate_light_curves`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "ages": ["judge_ages", "predict_ages"],
        "features": ["features_of"],
        "simulated": ["simulate_light_curves"],
        "tables": ["read_light_curves"],
    },
)
