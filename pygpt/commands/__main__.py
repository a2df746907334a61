"""`python -m pygpt.commands` is `pygpt`."""

from pygpt.commands import main

main(prog_name="pygpt")
