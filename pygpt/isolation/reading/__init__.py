"""How a submission is read: what its graded parts need is run, all else is left out and named.

Run inside of the sandbox by child.py, which stands alone: of pygpt nothing is used but the files of this folder.
"""

from .program import load

__all__ = ["load"]
