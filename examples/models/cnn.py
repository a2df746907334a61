"""The port of cnn.R. R's start_dim = 2 is start_dim=1 here: R counts dimensions from 1."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Block(nn.Module):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, kernel_size=3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(n_out)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(functional.relu(self.bn(self.conv(x))))


class Cnn(nn.Module):
    def __init__(self, channels: int, n_out: int, p: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(1, channels), Block(channels, 2 * channels)])
        self.drop = nn.Dropout(p)
        self.head = nn.Linear(2 * channels * 2 * 2, n_out)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return self.head(self.drop(torch.flatten(x, start_dim=1)))


build = Cnn
