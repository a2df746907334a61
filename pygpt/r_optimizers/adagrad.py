"""Adagrad: R torch's own, and libtorch's C++ that R torch calls ignite."""

from typing import Any

import torch
from torch import Tensor

from pygpt.errors import PygptError
from pygpt.r_optimizers.base import Group, Parameters, ROptimizer, refuse_negative


class Adagrad(ROptimizer):
    """`optim_adagrad` (optim-adagrad.R). Its roundings are those of PyTorch's, one parameter at a time.

    SLIP: the state is made when the optimizer is, with the accumulator's start of its own arguments: a group's own
    `initial_accumulator_value` has no effect, and a group that is added later has no state, so the next step stops.
    """

    r_name = "adagrad"
    r_defaults = {  # noqa: RUF012
        "lr": 1e-2, "lr_decay": 0.0, "weight_decay": 0.0, "initial_accumulator_value": 0.0, "eps": 1e-10,
    }  # fmt: skip

    def __init__(self, params: Parameters, **arguments: Any) -> None:
        super().__init__(params, **arguments)
        start = self.defaults["initial_accumulator_value"]
        for group in self.with_state():
            for parameter in group["params"]:
                total = torch.full_like(parameter, start, memory_format=torch.preserve_format)
                self.state[parameter] = {"step": 0.0, "sum": total}

    def with_state(self) -> list[Group]:
        """The groups whose parameters get a state."""
        return self.param_groups

    @classmethod
    def check(cls, options: dict[str, Any]) -> None:
        """As `assert_adagrad_params`."""
        refuse_negative(cls, options, "lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")

    def update(self, group: Group, parameter: Tensor, gradient: Tensor, number: int) -> None:
        state = self.state[parameter]
        if not state:
            raise PygptError(
                "R torch stops here: optim_{name} has no state for a group of parameters that came after it was made. "
                "Make a new optimizer with all groups.",
                name=self.r_name,
            )
        state["step"] += 1.0
        if group["weight_decay"] != 0:
            gradient = gradient.add(parameter, alpha=group["weight_decay"])
        rate = group["lr"] / (1 + (state["step"] - 1) * group["lr_decay"])
        state["sum"].addcmul_(gradient, gradient, value=1)
        parameter.addcdiv_(gradient, state["sum"].sqrt().add_(group["eps"]), value=-rate)


class IgniteAdagrad(Adagrad):
    """`optim_ignite_adagrad`: libtorch's C++ Adagrad.

    SLIP: of several groups R hands only the first to C++'s constructor, which makes the states. So with two groups or
    more the first step stops.
    """

    r_name = "ignite_adagrad"
    ignite = True

    def with_state(self) -> list[Group]:
        return self.param_groups[:1]
