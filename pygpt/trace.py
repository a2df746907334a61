"""The named quantities of a model, in the order of computation: activations, loss, gradients."""

from typing import Any

import torch
from torch import Tensor, nn

from pygpt.models import CharacterModel, cross_entropy


def activations(model: CharacterModel, x: Tensor) -> dict[str, Tensor]:
    """Every named activation of `model` for `x`, with the loss's graph kept in `act.logits`.

    Names and shapes as in the recordings' README: `act.embedding`, `act.blockJ.scale1`, `.attn_weights`
    (batch, head, query, key), `.attn`, `.scale2`, `.ffn`, `.output` for J from 1, `act.scale3`, `act.logits`.
    """
    kept: dict[str, Tensor] = {}
    handles = [module.register_forward_hook(_keeper(name, kept)) for name, module in _places(model)]
    try:
        kept["act.logits"] = model(x)
    finally:
        for handle in handles:
            handle.remove()
    return {name: kept[name] for name in _order(model, kept)}


def gradients(model: CharacterModel, x: Tensor, y: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss, and `grad.NAME` of every parameter, from the loss backwards; gradients stay in the model."""
    model.zero_grad(set_to_none=True)
    loss = cross_entropy(model(x), y)
    loss.backward()  # type: ignore[no-untyped-call]
    by_name = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return loss.detach(), {f"grad.{name}": by_name[name] for name in backward_order(model, list(by_name))}


def quantities(model: CharacterModel) -> dict[str, Tensor]:
    """`init.NAME`, activations, `loss` and gradients of a model in eval mode, on two drawn windows of a whole block.

    The model is left as it was, without gradients.
    """
    s, was_training = model.settings, model.training
    draw = torch.Generator().manual_seed(0)
    rows = torch.randint(0, s.vocab_size, (2, s.block_size + 1), generator=draw)
    x, y = rows[:, :-1], rows[:, 1:]
    model.eval()
    forward = weights(model, "init") | activations(model, x)
    loss, by_name = gradients(model, x, y)
    model.zero_grad(set_to_none=True)
    model.train(was_training)
    return forward | {"loss": loss.reshape(1)} | by_name


def backward_order(model: CharacterModel, names: list[str]) -> list[str]:
    """Names of parameters, those nearest to the loss first."""

    def depth(name: str) -> tuple[int, int]:
        kind, rest = name.split(".", 1)
        in_block = {"scale1": 0, "MH": 1, "scale2": 2, "FFN": 3}
        if kind in in_block:
            return int(rest.split(".")[0]), in_block[kind]
        return (model.settings.n_layer, ("scale3", "ln_f").index(kind)) if kind in ("scale3", "ln_f") else (-1, 0)

    return sorted(names, key=depth, reverse=True)


def _places(model: CharacterModel) -> list[tuple[str, nn.Module]]:
    places: list[tuple[str, nn.Module]] = [("act.embedding", model.drop0), ("act.scale3", model.scale3)]
    kinds = {"scale1": "scale1", "MH": "attn", "scale2": "scale2", "FFN": "ffn"}
    for module_name, name in kinds.items():
        for j, module in enumerate(getattr(model, module_name, ()), start=1):
            places.append((f"act.block{j}.{name}", module))
    return places


def _keeper(name: str, kept: dict[str, Tensor]) -> Any:
    def keep(_module: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
        if name.endswith(".attn"):
            # sequence first, as MH works
            kept[name] = output[0].transpose(0, 1)
            if output[1] is not None:
                kept[name + "_weights"] = output[1]
        else:
            kept[name] = output
        # What a block gives out is what the next norm takes in.
        if name == "act.scale3":
            kept["last"] = inputs[0]
        elif name.endswith((".scale1", ".scale2")):
            kept["in." + name] = inputs[0]

    return keep


def _order(model: CharacterModel, kept: dict[str, Tensor]) -> list[str]:
    blocks = range(1, model.settings.n_layer + 1)
    first_norm = "scale1" if model.has_attention else "scale2"
    for j in blocks:
        after = kept["last"] if j == len(blocks) else kept[f"in.act.block{j + 1}.{first_norm}"]
        kept[f"act.block{j}.output"] = after
    parts = ("scale1", "attn_weights", "attn", "scale2", "ffn", "output")
    names = ["act.embedding", *(f"act.block{j}.{part}" for j in blocks for part in parts), "act.scale3", "act.logits"]
    return [name for name in names if name in kept]


@torch.no_grad()
def weights(model: CharacterModel, prefix: str) -> dict[str, Tensor]:
    """A copy of `state_dict()`, its keys behind `prefix`."""
    return {f"{prefix}.{name}": value.clone() for name, value in model.state_dict().items()}
