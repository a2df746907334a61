"""The one family of errors that a user can cause."""


class PygptError(Exception):
    """Something the user gave cannot be used. The message says what, where and what to do.

    Commands print it and exit with 2; any other exception is a bug and keeps its traceback.
    """
