"""`generate`: text from a trained run, or from weights alone."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pygpt.commands.choice import Choice
from pygpt.commands.language import Command
from pygpt.commands.options import trained, trained_options
from pygpt.commands.prompt import course_prompt
from pygpt.commands.terminal import echo_json
from pygpt.errors import PygptError

if TYPE_CHECKING:
    from torch import Tensor

    from pygpt.api import Trained
    from pygpt.generation import Rule


@click.command(
    cls=Command,
    epilog='Example: generate --run runs/gpt --prompt "MARCIUS: " --tokens 400 --seed 123; '
    "or generate --weights model.pt --vocabulary shakespeare",
)
@trained_options
@click.option("--prompt", help="Text to go on from. [default: 'MARCIUS: ', if the run's text has its characters]")
@click.option("--tokens", default=300, show_default=True, help="Characters to draw.")
@click.option("--temperature", default=0.8, show_default=True, help="Below 1 sharpens, above 1 flattens; 0 is greedy.")
@click.option("--seed", type=int, help="Seed of the first sample; the next has the next seed. [default: 123]")
@click.option(
    "--continue-generator",
    is_flag=True,
    help="Seed nothing: go on from the run's own generator, as R does that generates right after training.",
)
@click.option("--top-k", type=int, help="Draw from the K likeliest characters only. [default: all, as R]")
@click.option(
    "--rule",
    type=Choice(["course", "gpt4r"]),
    default="course",
    show_default=True,
    help="gpt4r: as R's GPT4R draws, from the --top-k likeliest alone; without --top-k the likeliest.",
)
@click.option("--greedy", is_flag=True, help="Take the likeliest character each time: temperature 0.")
@click.option("--samples", type=click.IntRange(1), default=1, show_default=True, help="Texts to draw.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: settings, texts, R ids.")
def generate(
    folder: Path | None, weights_file: Path | None, vocabulary: str | None, n_head: int | None, prompt: str | None,
    tokens: int, temperature: float, seed: int | None, continue_generator: bool, top_k: int | None,
    rule: "Rule", greedy: bool, samples: int, as_json: bool,
) -> None:  # fmt: skip
    """Draw text from a trained run, or from weights alone, with R's text for the same seed."""
    from pygpt.memory import keep_freed_memory

    keep_freed_memory()
    run = trained(folder, weights_file, vocabulary, n_head)
    temperature = 0.0 if greedy else temperature
    seeds = _seeds(run, seed, continue_generator, samples)
    prompt = course_prompt(run.vocabulary, "--prompt") if prompt is None else prompt
    drawn = run.draw(prompt, tokens, temperature, seeds, top_k, rule)
    if samples == 1 and not as_json:
        _stream(prompt, (run.vocabulary.decode(step) for step in drawn))
        return
    texts = list(zip(*_watched(drawn, tokens), strict=True))
    if as_json:
        rows = run.vocabulary.encode(prompt).tolist()
        results = [
            {
                "seed": s if isinstance(s, int) else None,
                "text": prompt + run.vocabulary.decode(t),
                "r_ids": run.vocabulary.r_ids([*rows, *t]),
            }
            for s, t in zip(seeds, texts, strict=True)
        ]
        settings = {
            "run": str(folder or weights_file),
            "prompt": prompt,
            "tokens": tokens,
            "top_k": top_k,
            "rule": rule,
            "temperature": temperature,
        }
        echo_json(settings | {"samples": results})
        return
    for s, text in zip(seeds, texts, strict=True):
        click.echo(f"--- seed {s} ---\n{prompt}{run.vocabulary.decode(text)}\n")


def _seeds(run: "Trained", seed: int | None, continue_generator: bool, samples: int) -> "Sequence[int | Tensor]":
    if not continue_generator:
        first = 123 if seed is None else seed
        return list(range(first, first + samples))
    from pygpt.api import Run

    if seed is not None or samples > 1 or not isinstance(run, Run):
        raise PygptError(
            "--continue-generator draws one text from the state of a run's own generator: it goes with --run, and "
            "without --seed and --samples"
        )
    return [run.generator_state]


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
