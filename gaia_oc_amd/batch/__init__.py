"""Many clusters: one after the other, in processes, or on a Dask cluster.

The door: `run_batch`, `summary_table`, `finish`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "run": ["finish", "run_batch", "summary_table"],
    },
)
