"""The port of lstm.R. R names the layers of an LSTM from 1, PyTorch from 0; ids arrive as rows, from 0."""

from torch import Tensor, nn


class Lstm(nn.Module):
    def __init__(self, nvoc: int, n_embd: int, n_hidden: int, p: float) -> None:
        super().__init__()
        self.emb = nn.Embedding(nvoc, n_embd)
        self.rnn = nn.LSTM(n_embd, n_hidden, num_layers=2, dropout=p, batch_first=True)
        self.out = nn.Linear(n_hidden, nvoc)

    def forward(self, rows: Tensor) -> Tensor:
        states, _ = self.rnn(self.emb(rows))
        return self.out(states)


build = Lstm
