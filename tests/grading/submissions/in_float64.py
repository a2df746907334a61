"""A correct port in float64."""

import torch
from torch import nn
from torch.nn import functional


def feed_forward(n_embd, p0):
    return nn.Sequential(nn.Linear(n_embd, 4 * n_embd), nn.GELU(), nn.Linear(4 * n_embd, n_embd), nn.Dropout(p0))


class GPT(nn.Module):
    def __init__(self, block_size, n_embd, N_Layers, nvoc, Head, p0=0.1):
        super().__init__()
        self.N = N_Layers
        self.wpe = nn.Embedding(block_size, n_embd)
        self.wte = nn.Embedding(nvoc, n_embd, padding_idx=0)
        self.MH = nn.ModuleList(nn.MultiheadAttention(n_embd, Head, dropout=p0) for _ in range(N_Layers))
        self.scale1 = nn.ModuleList(nn.LayerNorm(n_embd) for _ in range(N_Layers))
        self.scale2 = nn.ModuleList(nn.LayerNorm(n_embd) for _ in range(N_Layers))
        self.scale3 = nn.LayerNorm(n_embd)
        self.FFN = nn.ModuleList(feed_forward(n_embd, p0) for _ in range(N_Layers))
        self.ln_f = nn.Linear(n_embd, nvoc, bias=False)
        self.drop0 = nn.Dropout(p0)
        self.double()

    def forward(self, x):
        k = x.shape[1]
        h = self.drop0(self.wte(x) + self.wpe(torch.arange(k)))
        mask = torch.triu(torch.ones(k, k, dtype=torch.bool), diagonal=1)
        for j in range(self.N):
            q = self.scale1[j](h).transpose(0, 1)
            h = h + self.MH[j](q, q, q, attn_mask=mask, need_weights=False)[0].transpose(0, 1)
            h = h + self.FFN[j](self.scale2[j](h))
        return self.ln_f(self.scale3(h))


class GPT_NoAttn(nn.Module):  # noqa: N801
    def __init__(self, block_size, n_embd, N_Layers, nvoc, Head, p0=0.1):
        super().__init__()
        self.N = N_Layers
        self.wpe = nn.Embedding(block_size, n_embd)
        self.wte = nn.Embedding(nvoc, n_embd, padding_idx=0)
        self.scale2 = nn.ModuleList(nn.LayerNorm(n_embd) for _ in range(N_Layers))
        self.scale3 = nn.LayerNorm(n_embd)
        self.FFN = nn.ModuleList(feed_forward(n_embd, p0) for _ in range(N_Layers))
        self.ln_f = nn.Linear(n_embd, nvoc, bias=False)
        self.drop0 = nn.Dropout(p0)
        self.double()

    def forward(self, x):
        h = self.drop0(self.wte(x) + self.wpe(torch.arange(x.shape[1])))
        for j in range(self.N):
            h = h + self.FFN[j](self.scale2[j](h))
        return self.ln_f(self.scale3(h))


def Encoder(File_chars, Vocabulary):
    ids = {c: i + 1 for i, c in enumerate(Vocabulary)}
    return [ids[c] for c in File_chars]


def Decoder(File_indices, Vocabulary):
    return [Vocabulary[i - 1] for i in File_indices]


def loss(logits, y):
    return functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1))


def make_optimizer(model, lr):
    return torch.optim.AdamW(model.parameters(), lr=lr)


def train_step(model, optimizer, x, y):
    optimizer.zero_grad()
    value = loss(model(x), y)
    value.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return value.item()


@torch.no_grad()
def generate(model, idx, max_new_tokens, temperature, block_size):
    model.eval()
    for _ in range(max_new_tokens):
        logits = model(idx[:, -block_size:])[:, -1] / temperature
        idx = torch.cat([idx, torch.multinomial(torch.softmax(logits, dim=-1), 1)], dim=1)
    return idx
