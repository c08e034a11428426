"""Pages about clusters that stand alone.

The door: `write_report`, `write_index`, `refresh_index`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "index": ["refresh_index", "write_index"],
        "page": ["write_report"],
    },
)
