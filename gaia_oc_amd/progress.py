"""Progress bars: on a terminal, unless the user asked for quiet."""

import logging
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm


def progress_bar(iterable: Iterable[Any] | None = None, *, hidden: bool = False, **keywords: Any) -> tqdm:
    """Progress bar on standard error, which is silent where that is no terminal or only errors are reported.

    Parameters
    ----------
    iterable : iterable, optional
        What is gone through; without it the bar is moved by its `update`.
    hidden : bool
        Whether to show none in any case.
    **keywords
        Those of tqdm: `total`, so that the bar knows the end, `unit`, `desc`.

    Returns
    -------
    tqdm
    """
    quiet = logging.getLogger().getEffectiveLevel() >= logging.ERROR
    return tqdm(iterable, disable=True if hidden or quiet else None, **keywords)
