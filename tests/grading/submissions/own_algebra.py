"""A correct port with the algebra of pygpt.models: one base class, embed, block, feed_forward, R's padding row."""

import torch
from torch import nn
from torch.nn import functional


class CharacterModel(nn.Module):
    has_attention = True

    def __init__(self, block_size, n_embd, N_Layers, nvoc, Head, p0):
        super().__init__()
        blocks = range(N_Layers)
        self.wpe = nn.Embedding(block_size, n_embd)
        self.wte = nn.Embedding(nvoc, n_embd, padding_idx=0)
        if self.has_attention:
            self.MH = nn.ModuleList(nn.MultiheadAttention(n_embd, Head, dropout=p0) for _ in blocks)
            self.scale1 = nn.ModuleList(nn.LayerNorm(n_embd) for _ in blocks)
        self.scale2 = nn.ModuleList(nn.LayerNorm(n_embd) for _ in blocks)
        self.scale3 = nn.LayerNorm(n_embd)
        self.FFN = nn.ModuleList(
            nn.Sequential(nn.Linear(n_embd, 4 * n_embd), nn.GELU(), nn.Linear(4 * n_embd, n_embd), nn.Dropout(p0))
            for _ in blocks
        )
        self.ln_f = nn.Linear(n_embd, nvoc, bias=False)
        self.drop0 = nn.Dropout(p0)

    def forward(self, x):
        h = self.embed(x)
        for j in range(len(self.FFN)):
            h = self.block(j, h)
        return self.ln_f(self.scale3(h))

    def embed(self, x):
        positions = torch.arange(x.shape[1]).unsqueeze(0)
        return self.drop0(functional.embedding(x, self.wte.weight, padding_idx=1) + self.wpe(positions))

    def block(self, j, h):
        if self.has_attention:
            q = self.scale1[j](h).transpose(0, 1)
            blocked = torch.ones(q.shape[0], q.shape[0], dtype=torch.bool).triu(1)
            out, _ = self.MH[j](q, q, q, attn_mask=blocked, need_weights=True, average_attn_weights=False)
            h = h + out.transpose(0, 1)
        return h + self.FFN[j](self.scale2[j](h))


class GPT(CharacterModel):
    pass


class GPT_NoAttn(CharacterModel):  # noqa: N801
    has_attention = False


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
