"""A module called with a recording's inputs."""

import inspect
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from pygpt.parity.modules.recording import Input


def call_module(module: nn.Module, inputs: Sequence[Input]) -> Any:
    """What `forward` gives for the recorded inputs: by name where it has an argument of R's name, else by place."""
    takes = inspect.signature(module.forward).parameters
    places, names = [], {}
    for one in inputs:
        # R's names may hold dots
        name = one.name.replace(".", "_")
        value = one.given.clone() if isinstance(one.given, Tensor) else one.given
        if name and name in takes:
            names[name] = value
        else:
            places.append(value)
    if any(name in list(takes)[: len(places)] for name in names):
        return module(*(one.given for one in inputs))
    return module(*places, **names)
