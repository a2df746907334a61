"""RMSprop: R torch's own, and libtorch's C++ that R torch calls ignite."""

from typing import Any

from torch import Tensor

from pygpt.r_optimizers.base import Group, ROptimizer, refuse_negative, zeros


class _Rms(ROptimizer):
    r_defaults = {  # noqa: RUF012
        "lr": 1e-2, "alpha": 0.99, "eps": 1e-8, "weight_decay": 0.0, "momentum": 0.0, "centered": False,
    }  # fmt: skip

    @classmethod
    def check(cls, options: dict[str, Any]) -> None:
        """As `assert_rmsprop_params`."""
        refuse_negative(cls, options, "lr", "eps", "momentum", "weight_decay", "alpha")

    def update(self, group: Group, parameter: Tensor, gradient: Tensor, number: int) -> None:
        state, alpha = self.state[parameter], group["alpha"]
        if not state:
            state.update({name: zeros(parameter) for name in ("square_avg", "momentum_buffer", "grad_avg")})
        if group["weight_decay"] != 0:
            gradient = gradient.add(self.decays_by(parameter, number), alpha=group["weight_decay"])
        squares = state["square_avg"].mul_(alpha).addcmul_(gradient, gradient, value=1 - alpha)
        if group["centered"]:
            mean = state["grad_avg"].mul_(alpha).add_(gradient, alpha=1 - alpha)
            average = squares.addcmul(mean, mean, value=-1).sqrt_().add_(group["eps"])
        else:
            average = squares.sqrt().add_(group["eps"])
        if group["momentum"] > 0:
            buffer = state["momentum_buffer"].mul_(group["momentum"]).addcdiv_(gradient, average)
            parameter.add_(buffer, alpha=-group["lr"])
        else:
            parameter.addcdiv_(gradient, average, value=-group["lr"])

    def decays_by(self, parameter: Tensor, number: int) -> Tensor | int:
        """What is added to the gradient, times `weight_decay`."""
        raise NotImplementedError


class RMSprop(_Rms):
    """`optim_rmsprop` (optim-rmsprop.R).

    SLIP: weight decay adds `weight_decay` times the *number* of the parameter in its group, as in `optim_sgd`
    (`grad$add(p, …)`).
    """

    r_name = "rmsprop"

    def decays_by(self, parameter: Tensor, number: int) -> Tensor | int:
        return number


class IgniteRMSprop(_Rms):
    """`optim_ignite_rmsprop`: libtorch's C++ RMSprop, which decays by the parameter."""

    r_name = "ignite_rmsprop"
    ignite = True

    def decays_by(self, parameter: Tensor, number: int) -> Tensor | int:
        return parameter
