"""A correct port built block by block, under its own names, with hand-written attention, by building order alone."""

import math

import torch
from torch import nn
from torch.nn import functional


class Attention(nn.Module):
    def __init__(self, d, heads, p):
        super().__init__()
        self.query, self.key, self.value = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
        self.project = nn.Linear(d, d)
        self.heads, self.drop = heads, nn.Dropout(p)

    def forward(self, x):
        b, k, d = x.shape
        linear = (self.query, self.key, self.value)
        q, key, v = (f(x).view(b, k, self.heads, d // self.heads).transpose(1, 2) for f in linear)
        scores = q @ key.transpose(-2, -1) / math.sqrt(d // self.heads)
        scores = scores.masked_fill(torch.ones(k, k).tril() == 0, float("-inf"))
        out = self.drop(torch.softmax(scores, dim=-1)) @ v
        return self.project(out.transpose(1, 2).reshape(b, k, d))


class Block(nn.Module):
    def __init__(self, d, heads, p, attention):
        super().__init__()
        if attention:
            self.norm_a, self.attend = nn.LayerNorm(d), Attention(d, heads, p)
        self.norm_b = nn.LayerNorm(d)
        self.up, self.down, self.drop = nn.Linear(d, 4 * d), nn.Linear(4 * d, d), nn.Dropout(p)

    def forward(self, x):
        if hasattr(self, "attend"):
            x = x + self.attend(self.norm_a(x))
        return x + self.drop(self.down(functional.gelu(self.up(self.norm_b(x)))))


class GPT(nn.Module):
    attention = True

    def __init__(self, context, width, depth, characters, heads, p=0.1):
        super().__init__()
        self.token = nn.Embedding(characters, width, padding_idx=0)
        self.place = nn.Embedding(context, width)
        self.drop = nn.Dropout(p)
        self.blocks = nn.Sequential(*(Block(width, heads, p, self.attention) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, characters, bias=False)

    def forward(self, idx):
        x = self.drop(self.token(idx) + self.place.weight[: idx.shape[1]])
        return self.head(self.norm(self.blocks(x)))


class GPT_NoAttn(GPT):  # noqa: N801
    attention = False


def Encoder(chars, vocabulary):
    return torch.tensor([vocabulary.index(c) + 1 for c in chars])


def Decoder(ids, vocabulary):
    return "".join(vocabulary[int(i) - 1] for i in ids)


def loss(logits, y):
    return -torch.log_softmax(logits, dim=-1).gather(2, y.unsqueeze(2)).mean()


def make_optimizer(model, lr):
    return torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)


def train_step(model, optimizer, x, y):
    model.zero_grad(set_to_none=True)
    value = loss(model(x), y)
    value.backward()
    norm = torch.sqrt(sum((p.grad**2).sum() for p in model.parameters() if p.grad is not None))
    if norm > 1:
        for p in model.parameters():
            if p.grad is not None:
                p.grad /= norm + 1e-6
    optimizer.step()
    return value


def generate(model, idx, max_new_tokens, temperature, block_size):
    model.eval()
    with torch.no_grad():
        for _ in range(max_new_tokens):
            probabilities = functional.softmax(model(idx[:, -block_size:])[:, -1, :] / temperature, dim=-1)
            idx = torch.cat((idx, torch.multinomial(probabilities, num_samples=1)), dim=1)
    return idx
