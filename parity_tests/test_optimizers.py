"""R torch's optimizers: bit for bit what R torch computed, recorded and live; and each rule's mutant is seen."""

import inspect
import sys
import types
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from parity_tests.optimizer_cases import CASES, FOLDER, SHAPES, Case, inputs, of_python, of_r, recorded
from pygpt import r_optimizers, r_semantics
from pygpt.errors import PygptError
from pygpt.r.errors import RError
from pygpt.r.session import RSession
from pygpt.r_optimizers import r_optimizer

ATTENTION = [f"att.{name}" for name in ("out_proj.weight", "out_proj.bias", "in_proj_weight", "in_proj_bias")]

# (file, what stands there, what stands there instead, cases that must differ)
MUTANTS = {
    "decays by the parameter": ("sgd", "return number", "return parameter", ("sgd, decay", "sgd, twice")),
    "C++ decays by the number": ("sgd", "return parameter", "return number", ("ignite_sgd",)),
    "counts from 0": ("base", "start=1", "start=0", ("sgd, decay", "rmsprop, all set")),
    "gradients are removed": ("base", "self.ignite if", "True if", ("adam", "sgd, nesterov", "rmsprop", "adadelta")),
    "C++ keeps gradients": ("base", "self.ignite if", "False if", ("ignite_adam", "ignite_adagrad")),
    "no dampening": ("sgd", '1 - group["dampening"]', "1.0", ("sgd, momentum and dampening", "ignite_sgd")),
    "dampened at once": ("sgd", "gradient.clone()", "0.7 * gradient", ("sgd, momentum and dampening",)),
    "no Nesterov": ("sgd", 'if group["nesterov"]', "if False", ("sgd, nesterov", "ignite_sgd, nesterov")),
    "a running mean by lerp": (
        "adam", "mean.mul_(beta1).add_(gradient, alpha=1 - beta1)", "mean.lerp_(gradient, 1 - beta1)",
        ("adam", "adamw"),
    ),
    "the gradient is left": (
        "adam", "gradient.add_(parameter", "gradient = gradient.add(parameter", ("adam, all set",),
    ),
    "no maximum": ("adam", 'out=state["max_exp_avg_sq"]', "out=squares", ("adam, amsgrad", "adamw, amsgrad")),
    "scalars in doubles": ("adam", "torch.tensor([value])", "torch.tensor([value]).double()", ("adamw",)),
    "decay after the step": (
        "adam", 'parameter.mul_(1 - group["lr"] * group["weight_decay"])\n        return',
        'parameter.mul_(1 - 1.01 * group["lr"] * group["weight_decay"])\n        return', ("ignite_adamw",),
    ),
    "C++ has no epsilon": ("adam", '.add_(group["eps"])', "", ("ignite_adam", "adam, all set", "adamw, groups")),
    "RMSprop by the parameter": ("rmsprop", "return number", "return parameter", ("rmsprop, all set",)),
    "C++ RMSprop by the number": ("rmsprop", "return parameter", "return number", ("ignite_rmsprop, plain",)),
    "not centered": ("rmsprop", 'if group["centered"]', "if False", ("rmsprop, centered", "ignite_rmsprop")),
    "no momentum": ("rmsprop", 'group["momentum"] > 0', "False", ("rmsprop, all set", "rmsprop, centered, momentum")),
    "the rate does not decay": ("adagrad", 'group["lr_decay"]', "0", ("adagrad, all set", "ignite_adagrad")),
    "a group's own start": (
        "adagrad", "torch.full_like(parameter, start,",
        'torch.full_like(parameter, group["initial_accumulator_value"],', ("adagrad, groups",),
    ),
    "Adadelta's epsilon": ("adadelta", "total.add(eps)", "total", ("adadelta",)),
    "ASGD's decay": ("asgd", 'group["lambda"] * state["eta"]', "0", ("asgd", "asgd, all set")),
    "ASGD's rate": ("asgd", '* state["step"], group', "* 1, group", ("asgd", "asgd, all set")),
    "Rprop goes on": ("rprop", "gradient[sign.eq(minus)] = 0", "pass", ("rprop",)),
    "Rprop without limits": ("rprop", '.clamp_(*group["step_sizes"])', "", ("rprop, all set",)),
}  # fmt: skip


# R torch's were made with AVX-512; AVX2's are the same, where a product and a sum are one rounding, too.
EXACT = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")


def equal(case: Case, expected: tuple[np.ndarray, np.ndarray], exact: bool = True) -> bool:
    """Are weights after each kept step, and the last gradients, the same numbers?"""
    same = np.array_equal if exact else lambda a, b: np.allclose(a, b, rtol=1e-5, atol=2e-5)
    return all(map(same, of_python(case), expected))


@pytest.mark.parametrize("name", CASES)
def test_the_numbers_that_r_torch_gave(name: str) -> None:
    assert equal(CASES[name], recorded(name), EXACT)


@pytest.mark.skipif(not EXACT, reason="some mutants are smaller than what kernels without AVX2 do")
@pytest.mark.parametrize("name", MUTANTS)
def test_another_rule_gives_other_numbers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file, old, new, cases = MUTANTS[name]
    for module in ("base", "adam", "sgd", "rmsprop", "adagrad", "adadelta", "asgd", "rprop"):
        _exchange(f"pygpt.r_optimizers.{module}", (old, new) if module == file else None, monkeypatch)
    assert [case for case in cases if equal(CASES[case], recorded(case))] == []


def _exchange(name: str, change: tuple[str, str] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a fresh, perhaps mutated copy of a module, and of its optimizers, in the place of it."""
    source = inspect.getsource(sys.modules[name])
    if change is not None:
        assert change[0] in source, f"the mutant is stale: {change[0]!r} is no longer in {name}"
        source = source.replace(*change)
    fresh = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, fresh)
    exec(compile(source, name, "exec"), fresh.__dict__)
    for cls in vars(fresh).values():
        if isinstance(cls, type) and getattr(cls, "r_name", None) and cls.__module__ == name:
            monkeypatch.setitem(r_optimizers.OPTIMIZERS, cls.r_name, cls)


def test_every_optimizer_has_a_case() -> None:
    assert {case.optimizer for case in CASES.values()} == r_optimizers.OPTIMIZERS.keys()


@pytest.fixture(scope="module")
def runner(r_torch: RSession) -> RSession:
    r_torch.source(FOLDER / "run.R")
    return r_torch


@pytest.mark.parametrize("name", CASES)
def test_r_torch_itself(name: str, runner: RSession) -> None:
    assert equal(CASES[name], of_r(runner, CASES[name]))


@pytest.mark.parametrize("max_norm", [0.1, 1.0, 1e6])
def test_gradients_are_clipped_as_by_r_torch(max_norm: float, runner: RSession) -> None:
    # R stops at a gradient without dimensions: its coefficient has shape (1).
    shapes = [shape for shape in SHAPES if shape]
    sizes = [int(np.prod(shape)) for shape in shapes]
    for gradients in inputs()[1][:5, : sum(sizes)]:
        theirs = runner.call("run_clip", gradients, [np.array(shape, np.int32) for shape in shapes], max_norm)
        parts = torch.from_numpy(gradients).float().split(sizes)
        parameters = [nn.Parameter(torch.zeros(shape)) for shape in shapes]
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.grad = part.reshape(parameter.shape).clone()
        assert r_semantics.clip_grad_norm(parameters, max_norm).item() == theirs["norm"]
        ours = torch.cat([p.grad.reshape(-1) for p in parameters if p.grad is not None]).double().numpy()
        assert np.array_equal(ours, theirs["gradients"])


def test_shared_parameters_are_listed_once_and_in_r_s_order(runner: RSession) -> None:
    assert list(runner.call("names_of_tied")) == _names_of_tied()


def test_the_order_that_r_gives_to_shared_parameters() -> None:
    assert _names_of_tied() == ["wte.weight", *ATTENTION, "norm.weight", "norm.bias", "own"]


def _names_of_tied() -> list[str]:
    module = nn.Module()
    module.own = nn.Parameter(torch.zeros(1))
    module.wte, module.att = nn.Embedding(3, 4), nn.MultiheadAttention(4, 2)
    module.head, module.norm = nn.Linear(4, 3, bias=False), nn.LayerNorm(4)
    module.head.weight = module.wte.weight
    names = {id(p): name for name, p in module.named_parameters()}
    return [names[id(p)] for p in r_semantics.parameters(module)]


# What R torch refuses, or stops at: arguments, groups (None: one parameter), shape, steps until it stops (0: at once).
REFUSED = {
    "adam, lr": ("adam", {"lr": -1.0}, None, (2,), 0),
    "adam, betas": ("adam", {"betas": (0.9, 1.1)}, None, (2,), 0),
    "adam, NaN": ("adam", {"lr": float("nan")}, None, (2,), 0),
    "adam, unknown": ("adam", {"momentum": 0.9}, None, (2,), 0),
    "ignite_adam, betas": ("ignite_adam", {"betas": (1.0, 0.9)}, None, (2,), 0),
    "ignite_adam, a group": ("ignite_adam", {}, ({"params": [1], "lr": -1.0},), (2,), 0),
    "adamw, eps": ("adamw", {"eps": -1.0}, None, (2,), 0),
    "adamw, betas": ("adamw", {"betas": (-0.1, 0.9)}, None, (2,), 0),
    "adamw, no dimensions": ("adamw", {}, None, (), 1),
    "sgd, no lr": ("sgd", {}, None, (2,), 0),
    "sgd, lr of a group": ("sgd", {}, ({"params": [1], "lr": 0.1},), (2,), 0),
    "sgd, nesterov": ("sgd", {"lr": 0.1, "nesterov": True}, None, (2,), 0),
    "sgd, dampening": ("sgd", {"lr": 0.1, "momentum": 0.9, "dampening": 0.1, "nesterov": True}, None, (2,), 0),
    "rmsprop, alpha": ("rmsprop", {"alpha": -0.1}, None, (2,), 0),
    "adagrad, start": ("adagrad", {"initial_accumulator_value": -0.1}, None, (2,), 0),
    "adadelta, rho": ("adadelta", {"rho": 1.1}, None, (2,), 0),
    "asgd, lr": ("asgd", {"lr": -0.1}, None, (2,), 0),
    "asgd, averaging": ("asgd", {"t0": 0.0}, None, (2,), 3),
    "asgd, averaging at once": ("asgd", {"t0": -5.0}, None, (2,), 2),
    "rprop, etas": ("rprop", {"etas": (0.5, 0.9)}, None, (2,), 0),
    "ignite_adagrad, groups": ("ignite_adagrad", {}, ({"params": [1]}, {"params": [2]}), (2,), 1),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_r_refuses_is_refused(name: str) -> None:
    optimizer, arguments, groups, shape, steps = REFUSED[name]
    parameters = [nn.Parameter(torch.ones(shape)) for _ in range(2)]
    given = groups and [{**g, "params": [parameters[i - 1] for i in g["params"]]} for g in groups]
    done: list[int] = []
    with pytest.raises(PygptError):
        _steps(optimizer, given or parameters, arguments, parameters, done)
    assert len(done) == max(steps - 1, 0)


def _steps(
    optimizer: str, given: Any, arguments: dict[str, Any], parameters: list[nn.Parameter], done: list[int]
) -> None:
    """Steps until one stops; `done` counts them."""
    made = r_optimizer(optimizer, given, **arguments)
    while True:
        for parameter in parameters:
            parameter.grad = torch.ones(parameter.shape)
        made.step()
        done.append(1)


@pytest.mark.parametrize("name", REFUSED)
def test_r_torch_refuses_it(name: str, runner: RSession) -> None:
    optimizer, arguments, groups, shape, steps = REFUSED[name]

    def run(steps: int) -> None:
        sent = {k: np.array(v) if isinstance(v, tuple) else v for k, v in arguments.items()}
        own = None if groups is None else [{**g, "params": np.array(g["params"])} for g in groups]
        n = 2 * int(np.prod(shape))
        runner.call(
            "run_optimizer", optimizer, sent, np.ones(n), [np.array(shape, np.int32)] * 2, own, np.ones((steps, n)),
            np.ones((steps, 2), bool), np.array([1]), False,
        )  # fmt: skip

    if steps > 1:
        run(steps - 1)
    with pytest.raises(RError):
        run(max(steps, 1))


def test_what_r_lets_pass() -> None:
    weight = nn.Parameter(torch.ones(2))
    for optimizer, arguments in (("rmsprop", {"alpha": 2}), ("adam", {"betas": [1, 1]}), ("optim_sgd", {"lr": 1})):
        r_optimizer(optimizer, [weight], **arguments)
    r_optimizer("adam", [{"params": [weight], "lr": -1.0}])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda w: r_optimizer("optim_adm", [w]), r"unknown optimizer 'optim_adm'.* Did you mean 'adam'\?"),
        (
            lambda w: r_optimizer("sgd", [w], lr=0.1, momentun=0.9),
            r"no argument 'momentun'.* Did you mean 'momentum'\?",
        ),
        (lambda w: r_optimizer("sgd", [w]), r"optim_sgd refuses lr = None: .*a number; R has no default for it"),
        (lambda w: r_optimizer("adam", []), "optim_adam has no parameters"),
        (lambda w: r_optimizer("adam", [2 * w]), "parameter 1 for optim_adam is not a tensor that can be trained"),
        (lambda w: r_optimizer("adam", [w], amsgrad=1), "amsgrad = 1: it must be true or false"),
    ],
)
def test_the_sentence(call: object, sentence: str) -> None:
    with pytest.raises(PygptError, match=sentence):
        call(nn.Parameter(torch.ones(2)))  # type: ignore[operator]


def test_adamw_for_many_parameters_at_once_is_the_same() -> None:
    torch.manual_seed(1)
    weights, gradients = [torch.randn(shape) for shape in SHAPES if shape], [torch.randn(9, 99) for _ in SHAPES]
    made = []
    for adamw in (r_semantics.AdamW, lambda p, lr: r_optimizer("adamw", p, lr=lr)):
        parameters = [nn.Parameter(weight.clone()) for weight in weights]
        optimizer = adamw(parameters, lr=0.01)
        for step in range(9):
            for parameter, gradient in zip(parameters, gradients, strict=False):
                parameter.grad = gradient[step, : parameter.numel()].reshape(parameter.shape).clone()
            optimizer.step()
        made.append(parameters)
    assert all(map(torch.equal, *made))
