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

from concurrent.futures import Future, ThreadPoolExecutor
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
_ROWS_AHEAD = 256


class CachedForward:
    """Called with sequences that grow by one token a call."""

    def __init__(self, model: CharacterModel, batch: int, threads: int = 1) -> None:
        """For `batch` sequences, on so many threads where there is enough to share out."""
        s = model.settings
        self._model, self._batch, self._threads, self._block_size = model, batch, threads, s.block_size
        self._attentions = [_Attention(model, j) for j in range(s.n_layer)] if model.has_attention else []
        self._feed_forwards = [_FeedForward(model, j) for j in range(s.n_layer)]
        self._positions = torch.arange(s.block_size)
        self._tables: tuple[Tensor, Tensor] | None = None
        self._in_one_go = min(max(1, _ROWS_AHEAD // (batch * s.block_size)), s.block_size)
        if self._in_one_go > 1:
            self._mask = torch.full((s.block_size, s.block_size), -torch.inf).triu(1)
        self._windows: _Windows | None = _Windows(model, batch, 1, 0, 0)
        self._next: Future[_Windows] | None = None
        self._worker = ThreadPoolExecutor(1, "windows") if threads > 1 and self._in_one_go > 1 else None

    def __call__(self, ids: Tensor) -> Tensor:
        """Logits (batch, vocab_size) of the token after `ids`, rows (batch, n) with n >= 1."""
        start = max(0, ids.shape[1] - self._block_size)
        window = ids[:, start:]
        if self._attentions:
            h = self._attended(ids, start, window)
        else:
            h, _ = self._embedded(window[:, -1:], window.shape[1] - 1)
            for feed_forward in self._feed_forwards[:-1]:
                h = feed_forward(h)
        h = _layer_norm(self._feed_forwards[-1](h), self._model.scale3)
        return functional.linear(h, self._model.ln_f.weight)

    def _attended(self, ids: Tensor, start: int, window: Tensor) -> Tensor:
        """h of the last position after the last block's attention: (batch, n_embd)."""
        if start > 0 and (self._windows is None or not self._windows.start <= start < self._windows.end):
            self._windows = self._ahead(ids, start)
        first, kept, inputs = (0, None, None) if self._windows is None else self._windows.of(start)
        many = self._batch * (window.shape[1] - first) >= _ROWS_AHEAD
        with on_threads(self._threads if many else 1):
            h, inputs = self._fill(window, first, kept, inputs)
        if self._windows is not None and start == 0:
            self._windows.known = ids.shape[1]
        return self._attentions[-1].ask(h.view(self._batch, -1, h.shape[1])[:, -1], inputs)

    def _ahead(self, ids: Tensor, start: int) -> "_Windows | None":
        """The windows that begin with token `start` and after it, as far as they could be computed; None if one alone.

        Where there is a thread for it, those that come after them begin to be computed.
        """
        if self._tables is None:
            self._tables = self._first_projections()
        if self._in_one_go == 1:
            return None
        windows = None if self._next is None else self._next.result()
        if windows is None or windows.start != start:
            windows = self._computed(ids, start)
        if self._worker is not None:
            self._next = self._worker.submit(self._computed, ids, windows.end)
        return windows

    def _computed(self, ids: Tensor, start: int) -> "_Windows":
        """The windows that begin with token `start` and after it, as far as their tokens are in `ids`.

        PAD stands for the others, and what comes of it is overwritten when they are known.
        """
        windows = _Windows(self._model, self._batch, self._in_one_go, start, ids.shape[1])
        with torch.inference_mode(), on_threads(1):
            length = self._block_size + self._in_one_go - 1
            padded = functional.pad(ids[:, start:], (0, length - (ids.shape[1] - start)))
            each = padded.unfold(1, self._block_size, 1).transpose(0, 1).flatten(0, 1)
            self._fill(each, 0, windows.kept, windows.inputs)
        return windows

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
        mask = self._mask[first:end, :end] if rows > 1 and first > 0 else None
        h, projected = self._embedded(windows[:, first:], first)
        for j, attention in enumerate(self._attentions[:-1]):
            projected = attention.project(h) if projected is None else projected
            by_head = projected.view(n, rows, 3, heads, -1).permute(2, 0, 3, 1, 4)
            query, both = by_head[0], by_head[1:]
            if kept is not None:
                kept[j, :, :, :, first:end] = both
                both = kept[j, :, :, :, :end]
            attended = functional.scaled_dot_product_attention(
                query, both[0], both[1], mask, is_causal=rows > 1 and first == 0
            )
            h = self._feed_forwards[j](attention.join(attended.transpose(1, 2).reshape(n * rows, -1), h))
            projected = None
        new = self._attentions[-1].norm(h).view(n, rows, -1)
        if inputs is None:
            return h, new
        inputs[:, first:end] = new
        return h, inputs[:, :end]

    def _embedded(self, windows: Tensor, first: int) -> tuple[Tensor, Tensor | None]:
        """h0 of `windows` (n, k), whose positions count from `first`: (n * k, n_embd).

        And, where there is a table, the first block's projections of it: (n * k, 3 * n_embd).
        """
        positions = slice(first, first + windows.shape[1])
        if self._tables is None:
            h = torch.embedding(self._model.wte.weight, windows) + self._model.wpe.weight[positions]
            return h.flatten(0, 1), None
        places = torch.add(self._positions[positions], windows, alpha=self._block_size).flatten()
        return torch.embedding(self._tables[0], places), torch.embedding(self._tables[1], places)

    def _first_projections(self) -> tuple[Tensor, Tensor] | None:
        """h0 of every token at every position, (vocab_size * block_size, n_embd), and block 1's projections of it."""
        s = self._model.settings
        if s.n_layer == 1 or 3 * s.n_embd * s.vocab_size * s.block_size > _LARGEST_TABLE:
            return None
        h = (self._model.wte.weight.unsqueeze(1) + self._model.wpe.weight).flatten(0, 1)
        return h, self._attentions[0].project(h)


class _Windows:
    """What blocks gave in windows that begin one token after another, the same of each of `batch` sequences."""

    def __init__(self, model: CharacterModel, batch: int, count: int, start: int, known: int) -> None:
        """Make room for `count` windows from token `start` on, of which so many tokens (from the first) are known."""
        s, dtype = model.settings, model.wte.weight.dtype
        self.start, self.end, self.known = start, start + count, known
        self._batch, self._block_size, n = batch, s.block_size, count * batch
        # 0 keys | 1 values
        self.kept = torch.empty(s.n_layer - 1, 2, n, s.n_head, s.block_size, s.n_embd // s.n_head, dtype=dtype)
        self.inputs = torch.empty(n, s.block_size, s.n_embd, dtype=dtype)  # of the last block's projections

    def of(self, start: int) -> tuple[int, Tensor, Tensor]:
        """Of the window that begins with token `start`: the first position to compute, and what is kept of it."""
        rows = slice((start - self.start) * self._batch, (start - self.start + 1) * self._batch)
        first = min(max(self.known - start, 0), self._block_size - 1)
        return first, self.kept[:, :, rows], self.inputs[rows]


class _Attention:
    """One block's attention, in parts."""

    def __init__(self, model: CharacterModel, j: int) -> None:
        s, attention = model.settings, model.attention(j)
        self._norm = cast(nn.LayerNorm, model.scale1[j])
        self._in, self._in_bias = attention.in_proj_weight, attention.in_proj_bias
        self._out, self._out_bias = attention.out_proj.weight, attention.out_proj.bias
        with torch.no_grad():
            queries, keys, values = self._in.view(3, s.n_head, -1, s.n_embd)
            of_queries, _, of_values = self._in_bias.view(3, -1)
            scale = (s.n_embd // s.n_head) ** -0.5
            self._query, self._query_bias = queries.flatten(0, 1) * scale, of_queries * scale
            self._keys, self._values = keys, values.transpose(1, 2)
            self._values_bias = torch.addmv(self._out_bias, self._out, of_values)

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
        """h of the last position, (n, n_embd), after this attention to `inputs` (n, k, n_embd), the last its own.

        Without the keys' bias, which adds the same to every score: softmax takes it away again.
        """
        n = len(h)
        query = functional.linear(inputs[:, -1], self._query, self._query_bias).view(n, len(self._keys), -1)
        carried = torch.bmm(query.transpose(0, 1), self._keys).transpose(0, 1)
        mixed = torch.bmm(torch.softmax(torch.bmm(carried, inputs.transpose(1, 2)), -1), inputs)
        values = torch.bmm(mixed.transpose(0, 1), self._values).transpose(0, 1)
        return _linear(values.reshape(n, -1), self._out, self._values_bias, add=h)


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
    if _ONEDNN and x.dtype == torch.float32 and len(x) >= _ROWS_FOR_ONEDNN:
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
