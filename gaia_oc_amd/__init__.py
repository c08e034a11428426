"""Members of open clusters in Gaia DR3 with a Deep Sets network.

The public interface for ad hoc analysis stands in ``__init__.pyi``. Its names are imported when they are first used,
so that ``import gaia_oc_amd`` costs nothing.
"""

from gaia_oc_amd.interruption import listen_in_script

listen_in_script()

import lazy_loader  # noqa: E402 - Ctrl-C is heard while this and all the rest are imported

from gaia_oc_amd._version import __version__ as __version__  # noqa: E402

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
