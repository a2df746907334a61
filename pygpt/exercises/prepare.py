"""From a preparation that is done to what students get: a folder, or a zip, with an index of hashes."""

import hashlib
import io
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pygpt import checkpoints, corpus
from pygpt.determinism import kernel_fingerprint
from pygpt.errors import PygptError
from pygpt.exercises import opening, truth
from pygpt.exercises.exercise import PARTS
from pygpt.exercises.preparation import TRUTH, Preparation
from pygpt.exercises.sampling import written
from pygpt.exercises.text import floors, kept_name
from pygpt.files import json_text, write_atomically
from pygpt.losses import HISTORY, STEPS, read_history, read_steps
from pygpt.version import __version__
from pygpt.weights import weights_sha256

HOW = (
    "The exercise's settings with engine fast, one run a seed; luz's losses after every epoch. The band is R's loss "
    "plus and minus t * sqrt(2) * s: s the standard deviation over the seeds after the epoch, t Student's two-sided "
    "99% point, sqrt(2) because a run and R's are two draws."
)


def bundle(preparations: Sequence[Preparation], by_r: bool = False) -> dict[str, bytes]:
    """Every file of what is prepared, by name.

    Args:
        preparations: done; the exercise that was asked for first.
        by_r: whether R gave the same to the last bit.

    Raises:
        PygptError: a part is not done, or R's run has diverged.
    """
    files: dict[str, bytes] = {}
    for preparation in preparations:
        files |= _files(preparation, by_r)
    index = {
        "format": opening.FORMAT,
        "pygpt": __version__,
        "kernel_fingerprint": kernel_fingerprint(),
        "exercise": preparations[0].file.path.name,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    return {opening.INDEX: json_text(index).encode(), **files}


def fast_cost(preparation: Preparation, r: Mapping[str, float]) -> dict[str, float]:
    """What the fast engine costs: the first epoch of the exercise's own seed, less R's, by part.

    Args:
        r: R's losses of the first epoch.
    """
    (own, *_) = read_history(preparation.work / f"seed_{preparation.file.training.seed}")
    return {part: round(float(getattr(own, part) - r[part]), 8) for part in PARTS}


def write(files: dict[str, bytes], out: Path) -> None:
    """Write what is prepared: a zip where `out` ends in .zip, else a folder.

    Raises:
        PygptError: it cannot be written, or `out` is a folder with something else in it.
    """
    if out.suffix.lower() == ".zip":
        write_atomically(out, _zip(files))
        return
    if out.exists() and not (out / opening.INDEX).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise PygptError("{path} holds something else: name another folder with --out", path=out)
    beginning = out.with_name(f".{out.name}.partial")
    try:
        shutil.rmtree(beginning, ignore_errors=True)
        for name, content in files.items():
            write_atomically(beginning / name, content)
        shutil.rmtree(out, ignore_errors=True)
        beginning.rename(out)
    except OSError as error:
        raise PygptError("cannot write {path}: {why}", path=out, why=error.strerror or str(error)) from error


def _files(preparation: Preparation, by_r: bool) -> dict[str, bytes]:
    file, name = preparation.file, preparation.file.name
    run = checkpoints.open_run(preparation.work / TRUTH)
    network = checkpoints.load_model(run)
    sample = written(network, run.vocabulary, file.generation, file.training.r_threads)
    if sample is None:
        raise PygptError("{path}: its training diverges, so nothing can be held against it", path=file.path)
    kept = {
        "epochs": (f"{name}.epochs.csv", (preparation.work / TRUTH / HISTORY).read_bytes()),
        "steps": (f"{name}.steps.csv", (preparation.work / TRUTH / STEPS).read_bytes()),
        "text": (f"{name}.text.txt", sample.encode()),
    }
    _check_whole(preparation)
    (first, *_) = read_history(preparation.work / TRUTH)
    content: dict[str, Any] = {
        "format": truth.FORMAT,
        "by": "R" if by_r else "engine r",
        "pygpt": __version__,
        "settings_sha256": file.settings_sha256,
        "vocab_size": len(preparation.vocabulary),
        "kernel_fingerprint": kernel_fingerprint(),
        "weights_sha256": weights_sha256(network.state_dict()),
        "files": {
            kind: {"path": name, "sha256": hashlib.sha256(bytes_).hexdigest()} for kind, (name, bytes_) in kept.items()
        },
        "spread": {"fast_cost": fast_cost(preparation, vars(first)), "seeds": preparation.spread()},
        "mistakes": preparation.measured(),
        "floors": vars(floors(file, preparation.text)),
        "provenance": {"recording": run.provenance, "spread": {"how": HOW}},
    }
    files = {truth.truth_name(file): json_text(content).encode(), file.path.name: file.folder.read(file.path.name)}
    if file.text.source not in corpus.NAMES:
        files[kept_name(file)] = Path(preparation.text.name).read_bytes()
    return files | dict(kept.values())


def _check_whole(preparation: Preparation) -> None:
    if missing := [part.name for part in preparation.parts if not preparation.done(part)]:
        raise PygptError("{path} is not prepared whole: {parts} are left", path=preparation.file.path, parts=missing)
    read_steps(preparation.work / TRUTH)


def _zip(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            # A fixed date: the same files give the same bytes.
            info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return out.getvalue()
