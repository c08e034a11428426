"""Age, extinction and distance of a cluster from its colour-magnitude diagram.

The door: `fit_isochrone`, `fitted_members`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "fit": ["fit_isochrone"],
        "members": ["fitted_members"],
    },
)
