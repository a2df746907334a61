"""The logits of the next token alone, without computing again what the last call has computed.

Up to block_size tokens, what earlier tokens gave is kept from call to call. Beyond, R's crop moves every token to
another position, and each window of block_size tokens is computed from its first position on. There, four things
spare work:

- all but a window's last tokens are known before its turn comes: several windows are computed in one go, and each, in
  its turn, only lacks the tokens that were drawn meanwhile;
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

from pygpt.determinism import on_threads
from pygpt.models import CharacterModel

# Numbers in the table of the first block's projections; a larger table is not made. 64 MB in float32.
_LARGEST_TABLE = 1 << 24
_ONEDNN = hasattr(torch.ops.mkldnn, "_linear_pointwise")
_ROWS_FOR_ONEDNN = 16
# Positions that are computed in one go, of all samples and windows together: fewer take longer each.
_ROWS_AHEAD = 512


class CachedForward:
    """Called with sequences that grow by one token a call."""

    def __init__(self, model: CharacterModel, batch: int, threads: int = 1) -> None:
        """For `batch` sequences; the windows that are computed in one go take so many threads."""
        s = model.settings
        self._model, self._batch, self._threads, self._block_size = model, batch, threads, s.block_size
        self._attentions = [_Attention(model, j) for j in range(s.n_layer)] if model.has_attention else []
        self._feed_forwards = [_FeedForward(model, j) for j in range(s.n_layer)]
        self._in_one_go = min(max(1, _ROWS_AHEAD // (batch * s.block_size)), s.block_size)
        self._filled = 0  # positions of the only window, as long as nothing is cropped
        self._begun = 0  # the token that the first of several windows begins with
        self._table: Tensor | None = None
        self._keep_windows(1)

    def __call__(self, ids: Tensor) -> Tensor:
        """Logits (batch, vocab_size) of the token after `ids`, rows (batch, n) with n >= 1."""
        start = max(0, ids.shape[1] - self._block_size)
        window = ids[:, start:]
        end = window.shape[1]
        if not self._attentions:
            h = self._embedded(window[:, -1:], end - 1)
            for feed_forward in self._feed_forwards[:-1]:
                h = feed_forward(h)
        elif start == 0:
            h = self._attended(window, self._filled, 0)
            self._filled = end
        else:
            if self._begun == 0 or start >= self._begun + self._in_one_go:
                self._begin(ids, start)
            ahead = start - self._begun
            h = self._attended(window, *((0, None) if self._in_one_go == 1 else (end - max(ahead, 1), ahead)))
        h = self._feed_forwards[-1](h)
        logits: Tensor = self._model.ln_f(self._model.scale3(h))
        return logits

    def _keep_windows(self, count: int) -> None:
        """Make room for what blocks give in so many windows of each sequence."""
        s, n = self._model.settings, count * self._batch
        if self._attentions:
            empty = self._model.wte.weight.new_empty
            self._kept = empty(s.n_layer - 1, 2, n, s.n_head, s.block_size, s.n_embd // s.n_head)  # 0 keys | 1 values
            self._inputs = empty(n, s.block_size, s.n_embd)  # of the last block's projections

    def _begin(self, ids: Tensor, start: int) -> None:
        """Compute the windows that begin with token `start` and after it, with PAD for tokens not yet known."""
        if self._begun == 0:
            self._table = self._first_projections()
            self._keep_windows(self._in_one_go)
        self._begun = start
        if self._in_one_go == 1:
            return
        padded = functional.pad(ids[:, start:], (0, self._in_one_go - 1))
        windows = padded.unfold(1, self._block_size, 1).transpose(0, 1).flatten(0, 1)
        with on_threads(self._threads):
            self._fill(windows, 0, self._kept, self._inputs)

    def _attended(self, window: Tensor, first: int, place: int | None) -> Tensor:
        """h of the last position after the last block's attention, (batch, n_embd), of positions `first`.. anew.

        Args:
            place: of this window among those kept; None where nothing is.
        """
        if place is None:
            kept = inputs = None
        else:
            of_window = slice(place * self._batch, (place + 1) * self._batch)
            kept, inputs = self._kept[:, :, of_window], self._inputs[of_window]
        h, inputs = self._fill(window, first, kept, inputs)
        return self._attentions[-1].ask(h.view(self._batch, -1, h.shape[1])[:, -1], inputs)

    def _fill(self, windows: Tensor, first: int, kept: Tensor | None, inputs: Tensor | None) -> tuple[Tensor, Tensor]:
        """Compute positions `first`.. of `windows` (n, end), up to the last block's attention.

        Args:
            kept: the other blocks' keys and values of these windows; those of the positions computed are put there.
            inputs: of the last block's projections, likewise.

        Returns:
            h of the positions computed, (n * (end - first), n_embd), and the inputs of all, (n, end, n_embd).
        """
        (n, end), heads = windows.shape, self._model.settings.n_head
        rows = end - first
        # One row sees all; for rows from the first on, torch knows the mask.
        mask = torch.full((rows, end), -torch.inf).triu(first + 1) if rows > 1 and first > 0 else None
        h, projected = self._embedded(windows[:, first:], first), self._looked_up(windows[:, first:], first)
        for j, attention in enumerate(self._attentions[:-1]):
            projected = attention.project(h) if projected is None else projected
            query, keys, values = projected.view(n, rows, 3, heads, -1).permute(2, 0, 3, 1, 4)
            if kept is not None:
                kept[j, :, :, :, first:end] = projected.view(n, rows, 3, heads, -1).permute(2, 0, 3, 1, 4)[1:]
                keys, values = kept[j, :, :, :, :end]
            attended = functional.scaled_dot_product_attention(
                query, keys, values, mask, is_causal=rows > 1 and first == 0
            )
            h = self._feed_forwards[j](attention.join(attended.transpose(1, 2).reshape(n * rows, -1), h))
            projected = None
        new = self._attentions[-1].norm(h).view(n, rows, -1)
        if inputs is None:
            return h, new
        inputs[:, first:end] = new
        return h, inputs[:, :end]

    def _embedded(self, windows: Tensor, first: int) -> Tensor:
        """h0 of `windows` (n, k), whose positions count from `first`: (n * k, n_embd)."""
        positions = self._model.wpe.weight[first : first + windows.shape[1]]
        return (functional.embedding(windows, self._model.wte.weight) + positions).flatten(0, 1)

    def _looked_up(self, windows: Tensor, first: int) -> Tensor | None:
        """The first block's projections of the same, (n * k, 3 * n_embd), where there is a table."""
        if self._table is None:
            return None
        places = torch.add(torch.arange(first, first + windows.shape[1]), windows, alpha=self._block_size)
        return functional.embedding(places.flatten(), self._table)

    def _first_projections(self) -> Tensor | None:
        """Query, key and value of every token at every position in block 1: (vocab_size * block_size, 3 * n_embd)."""
        s = self._model.settings
        if s.n_layer == 1 or 3 * s.n_embd * s.vocab_size * s.block_size > _LARGEST_TABLE:
            return None
        h = self._model.wte.weight.unsqueeze(1) + self._model.wpe.weight
        return self._attentions[0].project(h.flatten(0, 1))


class _Attention:
    """One block's attention, in parts."""

    def __init__(self, model: CharacterModel, j: int) -> None:
        a, self._heads = model.attention(j), model.settings.n_head
        self._norm = cast(nn.LayerNorm, model.scale1[j])
        self._in, self._in_bias = a.in_proj_weight, a.in_proj_bias
        self._out, self._out_bias = a.out_proj.weight, a.out_proj.bias

    def norm(self, h: Tensor) -> Tensor:
        """LN(h)"""
        return _layer_norm(h, self._norm)

    def project(self, h: Tensor) -> Tensor:
        """Queries, keys and values: (rows, n_embd) -> (rows, 3 * n_embd)."""
        return _linear(self.norm(h), self._in, self._in_bias)

    def join(self, attended: Tensor, h: Tensor) -> Tensor:
        """h + the heads' results, joined: (rows, n_embd)."""
        return _linear(attended, self._out, self._out_bias, add=h)

    def ask(self, h: Tensor, inputs: Tensor) -> Tensor:
        """h of the last position, (n, n_embd), after this attention to `inputs` (n, k, n_embd), the last its own."""
        n, heads, n_embd = len(h), self._heads, h.shape[1]
        for_query, for_keys, for_values = self._in.view(3, heads, n_embd // heads, n_embd)
        # The keys' bias adds the same to every score, and softmax takes it away again.
        bias_query, _, bias_values = self._in_bias.view(3, n_embd)
        query = functional.linear(inputs[:, -1], for_query.flatten(0, 1), bias_query).view(n, heads, -1)
        carried = torch.bmm(query.transpose(0, 1), for_keys).transpose(0, 1)
        scores = carried @ inputs.transpose(1, 2) * (n_embd // heads) ** -0.5
        mixed = scores.softmax(-1) @ inputs
        values = torch.bmm(mixed.transpose(0, 1), for_values.transpose(1, 2)).transpose(0, 1)
        return self.join(values.reshape(n, n_embd) + bias_values, h)


class _FeedForward:
    """h + FFN(LN(h)) of one block; (rows, n_embd) both ways."""

    def __init__(self, model: CharacterModel, j: int) -> None:
        self._norm = cast(nn.LayerNorm, model.scale2[j])
        self._widen, self._narrow = (cast(nn.Linear, model.get_submodule(f"FFN.{j}.{i}")) for i in (0, 2))

    def __call__(self, h: Tensor) -> Tensor:
        wide = _linear(_layer_norm(h, self._norm), self._widen.weight, self._widen.bias, gelu=True)
        return _linear(wide, self._narrow.weight, self._narrow.bias, add=h)


def _layer_norm(h: Tensor, norm: nn.LayerNorm) -> Tensor:
    """`norm(h)`, without what calling a module costs."""
    return torch.layer_norm(h, norm.normalized_shape, norm.weight, norm.bias, norm.eps)


def _linear(x: Tensor, weight: Tensor, bias: Tensor, gelu: bool = False, add: Tensor | None = None) -> Tensor:
    """x W' + b, GELU of it where asked, and `add`: (rows, n) -> (rows, m)"""
    if _ONEDNN and len(x) >= _ROWS_FOR_ONEDNN:
        onednn = torch.ops.mkldnn._linear_pointwise
        attr, algorithm = ("gelu", "none") if gelu else ("none", "")
        product: Tensor
        if add is None:
            product = onednn(x, weight, bias, attr, [], algorithm)
        else:
            product = onednn.binary(x, add, weight, bias, "add")
        return product
    out = functional.linear(x, weight, bias)
    out = functional.gelu(out) if gelu else out
    return out if add is None else out.add_(add)
