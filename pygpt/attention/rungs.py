"""The course's attention notebook, rung by rung: from dot products to the attention that the GPT uses.

Each rung says what it adds to the one before. Letters in the shapes: n tokens, b sequences in a batch, h heads,
d_in and d_out columns of a token before and after, d_k columns of a head's queries and keys.
Source: the attention notebook (sections named at each rung); `ladder` prints every rung beside its numbers.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from pygpt.errors import PygptError

# --- Attention without parameters: "Codificando mecanismos de atenção" ---


def dot_product_scores(queries: Tensor, keys: Tensor) -> Tensor:
    """How alike each query and each key are: (..., n, d), (..., n, d) -> (..., n, n), rows are queries."""
    if min(queries.dim(), keys.dim()) < 2 or queries.shape[-1] != keys.shape[-1]:
        raise PygptError(
            "scores need queries and keys of shape (..., n, d) with the same d; got {queries} and {keys}",
            queries=tuple(queries.shape),
            keys=tuple(keys.shape),
        )
    return queries @ keys.transpose(-2, -1)


def normalize_by_sum(scores: Tensor) -> Tensor:
    """Divide by the sum, so that a row sums to 1: weights only where no score is negative."""
    return scores / scores.sum(dim=-1, keepdim=True)


def softmax_naive(scores: Tensor) -> Tensor:
    """exp(s) / sum(exp(s)) as the formula says: in float32, nan as soon as a score is above 88."""
    return scores.exp() / scores.exp().sum(dim=-1, keepdim=True)


def softmax_stable(scores: Tensor) -> Tensor:
    """The same weights for scores of any size: the largest is subtracted, which cancels in the quotient."""
    return softmax_naive(scores - scores.amax(dim=-1, keepdim=True))


def context_vectors(weights: Tensor, values: Tensor) -> Tensor:
    """Means of the values, weighted by each row of weights: (..., n, n), (..., n, d) -> (..., n, d)."""
    return weights @ values


# --- Queries, keys and values with weights to train: "Implementando autoatenção com pesos treináveis" ---


class SelfAttentionV1(nn.Module):
    """New: queries, keys and values are x times three matrices, and scores are divided by sqrt(d_k)."""

    def __init__(self, d_in: int, d_out: int) -> None:
        super().__init__()
        self.W_query = nn.Parameter(torch.rand(d_in, d_out))
        self.W_key = nn.Parameter(torch.rand(d_in, d_out))
        self.W_value = nn.Parameter(torch.rand(d_in, d_out))

    def forward(self, x: Tensor) -> Tensor:
        """(n, d_in) -> (n, d_out)"""
        _require_tokens(x, self.W_query.shape[0])
        keys = x @ self.W_key  # (n, d_out)
        queries = x @ self.W_query
        values = x @ self.W_value
        scores = dot_product_scores(queries, keys)  # (n, n)
        weights = torch.softmax(scores / keys.shape[-1] ** 0.5, dim=-1)
        return context_vectors(weights, values)


class SelfAttentionV2(nn.Module):
    """New: the matrices are linear layers, drawn on a scale that suits training; they hold W transposed."""

    def __init__(self, d_in: int, d_out: int, qkv_bias: bool = False) -> None:
        super().__init__()
        self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)

    def forward(self, x: Tensor) -> Tensor:
        """(n, d_in) -> (n, d_out)"""
        scores, values = self.scores(x), self.W_value(x)
        weights = torch.softmax(scores / values.shape[-1] ** 0.5, dim=-1)
        return context_vectors(weights, values)

    def scores(self, x: Tensor) -> Tensor:
        """Scores before they are divided by sqrt(d_k), (n, d_in) -> (n, n): where the causal rungs begin."""
        _require_tokens(x, self.W_query.in_features)
        return dot_product_scores(self.W_query(x), self.W_key(x))


# --- No look ahead: "Escondendo palavras futuras com atenção causal" ---


def causal_mask(n: int) -> Tensor:
    """(n, n), TRUE above the diagonal: the keys that a query must not see."""
    return torch.ones(n, n, dtype=torch.bool).triu(diagonal=1)


def mask_by_renormalizing(weights: Tensor) -> Tensor:
    """First way: weights of the future become 0, and each row is divided by what is left; (..., n, n) both ways."""
    return normalize_by_sum(weights.masked_fill(causal_mask(weights.shape[-1]), 0.0))


def mask_by_infinity(scores: Tensor) -> Tensor:
    """Second way, one softmax for both steps: scores of the future become -inf, as exp(-inf) = 0."""
    return scores.masked_fill(causal_mask(scores.shape[-1]), -torch.inf)


# --- Dropout on the weights: "Mascarando pesos de atenção adicionais com dropout" ---


def drop_weights(weights: Tensor, p: float) -> Tensor:
    """Each weight becomes 0 with probability p, else weight / (1 - p), so that its mean stays as it was."""
    return functional.dropout(weights, p)


class CausalAttention(nn.Module):
    """New: the causal mask, dropout on the weights, and a batch of sequences at a time.

    Erratum: the notebook takes the softmax over `dim=1`. For its batch (b, n, n) that is the axis of the queries:
    columns sum to 1 instead of rows, and each column's sum runs over later queries, so that the future leaks into
    the past. Here the softmax is over the keys; `softmax_dim=1` gives the notebook's numbers.
    """

    mask: Tensor

    def __init__(
        self, d_in: int, d_out: int, block_size: int, dropout: float, qkv_bias: bool = False, softmax_dim: int = -1
    ) -> None:
        super().__init__()
        self.softmax_dim = softmax_dim
        self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("mask", causal_mask(block_size))

    def forward(self, x: Tensor) -> Tensor:
        """(b, n, d_in) -> (b, n, d_out)"""
        weights = self.dropout(self.weights(x))
        return context_vectors(weights, self.W_value(x))

    def weights(self, x: Tensor) -> Tensor:
        """The attention weights before dropout, (b, n, d_in) -> (b, n, n)."""
        _require_batch(x, self.W_query.in_features, self.mask.shape[0])
        n = x.shape[1]
        keys, queries = self.W_key(x), self.W_query(x)  # (b, n, d_out)
        scores = dot_product_scores(queries, keys).masked_fill(self.mask[:n, :n], -torch.inf)  # (b, n, n)
        return torch.softmax(scores / keys.shape[-1] ** 0.5, dim=self.softmax_dim)


# --- Many heads: "Estendendo a atenção de uma única cabeça", "Implementando atenção multicabeça" ---


class MultiHeadAttentionWrapper(nn.Module):
    """New: several heads side by side, each a `CausalAttention` of its own; d_out columns a head."""

    def __init__(
        self, d_in: int, d_out: int, block_size: int, dropout: float, num_heads: int,
        qkv_bias: bool = False, softmax_dim: int = -1,
    ) -> None:  # fmt: skip
        super().__init__()
        self.heads = nn.ModuleList(
            CausalAttention(d_in, d_out, block_size, dropout, qkv_bias, softmax_dim) for _ in range(num_heads)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(b, n, d_in) -> (b, n, num_heads * d_out)"""
        return torch.cat([head(x) for head in self.heads], dim=-1)


class MultiHeadAttention(nn.Module):
    """New: one large matrix for all heads, cut into num_heads parts of d_out / num_heads columns; out_proj mixes them.

    Raises:
        PygptError: d_out is not divisible by num_heads.
    """

    mask: Tensor

    def __init__(
        self, d_in: int, d_out: int, block_size: int, dropout: float, num_heads: int, qkv_bias: bool = False
    ) -> None:
        super().__init__()
        if num_heads < 1 or d_out % num_heads:
            raise PygptError(
                "d_out = {d_out} is not divisible by num_heads = {num_heads}: queries of shape (b, n, {d_out}) "
                "are cut into (b, n, {num_heads}, d_out / num_heads)",
                d_out=d_out,
                num_heads=num_heads,
            )
        self.num_heads = num_heads
        self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)
        self.out_proj = nn.Linear(d_out, d_out)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("mask", causal_mask(block_size))

    def forward(self, x: Tensor) -> Tensor:
        """(b, n, d_in) -> (b, n, d_out)"""
        _require_batch(x, self.W_query.in_features, self.mask.shape[0])
        n = x.shape[1]
        queries, keys, values = self._heads(self.W_query(x)), self._heads(self.W_key(x)), self._heads(self.W_value(x))
        scores = dot_product_scores(queries, keys).masked_fill(self.mask[:n, :n], -torch.inf)  # (b, h, n, n)
        weights = self.dropout(torch.softmax(scores / keys.shape[-1] ** 0.5, dim=-1))
        context = context_vectors(weights, values).transpose(1, 2)  # (b, n, h, d_k)
        mixed: Tensor = self.out_proj(context.flatten(2))
        return mixed

    def _heads(self, projected: Tensor) -> Tensor:
        """(b, n, d_out) -> (b, h, n, d_k)"""
        b, n, d_out = projected.shape
        return projected.view(b, n, self.num_heads, d_out // self.num_heads).transpose(1, 2)


# --- The last rung: PyTorch's own module, as `pygpt.models.GPT` uses it ---


def to_torch(attention: MultiHeadAttention) -> nn.MultiheadAttention:
    """PyTorch's `nn.MultiheadAttention` with the weights of `attention`, so that both give the same output.

    New: the three matrices are one, `in_proj_weight` (3 * d_out, d_out), queries first; the mask is an argument of
    the call; the sequence comes before the batch. What comes in is as wide as what goes out: d_in must be d_out.

    Raises:
        PygptError: d_in is not d_out.
    """
    d_out, d_in = attention.W_query.weight.shape
    if d_in != d_out:
        raise PygptError(
            "nn.MultiheadAttention takes and gives d_out columns, but W_query has shape ({d_out}, {d_in}): "
            "build MultiHeadAttention with d_in = d_out",
            d_out=d_out,
            d_in=d_in,
        )
    layers = (attention.W_query, attention.W_key, attention.W_value)
    kind, device = layers[0].weight.dtype, layers[0].weight.device
    result = nn.MultiheadAttention(d_out, attention.num_heads, dropout=attention.dropout.p, dtype=kind, device=device)
    biases = tuple(torch.zeros_like(w.weight[:, 0]) if w.bias is None else w.bias for w in layers)
    result.load_state_dict(
        {
            "in_proj_weight": torch.cat(tuple(w.weight for w in layers)),
            "in_proj_bias": torch.cat(biases),
            "out_proj.weight": attention.out_proj.weight,
            "out_proj.bias": attention.out_proj.bias,
        }
    )
    return result.train(attention.training)


def attend_as_gpt(attention: nn.MultiheadAttention, x: Tensor) -> tuple[Tensor, Tensor]:
    """Call `attention` as the GPT does: (b, n, d) -> contexts (b, n, d) and weights (b, h, n, n)."""
    _require_batch(x, attention.embed_dim, x.shape[1] if x.dim() > 1 else 0)
    q = x.transpose(0, 1)  # sequence first, as in R
    blocked = causal_mask(q.shape[0]).to(q.device)
    context, weights = attention(q, q, q, attn_mask=blocked, need_weights=True, average_attn_weights=False)
    return context.transpose(0, 1), weights


def _require_tokens(x: Tensor, d_in: int) -> None:
    if x.dim() != 2 or x.shape[1] != d_in:
        raise PygptError("x must have shape (n, d_in = {d_in}); got {shape}", d_in=d_in, shape=tuple(x.shape))


def _require_batch(x: Tensor, d_in: int, block_size: int) -> None:
    if x.dim() != 3 or x.shape[2] != d_in or x.shape[1] > block_size:
        raise PygptError(
            "x must have shape (b, n, d_in = {d_in}) with n <= {block_size}; got {shape}",
            d_in=d_in,
            block_size=block_size,
            shape=tuple(x.shape),
        )
