"""The period-luminosity relation of Cepheids, the Leavitt law, and the distance that follows from it.

The door: `read_cepheids`, `select_cepheids`, `fit_leavitt_law`, `lmc_modulus`, `find_cluster_cepheids`,
`simulate_cepheids`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "clusters": ["find_cluster_cepheids"],
        "distance": ["lmc_modulus"],
        "law": ["fit_leavitt_law"],
        "selection": ["select_cepheids"],
        "simulated": ["simulate_cepheids"],
        "tables": ["read_cepheids"],
    },
)
