"""The front door of a checkout: `python cli.py …` does what `pygpt …` does once installed."""

from pygpt.commands import main

if __name__ == "__main__":
    main(prog_name="python cli.py")
