"""pygpt: the Python twin of a statistics course's small GPT in R (torch, luz), bit for bit."""

__version__ = "0.1.0"
