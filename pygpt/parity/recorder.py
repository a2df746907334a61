"""Making recordings anew from R torch, by `r_reference/record.R`."""

from pathlib import Path

from pygpt.determinism import kernel_fingerprint
from pygpt.files import shipped
from pygpt.r.process import run_script
from pygpt.settings import ModelName


def record(out: Path, corpus: Path | None = None, model: ModelName | None = None, r_threads: int = 1) -> None:
    """Write the recordings into `out`; with a corpus, the whole exercises and the vocabulary too.

    R's messages go to stderr as they come.

    Args:
        model: the one to record; None for both.
        r_threads: how many threads R's torch takes.

    Raises:
        RMissingError: R is missing.
        RDiedError: the recorder failed, or one of R's packages torch, luz and safetensors is missing.
    """
    options = ["--out", str(out), "--kernel-fingerprint", kernel_fingerprint(), "--threads", str(r_threads)]
    options += ["--corpus", str(corpus)] if corpus else []
    options += ["--model", model] if model else []
    # the vocabulary's order follows the locale, and the recordings' is ICU's
    run_script(shipped("r_reference/record.R"), *options, environment={"LC_ALL": "C.UTF-8"})
