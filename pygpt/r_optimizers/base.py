"""What all of R torch's optimizers share: groups, the loop over parameters, arguments that are refused."""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor

from pygpt.errors import PygptError
from pygpt.output.messages import Message, say
from pygpt.output.spelling import did_you_mean

Parameters = Tensor | Iterable[Tensor] | Iterable[dict[str, Any]]
Group = dict[str, Any]

NOT_NEGATIVE = say("0 or more")


class ROptimizer(torch.optim.Optimizer):
    """`Optimizer` of R torch (optim.R): one parameter after the other, group by group, in the order they were given.

    Four things are not PyTorch's:
    - `zero_grad()` fills gradients with zeros by default, it does not remove them. So a parameter that once had a
      gradient is updated in every later step, by its momentum and its decay, even where the loss does not reach it.
      (Those of libtorch's C++, `optim_ignite_*`, remove them.)
    - A parameter may be listed twice, in one group or in two: it is then updated twice a step.
    - Options that a group brings itself are not checked (by `optim_ignite_*` they are).
    - No operation takes several parameters at once, and scalars are computed anew for each.
    """

    r_name: ClassVar[str]
    """Its name in R, without `optim_`."""
    r_defaults: ClassVar[dict[str, Any]]
    """R's arguments beside `params`, by R's names and in R's order. None: R demands it."""
    ignite: ClassVar[bool] = False
    """Is it libtorch's C++? Then `zero_grad()` removes gradients, and a group's own options are checked."""

    def __init__(self, params: Parameters, **arguments: Any) -> None:
        """Take R's arguments by their names; what is left out has R's default.

        Args:
            params: a tensor, tensors, or groups: mappings with `params` and options of their own. SGD and RMSprop
                depend on the order within a group (see there).

        Raises:
            PygptError: an argument that R's function has not, or a value that R refuses.
        """
        options = self._complete(arguments)
        self.check(options)
        groups = [params] if isinstance(params, Tensor) else list(params)
        if not groups:
            raise PygptError("optim_{name} has no parameters to optimize", name=self.r_name)
        super().__init__([{"params": groups}] if isinstance(groups[0], Tensor) else groups, options)

    @classmethod
    @abstractmethod
    def check(cls, options: dict[str, Any]) -> None:
        """Raise PygptError where R's own check of the arguments stops."""

    @abstractmethod
    def update(self, group: Group, parameter: Tensor, gradient: Tensor, number: int) -> None:
        """Update one parameter in place.

        Args:
            number: of the parameter in its group, from 1; those without gradient count, too.
        """

    def add_param_group(self, param_group: Group) -> None:
        """Add a group of parameters with options of its own, as R's `add_param_group` does.

        Raises:
            PygptError: something in it is not a tensor, or is computed from others (it is not a leaf).
        """
        params = param_group.get("params")
        params = [params] if isinstance(params, Tensor) else list(params or ())
        for number, parameter in enumerate(params, start=1):
            if not isinstance(parameter, Tensor) or not parameter.is_leaf:
                raise PygptError(
                    "parameter {number} for optim_{name} is not a tensor that can be trained: take the module's own "
                    "parameters, not values computed from them",
                    number=number, name=self.r_name,
                )  # fmt: skip
        group = {**self.defaults, **param_group, "params": params}
        if self.ignite:
            self.check(
                {name: _of_kind(type(self), name, group[name], self.r_defaults[name]) for name in self.r_defaults}
            )
        self.param_groups.append(group)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step for every parameter that has a gradient; what `closure` gives is given back."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for number, parameter in enumerate(group["params"], start=1):
                if parameter.grad is not None:
                    self.update(group, parameter, parameter.grad, number)
        return loss

    def zero_grad(self, set_to_none: bool | None = None) -> None:
        """`zero_grad()` of R: gradients stay and become zeros, unless `set_to_none` (PyTorch's default)."""
        super().zero_grad(set_to_none=self.ignite if set_to_none is None else set_to_none)

    @classmethod
    def _complete(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        unknown = [name for name in arguments if name not in cls.r_defaults]
        if unknown:
            raise PygptError(
                "optim_{name} has no argument {unknown}; its arguments are {known}.{meant}",
                name=cls.r_name, unknown=repr(unknown[0]), known=", ".join(cls.r_defaults),
                meant=did_you_mean(unknown[0], cls.r_defaults, {"betas1": "betas", "lambd": "lambda"}),
            )  # fmt: skip
        options = {**cls.r_defaults, **arguments}
        return {name: _of_kind(cls, name, value, cls.r_defaults[name]) for name, value in options.items()}


def refuse_unless(optimizer: type[ROptimizer], holds: bool, name: str, value: object, allowed: Message) -> None:
    """Raise PygptError in place of R's `value_error("Invalid …")`."""
    if not holds:
        raise PygptError(
            "R torch's optim_{optimizer} refuses {name} = {value}: it must be {allowed}",
            optimizer=optimizer.r_name, name=name, value=str(value), allowed=allowed,
        )  # fmt: skip


def refuse_negative(optimizer: type[ROptimizer], options: dict[str, Any], *names: str) -> None:
    """Raise PygptError for the first of these options that is below 0."""
    for name in names:
        refuse_unless(optimizer, options[name] >= 0, name, options[name], NOT_NEGATIVE)


def _of_kind(optimizer: type[ROptimizer], name: str, value: Any, default: Any) -> Any:
    """R's kind of an argument: a truth value, one number (None where R demands it), or several."""
    if isinstance(default, bool):
        refuse_unless(optimizer, isinstance(value, bool), name, value, say("true or false"))
        return value
    if isinstance(default, tuple):
        pair = isinstance(value, tuple | list) and len(value) == 2 and all(map(_is_number, value))
        refuse_unless(optimizer, pair, name, value, say("two numbers"))
        return tuple(map(float, value))
    allowed = say("a number; R has no default for it") if default is None else say("a number")
    refuse_unless(optimizer, _is_number(value), name, value, allowed)
    return float(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def zeros(parameter: Tensor) -> Tensor:
    """State of a parameter's shape, all zero."""
    return torch.zeros_like(parameter, memory_format=torch.preserve_format)
