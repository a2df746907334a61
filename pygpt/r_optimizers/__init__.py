"""R torch's optimizers, bit for bit: `r_optimizer("sgd", parameters, lr=0.1, weight_decay=0.01)`.

Each class mirrors one file of R torch 0.17.0 (R/optim-*.R; the main branch of 2026-08 has the same), and
`optim_ignite_*` libtorch's C++ as R calls it. What R does by a slip is done here, too; its docstring says SLIP.
Parameters are to be given in R's order (`r_semantics.parameters`): SGD's and RMSprop's weight decay counts them.
`optim_lbfgs` is not here. Recorded: parity_tests/optimizers, every optimizer with several settings, 100 steps.
"""

from typing import Any

from pygpt.errors import PygptError
from pygpt.output.spelling import did_you_mean
from pygpt.r_optimizers.adadelta import Adadelta
from pygpt.r_optimizers.adagrad import Adagrad, IgniteAdagrad
from pygpt.r_optimizers.adam import Adam, AdamW, IgniteAdam, IgniteAdamW
from pygpt.r_optimizers.asgd import ASGD
from pygpt.r_optimizers.base import Parameters, ROptimizer
from pygpt.r_optimizers.rmsprop import IgniteRMSprop, RMSprop
from pygpt.r_optimizers.rprop import Rprop
from pygpt.r_optimizers.sgd import SGD, IgniteSGD

__all__ = ["OPTIMIZERS", "ROptimizer", "r_optimizer"]

OPTIMIZERS: dict[str, type[ROptimizer]] = {
    cls.r_name: cls
    for cls in (
        Adam, AdamW, SGD, RMSprop, Adagrad, Adadelta, ASGD, Rprop,
        IgniteAdam, IgniteAdamW, IgniteSGD, IgniteRMSprop, IgniteAdagrad,
    )
}  # fmt: skip


def r_optimizer(name: str, parameters: Parameters, **arguments: Any) -> ROptimizer:
    """An optimizer as R torch's function of that name makes it.

    Args:
        name: R's, with or without its `optim_`: a key of OPTIMIZERS.
        parameters: tensors in R's order, or groups: mappings with `params` and options of their own.
        arguments: R's, by R's names; what is left out has R's default (those are not always PyTorch's).

    Raises:
        PygptError: there is no such optimizer, no such argument, or R refuses its value.
    """
    known = name.removeprefix("optim_")
    if known not in OPTIMIZERS:
        raise PygptError(
            "unknown optimizer {name} of R torch: known are {known}.{meant}",
            name=repr(name), known=", ".join(OPTIMIZERS), meant=did_you_mean(known, OPTIMIZERS),
        )  # fmt: skip
    return OPTIMIZERS[known](parameters, **arguments)
