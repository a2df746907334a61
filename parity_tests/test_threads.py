"""R on 2, 4 and 8 threads, as recorded, against engine `r` on one and on two real threads."""

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from pygpt import corpus, training
from pygpt.determinism import kernel_fingerprint, reproducible
from pygpt.exactness import Exactness
from pygpt.output.messages import say
from pygpt.parity.recordings import read_recording
from pygpt.settings import ModelSettings, TrainingSettings
from pygpt.validation.gather import weights_sha256

RECORDINGS = Path(__file__).parent / "recordings"
SHA256 = dict(line.split() for line in (RECORDINGS / "threads" / "weights_sha256.txt").read_text().splitlines())
# What other kernels were seen to do, see the recordings' README; twice that is allowed, as in parity/limits.py.
ELSEWHERE = {"steps": 2e-6, "epochs": 1e-6}


def recorded(name: str, part: str, *columns: str) -> np.ndarray:
    with (RECORDINGS / "threads" / f"{name}_{part}.csv").open() as file:
        return np.array([[float(row[c]) for c in columns] for row in csv.DictReader(file)], dtype=np.float32)


def trained(model: str, r_threads: int, threads: int) -> tuple[training.TrainingState, np.ndarray, list[Exactness]]:
    """The recording's training again, its steps' losses, and what was said of its exactness."""
    tokens = torch.tensor([1 + i * 7919 % 10007 % 65 for i in range(1, 4118)])
    parts = (corpus.windows(part, 64, say("the stream")) for part in (tokens[:3294], tokens[3294:]))
    settings = TrainingSettings(epochs=2, r_threads=r_threads)
    with reproducible(threads):
        state = training.start(ModelSettings(model=model), settings)
        events = list(training.fit(state, *parts, settings))
    losses = np.array([[e.loss] for e in events if isinstance(e, training.Step)], dtype=np.float32)
    return state, losses, [e for e in events if isinstance(e, Exactness)]


@pytest.mark.parametrize(
    ("model", "r_threads", "threads"),
    [
        ("gpt", 8, 2),
        ("gpt_noattn", 2, 1),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in [
                ("gpt", 2, 1),
                ("gpt", 2, 2),
                ("gpt", 4, 1),
                ("gpt", 4, 2),
                ("gpt", 8, 1),
                ("gpt_noattn", 2, 2),
            ]
        ),
    ],
)
def test_every_step_and_weight_is_that_of_r_on_its_threads(model: str, r_threads: int, threads: int) -> None:
    name = f"stream_{model.removeprefix('gpt_')}_{r_threads}_threads"
    state, losses, said = trained(model, r_threads, threads)
    same = (
        kernel_fingerprint() == read_recording(RECORDINGS / "stream_gpt.safetensors").provenance["kernel_fingerprint"]
    )
    limits = dict.fromkeys(ELSEWHERE, 0) if same else ELSEWHERE
    print("same kernels as recorded:", same, "limits:", limits)
    epochs = np.array([[e.train, e.valid] for e in state.history], dtype=np.float32)
    for part, here, there in (
        ("steps", losses, recorded(name, "steps", "loss")),
        ("epochs", epochs, recorded(name, "epochs", "train", "valid")),
    ):
        assert here.shape == there.shape
        assert np.abs(here - there).max() <= limits[part], part
    assert {(e.threads, e.r_threads) for e in said} <= {(threads, r_threads)}
    assert said or threads == r_threads
    if same:
        assert weights_sha256(state.model.state_dict()) == SHA256[name]
        # From 4 threads on the output layer's product, and nothing else, is computed on R's number of threads.
        assert {e.count for e in said} <= {int(r_threads >= 4)}


def test_the_recordings_differ_from_each_other() -> None:
    steps = [recorded(f"stream_gpt_{n}_threads", "steps", "loss") for n in (2, 4, 8)]
    assert not any(np.array_equal(a, b) for a, b in itertools.pairwise(steps))
    assert 0 < max(np.abs(a - b).max() for a in steps for b in steps) <= 4.8e-7
