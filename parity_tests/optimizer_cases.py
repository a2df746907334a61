"""Cases for R torch's optimizers, what Python makes of them, and the recording of what R torch made.

`python -m parity_tests.optimizer_cases` writes the recording anew, where R's torch is installed. The gradients are
given, so that nothing but the optimizer is compared: each is that of `sum(parameter * gradient)`, which is exact.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import Tensor

from pygpt.r.session import RSession
from pygpt.r_optimizers import r_optimizer

FOLDER = Path(__file__).parent / "optimizers"
RECORDING = FOLDER / "optimizers.safetensors"
SHAPES: tuple[tuple[int, ...], ...] = ((5, 4), (17,), (1,), (0,), (), (2, 3, 2))
SIZES = [int(np.prod(shape)) for shape in SHAPES]
STEPS = 100
KEPT = (1, 2, 3, 10, 100)
# In each case the last parameter has no gradient until step 4, none in steps 6 to 8; the fourth (of no values) always.
REACHED = np.ones((STEPS, len(SHAPES)), bool)
REACHED[[0, 1, 2, 5, 6, 7], -1] = False


@dataclass(frozen=True)
class Case:
    """An optimizer with R's arguments, and how its parameters are given."""

    optimizer: str
    arguments: dict[str, Any] = field(default_factory=dict)
    groups: tuple[dict[str, Any], ...] | None = None
    """`params` (numbers from 1 of SHAPES) and options of a group's own; None: all parameters in one."""
    double: bool = False
    only: tuple[int, ...] = tuple(range(len(SHAPES)))
    """Which of SHAPES (from 0) there are: R's AdamW stops at a scalar tensor."""
    steps: int = STEPS


_VECTORS = (0, 1, 2, 3, 5)
_SGD = {"lr": 0.05}
_TWO = ({"params": [1, 3], "lr": 0.02}, {"params": [2, 4, 5, 6], "weight_decay": 0.3})

CASES: dict[str, Case] = {
    "adam": Case("adam"),
    "adam, all set": Case("adam", {"lr": 0.03, "betas": (0.8, 0.95), "eps": 1e-4, "weight_decay": 0.2}),
    "adam, amsgrad": Case("adam", {"lr": 0.03, "amsgrad": True}),
    "adam, amsgrad and decay": Case("adam", {"lr": 0.03, "betas": (0.5, 0.6), "amsgrad": True, "weight_decay": 0.1}),
    "adam, groups": Case("adam", {"lr": 0.01}, _TWO),
    "adam, double": Case("adam", {"lr": 0.03, "amsgrad": True}, double=True),
    "adam, twice": Case("adam", {"lr": 0.01}, ({"params": [1, 1, 2]}, {"params": [2, 3]})),
    "adamw": Case("adamw", only=_VECTORS),
    "adamw, all set": Case(
        "adamw", {"lr": 0.03, "betas": (0.8, 0.95), "eps": 1e-4, "weight_decay": 0.2}, only=_VECTORS
    ),
    "adamw, amsgrad": Case("adamw", {"lr": 0.03, "amsgrad": True, "weight_decay": 0.0}, only=_VECTORS),
    "adamw, groups": Case("adamw", {"lr": 0.01}, ({"params": [1, 3], "lr": 0.02}, {"params": [2, 4, 6], "eps": 0.1})),
    "adamw, double": Case("adamw", {"lr": 0.03}, double=True, only=_VECTORS),
    "sgd": Case("sgd", _SGD),
    "sgd, decay": Case("sgd", {**_SGD, "weight_decay": 0.1}),
    "sgd, momentum and dampening": Case("sgd", {**_SGD, "momentum": 0.9, "dampening": 0.3}),
    "sgd, momentum and decay": Case("sgd", {**_SGD, "momentum": 0.8, "weight_decay": 0.01}),
    "sgd, nesterov": Case("sgd", {**_SGD, "momentum": 0.9, "nesterov": True, "weight_decay": 0.02}),
    "sgd, groups": Case("sgd", {"lr": 0.01, "momentum": 0.5}, _TWO),
    "sgd, twice": Case("sgd", {**_SGD, "weight_decay": 0.1}, ({"params": [1, 1, 2]}, {"params": [2, 3]})),
    "sgd, double": Case("sgd", {**_SGD, "momentum": 0.9, "weight_decay": 0.1}, double=True),
    "rmsprop": Case("rmsprop"),
    "rmsprop, all set": Case("rmsprop", {"lr": 0.02, "alpha": 0.9, "eps": 1e-5, "weight_decay": 0.1, "momentum": 0.7}),
    "rmsprop, centered": Case("rmsprop", {"lr": 0.003, "centered": True, "eps": 1e-3}),
    "rmsprop, centered, momentum": Case("rmsprop", {"lr": 0.003, "centered": True, "eps": 1e-3, "momentum": 0.6}),
    "rmsprop, groups": Case("rmsprop", {"lr": 0.01}, _TWO),
    "adagrad": Case("adagrad"),
    "adagrad, all set": Case(
        "adagrad", {"lr": 0.1, "lr_decay": 0.05, "weight_decay": 0.1, "initial_accumulator_value": 0.3, "eps": 1e-3}
    ),
    "adagrad, groups": Case(
        "adagrad", {"lr": 0.1}, (*_TWO[:1], {"params": [2, 5], "lr_decay": 0.3, "initial_accumulator_value": 5.0})
    ),
    "adadelta": Case("adadelta"),
    "adadelta, all set": Case("adadelta", {"lr": 0.5, "rho": 0.7, "eps": 1e-3, "weight_decay": 0.1}),
    "asgd": Case("asgd"),
    "asgd, all set": Case("asgd", {"lr": 0.1, "lambda": 0.05, "alpha": 0.5, "weight_decay": 0.1}),
    "rprop": Case("rprop"),
    "rprop, all set": Case("rprop", {"lr": 0.1, "etas": (0.3, 1.7), "step_sizes": (0.001, 0.5)}),
    "ignite_adam": Case("ignite_adam", {"lr": 0.03, "weight_decay": 0.2}),
    "ignite_adam, amsgrad": Case("ignite_adam", {"lr": 0.03, "betas": (0.5, 0.6), "amsgrad": True}),
    "ignite_adam, groups": Case("ignite_adam", {"lr": 0.01}, _TWO),
    "ignite_adamw": Case("ignite_adamw", {"lr": 0.03}),
    "ignite_adamw, amsgrad": Case("ignite_adamw", {"lr": 0.03, "amsgrad": True, "weight_decay": 0.3}),
    "ignite_sgd": Case("ignite_sgd", {**_SGD, "momentum": 0.9, "dampening": 0.2, "weight_decay": 0.1}),
    "ignite_sgd, nesterov": Case("ignite_sgd", {**_SGD, "momentum": 0.9, "nesterov": True, "weight_decay": 0.02}),
    "ignite_rmsprop": Case("ignite_rmsprop", {"momentum": 0.5, "weight_decay": 0.1, "centered": True, "eps": 1e-3}),
    "ignite_rmsprop, plain": Case("ignite_rmsprop", {"weight_decay": 0.1}),
    "ignite_adagrad": Case("ignite_adagrad", {"lr": 0.1, "lr_decay": 0.05, "weight_decay": 0.1}),
}


def inputs() -> tuple[np.ndarray, np.ndarray]:
    """First weights (all parameters, one after the other) and gradients (a row a step), float32 as doubles."""
    numbers = np.random.default_rng(3)
    scales = 10.0 ** numbers.uniform(-4, 1, sum(SIZES))
    weights = numbers.normal(size=sum(SIZES)).astype(np.float32)
    gradients = (numbers.normal(0.3, 1, (STEPS, sum(SIZES))) * scales).astype(np.float32)
    return weights.astype(np.float64), gradients.astype(np.float64)


def _parts(case: Case) -> tuple[list[tuple[int, ...]], np.ndarray]:
    starts = np.cumsum([0, *SIZES])
    columns = [np.arange(starts[i], starts[i + 1]) for i in case.only]
    return [SHAPES[i] for i in case.only], np.concatenate(columns)


def of_r(r: RSession, case: Case) -> tuple[np.ndarray, np.ndarray]:
    """What R torch makes of a case: weights (a row a kept step), and the gradients that it leaves."""
    shapes, columns = _parts(case)
    weights, gradients = inputs()
    arguments = {k: np.array(v) if isinstance(v, tuple) else v for k, v in case.arguments.items()}
    groups = case.groups and [
        {**g, "params": np.array([case.only.index(p - 1) + 1 for p in g["params"]])} for g in case.groups
    ]
    result = r.call(
        "run_optimizer", case.optimizer, arguments, weights[columns], [np.array(s, np.int32) for s in shapes],
        None if groups is None else list(groups), gradients[: case.steps, columns],
        REACHED[: case.steps, list(case.only)], np.array(KEPT), case.double,
    )  # fmt: skip
    return result["weights"], result["gradients"]


def of_python(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """The same by `r_optimizer`."""
    shapes, columns = _parts(case)
    weights, gradients = inputs()
    dtype = torch.float64 if case.double else torch.float32
    sizes = [int(np.prod(shape)) for shape in shapes]

    def split(values: np.ndarray) -> list[Tensor]:
        parts = torch.from_numpy(values[columns]).to(dtype).split(sizes)
        return [part.reshape(shape).clone() for part, shape in zip(parts, shapes, strict=True)]

    parameters = [part.requires_grad_() for part in split(weights)]
    given: Any = parameters
    if case.groups is not None:
        given = [{**g, "params": [parameters[case.only.index(p - 1)] for p in g["params"]]} for g in case.groups]
    optimizer = r_optimizer(case.optimizer, given, **case.arguments)
    after = []
    for step in range(case.steps):
        optimizer.zero_grad()
        reached = REACHED[step, list(case.only)]
        losses = [(p * g).sum() for p, g, yes in zip(parameters, split(gradients[step]), reached, strict=True) if yes]
        torch.stack(losses).sum().backward()
        optimizer.step()
        if step + 1 in KEPT:
            after.append(_flat(parameters))
    return np.stack(after), _flat([p.grad for p in parameters if p.grad is not None])


def _flat(tensors: list[Tensor]) -> np.ndarray:
    return torch.cat([t.detach().reshape(-1).double() for t in tensors]).numpy()


def recorded(name: str) -> tuple[np.ndarray, np.ndarray]:
    """What R torch made of a case when it was recorded."""
    with safe_open(RECORDING, "numpy") as file:
        return tuple(file.get_tensor(f"{name}: {what}") for what in ("weights", "gradients"))  # type: ignore[return-value]


def record() -> None:
    """Write the recording anew."""
    with RSession([FOLDER / "run.R"]) as r:
        versions = {
            "torch": str(r.evaluate('as.character(packageVersion("torch"))')),
            "r": str(r.evaluate("paste(R.version$major, R.version$minor, sep = '.')")),
        }
        arrays = {}
        for name, case in CASES.items():
            arrays[f"{name}: weights"], arrays[f"{name}: gradients"] = of_r(r, case)
    kept = {k: v if k.split(": ")[0].endswith("double") else v.astype(np.float32) for k, v in arrays.items()}
    save_file(kept, RECORDING, {"recording": "optimizers", "threads": "1", **versions})


if __name__ == "__main__":
    record()
