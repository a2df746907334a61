"""`generate`: text from a trained run."""

import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import click

from pygpt.commands.language import Command
from pygpt.commands.prompt import course_prompt
from pygpt.commands.terminal import echo_json


@click.command(cls=Command, epilog='Example: generate --run runs/gpt --prompt "MARCIUS: " --tokens 400 --seed 123')
@click.option("--run", "folder", required=True, type=click.Path(path_type=Path), help="Folder of the run.")
@click.option("--prompt", help="Text to go on from. [default: 'MARCIUS: ', if the run's text has its characters]")
@click.option("--tokens", default=300, show_default=True, help="Characters to draw.")
@click.option("--temperature", default=0.8, show_default=True, help="Below 1 sharpens, above 1 flattens; 0 is greedy.")
@click.option("--seed", default=123, show_default=True, help="Seed of the first sample; the next has the next seed.")
@click.option("--top-k", type=int, help="Draw from the K likeliest characters only. [default: all, as R]")
@click.option("--greedy", is_flag=True, help="Take the likeliest character each time: temperature 0.")
@click.option("--samples", type=click.IntRange(1), default=1, show_default=True, help="Texts to draw.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: settings, texts, R ids.")
def generate(
    folder: Path, prompt: str | None, tokens: int, temperature: float, seed: int, top_k: int | None,
    greedy: bool, samples: int, as_json: bool,
) -> None:  # fmt: skip
    """Draw text from a trained run, with R's text for the same seed."""
    from pygpt import api
    from pygpt.memory import keep_freed_memory

    keep_freed_memory()
    run = api.load(folder)
    prompt = course_prompt(run.vocabulary, "--prompt") if prompt is None else prompt
    temperature = 0.0 if greedy else temperature
    seeds = list(range(seed, seed + samples))
    drawn = run.draw(prompt, tokens, temperature, seeds, top_k)
    if samples == 1 and not as_json:
        _stream(prompt, (run.vocabulary.decode(step) for step in drawn))
        return
    texts = list(zip(*_watched(drawn, tokens), strict=True))
    if as_json:
        rows = run.vocabulary.encode(prompt).tolist()
        results = [
            {"seed": s, "text": prompt + run.vocabulary.decode(t), "r_ids": run.vocabulary.r_ids([*rows, *t])}
            for s, t in zip(seeds, texts, strict=True)
        ]
        settings = {"run": str(folder), "prompt": prompt, "tokens": tokens, "top_k": top_k, "temperature": temperature}
        echo_json(settings | {"samples": results})
        return
    for s, text in zip(seeds, texts, strict=True):
        click.echo(f"--- seed {s} ---\n{prompt}{run.vocabulary.decode(text)}\n")


def _watched(drawn: Iterator[list[int]], tokens: int) -> Iterable[list[int]]:
    if not sys.stderr.isatty():
        return drawn
    from rich.console import Console
    from rich.progress import track

    return track(drawn, "Drawing", tokens, console=Console(stderr=True), transient=True)


def _stream(prompt: str, characters: Iterator[str]) -> None:
    # The first one is drawn before the prompt is printed: an error comes alone.
    first = next(characters)
    sys.stdout.write(prompt)
    for character in chain([first], characters):
        sys.stdout.write(character)
        if sys.stdout.isatty():
            sys.stdout.flush()
    sys.stdout.write("\n")
