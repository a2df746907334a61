"""The port of autoencoder.R, with the loss that R's recording was made with."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Autoencoder(nn.Module):
    def __init__(self, nvoc: int, n_embd: int, length: int, n_code: int) -> None:
        super().__init__()
        # R's padding_idx = 1 is row 0 here
        self.emb = nn.Embedding(nvoc, n_embd, padding_idx=0)
        self.encoder = nn.Sequential(nn.Linear(length * n_embd, 2 * n_code), nn.Tanh(), nn.Linear(2 * n_code, n_code))
        self.decoder = nn.Sequential(nn.Linear(n_code, 2 * n_code), nn.Tanh(), nn.Linear(2 * n_code, length * n_embd))

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        vectors = torch.flatten(self.emb(rows), start_dim=1)
        code = self.encoder(vectors)
        return self.decoder(code), vectors, code


def loss(output: tuple[Tensor, Tensor, Tensor], target: None) -> Tensor:
    decoded, vectors, _ = output
    return functional.mse_loss(decoded, vectors)


build = Autoencoder
