"""Exercise 1 as code: masked multi-head attention as dynamic weighted averages, written as the formulas are.

Slow on purpose: sums are sums. Letters as in the exercise: X (k, d_model), one row a position; for each head
U_Q, U_K (d_model, d_k), U_V (d_model, d_v), and the head's rows of U_O (d_v, d_model).
Nothing here calls softmax or a layer of PyTorch, so that agreement with `nn.MultiheadAttention` says something.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pygpt.errors import PygptError


@dataclass(frozen=True)
class Head:
    """The matrices of one head."""

    U_Q: Tensor
    U_K: Tensor
    U_V: Tensor
    U_O: Tensor

    def __post_init__(self) -> None:
        shapes = {name: tuple(getattr(self, name).shape) for name in ("U_Q", "U_K", "U_V", "U_O")}
        if any(len(shape) != 2 for shape in shapes.values()):
            raise PygptError("a head's matrices have two dimensions each; got {shapes}", shapes=_words(shapes))
        fits = shapes["U_Q"] == shapes["U_K"] and shapes["U_V"][0] == shapes["U_Q"][0]
        if not fits or shapes["U_V"][1] != shapes["U_O"][0]:
            raise PygptError(
                "a head needs U_Q and U_K (d_model, d_k), U_V (d_model, d_v) and U_O (d_v, d_model); got {shapes}",
                shapes=_words(shapes),
            )


def mask(k: int) -> Tensor:
    """M, (k, k) in float64: 0 where j <= i (past and present), -inf where j > i (the future)."""
    return torch.full((k, k), -torch.inf, dtype=torch.float64).triu(diagonal=1)


def scores(X: Tensor, head: Head) -> Tensor:
    """S = (X U_Q)(X U_K)' / sqrt(d_k), (k, k)."""
    _check(X, head)
    S: Tensor = (X @ head.U_Q) @ (X @ head.U_K).T / head.U_Q.shape[1] ** 0.5
    return S


def masked_scores(X: Tensor, head: Head) -> Tensor:
    """E = S + M, (k, k)."""
    return scores(X, head) + mask(len(X)).to(X)


def weights(X: Tensor, head: Head) -> Tensor:
    """W, (k, k): exp(E) divided row by row by its sum; w_ij is what position i gives to position j."""
    E = masked_scores(X, head)
    # A row's largest score cancels in the quotient; without it exp overflows.
    exponentials = torch.exp(E - E.amax(dim=1, keepdim=True))
    return exponentials / exponentials.sum(dim=1, keepdim=True)


def values(X: Tensor, head: Head) -> Tensor:
    """V = X U_V, (k, d_v)."""
    _check(X, head)
    return X @ head.U_V


def attention(X: Tensor, head: Head) -> Tensor:
    """Z = W V, (k, d_v): each row a mean of the values so far."""
    return weights(X, head) @ values(X, head)


def multi_head(X: Tensor, heads: list[Head]) -> Tensor:
    """The exercise's last equation, (k, d_model), row by row:

    MHA(X)_i = sum over heads h of ( sum over j <= i of w_ij(X) (x_j' U_V) ) U_O
    """
    W = [weights(X, head) for head in heads]
    return torch.stack(
        [
            _sum(_sum(W[h][i, j] * (X[j] @ head.U_V) for j in range(i + 1)) @ head.U_O for h, head in enumerate(heads))
            for i in range(len(X))
        ]
    )


def kernel(x: Tensor, y: Tensor, head: Head) -> Tensor:
    """kappa(x, y) = exp(x' U_Q U_K' y / sqrt(d_k)): how alike two positions are, a number above 0."""
    return torch.exp((x @ head.U_Q) @ (y @ head.U_K) / head.U_Q.shape[1] ** 0.5)


def kernel_smoother(X: Tensor, head: Head) -> Tensor:
    """Z again, (k, d_v), as a kernel smoother over the past (Tsai et al., 2019):

    Z_i = sum over j <= i of kappa(x_i, x_j) v_j / sum over l <= i of kappa(x_i, x_l)

    The weights are a function of the data: another X has another W, with the same U.
    """
    V, rows = values(X, head), []
    for i in range(len(X)):
        kappa = torch.stack([kernel(X[i], X[j], head) for j in range(i + 1)])
        rows.append(kappa @ V[: i + 1] / kappa.sum())
    return torch.stack(rows)


def heads_of(module: nn.MultiheadAttention) -> list[Head]:
    """The heads of PyTorch's module, whose U_Q, U_K, U_V and U_O are cut out of two matrices.

    The exercise has no biases. Where the module has them, they are a last row of U_Q, U_K and U_V, for an X with a
    last column of ones (`with_ones`): (X, 1) (U over b) = X U + b. The output's bias is left to the caller.
    """
    d_k = module.head_dim
    U = module.in_proj_weight.detach().T  # (d_model, 3 * d_model)
    if module.in_proj_bias is not None:
        U = torch.cat([U, module.in_proj_bias.detach().unsqueeze(0)])
    U_Q, U_K, U_V = U.chunk(3, dim=1)
    U_O = module.out_proj.weight.detach().T  # (d_model, d_model), a head's rows below those of the one before
    parts = (slice(h * d_k, (h + 1) * d_k) for h in range(module.num_heads))
    return [Head(U_Q[:, part], U_K[:, part], U_V[:, part], U_O[part]) for part in parts]


def with_ones(X: Tensor) -> Tensor:
    """X with a last column of ones, (k, d_model + 1): what `heads_of` a module with biases takes."""
    return torch.cat([X, torch.ones_like(X[:, :1])], dim=1)


def _check(X: Tensor, head: Head) -> None:
    if X.dim() != 2 or X.shape[1] != head.U_Q.shape[0]:
        raise PygptError(
            "X must have shape (k, d_model) and U_Q (d_model, d_k); got {X} and {U_Q}",
            X=tuple(X.shape),
            U_Q=tuple(head.U_Q.shape),
        )


def _sum(terms: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum(dim=0)


def _words(shapes: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())
