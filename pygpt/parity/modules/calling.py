"""A module called with a recording's inputs."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from pygpt.isolation.any_module import called
from pygpt.parity.modules.recording import Input


def call_module(module: nn.Module, inputs: Sequence[Input]) -> Any:
    """What `forward` gives for the recorded inputs: by name where it has an argument of R's name, else by place."""
    values = [one.given.clone() if isinstance(one.given, Tensor) else one.given for one in inputs]
    # R's names may hold dots
    return called(module, [one.name.replace(".", "_") for one in inputs], values)
