"""`generate` against R's whole model anew for every token, which gives R's bits on one thread.

`generate` runs with all cores, as the command does: its text does not depend on them. Every text is compared.
"""

import torch

from benchmarks.measure import Ratio, Seconds, ratio, timed
from pygpt import generation
from pygpt.determinism import on_threads
from pygpt.models import CharacterModel, build_model
from pygpt.settings import ModelSettings

MODEL = ModelSettings()
CASES = (("within the block", 9, MODEL.block_size - 9), ("beyond the block", MODEL.block_size, 100))
"""What, how long the prompt is, and how many tokens are drawn."""


def naive(model: CharacterModel, prompt: list[int], tokens: int, seed: int, threads: int = 1) -> list[int]:
    """As R draws."""
    torch.manual_seed(seed)
    ids = torch.tensor([prompt])
    with torch.inference_mode(), on_threads(threads):
        for _ in range(tokens):
            probs = torch.softmax(model(ids[:, -MODEL.block_size :])[:, -1] / 0.8, dim=-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1)], dim=1)
    return ids[0, len(prompt) :].tolist()


def texts(rounds: int) -> list[Ratio]:
    """How many times as many tokens a second."""
    torch.manual_seed(0)
    model, lines = build_model(MODEL).eval(), []
    for what, length, tokens in CASES:
        prompt = [5] * length
        seconds: dict[str, list[Seconds]] = {name: [] for name in ("naive", "naive with all cores", "one", "many")}
        for seed in range(rounds + 1):
            cores = torch.get_num_threads()
            slow, expected = timed(naive, model, prompt, tokens, seed)
            slow_on_all, _ = timed(naive, model, prompt, tokens, seed, cores)
            one, drawn = timed(list, generation.generate(model, prompt, tokens, 0.8, [seed]))
            many, _ = timed(list, generation.generate(model, prompt, tokens, 0.8, range(seed, seed + 32)))
            assert [rows[0] for rows in drawn] == expected, "another text"
            if seed > 0:  # the first warms up
                for name, (clock, processor) in zip(seconds, (slow, slow_on_all, one, many), strict=True):
                    each = tokens * (32 if name == "many" else 1)
                    seconds[name].append((clock / each, processor / each))
        lines += [
            ratio(f"generate, one sample {what}", seconds["one"], seconds["naive"], ">= 2.50", upside_down=True),
            ratio(f"generate, 32 samples {what}", seconds["many"], seconds["naive"], ">= 15.0", upside_down=True),
            ratio(
                f"the whole model anew {what}, all cores", seconds["naive with all cores"], seconds["naive"],
                upside_down=True,
            ),
        ]  # fmt: skip
    return lines
