"""The logits of the next token alone, without computing again what the last call has computed.

Up to block_size tokens, keys and values are kept from call to call. Beyond, R's crop moves every token to
another position and nothing can be kept; there, only the last position goes through the end of the last block, and
the first block's projections, which depend on token and position alone, are looked up.
Equal to the model's own forward within rounding; `generation` decides where that is enough.
"""

import torch
from torch import Tensor
from torch.nn import functional

from pygpt.models import CharacterModel

# Numbers in the table of the first block's projections; a larger table is not made. 64 MB in float32.
_LARGEST_TABLE = 1 << 24


class CachedForward:
    """Called with sequences that grow by one token a call."""

    def __init__(self, model: CharacterModel, batch: int) -> None:
        self._model = model
        s = model.settings
        shape = (s.n_layer, 2, batch, s.n_head, s.block_size, s.n_embd // s.n_head)
        # [block, 0 keys | 1 values]; nothing to keep where there is no attention
        self._kept = model.wte.weight.new_empty(shape if model.has_attention else 0)
        self._filled = 0
        self._blocked = torch.ones(s.block_size, s.block_size, dtype=torch.bool).triu(1)
        small = 3 * s.n_embd * s.vocab_size * s.block_size <= _LARGEST_TABLE
        self._table = self._first_projections() if model.has_attention and small else None

    def __call__(self, ids: Tensor) -> Tensor:
        """Logits (batch, vocab_size) of the token after `ids`, rows (batch, n) with n >= 1."""
        window = ids[:, -self._model.settings.block_size :]
        first = self._filled if ids.shape[1] == window.shape[1] else 0
        if not self._model.has_attention:
            first = window.shape[1] - 1
        h = self._model.wte.weight[window[:, first:]] + self._model.wpe.weight[first : window.shape[1]]
        for j in range(self._model.settings.n_layer):
            if self._model.has_attention:
                h = self._attend(j, h, window, first)
            h = self._model.feed_forward(j, h)
        self._filled = window.shape[1]
        logits: Tensor = self._model.ln_f(self._model.scale3(h[:, -1]))
        return logits

    def _attend(self, j: int, h: Tensor, window: Tensor, first: int) -> Tensor:
        """h of positions `first`.. after block j's attention; of the last position alone in the last block."""
        end, last_block = window.shape[1], j == self._model.settings.n_layer - 1
        query, keys_values = self._project(j, h, window, first, last_block)
        if last_block:
            h = h[:, -1:]
        self._kept[j, :, :, :, first:end] = self._heads(keys_values, 2)
        keys, values = self._kept[j, :, :, :, :end]
        scores = self._heads(query, 1)[0] @ keys.transpose(-2, -1) * (keys.shape[-1] ** -0.5)
        if h.shape[1] > 1:  # the last position may look at all
            scores = scores.masked_fill_(self._blocked[end - h.shape[1] : end, :end], -torch.inf)
        attended = scores.softmax(-1) @ values
        out: Tensor = self._model.attention(j).out_proj(attended.transpose(1, 2).flatten(2))
        return h + out

    def _project(self, j: int, h: Tensor, window: Tensor, first: int, last_query_only: bool) -> tuple[Tensor, Tensor]:
        """Query (batch, k or 1, n_embd), and keys beside values (batch, k, 2 * n_embd)."""
        n_embd = self._model.settings.n_embd
        if j == 0 and self._table is not None:
            projected = self._table[window[:, first:], torch.arange(first, window.shape[1])]
            query = projected[:, -1:] if last_query_only else projected
            return query[..., :n_embd], projected[..., n_embd:]
        attention, normed = self._model.attention(j), self._model.attention_norm(j, h)
        weight, bias = attention.in_proj_weight, attention.in_proj_bias
        asking = normed[:, -1:] if last_query_only else normed
        query = functional.linear(asking, weight[:n_embd], bias[:n_embd])
        return query, functional.linear(normed, weight[n_embd:], bias[n_embd:])

    def _first_projections(self) -> Tensor:
        """Query, key and value of every token at every position in block 1: (vocab_size, block_size, 3 * n_embd)."""
        attention = self._model.attention(0)
        with torch.no_grad():
            h = self._model.wte.weight.unsqueeze(1) + self._model.wpe.weight
            return functional.linear(self._model.attention_norm(0, h), attention.in_proj_weight, attention.in_proj_bias)

    def _heads(self, projected: Tensor, parts: int) -> Tensor:
        """(batch, k, parts * n_embd) -> (parts, batch, head, k, head width)"""
        heads = self._model.settings.n_head
        batch, k, _ = projected.shape
        return projected.reshape(batch, k, parts, heads, -1).permute(2, 0, 3, 1, 4)
