"""`python -m pygpt` is `pygpt`."""

from pygpt.commands import main

main(prog_name="pygpt")
