"""Many clusters: one after the other, in processes, or on a Dask cluster.

The door: `run_batch`, `summary_table`, `finish`, `next_step`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "run": ["finish", "next_step", "run_batch", "summary_table"],
    },
)
