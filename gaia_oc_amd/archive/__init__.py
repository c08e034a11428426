"""Rows of Gaia's source table from services and local files; nothing here checks or cuts a cone.

The door: `query_archive`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "results": ["query_archive"],
    },
)
