"""Any number of stars of a table, for benchmarks that need a size."""

import numpy as np
import pandas as pd


def drawn_stars(stars: pd.DataFrame, n: int, *, rng: np.random.Generator) -> pd.DataFrame:
    """So many stars of a table, at random.

    Parameters
    ----------
    stars : DataFrame
        With source_id.
    n : int
        How many. Where the table has fewer, each is repeated equally often, give or take one.
    rng : Generator
        Source of randomness.

    Returns
    -------
    DataFrame, n rows
        Repeated stars have the identifiers that follow theirs; those of real stars are farther apart.
    """
    n_rounds = -(-n // len(stars))
    rows = np.concatenate([rng.permutation(len(stars)) for _ in range(n_rounds)])[:n]
    table = stars.iloc[rows].reset_index(drop=True)
    return table.assign(source_id=table["source_id"] + np.arange(n) // len(stars))
