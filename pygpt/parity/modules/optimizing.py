"""What is tried where only a step of the optimizer parts: R's optimizer, its options one by one, R's slips."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from pygpt.parity.modules.port import Port
from pygpt.parity.modules.recording import ModuleRecording, Training
from pygpt.parity.modules.replay import Setting

PADDING_ROW = (
    "the row without gradient: nnf_embedding() hands R's padding_idx to libtorch, which counts from 0, so in R it "
    "is the row after the padding row; --engine r does so, too"
)
_BY_NUMBER = (
    "R torch's {name} adds weight_decay times the parameter's number in its group to the gradient, not the parameter; "
    "PyTorch decays the parameter. --engine r does as R does"
)
_ROUNDINGS = "R torch's {name} rounds otherwise than PyTorch's; with --engine r it has R's bits"


def tried(
    recording: ModuleRecording, setting: Setting, name: str
) -> Iterator[tuple[str, Callable[[Setting], Setting]]]:
    """A cause, and the setting with it undone."""
    training = training_of(recording, name)
    if setting.port.optimizer is not None and setting.own:
        for cause, hook in _own_options(setting.port.optimizer, training):
            yield cause, _with_port(replace(setting.port, optimizer=hook))
        yield (
            f"the port's own optimizer(): with R's {training.optimizer} and R's options it agrees",
            lambda s: replace(s, own=False, engine="r"),
        )
    elif setting.engine == "plain":
        slip = training.optimizer in ("optim_sgd", "optim_rmsprop") and training.arguments.get("weight_decay")
        cause = (_BY_NUMBER if slip else _ROUNDINGS).format(name=training.optimizer)
        yield cause, lambda s: replace(s, engine="r")


def _with_port(port: Port) -> Callable[[Setting], Setting]:
    return lambda setting: replace(setting, port=port)


def training_of(recording: ModuleRecording, name: str) -> Training:
    """The training that a quantity is of."""
    for training in recording.trainings:
        if training.label and (name.endswith(f".{training.label}") or f".{training.label}." in name):
            return training
    return recording.trainings[0]


def _own_options(
    hook: Callable[[Any], torch.optim.Optimizer], training: Training
) -> Iterator[tuple[str, Callable[[Any], torch.optim.Optimizer]]]:
    """The port's optimizer with one option as R has it."""
    made = hook([torch.nn.Parameter(torch.zeros(1))])
    for option, value in training.arguments.items():
        wanted = tuple(value) if isinstance(value, list) else value
        own = made.defaults.get(option, wanted)
        if own != wanted and not isinstance(own, Tensor):

            def with_r(parameters: Any, option: str = option, wanted: Any = wanted) -> torch.optim.Optimizer:
                optimizer = hook(parameters)
                for group in optimizer.param_groups:
                    group[option] = wanted
                return optimizer

            yield f"{option} of the port's optimizer is {own}: R has {wanted}", with_r
