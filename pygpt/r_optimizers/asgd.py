"""`optim_asgd` of R torch."""

from typing import Any

from torch import Tensor

from pygpt.errors import PygptError
from pygpt.r_optimizers.adam import power
from pygpt.r_optimizers.base import Group, ROptimizer, refuse_negative, zeros


class ASGD(ROptimizer):
    """`optim_asgd` (optim-asgd.R): averaged gradient descent.

    SLIP: averaging adds to `mu`, an R number, in place of `ax`, and so stops with R's error "$ operator is invalid for
    atomic vectors": at step t0 + 3, after 1,000,002 steps with R's default.
    """

    r_name = "asgd"
    r_defaults = {"lr": 1e-2, "lambda": 1e-4, "alpha": 0.75, "t0": 1e6, "weight_decay": 0.0}  # noqa: RUF012

    @classmethod
    def check(cls, options: dict[str, Any]) -> None:
        """As the first lines of R's `initialize`."""
        refuse_negative(cls, options, "lr", "weight_decay")

    def update(self, group: Group, parameter: Tensor, gradient: Tensor, number: int) -> None:
        state = self.state[parameter]
        if not state:
            state.update(step=0.0, eta=group["lr"], mu=1.0, ax=zeros(parameter))
        state["step"] += 1.0
        if group["weight_decay"] != 0:
            gradient = gradient.add(parameter, alpha=group["weight_decay"])
        parameter.mul_(1 - group["lambda"] * state["eta"])
        parameter.add_(gradient, alpha=-state["eta"])
        if state["mu"] != 1:
            raise PygptError(
                "R torch stops here: optim_asgd cannot average weights, and begins to at step {step} with t0 = {t0:g}. "
                "Take a larger t0.",
                step=int(state["step"]), t0=group["t0"],
            )  # fmt: skip
        state["ax"].copy_(parameter)
        state["eta"] = group["lr"] / power(1 + group["lambda"] * group["lr"] * state["step"], group["alpha"])
        state["mu"] = 1 / max(1.0, state["step"] - group["t0"])
