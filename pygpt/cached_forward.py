"""The logits of the next token alone, without computing again what the last call has computed.

Up to block_size tokens, keys and values are kept from call to call. Beyond, R's crop moves every token to
another position and nothing can be kept; there, only the last position goes through the end of the last block.
Equal to the model's own forward within rounding; `generation` decides where that is enough.
"""

import torch
from torch import Tensor
from torch.nn import functional

from pygpt.models import CharacterModel


class CachedForward:
    """Called with sequences that grow by one token a call."""

    def __init__(self, model: CharacterModel, batch: int) -> None:
        self._model, self._batch = model, batch
        s = model.settings
        shape = (s.n_layer, 2, batch, s.n_head, s.block_size, s.n_embd // s.n_head)
        # [block, 0 keys | 1 values]; nothing to keep where there is no attention
        self._kept = model.wte.weight.new_empty(shape if model.has_attention else 0)
        self._filled = 0

    def __call__(self, ids: Tensor) -> Tensor:
        """Logits (batch, vocab_size) of the token after `ids`, rows (batch, n) with n >= 1."""
        window = ids[:, -self._model.settings.block_size :]
        first = self._filled if ids.shape[1] == window.shape[1] else 0
        if not self._model.has_attention:
            first = window.shape[1] - 1
        h = self._embed(window, first)
        for j in range(self._model.settings.n_layer):
            if self._model.has_attention:
                h = self._attend(j, h, first)
            h = self._model.feed_forward(j, h)
        self._filled = window.shape[1]
        logits: Tensor = self._model.ln_f(self._model.scale3(h[:, -1]))
        return logits

    def _embed(self, window: Tensor, first: int) -> Tensor:
        return self._model.wte.weight[window[:, first:]] + self._model.wpe.weight[first : window.shape[1]]

    def _attend(self, j: int, h: Tensor, first: int) -> Tensor:
        """h of positions `first`.. after block j's attention; of the last position alone in the last block."""
        attention, n_embd = self._model.attention(j), self._model.settings.n_embd
        weight, bias = attention.in_proj_weight, attention.in_proj_bias
        normed = self._model.attention_norm(j, h)
        end = first + h.shape[1]
        keys_values = functional.linear(normed, weight[n_embd:], bias[n_embd:])
        self._kept[j, :, :, :, first:end] = self._heads(keys_values, 2)
        keys, values = self._kept[j, :, :, :, :end]
        if j == self._model.settings.n_layer - 1:
            h, normed = h[:, -1:], normed[:, -1:]
        query = self._heads(functional.linear(normed, weight[:n_embd], bias[:n_embd]), 1)[0]
        blocked = torch.ones(end, end, dtype=torch.bool).triu(1)[-h.shape[1] :]
        scores = query @ keys.transpose(-2, -1) * (query.shape[-1] ** -0.5)
        attended = scores.masked_fill(blocked, -torch.inf).softmax(-1) @ values
        out: Tensor = attention.out_proj(attended.transpose(1, 2).flatten(2))
        return h + out

    def _heads(self, projected: Tensor, parts: int) -> Tensor:
        """(batch, k, parts * n_embd) -> (parts, batch, head, k, head width)"""
        heads = self._model.settings.n_head
        batch, k, _ = projected.shape
        return projected.view(batch, k, parts, heads, -1).permute(2, 0, 3, 1, 4)
