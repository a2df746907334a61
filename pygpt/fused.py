"""Engine fast's dropout and attention: R's masks in R's order, and fewer operations than PyTorch takes on a CPU.

PyTorch has no fused attention with dropout for the CPU: it computes and checks much that is not needed here.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from pygpt.ahead import drawn


class Dropout(nn.Dropout):
    """`nn.Dropout`, whose masks another thread may have drawn."""

    def forward(self, x: Tensor) -> Tensor:
        """`x` of any shape."""
        return dropped(x, self.p) if self.training and self.p > 0 else x


def dropped(x: Tensor, p: float) -> Tensor:
    """`x` with a share `p` of its values dropped, the others scaled up for it."""
    if x.device.type != "cpu":
        return functional.dropout(x, p)
    return x * drawn(torch.empty_like(x), 1 - p).div_(1 - p)


def attention(module: nn.MultiheadAttention, x: Tensor) -> Tensor:
    """What `module` gives for `x` (batch, k, n_embd) where no position sees later ones: the same shape."""
    (batch, k, n_embd), heads = x.shape, module.num_heads
    projected = functional.linear(x, module.in_proj_weight, module.in_proj_bias)
    query, keys, values = projected.view(batch, k, 3, heads, -1).permute(2, 0, 3, 1, 4).flatten(1, 2)
    p = module.dropout if module.training else 0.0
    if p == 0 or x.device.type != "cpu":
        mixed = functional.scaled_dot_product_attention(query, keys, values, dropout_p=p, is_causal=True)
    else:
        blocked = torch.full((k, k), -torch.inf, dtype=query.dtype).triu(1)
        scores = torch.baddbmm(blocked, query, keys.transpose(1, 2), alpha=(n_embd // heads) ** -0.5)
        mixed = torch.bmm(dropped(torch.softmax(scores, -1), p), values)
    joined = mixed.view(batch, heads, k, -1).transpose(1, 2).reshape(batch, k, n_embd)
    out: Tensor = module.out_proj(joined)
    return out
