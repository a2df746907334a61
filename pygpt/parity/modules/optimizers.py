"""The optimizer that a recording names: R's own, mirrored (engine `r`), or PyTorch's of that name (`plain`)."""

import inspect
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from pygpt.errors import PygptError
from pygpt.parity.modules.recording import Training
from pygpt.r_optimizers import OPTIMIZERS, r_optimizer

Engine: TypeAlias = Literal["r", "plain"]

_PLAIN = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "rmsprop": "RMSprop", "adagrad": "Adagrad",
          "adadelta": "Adadelta", "asgd": "ASGD", "rprop": "Rprop"}  # fmt: skip
_RENAMED = {"lambda": "lambd"}


def optimizer_of(training: Training, parameters: Sequence[Tensor], engine: Engine) -> torch.optim.Optimizer:
    """An optimizer with the recorded arguments.

    Args:
        parameters: R's, in R's order.

    Raises:
        PygptError: R's optimizer is not known here.
    """
    if engine == "r":
        known = OPTIMIZERS.get(training.optimizer.removeprefix("optim_"))
        # a group may hold more than R's function has arguments
        given = {name: v for name, v in training.arguments.items() if known is None or name in known.r_defaults}
        return r_optimizer(training.optimizer, parameters, **given)
    name = training.optimizer.removeprefix("optim_").removeprefix("ignite_")
    if name not in _PLAIN:
        raise PygptError("PyTorch has no optimizer for R's {name}: take --engine r", name=training.optimizer)
    kind = getattr(torch.optim, _PLAIN[name])
    takes = inspect.signature(kind).parameters
    renamed: dict[str, Any] = {_RENAMED.get(key, key): value for key, value in training.arguments.items()}
    arguments = {key: tuple(v) if isinstance(v, list) else v for key, v in renamed.items() if key in takes}
    made: torch.optim.Optimizer = kind(parameters, **arguments)
    return made
