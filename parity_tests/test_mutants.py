"""The check can fail: each fault, put into a copy of the package, is reported, and at the right place.

Each mutant runs twice: as this processor is, and with the plainest kernels, where stated limits take the place of zero.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RECORDINGS = Path(__file__).parent / "recordings"

# name: (file, what stands there, what stands there instead, first divergence, seen within stated limits, too?)
MUTANTS = {
    "none": ("models.py", "triu(1)", "triu(1)", "None", True),
    "mask flipped": ("models.py", ".triu(1)", ".tril(-1)", r"act\.block1\.attn_weights", True),
    "mask off by one": ("models.py", ".triu(1)", ".triu(2)", r"act\.block1\.attn_weights", True),
    "GELU by tanh": ("models.py", "nn.GELU()", 'nn.GELU(approximate="tanh")', r"act\.block1\.ffn", True),
    "padding_idx = 0": ("r_semantics.py", '"r": 1,', '"r": 0,', r"grad\.wte\.weight", True),
    "unscaled queries": (
        "models.py",
        "(q, q, q, attn_mask=blocked, need_weights=True",
        "(q * (q.shape[2] / self.settings.n_head) ** 0.5, q, q, attn_mask=blocked, need_weights=True",
        r"act\.block1\.attn_weights",
        True,
    ),
    "LayerNorms swapped": (
        "models.py", "self.FFN[j](self.scale2[j](h))", "self.FFN[j](self.scale1[j](h))", r"act\.block1\.scale1", True,
    ),
    "PyTorch's AdamW": (
        "parity/replay.py", "r_semantics.AdamW(parameters, ", "torch.optim.AdamW(parameters, ", r"step1\..*|losses", False,
    ),
    "another building order": (
        "models.py",
        "        self.wpe = nn.Embedding(settings.block_size, n_embd)\n"
        "        self.wte = nn.Embedding(settings.vocab_size, n_embd, padding_idx=0)\n",
        "        self.wte = nn.Embedding(settings.vocab_size, n_embd, padding_idx=0)\n"
        "        self.wpe = nn.Embedding(settings.block_size, n_embd)\n",
        r"init\.w[pt]e\.weight",
        True,
    ),
    "0.1% wrong learning rate": (
        "r_semantics.py", "torch.full_like(step, lr)", "torch.full_like(step, 1.001 * lr)", r"step1\.wpe\.weight", True,
    ),
    "no weight decay": ("r_semantics.py", "1 - lr * group", "1 - 0 * lr * group", r"step1\.wpe\.weight", True),
    "loss summed by window": ("models.py", "functional.cross_entropy(", "2 * functional.cross_entropy(", "loss", True),
    "no dropout on the embedding": ("models.py", "self.drop0(tokens", "(tokens", r"act\.embedding|train_loss1", True),
    "no temperature": ("generation.py", "torch.softmax(logits / how.temperature", "torch.softmax(logits", "generated", True),
}  # fmt: skip
# Faults that only a whole training shows; on one recording, as they take longer. The recordings' gradients are too
# short for clipping: that is held against the oracle (test_oracle.py).
TRAINING_MUTANTS = {
    "no shuffling": (
        "r_semantics.py",
        "torch.randperm(windows, dtype=torch.int32)",
        "torch.arange(windows)",
        "step_losses",
    ),
    "a wrong running mean": (
        "r_semantics.py",
        "(count - 1) / count * before",
        "(count - 2) / count * before",
        "train_loss",
    ),
    "validation with dropout": ("training.py", "state.model.eval()", "state.model.train()", "step_losses|valid_loss"),
}


def first_divergence(
    folder: Path, mutant: tuple[str, str, str], recording: str, kernels: str | None
) -> tuple[str, bool]:
    """Name of the first divergence in a mutated copy of the package ("None" for none), and whether zero was the limit."""
    file, old, new = mutant
    shutil.copytree(ROOT / "pygpt", folder / "pygpt", ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    source = (folder / "pygpt" / file).read_text()
    assert old in source, f"the mutant is stale: {old!r} is no longer in {file}"
    (folder / "pygpt" / file).write_text(source.replace(old, new))
    command = [sys.executable, "-m", "pygpt", "parity", "check", str(RECORDINGS / f"{recording}.safetensors")]
    environment = {**os.environ, "PYTHONPATH": str(folder)} | ({"ATEN_CPU_CAPABILITY": kernels} if kernels else {})
    done = subprocess.run(
        [*command, "--json", "report.json"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    report = json.loads((folder / "report.json").read_text())["checks"][0]
    assert (done.returncode == 0) == (report["first_divergence"] is None)
    return str(report["first_divergence"]), report["facts"]["exact"]


@pytest.mark.parametrize(
    "kernels",
    [pytest.param(None, id="these kernels"), pytest.param("default", id="plain kernels", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_fault_is_reported_at_its_place(name: str, kernels: str | None, tmp_path: Path) -> None:
    *mutant, place, within_limits = MUTANTS[name]
    divergence, exact = first_divergence(tmp_path, tuple(mutant), "tiny_gpt", kernels)
    if not exact and not within_limits:
        pytest.skip(f"{name}: smaller than what other kernels do; it needs the recording's kernel fingerprint")
    assert re.fullmatch(place, divergence), divergence


@pytest.mark.parametrize("name", TRAINING_MUTANTS)
def test_a_fault_in_training_is_reported(name: str, tmp_path: Path) -> None:
    *mutant, place = TRAINING_MUTANTS[name]
    divergence, _ = first_divergence(tmp_path, tuple(mutant), "stream_gpt_noattn", None)
    assert re.fullmatch(place, divergence), divergence
