"""The first members of a cluster that no list knows.

The door: `find_target`, `search_members`, `find_first_members`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "field": ["SearchTables", "find_target", "read_search_tables"],
        "other_groups": ["read_catalogues"],
        "results": ["MEMBERS_FILE", "PARAMETERS_FILE", "search_folder", "search_members"],
        "search": ["find_first_members"],
    },
)
