"""Gradient descent: R torch's `optim_sgd`, and libtorch's C++ that R torch calls `optim_ignite_sgd`."""

from typing import Any

from torch import Tensor

from pygpt.output.messages import say
from pygpt.r_optimizers.base import Group, ROptimizer, refuse_negative, refuse_unless


class _Descent(ROptimizer):
    r_defaults = {"lr": None, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False}  # noqa: RUF012

    @classmethod
    def check(cls, options: dict[str, Any]) -> None:
        """As `assert_sgd_params`; the learning rate has no default."""
        refuse_negative(cls, options, "lr", "momentum", "weight_decay")
        if options["nesterov"]:
            refuse_unless(cls, options["momentum"] > 0, "momentum", options["momentum"], say("above 0 with nesterov"))
            refuse_unless(cls, options["dampening"] == 0, "dampening", options["dampening"], say("0 with nesterov"))

    def update(self, group: Group, parameter: Tensor, gradient: Tensor, number: int) -> None:
        if group["weight_decay"] != 0:
            gradient = gradient.add(self.decays_by(parameter, number), alpha=group["weight_decay"])
        if group["momentum"] != 0:
            state = self.state[parameter]
            if "momentum_buffer" in state:
                state["momentum_buffer"].mul_(group["momentum"]).add_(gradient, alpha=1 - group["dampening"])
            else:
                state["momentum_buffer"] = gradient.clone()
            buffer = state["momentum_buffer"]
            gradient = gradient.add(buffer, alpha=group["momentum"]) if group["nesterov"] else buffer
        parameter.add_(gradient, alpha=-group["lr"])

    def decays_by(self, parameter: Tensor, number: int) -> Tensor | int:
        """What is added to the gradient, times `weight_decay`."""
        raise NotImplementedError


class SGD(_Descent):
    """`optim_sgd` (optim-sgd.R).

    SLIP: weight decay adds `weight_decay` times the *number* of the parameter in its group, not the parameter
    (`d_p$add(p, …)`, where `p` is the index of the loop). Seen: up to 6.6e-2 in the loss of a small model, 10 steps.
    """

    r_name = "sgd"

    def decays_by(self, parameter: Tensor, number: int) -> Tensor | int:
        return number


class IgniteSGD(_Descent):
    """`optim_ignite_sgd`: libtorch's C++ SGD, which decays by the parameter."""

    r_name = "ignite_sgd"
    ignite = True

    def decays_by(self, parameter: Tensor, number: int) -> Tensor | int:
        return parameter
