"""`info`: what a run or a configuration is."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pygpt.commands.options import given_settings, settings_options
from pygpt.settings import ModelSettings, TrainingSettings, from_dict, setting_names, split_settings, to_toml

if TYPE_CHECKING:
    from pygpt.models import CharacterModel


@click.command(epilog="Example: info --run runs/gpt; or info --n-embd 256 --n-layer 4")
@click.option(
    "--run", "folder", type=click.Path(path_type=Path), help="Folder of a run; else a configuration is shown."
)
@settings_options(*setting_names())
def info(folder: Path | None, config: Path | None, **options: Any) -> None:
    """Show a run, or a configuration before it is run: parameters by module, sizes, settings, history."""
    given = given_settings(config, options)
    if folder and given:
        raise click.UsageError("--run shows the run's own settings: give it alone, without settings")
    if folder:
        _show_run(folder)
    else:
        for_model, for_training = split_settings(given)
        model, training = from_dict(ModelSettings, for_model), from_dict(TrainingSettings, for_training)
        _show_settings(model, training)
        click.echo(f"# vocab_size is the course's here; a run takes it from its text\n{_parameters(model)}")


def _show_run(folder: Path) -> None:
    from pygpt import checkpoints, losses

    run = checkpoints.open_run(folder)
    _show_settings(run.model, run.training)
    click.echo(_parameters(run.model))
    click.echo("made with: " + ", ".join(f"{k} {v}" for k, v in run.provenance.items()))
    click.echo(f"vocabulary ({run.vocabulary.order}): {''.join(run.vocabulary.characters)!r}")
    click.echo(f"steps done: {len(losses.read_steps(folder)):,}")
    click.echo("epoch  train loss  valid loss")
    for epoch in losses.read_history(folder):
        click.echo(f"{epoch.epoch:5}  {epoch.train:10.4f}  {epoch.valid:10.4f}")
    click.echo("files: " + ", ".join(f"{p.name} ({p.stat().st_size:,} B)" for p in sorted(folder.glob("[!.]*"))))


def _show_settings(model: ModelSettings, training: TrainingSettings) -> None:
    click.echo(to_toml(model) + to_toml(training))


def _parameters(settings: ModelSettings) -> str:
    import torch

    from pygpt.models import build_model

    with torch.device("meta"):
        model: CharacterModel = build_model(settings)
    rows = [(name, sum(p.numel() for p in module.parameters())) for name, module in model.named_children()]
    total = sum(count for _, count in rows)
    lines = [f"{name:8} {count:12,}" for name, count in rows if count]
    return "\n".join(["parameters by module:", *lines, f"{'all':8} {total:12,}  ({4 * total:,} B in float32)"])
