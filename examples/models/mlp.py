"""The port of mlp.R."""

from torch import Tensor, nn


class Mlp(nn.Module):
    def __init__(self, n_in: int, n_hidden: int, n_out: int, p: float) -> None:
        super().__init__()
        self.fc1 = nn.Linear(n_in, n_hidden)
        self.norm = nn.LayerNorm(n_hidden)
        self.act = nn.GELU()
        self.drop = nn.Dropout(p)
        self.fc2 = nn.Linear(n_hidden, n_out)

    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.norm(self.fc1(x)))
        return self.fc2(self.drop(h))


build = Mlp
