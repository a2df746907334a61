"""Weights that may lie otherwise in a port than in R: gates in another order, a square matrix or a kernel turned."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations

import torch
from torch import Tensor

from pygpt.parity.modules.matching import Matched

_GATES = {4: "i f g o", 3: "r z n"}
_MOST_TRANSPOSED = 12


@dataclass(frozen=True)
class Turned(Matched):
    """Where R's state lies, with some tensors turned on the way."""

    turns: Mapping[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]]
    """To the port and back, by R's name."""

    def to_own(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """R's tensors under the port's names."""
        return super().to_own({n: self.turns[n][0](t).contiguous() if n in self.turns else t for n, t in state.items()})

    def to_r(self, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The port's tensors under R's names."""
        return {n: self.turns[n][1](t) if n in self.turns else t for n, t in super().to_r(own).items()}


def turned(matched: Matched, init: Mapping[str, Tensor], layer: str) -> Iterator[tuple[str, Turned]]:
    """What is tried: a sentence, and the state's place with it.

    Args:
        layer: R's name of the submodule where the two sides part; its weights come first. Empty: any.
    """
    names = sorted(init, key=lambda name: not name.startswith(layer + "."))
    yield from _gates(matched, init, names)
    few = [name for name in names if init[name].dim() >= 2][:_MOST_TRANSPOSED]
    for name in few:
        shape = init[name].shape
        if len(shape) == 2 and shape[0] == shape[1]:
            yield f"{name} transposed", _with(matched, {name: (lambda t: t.mT, lambda t: t.mT)})
        if len(shape) > 2:
            axes = tuple(range(2, len(shape)))
            if any(n > 1 for n in shape[2:]):
                flip = lambda t, axes=axes: t.flip(axes)  # noqa: E731
                yield (
                    f"the kernel {name} turned round: a transposed convolution is no convolution with the same kernel",
                    _with(matched, {name: (flip, flip)}),
                )
            if shape[0] == shape[1]:
                swap = lambda t: t.transpose(0, 1)  # noqa: E731
                text = f"{name} with inputs and outputs exchanged: a transposed convolution has its inputs first"
                yield text, _with(matched, {name: (swap, swap)})


def _gates(matched: Matched, init: Mapping[str, Tensor], names: list[str]) -> Iterator[tuple[str, Turned]]:
    for gates, own in _GATES.items():
        by_layer: dict[str, list[str]] = {}
        for name in names:
            hidden = init[name].shape[0] / gates
            square = [
                n
                for n in names
                if "_hh_" in n and n.rpartition(".")[0] == name.rpartition(".")[0] and init[n].dim() == 2
            ]
            if square and init[square[0]].shape[1] == hidden and ("_ih" in name or "_hh" in name):
                by_layer.setdefault(name.rpartition(".")[0], []).append(name)
        for layer, held in by_layer.items():
            for order in list(permutations(range(gates)))[1:]:
                back = [order.index(i) for i in range(gates)]

                def turn(t: Tensor, order: tuple[int, ...] = order, gates: int = gates) -> Tensor:
                    parts = t.tensor_split(gates)
                    return torch.cat([parts[i] for i in order])

                def unturn(t: Tensor, back: list[int] = back, gates: int = gates) -> Tensor:
                    parts = t.tensor_split(gates)
                    return torch.cat([parts[i] for i in back])

                said = " ".join(own.split()[i] for i in order)
                text = f"the gates of {layer or 'the module'} in the order {said}: R and PyTorch have them {own}"
                yield text, _with(matched, dict.fromkeys(held, (turn, unturn)))


def _with(
    matched: Matched, turns: Mapping[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]]
) -> Turned:
    return Turned(matched.carried, matched.how, matched.shapes, turns)
