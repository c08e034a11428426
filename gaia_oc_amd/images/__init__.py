"""Images of several classes told apart by networks.

The door: `read_images`, `simulate_images`, `judge_images`, `classify`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "classification": ["classify", "judge_images"],
        "simulated": ["simulate_images"],
        "tables": ["read_images"],
    },
)
