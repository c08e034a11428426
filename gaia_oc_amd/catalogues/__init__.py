"""Published catalogues, names of clusters, member lists and parameter tables.

The door: `read_input_tables`, `find_cluster`, `read_cluster_names`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "tables": ["read_input_tables"],
        "lookup": ["find_cluster"],
        "names": ["read_cluster_names"],
    },
)
