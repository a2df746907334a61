"""What hostile submissions are made of."""

# An honest port that is wrong: what it scores is what a trick must not exceed.
WRONG = """
import torch
from torch import nn


class GPT(nn.Module):
    def __init__(self, block_size, n_embd, N_Layers, nvoc, Head, p0=0.1):
        super().__init__()
        self.wpe, self.wte = nn.Embedding(block_size, n_embd), nn.Embedding(nvoc, n_embd, padding_idx=0)
        self.MH = nn.ModuleList(nn.MultiheadAttention(n_embd, Head, dropout=p0) for _ in range(N_Layers))
        self.scale1 = nn.ModuleList(nn.LayerNorm(n_embd) for _ in range(N_Layers))
        self.scale2 = nn.ModuleList(nn.LayerNorm(n_embd) for _ in range(N_Layers))
        self.scale3 = nn.LayerNorm(n_embd)
        self.FFN = nn.ModuleList(
            nn.Sequential(nn.Linear(n_embd, 4 * n_embd), nn.GELU(), nn.Linear(4 * n_embd, n_embd), nn.Dropout(p0))
            for _ in range(N_Layers)
        )
        self.ln_f = nn.Linear(n_embd, nvoc, bias=False)

    def forward(self, x):
        return trick(self, x)


def honest(self, x):
    return self.ln_f(self.wte(x)) * 0


trick = honest
"""
