"""Each thing that R torch 0.17 and luz do differently from PyTorch: one definition each, with its evidence.

"Recorded" means: `parity_tests/recordings/`, which `python cli.py parity check` compares with this code.
What needs no definition here (drawing order, windows, exact GELU) is plain PyTorch called in R's order.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pygpt import shuffling
from pygpt.determinism import on_threads
from pygpt.settings import PaddingRow
from pygpt.shuffling import Shuffling

# Row of the embedding that gets no gradient. R's is a slip: nn_embedding(padding_idx = 1) zeroes R row 1 (PAD), but
# nnf_embedding hands the 1 to libtorch unconverted, which counts from 0 and so means R row 2.
# Recorded: grad.wte.weight of tiny_*; with row 0 the losses drift from step 2 on.
ROW_WITHOUT_GRADIENT: dict[PaddingRow, int] = {"r": 1, "corrected": 0}


def embedding(rows: Tensor, weight: Tensor, padding_row: PaddingRow) -> Tensor:
    """`nnf_embedding(x, weight, padding_idx = 1)`.

    Args:
        rows: (batch, k), int32 or int64.
        weight: (vocab_size, n_embd).
        padding_row: a key of ROW_WITHOUT_GRADIENT.

    Returns:
        (batch, k, n_embd)
    """
    vectors: Tensor = functional.embedding(rows, weight, padding_idx=ROW_WITHOUT_GRADIENT[padding_row])
    return vectors


class LayerNorm(nn.LayerNorm):
    """`nn_layer_norm`, whose gradient is that of so many threads of R, on any number of threads here.

    With `r_threads` None it is PyTorch's own, which is R's on as many threads as R had.
    """

    r_threads: int | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Normalize the last dimension of `x`, whatever the others are."""
        if self.r_threads is None or not torch.is_grad_enabled():
            return super().forward(x)
        normed: Tensor = _LayerNorm.apply(x, self.weight, self.bias, self.eps, self.r_threads)  # type: ignore[no-untyped-call]
        return normed


class _LayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, r_threads: int) -> Tensor:
        normed, mean, rstd = torch.native_layer_norm(x, x.shape[-1:], weight, bias, eps)
        ctx.save_for_backward(x, mean, rstd, weight, bias)
        ctx.r_threads = r_threads
        return normed

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        saved: tuple[Tensor, Tensor, Tensor, Tensor, Tensor] = ctx.saved_tensors
        return *layer_norm_backward(gradient, *saved, ctx.r_threads), None, None


def layer_norm_backward(
    gradient: Tensor, x: Tensor, mean: Tensor, rstd: Tensor, weight: Tensor, bias: Tensor, r_threads: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of LayerNorm's input, weight and bias as `r_threads` threads of R compute them.

    libtorch gives each of N threads ceil(rows / N) rows of the sum that is the gradient of weight and bias, and adds
    the threads' sums in their order. So N shows in the bits of these two (not in those of the input's gradient).
    Recorded: threads/stream_gpt_*, R on 2, 4 and 8 threads: their losses part from one thread's at steps 8, 14 and 4.

    Args:
        gradient: of the output, (..., n_embd), as is `x`.
        mean: of each row, (..., 1).
        rstd: 1 / standard deviation of each row, (..., 1).

    Returns:
        (..., n_embd), (n_embd,), (n_embd,)
    """
    backward, shape = torch.ops.aten.native_layer_norm_backward, x.shape[-1:]
    of_x = backward(gradient, x, shape, mean, rstd, weight, bias, [True, False, False])[0]
    rows = x.numel() // shape.numel()
    size = -(-rows // r_threads)
    parts = zip(*(torch.split(t.reshape(rows, -1), size) for t in (gradient, x, mean, rstd)), strict=True)
    with on_threads(1):
        sums = [backward(g, x, shape, m, r, weight, bias, [False, True, True])[1:] for g, x, m, r in parts]
    of_weight, of_bias = sums[0]
    for part in sums[1:]:
        of_weight, of_bias = of_weight + part[0], of_bias + part[1]
    return of_x, of_weight, of_bias


def parameters(module: nn.Module) -> list[nn.Parameter]:
    """The parameters in R's order: a module's children come before its own (nn.R, `parameters`).

    PyTorch has its own ones first, so `out_proj` and `in_proj` of an attention change places. The norm of
    all gradients is a sum in this order, and some optimizers count in it (`r_optimizers`). A parameter that two
    modules share is listed once, at its first place.
    """
    below = [p for child in module.children() for p in parameters(child)]
    each = {id(p): p for p in (*below, *module.parameters(recurse=False))}
    return list(each.values())


def clip_grad_norm(parameters: Iterable[nn.Parameter], max_norm: float) -> Tensor:
    """`nn_utils_clip_grad_norm_`: scale all gradients to `max_norm` if their norm is above it.

    The coefficient is one tensor division, and where it is not below 1 nothing is multiplied
    (PyTorch clamps it to 1 and always multiplies).

    Returns:
        The norm before scaling, a scalar tensor; 0 where no parameter has a gradient.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return torch.zeros(())
    norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    coefficient = torch.div(torch.full_like(norm, max_norm), norm + 1e-6)
    if coefficient.item() < 1:
        torch._foreach_mul_(gradients, coefficient)
    return norm


class AdamW(torch.optim.Optimizer):
    """`optim_adamw` of R torch: AdamW (Loshchilov and Hutter 2019) with R's roundings.

    `step` is a tensor of the weights' type; `0.9^step`, both bias corrections and `lr / bias_correction1` are
    tensors of that type, too, each made by one operation. PyTorch computes them in double precision, which puts the
    loss off by 5e-6 after 100 steps. Weight decay acts on every parameter, the row without gradient included.
    Recorded: step1 and step20 of tiny_*, final of stream_*.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step for every parameter that has a gradient."""
        for group in self.param_groups:
            trained: list[Tensor] = [p for p in group["params"] if p.grad is not None]
            if trained:
                self._step_group(trained, group)

    def _step_group(self, trained: list[Tensor], group: dict[str, Any]) -> None:
        (beta1, beta2), lr, eps = group["betas"], group["lr"], group["eps"]
        states = [self._state_of(p) for p in trained]
        # Every parameter has taken the same number of steps: the scalars are computed once.
        step = states[0]["step"] + 1
        for state in states:
            state["step"] = step
        gradients = [p.grad for p in trained if p.grad is not None]
        averages = [state["exp_avg"] for state in states]
        squares = [state["exp_avg_sq"] for state in states]

        torch._foreach_mul_(trained, 1 - lr * group["weight_decay"])
        torch._foreach_mul_(averages, beta1)
        torch._foreach_add_(averages, gradients, alpha=1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, gradients, gradients, value=1 - beta2)

        bias_correction1 = 1 - torch.pow(beta1, step)
        bias_correction2 = 1 - torch.pow(beta2, step)
        # torch.div, since `lr / tensor` takes the reciprocal first and so rounds twice.
        step_size = torch.div(torch.full_like(step, lr), bias_correction1)
        denominators = torch._foreach_sqrt(squares)
        # A list on a GPU takes no divisor from elsewhere.
        torch._foreach_div_(denominators, torch.sqrt(bias_correction2).to(denominators[0].device))
        torch._foreach_add_(denominators, eps)
        torch._foreach_addcdiv_(trained, averages, denominators, value=-step_size.item())

    def _state_of(self, parameter: Tensor) -> dict[str, Any]:
        state: dict[str, Any] = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=parameter.dtype)
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        return state


def running_mean(mean: Tensor | None, loss: Tensor, count: int) -> Tensor:
    """`luz_metric_loss_average`: the mean after `count` batches, updated in the loss's own precision.

    Every batch counts alike, the short last one too.

    Args:
        mean: the mean of the `count - 1` losses before; None for the first.
    """
    before = torch.zeros_like(loss) if mean is None else mean
    return (count - 1) / count * before + loss / count


def shuffle(windows: int) -> Tensor | Shuffling:
    """The order of an epoch's windows: luz's dataloader draws one `torch_randperm(n)` from the global generator.

    PyTorch's `DataLoader(shuffle=True)` draws a seed first and permutes with another generator.

    Returns:
        (windows,), whole numbers; in 4 bytes each where R has 8, the same ones.
    """
    return torch.randperm(windows, dtype=torch.int32) if windows < shuffling.LEAST else Shuffling(windows)
