"""The model of the course, with attention (exercise 2) or without (exercise 3), as its settings say.

Modules carry R's names, so that `state_dict()` has R's keys in R's order:
wpe position embedding, wte token embedding, MH attention, scale1/scale2 the layer norms before attention and
before the feed-forward part FFN, scale3 the final layer norm, ln_f the output layer (no bias, weights not tied),
drop0 the dropout on the embedding.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from pygpt import fused as fused_parts
from pygpt import r_semantics
from pygpt.errors import PygptError
from pygpt.settings import ModelSettings, PaddingRow


class CharacterModel(nn.Module):
    """`GPT` of exercise 2: pre-norm blocks of masked multi-head attention and a feed-forward part.

    With `settings.model = "gpt_noattn"` it is `GPT_NoAttn` of exercise 3: no attention, so that the output at t depends
    on token t and t alone. The modules are built by kind, as in R: another order draws other weights.
    """

    def __init__(self, settings: ModelSettings, padding_row: PaddingRow = "r", fused: bool = False) -> None:
        """Draw the initial weights from torch's global generator.

        Args:
            settings: the shape of the model.
            padding_row: the row of `wte` without gradient (see r_semantics).
            fused: engine `fast`: the same numbers within rounding, by fewer operations.
        """
        super().__init__()
        self.settings, self.padding_row, self.fused = settings, padding_row, fused
        n_embd, blocks, dropout = settings.n_embd, range(settings.n_layer), fused_parts.Dropout if fused else nn.Dropout
        self.wpe = nn.Embedding(settings.block_size, n_embd)
        self.wte = nn.Embedding(settings.vocab_size, n_embd, padding_idx=0)
        if self.has_attention:
            self.MH = nn.ModuleList(
                nn.MultiheadAttention(n_embd, settings.n_head, dropout=settings.dropout) for _ in blocks
            )
            self.scale1 = nn.ModuleList(r_semantics.LayerNorm(n_embd) for _ in blocks)
        self.scale2 = nn.ModuleList(r_semantics.LayerNorm(n_embd) for _ in blocks)
        self.scale3 = r_semantics.LayerNorm(n_embd)
        self.FFN = nn.ModuleList(_feed_forward(n_embd, dropout(settings.dropout)) for _ in blocks)
        self.ln_f = nn.Linear(n_embd, settings.vocab_size, bias=False)
        self.drop0 = dropout(settings.dropout)

    @property
    def has_attention(self) -> bool:
        """Whether the blocks attend to other positions."""
        return self.settings.model == "gpt"

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the next character at every position.

        Args:
            x: rows of the vocabulary (R id - 1), int32 or int64, (batch, k) with 1 <= k <= block_size.

        Returns:
            (batch, k, vocab_size)

        Raises:
            PygptError: x has another shape or type.
        """
        self._check(x)
        h = self.embed(x)
        for j in range(self.settings.n_layer):
            h = self.block(j, h)
        logits: Tensor = self.ln_f(self.scale3(h))
        return logits

    def embed(self, x: Tensor) -> Tensor:
        """h0 = Embed(x) + Pos(x), dropped out: (batch, k) -> (batch, k, n_embd)."""
        positions = torch.arange(x.shape[1], device=x.device).unsqueeze(0)
        tokens = r_semantics.embedding(x, self.wte.weight, self.padding_row)
        h: Tensor = self.drop0(tokens + self.wpe(positions))
        return h

    def block(self, j: int, h: Tensor) -> Tensor:
        """Block j (from 0): h' = h + MHA(LN(h)), then h' + FFN(LN(h')); (batch, k, n_embd) both ways."""
        if self.has_attention:
            h = h + self._attend(j, self.attention_norm(j, h))
        return self.feed_forward(j, h)

    def attention(self, j: int) -> nn.MultiheadAttention:
        """The attention of block j (from 0)."""
        return cast(nn.MultiheadAttention, self.MH[j])

    def attention_norm(self, j: int, h: Tensor) -> Tensor:
        """LN(h) as the attention of block j takes it; (batch, k, n_embd) both ways."""
        normed: Tensor = self.scale1[j](h)
        return normed

    def feed_forward(self, j: int, h: Tensor) -> Tensor:
        """h + FFN(LN(h)) of block j; (batch, k, n_embd) both ways."""
        out: Tensor = h + self.FFN[j](self.scale2[j](h))
        return out

    def _attend(self, j: int, normed: Tensor) -> Tensor:
        if self.fused:
            return fused_parts.attention(self.attention(j), normed)
        # Sequence first, as R has it: PyTorch's other paths (batch_first, fused) round differently.
        q = normed.transpose(0, 1)
        k = q.shape[0]
        blocked = torch.ones(k, k, dtype=torch.bool, device=q.device).triu(1)
        out, _ = self.attention(j)(q, q, q, attn_mask=blocked, need_weights=True, average_attn_weights=False)
        attended: Tensor = out.transpose(0, 1)
        return attended

    def _check(self, x: Tensor) -> None:
        if x.dim() != 2 or not 1 <= x.shape[1] <= self.settings.block_size:
            raise PygptError(
                "the model takes rows of shape (batch, k) with 1 <= k <= block_size = {block_size}; got shape {shape}",
                block_size=self.settings.block_size, shape=tuple(x.shape),
            )  # fmt: skip
        if x.dtype not in (torch.int32, torch.int64):
            raise PygptError("the model takes rows as int32 or int64; got {dtype}", dtype=x.dtype)


def build_model(settings: ModelSettings, padding_row: PaddingRow = "r", fused: bool = False) -> CharacterModel:
    """The model, with weights drawn from torch's global generator."""
    return CharacterModel(settings, padding_row, fused)


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """The course's `nn_cross_entropy_wrapper`: the mean over all positions, in nats.

    Args:
        logits: (batch, k, vocab_size)
        y: the next characters' rows, int64, (batch, k)
    """
    return functional.cross_entropy(logits.reshape(-1, logits.shape[2]), y.reshape(-1))


def _feed_forward(n_embd: int, dropout: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_embd, 4 * n_embd), nn.GELU(), nn.Linear(4 * n_embd, n_embd), dropout)
