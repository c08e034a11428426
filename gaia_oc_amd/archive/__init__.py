"""Rows of Gaia's source table from services and local files; nothing here checks or cuts a cone.

The door: `query_archive`, the `Select` of a table that it takes, and the address of the Gaia archive.
"""

import lazy_loader

GAIA_ARCHIVE = "https://gea.esac.esa.int/tap-server/tap"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "results": ["Select", "query_archive"],
    },
)
