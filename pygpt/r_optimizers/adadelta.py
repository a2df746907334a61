"""`optim_adadelta` of R torch."""

from typing import Any

from torch import Tensor

from pygpt.output.messages import say
from pygpt.r_optimizers.base import Group, ROptimizer, refuse_negative, refuse_unless, zeros


class Adadelta(ROptimizer):
    """`optim_adadelta` (optim-adadelta.R). Its roundings are those of PyTorch's, one parameter at a time."""

    r_name = "adadelta"
    r_defaults = {"lr": 1.0, "rho": 0.9, "eps": 1e-6, "weight_decay": 0.0}  # noqa: RUF012

    @classmethod
    def check(cls, options: dict[str, Any]) -> None:
        """As the first lines of R's `initialize`."""
        refuse_negative(cls, options, "lr")
        refuse_unless(cls, 0 <= options["rho"] <= 1, "rho", options["rho"], say("from 0 to 1"))
        refuse_negative(cls, options, "eps", "weight_decay")

    def update(self, group: Group, parameter: Tensor, gradient: Tensor, number: int) -> None:
        state, rho, eps = self.state[parameter], group["rho"], group["eps"]
        if not state:
            state.update(square_avg=zeros(parameter), acc_delta=zeros(parameter))
        if group["weight_decay"] != 0:
            gradient = gradient.add(parameter, alpha=group["weight_decay"])
        squares, total = state["square_avg"], state["acc_delta"]
        squares.mul_(rho).addcmul_(gradient, gradient, value=1 - rho)
        delta = total.add(eps).sqrt_().div_(squares.add(eps).sqrt_()).mul_(gradient)
        parameter.add_(delta, alpha=-group["lr"])
        total.mul_(rho).addcmul_(delta, delta, value=1 - rho)
