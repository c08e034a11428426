"""Tables for other programs.

The door: `export_tables`, `send_cluster`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "tables": ["export_tables"],
        "samp": ["SampError", "send_cluster"],
    },
)
