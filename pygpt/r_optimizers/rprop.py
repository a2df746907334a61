"""`optim_rprop` of R torch."""

from typing import Any

import torch
from torch import Tensor

from pygpt.output.messages import say
from pygpt.r_optimizers.base import Group, ROptimizer, refuse_negative, refuse_unless, zeros


class Rprop(ROptimizer):
    """`optim_rprop` (optim-rprop.R). Its roundings are those of PyTorch's, one parameter at a time."""

    r_name = "rprop"
    r_defaults = {"lr": 1e-2, "etas": (0.5, 1.2), "step_sizes": (1e-6, 50.0)}  # noqa: RUF012

    @classmethod
    def check(cls, options: dict[str, Any]) -> None:
        """As the first lines of R's `initialize`."""
        refuse_negative(cls, options, "lr")
        (minus, plus), allowed = options["etas"], say("a number from 0 to 1 and one of at least 1")
        refuse_unless(cls, 0 <= minus <= 1 <= plus, "etas", options["etas"], allowed)

    def update(self, group: Group, parameter: Tensor, gradient: Tensor, number: int) -> None:
        state, (minus, plus) = self.state[parameter], group["etas"]
        if not state:
            state.update(prev=zeros(parameter), step_size=torch.full_like(gradient, group["lr"]))
        sign = gradient.mul(state["prev"]).sign()
        sign[sign.gt(0)] = plus
        sign[sign.lt(0)] = minus
        sign[sign.eq(0)] = 1
        state["step_size"].mul_(sign).clamp_(*group["step_sizes"])
        gradient = gradient.clone(memory_format=torch.preserve_format)
        gradient[sign.eq(minus)] = 0
        parameter.addcmul_(gradient.sign(), state["step_size"], value=-1)
        state["prev"].copy_(gradient)
