"""`info`: what a run, a file of R's or a configuration is."""

from pathlib import Path
from typing import Any

import click

from pygpt.commands.language import Command
from pygpt.commands.options import given_settings, settings_options, tell_note, weights_option
from pygpt.commands.terminal import table
from pygpt.errors import PygptError
from pygpt.settings import ModelSettings, TrainingSettings, from_dict, setting_names, split_settings, to_toml


@click.command(cls=Command, epilog="Example: info --run runs/gpt; or info --weights model.pt; or info --n-embd 256")
@click.option(
    "--run", "folder", type=click.Path(path_type=Path), help="Folder of a run; else a configuration is shown."
)
@weights_option
@settings_options(*setting_names())
def info(folder: Path | None, weights_file: Path | None, config: Path | None, **options: Any) -> None:
    """Show a run, a file of R's, or a configuration before it is run: parameters by module, sizes, settings, losses."""
    given = given_settings(config, options)
    if (folder and (given or weights_file)) or (weights_file and given.keys() - {"n_head"}):
        raise PygptError("--run or --weights shows what is there: give it alone, without settings")
    if folder:
        _show_run(folder)
    elif weights_file:
        _show_weights(weights_file, given.get("n_head"))
    else:
        for_model, for_training = split_settings(given)
        model, training = from_dict(ModelSettings, for_model), from_dict(TrainingSettings, for_training)
        click.echo(to_toml(model) + to_toml(training))
        click.echo("# vocab_size is the course's here; a run takes it from its text (its share is 1 where it is yours)")
        _show_parameters(model)


def _show_run(folder: Path) -> None:
    from pygpt import api

    run = api.load(folder)
    click.echo(to_toml(run.model_settings) + to_toml(run.training_settings))
    _show_parameters(run.model_settings)
    click.echo("made with: " + ", ".join(f"{k} {v}" for k, v in run.provenance.items()))
    click.echo(f"vocabulary ({run.vocabulary.order}): {''.join(run.vocabulary.characters)!r}")
    click.echo(f"steps done: {len(run.steps):,}")
    rows = [[str(e.epoch), f"{e.train:.4f}", f"{e.valid:.4f}"] for e in run.history]
    table(["epoch", "train loss", "valid loss"], rows, left=())
    click.echo("files: " + ", ".join(f"{p.name} ({p.stat().st_size:,} B)" for p in sorted(folder.glob("[!.]*"))))


def _show_weights(file: Path, n_head: int | None) -> None:
    from pygpt.r_files.losses import losses_of
    from pygpt.r_files.opening import opened
    from pygpt.r_files.weights import found_in, weights_of
    from pygpt.weights import weights_sha256

    held = opened(file)
    in_file, losses = found_in(held, file), losses_of(held, file)
    if losses is not None:
        table(losses.header, losses.lines)
    if losses is not None and not in_file.states:
        return
    weights = weights_of(in_file, file, n_head)
    # dropout leaves no trace in weights
    click.echo("".join(line for line in to_toml(weights.settings).splitlines(True) if not line.startswith("dropout")))
    _show_parameters(weights.settings)
    vocabulary = weights.vocabulary
    click.echo(
        "vocabulary: not in the file (--vocabulary says it to generate and attention)"
        if vocabulary is None
        else f"vocabulary ({vocabulary.order}): {''.join(vocabulary.characters)!r}"
    )
    click.echo(f"SHA-256 of the weights: {weights_sha256(weights.tensors)}")
    tell_note(weights.note())


def _show_parameters(settings: ModelSettings) -> None:
    import torch

    from pygpt.models import build_model

    with torch.device("meta"):
        model = build_model(settings)
    counts = {name: sum(p.numel() for p in module.parameters()) for name, module in model.named_children()}
    total = sum(counts.values())
    rows = [[name, f"{count:,}"] for name, count in counts.items() if count]
    table(["module", "parameters"], [*rows, ["all", f"{total:,}"]])
    click.echo(f"  {4 * total:,} B in float32")
