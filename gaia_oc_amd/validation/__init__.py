"""How complete and how pure a cluster's member list is.

The door: `measure_selection`, `inject_members`, `selection_function`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "validate": ["measure_selection", "selection_function"],
        "injection": ["inject_members"],
    },
)
