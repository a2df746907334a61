"""Options of a training that takes a second."""

SMALL = ["--corpus", "sample", "--share", "0.04", "--block-size", "16", "--n-embd", "16"]
