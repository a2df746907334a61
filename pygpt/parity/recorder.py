"""Making recordings anew from R torch, by `r_reference/record.R`."""

import os
import subprocess
from pathlib import Path

from pygpt.determinism import kernel_fingerprint
from pygpt.errors import PygptError
from pygpt.files import shipped
from pygpt.r.process import find_r


def record(out: Path, corpus: Path | None = None) -> None:
    """Write the recordings into `out`: tiny_* and stream_*; with a corpus, the whole exercises and the vocabulary too.

    R's messages go to stderr as they come.

    Raises:
        PygptError: R, or one of its packages torch, luz and safetensors, is missing; or the recorder fails.
    """
    rscript = Path(find_r()).with_name("Rscript")
    command = [str(rscript), str(shipped("r_reference/record.R")), "--out", str(out)]
    command += ["--kernel-fingerprint", kernel_fingerprint()] + (["--corpus", str(corpus)] if corpus else [])
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    if subprocess.run(command, env=environment, check=False).returncode:
        raise PygptError(f"R recorded nothing in {out}: its message stands above; `parity doctor` says what is missing")
