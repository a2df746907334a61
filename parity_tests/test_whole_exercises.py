"""Exercises 2 and 3, whole: three epochs on Shakespeare, every step, every epoch, the weights, the text. Hours."""

import csv
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file

from pygpt import corpus
from pygpt.checkpoints import HISTORY, STEPS, WEIGHTS
from pygpt.commands import main
from pygpt.determinism import kernel_fingerprint
from pygpt.errors import PygptError
from pygpt.parity.recordings import read_recording

RECORDINGS = Path(__file__).parent / "recordings"
# SHA-256 over each tensor's name and float32 bytes, in the order of sorted names (recordings/README.md)
WEIGHTS_SHA256 = {
    "gpt": "7c48a6c61abfca9095a8adb0bbac4317f932843690640506c8def89ac14bb36b",
    "gpt_noattn": "48bd8ef9ab95e433c78fef33b030451671060b37fcddfcd0dd5395246889a91e",
}


def column(path: Path, name: str) -> list[np.float32]:
    with path.open() as file:
        return [np.float32(row[name]) for row in csv.DictReader(file)]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "name"), [("gpt_noattn", "noattn"), ("gpt", "gpt")])
def test_the_whole_exercise(model: str, name: str, tmp_path: Path) -> None:
    try:
        corpus.read_corpus("shakespeare")
    except PygptError as error:
        pytest.skip(f"the course's text is not at hand: {error}")
    if read_recording(RECORDINGS / "tiny_gpt.safetensors").provenance["kernel_fingerprint"] != kernel_fingerprint():
        pytest.skip("14,115 steps carry the differences of other kernels far: this needs the recording's fingerprint")
    run: Callable[..., object] = CliRunner().invoke
    run(main, ["train", "--model", model, "--corpus", "shakespeare", "--out", str(tmp_path)], catch_exceptions=False)

    assert column(tmp_path / STEPS, "loss") == column(RECORDINGS / f"shakespeare_{name}_steps.csv", "loss")
    for part in ("train", "valid"):
        assert column(tmp_path / HISTORY, part) == column(RECORDINGS / f"shakespeare_{name}_epochs.csv", part)
    digest = hashlib.sha256()
    for key, tensor in sorted(load_file(tmp_path / WEIGHTS).items()):
        digest.update(key.encode() + tensor.tobytes())
    assert digest.hexdigest() == WEIGHTS_SHA256[model]
    text = CliRunner().invoke(main, ["generate", "--run", str(tmp_path), "--tokens", "400", "--seed", "123"])
    assert text.output == "MARCIUS: " + (RECORDINGS / f"shakespeare_{name}_generated.txt").read_text() + "\n"
