"""`make bench`: how fast, as ratios of what ran in turn on this machine. It prints; it judges nothing.

Training runs on one thread and on all cores, each ratio on the same threads. `generate` runs with all cores, as the
command does, since its text does not depend on them; the naive loop needs one thread for R's text, and is timed with
all cores, too.

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


def on(threads: int, loop: Iterator[object]) -> Iterator[object]:
    """A loop whose steps are taken on so many threads."""
    while True:
        torch.set_num_threads(threads)
        yield next(loop)


def in_turn(loops: dict[str, Iterator[object]]) -> dict[str, list[tuple[float, float]]]:
    """Seconds of each step of each loop, by the clock and of the processor, after some steps of warming up."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in loops}
    for _ in range(ROUNDS + 4):  # the first step of engine r may be its rehearsal
        for name, loop in loops.items():
            began, spent = time.perf_counter(), time.process_time()
            next(loop)
            seconds[name].append((time.perf_counter() - began, time.process_time() - spent))
    return {name: values[4:] for name, values in seconds.items()}


def ratio(a: list[tuple[float, float]], b: list[tuple[float, float]]) -> str:
    clock, processor = (statistics.median(x[i] / y[i] for x, y in zip(a, b, strict=True)) for i in (0, 1))
    return f"{clock:.2f} ({processor:.2f} of the processor's time)"


def steps(cores: int) -> None:
    kinds = {"plain": None, "r": {}, "fast": {"engine": "fast"}, "fast --bf16": {"engine": "fast", "bf16": True}}
    all_threads = sorted({1, cores})
    loops = {
        f"{name} {threads}": on(threads, plain_loop() if flags is None else engine(TrainingSettings(**flags)))
        for threads in all_threads
        for name, flags in kinds.items()
    }
    seconds = in_turn(loops)
    for threads in all_threads:
        plain = seconds[f"plain {threads}"]
        own = 1e3 * statistics.median(clock for clock, _ in plain)
        print(f"training step on {threads} thread(s), plain PyTorch loop: {own:.0f} ms (median)")
        for name in list(kinds)[1:]:
            print(f"  engine {name:12} takes {ratio(seconds[f'{name} {threads}'], plain)} times as long")
    if cores > 1:
        print(
            f"  engine r on {cores} threads takes {ratio(seconds[f'r {cores}'], seconds['r 1'])} times as long as on 1"
        )
    torch.set_num_threads(1)
    share = 100 * outside() / statistics.median(clock for clock, _ in seconds["r 1"])
    print(f"  outside forward and backward, engine r on 1 thread: {share:.1f}% of a step")


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
    steps(all_cores)
    texts(all_cores)
