"""The port of gpt.R. Its layers count from 0, positions too; the mask is True where a position is blocked, as in R."""

import torch
from torch import Tensor, nn


class Layer(nn.Module):
    def __init__(self, n_embd: int, n_head: int, p: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(n_embd)
        self.attn = nn.MultiheadAttention(n_embd, n_head, dropout=p, batch_first=True)
        self.norm2 = nn.LayerNorm(n_embd)
        self.ffn = nn.Sequential(nn.Linear(n_embd, 4 * n_embd), nn.GELU(), nn.Linear(4 * n_embd, n_embd), nn.Dropout(p))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        n = self.norm1(x)
        x = x + self.attn(n, n, n, attn_mask=mask)[0]
        return x + self.ffn(self.norm2(x))


class Gpt(nn.Module):
    def __init__(self, nvoc: int, block_size: int, n_embd: int, n_layer: int, n_head: int, p: float) -> None:
        super().__init__()
        self.wte = nn.Embedding(nvoc, n_embd)
        self.wpe = nn.Embedding(block_size, n_embd)
        self.drop = nn.Dropout(p)
        for j in range(n_layer):
            self.add_module(f"layer{j}", Layer(n_embd, n_head, p))
        self.n_layer = n_layer
        self.norm = nn.LayerNorm(n_embd)
        self.head = nn.Linear(n_embd, nvoc, bias=False)
        self.head.weight = self.wte.weight

    def forward(self, rows: Tensor) -> Tensor:
        k = rows.shape[1]
        x = self.drop(self.wte(rows) + self.wpe(torch.arange(k)))
        mask = torch.ones(k, k, dtype=torch.bool).triu(1)
        for j in range(self.n_layer):
            x = getattr(self, f"layer{j}")(x, mask)
        return self.head(self.norm(x))


build = Gpt
