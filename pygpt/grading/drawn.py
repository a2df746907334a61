"""Drawn weights, and the trick that lets one part of an unknown model be seen alone.

A block whose attention and feed-forward part both end in zero weights hands its input on unchanged. With all blocks
but one silent, and the wanted input written into rows of the token embedding, any port computes that one part on that
input, whatever its modules are called; and what leaves the part is compared with rows that already hold the right
result, both seen through the port's own output layer.
"""

import torch
from torch import Tensor

from pygpt.grading.port import Weights, r_shapes
from pygpt.settings import ModelSettings

INPUT_SCALE = 8.0
"""Standard deviation of inputs: so large that LayerNorm's eps does not show (it has a check of its own)."""


def normal_weights(settings: ModelSettings, rng: torch.Generator, scale: float = 1.0) -> Weights:
    """Weights at which every part of the model matters."""
    return {name: _drawn(name, shape, settings, rng, scale) for name, shape in r_shapes(settings).items()}


def silent(weights: Weights, blocks: "range | list[int]", parts: tuple[str, ...] = ("MH", "FFN")) -> Weights:
    """A copy in which these parts of these blocks (from 0) add nothing."""
    changed = dict(weights)
    for j in blocks:
        for part, last in (("MH", "out_proj"), ("FFN", "2")):
            for kind in ("weight", "bias"):
                name = f"{part}.{j}.{last}.{kind}"
                if part in parts and name in changed:
                    changed[name] = torch.zeros_like(changed[name])
    return changed


def plain_norms(weights: Weights, except_for: tuple[str, ...] = ()) -> Weights:
    """A copy with every LayerNorm's weight one and bias zero."""
    return {
        n: w if not n.startswith("scale") or n.startswith(except_for or ("-",)) else _identity(n, w)
        for n, w in weights.items()
    }


def unit_rows(batch: int, k: int, settings: ModelSettings, rng: torch.Generator) -> Tensor:
    """Vectors (batch, k, n_embd) that a plain LayerNorm leaves as they are: mean 0, variance 1."""
    rows = torch.randn(batch, k, settings.n_embd, generator=rng, dtype=torch.float64)
    centred = rows - rows.mean(-1, keepdim=True)
    return centred / centred.std(-1, unbiased=False, keepdim=True)


def with_rows(weights: Weights, *groups: Tensor) -> tuple[Weights, list[Tensor]]:
    """A copy whose token embedding holds the given vectors and whose positions add nothing.

    Args:
        groups: each (batch, k, n_embd); their rows come after rows 0 and 1, which stay zero.

    Returns:
        The weights, and for each group the rows (batch, k) that stand for it.
    """
    table = torch.zeros_like(weights["wte.weight"])
    ids, start = [], 2
    for group in groups:
        count = group.shape[0] * group.shape[1]
        table[start : start + count] = group.reshape(count, -1).to(table.dtype)
        ids.append(torch.arange(start, start + count).reshape(group.shape[:2]))
        start += count
    changed = weights | {"wte.weight": table, "wpe.weight": torch.zeros_like(weights["wpe.weight"])}
    return changed, ids


def one_changed(settings: ModelSettings, k: int, rng: torch.Generator) -> Tensor:
    """(1 + changes, k): a row as it is, then the same with one token changed; at most 12 places, the last ones too."""
    base = torch.randint(2, settings.vocab_size, (k,), generator=rng)
    places = _places(k, rng)
    rows = base.repeat(len(places) + 1, 1)
    for i, place in enumerate(places, start=1):
        shift = int(torch.randint(1, settings.vocab_size - 2, (1,), generator=rng))
        rows[i, place] = 2 + (base[place] - 2 + shift) % (settings.vocab_size - 2)
    return rows


def _places(k: int, rng: torch.Generator) -> list[int]:
    if k <= 12:
        return list(range(k))
    some = torch.randperm(k - 4, generator=rng)[:8].tolist()
    return sorted({*some, k - 4, k - 3, k - 2, k - 1})


def _identity(name: str, weight: Tensor) -> Tensor:
    return torch.zeros_like(weight) if name.endswith("bias") else torch.ones_like(weight)


def _drawn(name: str, shape: tuple[int, ...], settings: ModelSettings, rng: torch.Generator, scale: float) -> Tensor:
    value = torch.randn(shape, generator=rng, dtype=torch.float64)
    factor, shift = _factor(name, settings.n_embd, scale)
    # As a submission gets them: in float32.
    return (factor * value + shift).float().double()


def _factor(name: str, d: int, scale: float) -> tuple[float, float]:
    """Standard deviation and mean of a drawn parameter."""
    if name.startswith("scale"):
        return 0.3, float(name.endswith("weight"))
    if name.endswith("bias"):
        return (0.5 * scale if "out_proj" in name or ".2." in name else 0.4), 0.0
    if name.endswith("in_proj_weight"):
        return 1.2 / d**0.5, 0.0
    if name.endswith(("out_proj.weight", ".2.weight")):
        return 1.2 * scale / d**0.5, 0.0
    if name.endswith(".0.weight"):
        return 1.5 / d**0.5, 0.0
    return (1 / d**0.5 if name == "ln_f.weight" else scale), 0.0
