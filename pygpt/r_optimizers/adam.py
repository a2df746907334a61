"""Adam and AdamW: R torch's own, and the two of libtorch's C++ that R torch calls ignite."""

from typing import Any

import torch
from torch import Tensor

from pygpt.errors import PygptError
from pygpt.output.messages import say
from pygpt.r_optimizers.base import Group, ROptimizer, refuse_negative, refuse_unless, zeros


def power(base: float, exponent: float) -> float:
    """R's `base^exponent`: a square is one multiplication, all else C's pow."""
    return base * base if exponent == 2 else base**exponent


class _Adams(ROptimizer):
    """What the four of them share: the arguments, the state, the two running means."""

    @classmethod
    def check(cls, options: dict[str, Any]) -> None:
        """As `assert_adam_params` and `assert_adamw_params`."""
        refuse_negative(cls, options, "lr", "eps")
        allowed = say("two numbers from 0 to below 1") if cls.ignite else say("two numbers from 0 to 1")
        for beta in options["betas"]:
            refuse_unless(cls, 0 <= beta <= 1 and not (cls.ignite and beta == 1), "betas", options["betas"], allowed)
        refuse_negative(cls, options, "weight_decay")

    def _means(self, group: Group, parameter: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Both running means after this gradient; of the squares, their maximum so far with amsgrad."""
        state, (beta1, beta2) = self.state[parameter], group["betas"]
        mean, squares = state["exp_avg"], state["exp_avg_sq"]
        mean.mul_(beta1).add_(gradient, alpha=1 - beta1)
        squares.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        if not group["amsgrad"]:
            return mean, squares
        torch.maximum(state["max_exp_avg_sq"], squares, out=state["max_exp_avg_sq"])
        return mean, state["max_exp_avg_sq"]

    def _state_of(self, group: Group, parameter: Tensor, step: Any) -> dict[str, Any]:
        state: dict[str, Any] = self.state[parameter]
        if not state:
            state.update(step=step, exp_avg=zeros(parameter), exp_avg_sq=zeros(parameter))
            if group["amsgrad"]:
                state["max_exp_avg_sq"] = zeros(parameter)
        return state


class _InDoubles(_Adams):
    """Adam's update with all scalars in double precision."""

    def update(self, group: Group, parameter: Tensor, gradient: Tensor, number: int) -> None:
        # R counts in a number; a tensor of double precision, so that all of the state can be kept in a file
        state = self._state_of(group, parameter, torch.zeros((), dtype=torch.float64))
        step = state["step"].add_(1).item()
        gradient = self.decayed(group, parameter, gradient)
        mean, squares = self._means(group, parameter, gradient)
        bias1, bias2 = (1 - power(beta, step) for beta in group["betas"])
        denominator = (squares.sqrt() / bias2**0.5).add_(group["eps"])
        parameter.addcdiv_(mean, denominator, value=-(group["lr"] / bias1))

    def decayed(self, group: Group, parameter: Tensor, gradient: Tensor) -> Tensor:
        """The gradient after weight decay, which may change the parameter instead."""
        raise NotImplementedError


class Adam(_InDoubles):
    """`optim_adam` (optim-adam.R). Its state, `max_exp_avg_sq` with amsgrad included, is that of PyTorch's Adam.

    - The running means are `mul_()` and `add_()`, two roundings, where PyTorch takes `lerp_()`. Seen: 4.8e-7 in the
      loss of a small model, 10 steps.
    - SLIP: weight decay is added into the gradient itself (`grad$add_`), which stays changed after the step: who looks
      at it then, or steps again without computing it anew, meets the decay once more.
    """

    r_name = "adam"
    r_defaults = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0, "amsgrad": False}  # noqa: RUF012

    def decayed(self, group: Group, parameter: Tensor, gradient: Tensor) -> Tensor:
        if group["weight_decay"] != 0:
            gradient.add_(parameter, alpha=group["weight_decay"])
        return gradient


class IgniteAdam(_InDoubles):
    """`optim_ignite_adam`: libtorch's C++ Adam. It has R torch's roundings, and leaves the gradient as it is."""

    r_name = "ignite_adam"
    ignite = True
    r_defaults = Adam.r_defaults

    def decayed(self, group: Group, parameter: Tensor, gradient: Tensor) -> Tensor:
        if group["weight_decay"] != 0:
            return gradient.add(parameter, alpha=group["weight_decay"])
        return gradient


class IgniteAdamW(_InDoubles):
    """`optim_ignite_adamw`: libtorch's C++ AdamW, whose scalars are doubles (those of `optim_adamw` are float32)."""

    r_name = "ignite_adamw"
    ignite = True
    r_defaults = {**Adam.r_defaults, "weight_decay": 0.01}  # noqa: RUF012

    def decayed(self, group: Group, parameter: Tensor, gradient: Tensor) -> Tensor:
        if group["weight_decay"] != 0:
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
        return gradient


class AdamW(_Adams):
    """`optim_adamw` (optim-adamw.R): `step` and the bias corrections are float32 tensors, one rounding an operation.

    SLIP: those tensors have shape (1), so it stops at a parameter without dimensions ("output with shape [] doesn't
    match the broadcast shape [1]").
    Each parameter counts its own steps. `r_semantics.AdamW` is the same for many parameters at once, which are all
    of one type, all have gradients in each step, and are not amsgrad's.
    """

    r_name = "adamw"
    r_defaults = IgniteAdamW.r_defaults

    def update(self, group: Group, parameter: Tensor, gradient: Tensor, number: int) -> None:
        if parameter.ndim == 0:
            raise PygptError(
                "R torch stops here: optim_adamw cannot step parameter {number}, a tensor without dimensions. "
                "Give it shape (1).",
                number=number,
            )
        step = self._state_of(group, parameter, torch.zeros(()))["step"].add_(1)
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        mean, squares = self._means(group, parameter, gradient)
        # R makes a tensor of shape (1) of a number that stands before an operator.
        one, lr, beta1, beta2 = (torch.tensor([value]) for value in (1.0, group["lr"], *group["betas"]))
        step_size = lr / (one - beta1**step)
        denominator = (squares.sqrt() / torch.sqrt(one - beta2**step)).add_(group["eps"])
        parameter.addcdiv_(mean, denominator, value=-step_size.item())
