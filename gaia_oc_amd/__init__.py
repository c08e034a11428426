"""Members of open clusters in Gaia DR3 with a Deep Sets network."""

__version__ = "0.1.0"
