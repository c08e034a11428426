"""The version of the package; CITATION.cff has it, too."""

__version__ = "0.2.0"
