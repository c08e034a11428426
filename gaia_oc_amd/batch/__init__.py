"""Many clusters: one after the other, in processes, or on a Dask cluster.

The door: `run_batch`, `summary_table`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "run": ["run_batch", "summary_table"],
    },
)
