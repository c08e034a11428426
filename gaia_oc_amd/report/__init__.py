"""Reports of clusters, each in one page that needs no network and no other file.

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
