"""What each script does for one cluster: leave what is done, compute, save, draw.

The door: `build_cluster`, `evaluate_cluster`, `validate_cluster`, `compare_cluster`, `fit_cluster`, `fit_law`,
`estimate_ages`, `classify_images`, `search_cluster`, `simulate_clusters`, `train_model`, `explain_stars`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "build": ["build_cluster"],
        "evaluate": ["evaluate_cluster"],
        "validate": ["validate_cluster"],
        "classify_images": ["classify_images"],
        "compare": ["compare_cluster"],
        "fit_isochrone": ["fit_cluster"],
        "fit_leavitt_law": ["fit_law"],
        "estimate_light_curve_age": ["estimate_ages"],
        "find_first_members": ["search_and_save", "search_cluster"],
        "simulate": ["simulate_clusters"],
        "train": ["train_model"],
        "explain": ["explain_stars"],
    },
)
