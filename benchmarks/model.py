"""`make bench`: how fast, as ratios of what ran in turn on this machine. It prints; it judges nothing.

Training runs with one thread, as engine `r` does. `generate` runs with all cores, as the command does, since its text
does not depend on them; the naive loop needs one thread for R's text, and is timed with all cores, too.

The plain loop is the same model as a PyTorch user trains it: nn.MultiheadAttention without weights, F.cross_entropy,
torch.nn.utils.clip_grad_norm_, torch.optim.AdamW, batches gathered in one indexing operation.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from pygpt import corpus, generation, r_semantics, training
from pygpt.memory import keep_freed_memory
from pygpt.models import CharacterModel, build_model, cross_entropy
from pygpt.output.messages import say
from pygpt.settings import ModelSettings, TrainingSettings

T = TypeVar("T")

ROUNDS = 30
MODEL = ModelSettings()
TOKENS = torch.randint(1, MODEL.vocab_size, (30_000,), dtype=torch.uint8)
WINDOWS = corpus.windows(TOKENS, MODEL.block_size, say("drawn tokens"))


def plain_loop() -> Iterator[None]:
    model = build_model(MODEL, fused=True).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for x, y in corpus.batches(WINDOWS, 64, "cpu", torch.randperm(len(WINDOWS))):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()
        yield


def engine(settings: TrainingSettings) -> Iterator[object]:
    return training.fit(training.start(MODEL, settings), WINDOWS, WINDOWS, settings)


def in_turn(loops: dict[str, Iterator[object]]) -> dict[str, list[float]]:
    """Seconds of each step of each loop, after three steps of warming up."""
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(ROUNDS + 3):
        for name, loop in loops.items():
            began = time.perf_counter()
            next(loop)
            seconds[name].append(time.perf_counter() - began)
    return {name: values[3:] for name, values in seconds.items()}


def ratio(a: list[float], b: list[float]) -> float:
    return statistics.median(x / y for x, y in zip(a, b, strict=True))


def steps() -> None:
    fast = {"fast": {}, "fast --bf16": {"bf16": True}}
    loops = {"plain": plain_loop(), "r": engine(TrainingSettings())}
    loops |= {name: engine(TrainingSettings(engine="fast", **flags)) for name, flags in fast.items()}
    seconds = in_turn(loops)
    print(f"training step, plain PyTorch loop: {1e3 * statistics.median(seconds['plain']):.0f} ms (median)")
    for name in ("r", *fast):
        print(f"  engine {name:12} takes {ratio(seconds[name], seconds['plain']):.2f} times as long")
    print(
        f"  outside forward and backward, engine r: {100 * outside() / statistics.median(seconds['r']):.1f}% of a step"
    )


def outside() -> float:
    """Seconds that engine r spends on a step beside forward and backward."""
    settings = TrainingSettings()
    state = training.start(MODEL, settings)
    parameters = r_semantics.parameters(state.model)
    loop = corpus.batches(WINDOWS, 64, "cpu", torch.randperm(len(WINDOWS)))
    x, y = next(loop)
    loss = cross_entropy(state.model(x), y)
    loss.backward()
    parts: list[Callable[[], object]] = [
        lambda: next(loop),
        lambda: r_semantics.clip_grad_norm(parameters, 1.0),
        state.optimizer.step,
        lambda: r_semantics.running_mean(loss.detach(), loss.detach(), 2),
    ]
    return sum(statistics.median(timed(part)[0] for _ in range(ROUNDS)) for part in parts)


def naive(model: torch.nn.Module, prompt: list[int], tokens: int, seed: int, threads: int = 1) -> list[int]:
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    ids = torch.tensor([prompt])
    with torch.inference_mode():
        for _ in range(tokens):
            probs = torch.softmax(model(ids[:, -MODEL.block_size :])[:, -1] / 0.8, dim=-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1)], dim=1)
    return ids[0, len(prompt) :].tolist()


def texts(cores: int) -> None:
    torch.manual_seed(0)
    model, prompt = build_model(MODEL).eval(), [5] * 9
    for tokens, what in (
        (MODEL.block_size - 9, "within the block"),
        (300, "mostly beyond it, where R's crop moves all"),
    ):
        one, many, naively = [], [], []
        for seed in range(9):
            slow, expected = timed(naive, model, prompt, tokens, seed)
            naively.append(slow / timed(naive, model, prompt, tokens, seed, cores)[0])
            quick, drawn = timed(drawn_by_generate, model, prompt, tokens, [seed])
            assert [d[0] for d in drawn] == expected, "another text"
            one.append(slow / quick)
            many.append(32 * slow / timed(drawn_by_generate, model, prompt, tokens, range(seed, seed + 32))[0])
        print(f"generate, {tokens} tokens ({what}), {cores} cores, against R's whole model anew for every token:")
        print(f"  one sample {statistics.median(one):.1f} times as many tokens per second, the same text")
        print(f"  32 samples {statistics.median(many):.1f} times as many in all")
        print(f"  (the whole model anew with all cores, whose bits may differ: {statistics.median(naively):.1f} times)")


def drawn_by_generate(model: CharacterModel, prompt: list[int], tokens: int, seeds: Sequence[int]) -> list[list[int]]:
    return list(generation.generate(model, prompt, tokens, 0.8, seeds))


def timed(function: Callable[..., T], *arguments: object) -> tuple[float, T]:
    """Seconds and result of a call."""
    began = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - began, result


if __name__ == "__main__":
    keep_freed_memory()
    all_cores = torch.get_num_threads()
    torch.set_num_threads(1)
    steps()
    texts(all_cores)
