"""`generate`: text from a trained run."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from pygpt.errors import PygptError


@click.command(epilog='Example: generate --run runs/gpt --prompt "MARCIUS: " --tokens 400 --seed 123')
@click.option("--run", "folder", required=True, type=click.Path(path_type=Path), help="Folder of the run.")
@click.option("--prompt", default="MARCIUS: ", show_default=True, help="Text to go on from.")
@click.option("--tokens", default=300, show_default=True, help="Characters to draw.")
@click.option("--temperature", default=0.8, show_default=True, help="Below 1 sharpens, above 1 flattens; 0 is greedy.")
@click.option("--seed", default=123, show_default=True, help="Seed of the first sample; the next has the next seed.")
@click.option("--top-k", type=int, help="Draw from the K likeliest characters only. [default: all, as R]")
@click.option("--greedy", is_flag=True, help="Take the likeliest character each time: temperature 0.")
@click.option("--samples", default=1, show_default=True, help="Texts to draw.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: settings, texts, R ids.")
def generate(
    folder: Path, prompt: str, tokens: int, temperature: float, seed: int, top_k: int | None,
    greedy: bool, samples: int, as_json: bool,
) -> None:  # fmt: skip
    """Draw text from a trained run, with R's text for the same seed."""
    if samples < 1:
        raise PygptError(f"samples = {samples} is not allowed: it must be a whole number from 1")
    if not 0 <= seed < 2**63 - samples:
        raise PygptError(f"seed = {seed} is not allowed: it must be from 0 to 2^63 - 1")
    from pygpt import checkpoints, generation
    from pygpt.memory import keep_freed_memory

    keep_freed_memory()
    run = checkpoints.open_run(folder)
    rows = run.vocabulary.encode(prompt, "the prompt").tolist()
    seeds = list(range(seed, seed + samples))
    drawn = generation.generate(checkpoints.load_model(run), rows, tokens, 0.0 if greedy else temperature, seeds, top_k)
    if samples == 1 and not as_json:
        _stream(prompt, (run.vocabulary.decode(step) for step in drawn))
        return
    texts = list(zip(*_watched(drawn, tokens), strict=True))
    if as_json:
        results = [
            {"seed": s, "text": prompt + run.vocabulary.decode(t), "r_ids": run.vocabulary.r_ids([*rows, *t])}
            for s, t in zip(seeds, texts, strict=True)
        ]
        settings = {"run": str(folder), "prompt": prompt, "tokens": tokens, "top_k": top_k}
        settings["temperature"] = 0.0 if greedy else temperature
        click.echo(json.dumps(settings | {"samples": results}, ensure_ascii=False, indent=1))
        return
    for s, text in zip(seeds, texts, strict=True):
        click.echo(f"--- seed {s} ---\n{prompt}{run.vocabulary.decode(text)}\n")


def _watched(drawn: Iterator[list[int]], tokens: int) -> Iterable[list[int]]:
    if not sys.stderr.isatty():
        return drawn
    from rich.console import Console
    from rich.progress import track

    return track(drawn, "Drawing", tokens, console=Console(stderr=True), transient=True)


def _stream(prompt: str, characters: Iterable[str]) -> None:
    sys.stdout.write(prompt)
    for character in characters:
        sys.stdout.write(character)
        if sys.stdout.isatty():
            sys.stdout.flush()
    sys.stdout.write("\n")
