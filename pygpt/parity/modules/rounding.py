"""How far a right port may be off: what a change in the last bit of its weights and inputs does to each quantity.

Two programs that compute the same in another order differ by rounding, and how much that is depends on the module:
a bias before a batch norm has a gradient that is rounding alone, which Adam blows up to steps of the learning rate.
So the limit of each quantity is measured on the port itself.
"""

import dataclasses
from collections.abc import Mapping

import torch
from torch import Tensor

from pygpt.parity.compare import Limit
from pygpt.parity.modules.recording import ModuleRecording
from pygpt.parity.modules.replay import Setting, replay

_SHAKES = 3
_TIMES = 8
# Of float32, whose spacing is 1.2e-7: what any other order of adding may do to one value.
_LEAST = Limit(1e-7, 1e-6, 5e-7)
_HALF = Limit(1e-4, 4e-3, 2e-3)


def measured(recording: ModuleRecording, setting: Setting, unshaken: Mapping[str, Tensor]) -> dict[str, Limit]:
    """The limit of each quantity that the port gave."""
    half = any(tensor.dtype in (torch.float16, torch.bfloat16) for tensor in setting.state.values())
    least = _HALF if half else _LEAST
    off = dict.fromkeys(unshaken, 0.0)
    for seed in range(_SHAKES):
        generator = torch.Generator().manual_seed(seed)
        shaken_inputs = tuple(
            dataclasses.replace(one, value=_shaken(one.value, generator)) if isinstance(one.value, Tensor) else one
            for one in recording.inputs
        )
        shaken = replay(
            dataclasses.replace(recording, inputs=shaken_inputs),
            dataclasses.replace(
                setting, state={name: _shaken(tensor, generator) for name, tensor in setting.state.items()}
            ),
        ).quantities
        for name in off:
            if name in shaken and shaken[name].shape == unshaken[name].shape:
                off[name] = max(off[name], _largest(shaken[name].double() - unshaken[name].double()))
    return {
        name: Limit(least.absolute + _TIMES * value, least.relative, least.of_largest) for name, value in off.items()
    }


def _shaken(tensor: Tensor, generator: torch.Generator) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    steps = torch.randint(-1, 2, tensor.shape, generator=generator).to(tensor.dtype)
    return tensor * (1 + steps * torch.finfo(tensor.dtype).eps)


def _largest(difference: Tensor) -> float:
    finite = difference[difference.isfinite()].abs()
    return float(finite.max()) if finite.numel() else 0.0
