"""R's forward pass with everything in it that ports usually do otherwise: one function of weights, rows and choices."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from pygpt.settings import ModelSettings

Weights = Mapping[str, Tensor]
Norms = Literal["before", "after", "none"]


@dataclass(frozen=True)
class Algebra:
    """The choices; the defaults are R's. `changed` makes one that differs in some of them."""

    first_position: int = 0
    positions: Literal["learned", "none"] = "learned"
    embedding_scale: Literal["1", "sqrt d", "1 / sqrt d"] = "1"
    embedding_norm: bool = False
    """A LayerNorm (of weight 1) on the embedding."""
    attention: Literal["softmax", "uniform", "none"] = "softmax"
    score_scale: Literal["1 / sqrt d_k", "1", "1 / sqrt d", "1 / d_k", "sqrt d_k"] = "1 / sqrt d_k"
    mask: str = "causal"
    """Also `none`, `one too late`, `one too early` (but for the first), `not itself` (the first sees nothing),
    `turned round`, `inverted` (the last sees nothing), `after softmax`; `add X` and `fill X` with a number where R has
    -inf."""
    softmax_over: Literal["keys", "queries", "heads"] = "keys"
    exchanged: Literal["", "query and key", "key and value", "query and value"] = ""
    heads: Literal["side by side", "not transposed back", "interleaved"] = "side by side"
    ffn: Literal["gelu", "tanh", "quick", "relu", "silu", "identity", "none"] = "gelu"
    attention_norm: Norms = "before"
    ffn_norm: Norms = "before"
    norms: Literal["each in its place", "exchanged", "scale1 twice", "scale2 twice"] = "each in its place"
    attention_residual: Literal["h", "normed", "none"] = "h"
    ffn_residual: Literal["h", "normed", "none"] = "h"
    order: Literal[
        "in turn", "parallel", "feed-forward first", "blocks reversed", "first block only", "first block again"
    ] = "in turn"
    eps: float = 1e-5
    final_norm: bool = True
    no_bias: frozenset[str] = frozenset()
    """Endings of the parameters that are left out: `in_proj_bias`, `out_proj.bias`, `0.bias`, `2.bias`."""
    plain_norms: frozenset[str] = frozenset()
    """Norms without a weight and a bias: `scale1`, `scale2`, `scale3`."""
    output: Literal["logits", "softmax", "log_softmax", "sigmoid"] = "logits"
    tied: bool = False
    drop: frozenset[str] = frozenset({"embedding", "weights", "ffn"})
    """Where values are dropped in training: also `token`, `before softmax`, `joined` (before out_proj),
    `attention` (its output), `inside ffn`, `sum` (after the feed-forward part)."""
    rates: frozenset[tuple[str, str]] = frozenset()
    """Places with another rate than `p`: `p / 2`, `2 p`, `1 - p` or a number."""
    in_eval: frozenset[str] = frozenset()
    """Places where values are dropped in eval mode, too."""
    head_by_head: bool = False
    """The attention weights of a head are dropped before those of the next head are: other masks, the same chance."""

    def changed(self, **choices: object) -> "Algebra":
        return replace(self, **choices)  # type: ignore[arg-type]


R = Algebra()


def forward(algebra: Algebra, settings: ModelSettings, weights: Weights, rows: Tensor, train: bool = False) -> Tensor:
    """Logits (batch, k, vocab_size) for `rows` (batch, k); weights under R's names, in any float type.

    In training, masks are drawn from torch's global generator in R's order and shapes.
    """
    return _Pass(algebra, settings, weights, train).logits(rows)


@dataclass
class _Pass:
    a: Algebra
    s: ModelSettings
    w: Weights
    train: bool

    def logits(self, rows: Tensor) -> Tensor:
        a, k, d = self.a, rows.shape[1], self.s.n_embd
        scale = {"1": 1.0, "sqrt d": d**0.5, "1 / sqrt d": d**-0.5}[a.embedding_scale]
        h = self._dropped("token", scale * self.w["wte.weight"][rows.long()])
        if a.positions == "learned":
            at = torch.arange(a.first_position, a.first_position + k)
            h = h + self.w["wpe.weight"][at]
        if a.embedding_norm:
            h = functional.layer_norm(h, (d,), eps=a.eps)
        h = self._dropped("embedding", h)
        blocks = list(range(self.s.n_layer))
        blocks = {"blocks reversed": blocks[::-1], "first block only": blocks[:1],
                  "first block again": [0] * len(blocks)}.get(a.order, blocks)  # fmt: skip
        for j in blocks:
            h = self._block(j, h)
        if a.final_norm:
            h = self._norm("scale3", h)
        out = functional.linear(h, self.w["wte.weight" if a.tied else "ln_f.weight"])
        kinds: dict[str, Callable[[Tensor], Tensor]] = {
            "logits": lambda t: t, "softmax": lambda t: t.softmax(-1), "log_softmax": lambda t: t.log_softmax(-1),
            "sigmoid": lambda t: t.sigmoid(),
        }  # fmt: skip
        return kinds[a.output](out)

    def _block(self, j: int, h: Tensor) -> Tensor:
        attend = self.s.model == "gpt" and self.a.attention != "none"
        feed = self.a.ffn != "none"
        if self.a.order == "feed-forward first":
            h = self._ffn_step(j, h, h) if feed else h
            return self._attention_step(j, h) if attend else h
        attended = self._attention_step(j, h) if attend else h
        if not feed:
            return attended
        return self._ffn_step(j, attended, h if self.a.order == "parallel" else attended)

    def _attention_step(self, j: int, h: Tensor) -> Tensor:
        a = self.a
        name = f"{'scale2' if a.norms in ('exchanged', 'scale2 twice') else 'scale1'}.{j}"
        inner = self._norm(name, h) if a.attention_norm == "before" else h
        out = self._dropped("attention", self._attention(j, inner))
        out = {"h": h, "normed": inner}.get(a.attention_residual, 0) + out
        return self._norm(name, out) if a.attention_norm == "after" else out

    def _ffn_step(self, j: int, h: Tensor, given: Tensor) -> Tensor:
        a = self.a
        first = a.norms in ("exchanged", "scale1 twice") and self.s.model == "gpt"
        name = f"{'scale1' if first else 'scale2'}.{j}"
        inner = self._norm(name, given) if a.ffn_norm == "before" else given
        out = self._dropped("sum", {"h": h, "normed": inner}.get(a.ffn_residual, 0) + self._ffn(j, inner))
        return self._norm(name, out) if a.ffn_norm == "after" else out

    def _ffn(self, j: int, x: Tensor) -> Tensor:
        kinds: dict[str, Callable[[Tensor], Tensor]] = {
            "gelu": functional.gelu, "tanh": lambda t: functional.gelu(t, approximate="tanh"), "relu": functional.relu,
            "quick": lambda t: t * torch.sigmoid(1.702 * t), "silu": functional.silu, "identity": lambda t: t,
        }  # fmt: skip
        wide = kinds[self.a.ffn](functional.linear(x, self.w[f"FFN.{j}.0.weight"], self._bias(f"FFN.{j}.0.bias")))
        wide = self._dropped("inside ffn", wide)
        return self._dropped("ffn", functional.linear(wide, self.w[f"FFN.{j}.2.weight"], self._bias(f"FFN.{j}.2.bias")))

    def _attention(self, j: int, x: Tensor) -> Tensor:
        a, (b, k, d) = self.a, x.shape
        projected = functional.linear(x, self.w[f"MH.{j}.in_proj_weight"], self._bias(f"MH.{j}.in_proj_bias"))
        parts = list(projected.chunk(3, dim=-1))
        order = {"query and key": (1, 0, 2), "key and value": (0, 2, 1), "query and value": (2, 1, 0)}
        q, key, v = (self._split(parts[i]) for i in order.get(a.exchanged, (0, 1, 2)))
        weights = self._dropped_by_head("weights", self._weights(q, key))
        joined = weights @ v  # (b, n, k, d / n)
        if a.heads == "not transposed back":
            joined = joined.reshape(b, k, d)
        elif a.heads == "interleaved":
            joined = joined.permute(0, 2, 3, 1).reshape(b, k, d)
        else:
            joined = joined.transpose(1, 2).reshape(b, k, d)
        joined = self._dropped("joined", joined)
        return functional.linear(joined, self.w[f"MH.{j}.out_proj.weight"], self._bias(f"MH.{j}.out_proj.bias"))

    def _split(self, x: Tensor) -> Tensor:
        b, k, d = x.shape
        n = self.s.n_head
        if self.a.heads == "interleaved":
            return x.view(b, k, d // n, n).permute(0, 3, 1, 2)
        return x.view(b, k, n, d // n).transpose(1, 2)

    def _weights(self, q: Tensor, key: Tensor) -> Tensor:
        a, k, d_k = self.a, q.shape[2], q.shape[3]
        scale = {"1 / sqrt d_k": d_k**-0.5, "1": 1.0, "1 / sqrt d": self.s.n_embd**-0.5, "1 / d_k": 1 / d_k,
                 "sqrt d_k": d_k**0.5}[a.score_scale]  # fmt: skip
        scores = q @ key.transpose(-1, -2) * scale
        if a.attention == "uniform":
            scores = torch.zeros_like(scores)
        ones = torch.ones(k, k, dtype=torch.bool)
        others = {"one too late": ones.triu(2), "one too early": ones.triu(0), "not itself": ones.triu(0),
                  "turned round": ones.tril(-1), "inverted": ones.tril(), "none": ~ones}  # fmt: skip
        future = others.get(a.mask, ones.triu(1))
        if a.mask == "one too early":
            future = future.clone()
            future[0, 0] = False  # else nothing at all is left to the first position
        if a.mask.startswith("add "):
            scores = scores + float(a.mask.removeprefix("add ")) * future
        elif a.mask.startswith("fill "):
            scores = scores.masked_fill(future, float(a.mask.removeprefix("fill ")))
        elif a.mask != "after softmax":
            scores = scores.masked_fill(future, -torch.inf)
        scores = self._dropped_by_head("before softmax", scores)
        over = {"keys": -1, "queries": -2, "heads": 1}[a.softmax_over]
        weights = torch.nan_to_num(scores.softmax(over))
        if a.mask == "after softmax":
            weights = weights.masked_fill(future, 0)
        return weights

    def _norm(self, name: str, x: Tensor) -> Tensor:
        plain = name.split(".")[0] in self.a.plain_norms
        weight, bias = (None, None) if plain else (self.w[f"{name}.weight"], self.w[f"{name}.bias"])
        return functional.layer_norm(x, (self.s.n_embd,), weight, bias, self.a.eps)

    def _bias(self, name: str) -> Tensor | None:
        return None if name.split(".", 2)[2] in self.a.no_bias else self.w[name]

    def _dropped(self, place: str, x: Tensor) -> Tensor:
        if place not in self.a.drop or not (self.train or place in self.a.in_eval):
            return x
        p, kind = self.s.dropout, dict(self.a.rates).get(place, "p")
        rates = {"p": p, "p / 2": p / 2, "2 p": min(2 * p, 1.0), "1 - p": 1 - p}
        rate = rates[kind] if kind in rates else float(kind)
        if rate == 0:
            return x
        # Drawn in float32, as a submission draws them.
        kept = functional.dropout(torch.ones(x.shape), rate).to(x.dtype)
        # A score of -inf that is dropped is 0 * -inf: no number here, and none in a submission.
        return x * kept

    def _dropped_by_head(self, place: str, x: Tensor) -> Tensor:
        """Of (b, n, k, k)."""
        if not self.a.head_by_head:
            return self._dropped(place, x)
        return torch.stack([self._dropped(place, head) for head in x.unbind(1)], dim=1)
