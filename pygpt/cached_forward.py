"""The logits of the next token alone, without computing again what the last call has computed.

Up to block_size tokens, what earlier tokens gave is kept from call to call. Beyond, R's crop moves every token to
another position and nothing can be kept. There, three things spare work:

- the first block's projections depend on token and position alone and are looked up;
- of the last block only the last position is asked for, so its one query q goes through the key weights to the
  block's inputs n, q'(W n) = (W'q)'n, and the value weights are applied once, to the weighted sum of the inputs:
  no keys and no values are made there;
- products go to oneDNN where torch has it: MKL, which torch takes by itself, is less than half as fast on some
  processors.

Equal to the model's own forward within rounding; `generation` decides where that is enough.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from pygpt.models import CharacterModel

# Numbers in the table of the first block's projections; a larger table is not made. 64 MB in float32.
_LARGEST_TABLE = 1 << 24
_ONEDNN = hasattr(torch.ops.mkldnn, "_linear_pointwise")
_ROWS_FOR_ONEDNN = 16


class CachedForward:
    """Called with sequences that grow by one token a call."""

    def __init__(self, model: CharacterModel, batch: int) -> None:
        s = model.settings
        self._model, self._last, self._heads = model, s.n_layer - 1, s.n_head
        self._filled = 0
        if model.has_attention:
            empty, width = model.wte.weight.new_empty, s.n_embd // s.n_head
            self._kept = empty(self._last, 2, batch, s.n_head, s.block_size, width)  # 0 keys | 1 values
            self._kept_inputs = empty(batch, s.block_size, s.n_embd)  # of the last block's projections
            small = 3 * s.n_embd * s.vocab_size * s.block_size <= _LARGEST_TABLE
            self._table = self._first_projections() if small and self._last > 0 else None

    def __call__(self, ids: Tensor) -> Tensor:
        """Logits (batch, vocab_size) of the token after `ids`, rows (batch, n) with n >= 1."""
        window = ids[:, -self._model.settings.block_size :]
        end = window.shape[1]
        first = self._filled if ids.shape[1] == end else 0
        if not self._model.has_attention:
            first = end - 1
        h = functional.embedding(window[:, first:], self._model.wte.weight) + self._model.wpe.weight[first:end]
        for j in range(self._model.settings.n_layer):
            if self._model.has_attention:
                h = self._attend_last(h, first) if j == self._last else self._attend(j, h, window, first)
            h = self._feed_forward(j, h)
        self._filled = end
        logits: Tensor = self._model.ln_f(self._model.scale3(h[:, -1]))
        return logits

    def _attend(self, j: int, h: Tensor, window: Tensor, first: int) -> Tensor:
        """h of positions `first`.. after block j's attention: all from position 0 on, or a single new one."""
        batch, k, n_embd = h.shape
        attention, end = self._model.attention(j), first + k
        if j == 0 and self._table is not None:
            places = window[:, first:] * self._model.settings.block_size + torch.arange(first, end)
            projected = functional.embedding(places, self._table)
        else:
            normed = self._model.attention_norm(j, h)
            projected = _linear(normed, attention.in_proj_weight, attention.in_proj_bias)
        heads = projected.view(batch, k, 3, self._heads, -1).permute(2, 0, 3, 1, 4)
        query, keys, values = heads
        if self._is_kept(first, end):
            self._kept[j, :, :, :, first:end] = heads[1:]
            keys, values = self._kept[j, :, :, :, :end]
        attended = functional.scaled_dot_product_attention(query, keys, values, is_causal=k > 1)
        joined = attended.transpose(1, 2).reshape(batch, k, n_embd)
        return h + _linear(joined, attention.out_proj.weight, attention.out_proj.bias)

    def _attend_last(self, h: Tensor, first: int) -> Tensor:
        """h of the last position alone after the last block's attention: (batch, 1, n_embd)."""
        batch, k, n_embd = h.shape
        attention, heads, end = self._model.attention(self._last), self._heads, first + k
        inputs = self._model.attention_norm(self._last, h)
        asking = inputs[:, -1]
        if self._is_kept(first, end):
            self._kept_inputs[:, first:end] = inputs
            inputs = self._kept_inputs[:, :end]
        for_query, for_keys, for_values = attention.in_proj_weight.view(3, heads, n_embd // heads, n_embd)
        # The keys' bias adds the same to every score, and softmax takes it away again.
        bias_query, _, bias_values = attention.in_proj_bias.view(3, n_embd)
        query = functional.linear(asking, for_query.reshape(n_embd, n_embd), bias_query).view(batch, heads, -1)
        carried = torch.bmm(query.transpose(0, 1), for_keys).transpose(0, 1)
        scores = carried @ inputs.transpose(1, 2) * (n_embd // heads) ** -0.5
        mixed = scores.softmax(-1) @ inputs
        values = torch.bmm(mixed.transpose(0, 1), for_values.transpose(1, 2)).transpose(0, 1)
        out: Tensor = attention.out_proj(values.reshape(batch, n_embd) + bias_values)
        return h[:, -1:] + out.unsqueeze(1)

    def _is_kept(self, first: int, end: int) -> bool:
        """Whether a later call asks again for what earlier positions gave."""
        return first > 0 or end < self._model.settings.block_size

    def _feed_forward(self, j: int, h: Tensor) -> Tensor:
        """h + FFN(LN(h)) of block j"""
        widen, narrow = (cast(nn.Linear, self._model.get_submodule(f"FFN.{j}.{i}")) for i in (0, 2))
        wide = _linear(self._model.scale2[j](h), widen.weight, widen.bias, gelu=True)
        return h + _linear(wide, narrow.weight, narrow.bias)

    def _first_projections(self) -> Tensor:
        """Query, key and value of every token at every position in block 1: (vocab_size * block_size, 3 * n_embd)."""
        attention = self._model.attention(0)
        with torch.no_grad():
            h = self._model.wte.weight.unsqueeze(1) + self._model.wpe.weight
            normed = self._model.attention_norm(0, h).flatten(0, 1)
            return functional.linear(normed, attention.in_proj_weight, attention.in_proj_bias)


def _linear(x: Tensor, weight: Tensor, bias: Tensor, gelu: bool = False) -> Tensor:
    """x W' + b, and GELU of it where asked: (batch, k, n) -> (batch, k, m)"""
    if _ONEDNN and x.shape[0] * x.shape[1] >= _ROWS_FOR_ONEDNN:
        attr, algorithm = ("gelu", "none") if gelu else ("none", "")
        product: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, attr, [], algorithm)
        return product
    out = functional.linear(x, weight, bias)
    return functional.gelu(out) if gelu else out
