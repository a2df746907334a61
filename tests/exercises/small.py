"""Options of an exercise that is prepared in seconds."""

SMALL = ["--corpus", "sample", "--share", "0.03", "--n-layer", "1", "--n-head", "2", "--n-embd", "8",
         "--block-size", "8", "--epochs", "2", "--title", "Sheet 9"]  # fmt: skip
