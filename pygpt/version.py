"""The version of pygpt, here and nowhere else: the package, its metadata and what it writes take it from here."""

__version__ = "0.1.0"
