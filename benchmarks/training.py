"""Training steps against the plain loop, on one thread and on all cores.

The plain loop is the same model as a PyTorch user trains it: nn.MultiheadAttention without weights, F.cross_entropy,
torch.nn.utils.clip_grad_norm_, torch.optim.AdamW, batches gathered in one indexing operation. It keeps freed memory,
too (`pygpt/memory.py`).
"""

import dataclasses
import statistics
from collections.abc import Iterator

import torch
from torch import Tensor

from benchmarks.measure import Ratio, Seconds, in_turn, ratio, timed
from pygpt import corpus, training
from pygpt.determinism import on_threads
from pygpt.models import CharacterModel, cross_entropy
from pygpt.output.messages import say
from pygpt.picking import pick
from pygpt.settings import ModelSettings, TrainingSettings
from pygpt.training import Step

MODEL = ModelSettings()
SMALL = ModelSettings(block_size=32, n_embd=64)
# As many as the course trains on: engine fast picks by how long a training is.
TOKENS = torch.randint(1, MODEL.vocab_size, (301_156,), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


class Plain(CharacterModel):
    """The course's model by PyTorch's own modules."""

    def _attend(self, j: int, normed: Tensor) -> Tensor:
        blocked = torch.ones(normed.shape[1], normed.shape[1], dtype=torch.bool).triu(1)
        x = normed.transpose(0, 1)
        out, _ = self.attention(j)(x, x, x, attn_mask=blocked, need_weights=False, is_causal=True)
        return out.transpose(0, 1)


def windows(model: ModelSettings) -> Tensor:
    return corpus.windows(TOKENS, model.block_size, say("drawn tokens"))


def plain_loop() -> Iterator[None]:
    """Steps of the plain loop."""
    torch.manual_seed(42)
    model, of_text = Plain(MODEL).train(), windows(MODEL)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for x, y in corpus.batches(of_text, 64, "cpu", torch.randperm(len(of_text))):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()
        yield


def engine(settings: TrainingSettings, model: ModelSettings = MODEL) -> Iterator[Step]:
    """Steps of an engine; it gets its threads from `settings`."""
    of_text = windows(model)
    events = training.fit(training.start(model, settings), of_text, of_text, settings)
    return (event for event in events if isinstance(event, Step))


def on(threads: int, loop: Iterator[object]) -> Iterator[object]:
    """A loop whose steps are taken on so many threads."""
    while True:
        with on_threads(threads):
            step = next(loop)
        yield step


def steps(cores: int, rounds: int) -> tuple[list[Ratio], dict[str, str]]:
    """The ratios, and what engine fast picked on one thread and with all cores."""
    picked = {
        threads: pick(MODEL, TrainingSettings(engine="fast", threads=given), windows(MODEL), windows(MODEL))
        for threads, given in {1: 1, cores: 1 if cores == 1 else None}.items()
    }
    loops: dict[str, Iterator[object]] = {}
    for threads, (fast, _) in picked.items():
        loops[f"plain {threads}"] = on(threads, plain_loop())
        loops[f"r {threads}"] = on(threads, engine(TrainingSettings(threads=threads)))
        loops[f"fast {threads}"] = on(fast.threads or 1, engine(fast))
    seconds = in_turn(loops, rounds)
    lines = []
    for threads in picked:
        for name, asked in (("r", "<= 0.90"), ("fast", "<= 0.45")):
            what = f"engine {name} / plain loop, {threads} thread{'s' * (threads > 1)}"
            lines.append(ratio(what, seconds[f"{name} {threads}"], seconds[f"plain {threads}"], asked))
    if cores > 1:
        what = f"engine r, {cores} threads / 1 thread"
        lines.append(ratio(what, seconds[f"r {cores}"], seconds["r 1"], "<= 0.66"))
    step = statistics.median(clock for clock, _ in seconds[f"r {cores}"])
    return [*lines, rehearsal(cores, step), small(cores)], {
        f"{t} thread(s)": str(why) for t, (_, why) in picked.items()
    }


def rehearsal(cores: int, step: float) -> Ratio:
    """What comes before the first step of engine r, in steps."""

    def first() -> Seconds:
        with on_threads(cores):
            return timed(next, engine(TrainingSettings(threads=cores)))[0]

    beyond = [(clock - step, processor - step) for clock, processor in (first() for _ in range(5))]
    name = f"engine r, {cores} thread{'s' * (cores > 1)}: what the first step takes more, in steps"
    return ratio(name, beyond, [(step, step)] * 5, "<= 2.00")


def small(cores: int) -> Ratio:
    """300 steps of a small model, all that comes before them included."""

    def whole(settings: TrainingSettings) -> None:
        settings = dataclasses.replace(settings, batch_size=32, max_steps=300)
        if settings.engine == "fast":
            settings, _ = pick(SMALL, settings, windows(SMALL), windows(SMALL))
        with on_threads(settings.threads or cores):
            list(engine(settings, SMALL))

    kinds = (TrainingSettings(engine="fast"), TrainingSettings(threads=cores))
    fast, r = zip(*([timed(whole, kind)[0] for kind in kinds] for _ in range(3)), strict=True)
    return ratio("300 steps of a small model, engine fast / r", list(fast), list(r), "<= 1.00")
