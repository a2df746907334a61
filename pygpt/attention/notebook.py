"""The attention notebook run again: every quantity it prints, computed by `rungs`, in the order of computation.

The notebook's numbers, with their cells and seeds, are in `data/attention_notebook.json`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pygpt.attention import rungs
from pygpt.files import shipped
from pygpt.output.messages import Message, say

FORMAT = 1
# Half of the last decimal, and the little that builds of PyTorch differ by.
TOLERANCE = 0.5e-4 + 1e-6


@dataclass(frozen=True)
class Printed:
    """One result that the notebook prints, perhaps more than once."""

    name: str
    section: str
    cells: tuple[int, ...]
    code: str
    values: Tensor
    seed: int | None = None
    dropout_of: str | None = None


@dataclass(frozen=True)
class Notebook:
    """What the notebook starts from, and what it prints by name."""

    seed: int
    inputs: Tensor
    heads_example: Tensor
    printed: dict[str, Printed]


@dataclass(frozen=True)
class Rung:
    """A step of the ladder: `difference` is what it adds to the step before."""

    title: Message
    difference: Message
    compute: Callable[[Notebook], dict[str, Tensor]]


def read_notebook() -> Notebook:
    """The notebook's inputs (6, 3), its example of two heads (1, 2, 3, 4), and its results in float64."""
    content = json.loads(shipped("data/attention_notebook.json").read_text(encoding="utf-8"))
    printed = [
        Printed(**{**entry, "cells": tuple(entry["cells"]), "values": _tensor(entry["values"], torch.float64)})
        for entry in content["printed"]
    ]
    return Notebook(
        content["seed"],
        _tensor(content["inputs"], torch.float32),
        _tensor(content["heads_example"], torch.float32),
        {p.name: p for p in printed},
    )


def climb(notebook: Notebook) -> list[tuple[Rung, dict[str, Tensor]]]:
    """Each rung with its quantities by name; torch's generator is left as it was."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        return [(rung, rung.compute(notebook)) for rung in RUNGS]


def agrees(printed: Printed, computed: dict[str, Tensor]) -> bool:
    """Is what was computed the printed result to its four decimals?

    A dropout mask differs between builds of PyTorch: there, is each value 0 or doubled, and not all of one kind?
    """
    here = computed[printed.name].double()
    if here.shape != printed.values.shape:
        return False
    if printed.dropout_of:
        return is_half_dropped(here, computed[printed.dropout_of].double())
    return torch.allclose(here, printed.values, rtol=0, atol=TOLERANCE)


def is_half_dropped(dropped: Tensor, undropped: Tensor) -> bool:
    """Is each value of `dropped` 0 or double, with between a fifth and four fifths of them 0?"""
    zero = (dropped == 0)[undropped != 0]
    doubled = (dropped - 2 * undropped).abs() <= 2 * TOLERANCE
    return bool(((dropped == 0) | doubled).all() and 0.2 <= zero.double().mean() <= 0.8)


def _scores_and_weights(notebook: Notebook) -> dict[str, Tensor]:
    x, query = notebook.inputs, notebook.inputs[1]
    scores_2 = rungs.dot_product_scores(query.unsqueeze(0), x)[0]  # (6,)
    by_sum, naive, stable = (f(scores_2) for f in (rungs.normalize_by_sum, rungs.softmax_naive, rungs.softmax_stable))
    by_loop = torch.zeros(())
    for a, b in zip(x[0], query, strict=True):
        by_loop += a * b
    return {
        "inputs_shape": torch.tensor(x.shape), "inputs": x,
        "scores_2": scores_2, "dot_by_loop": by_loop, "dot": torch.dot(x[0], query),
        "weights_2_by_sum": by_sum, "weights_2_by_sum_total": by_sum.sum(),
        "weights_2_naive": naive, "weights_2_naive_total": naive.sum(),
        "weights_2": stable, "weights_2_total": stable.sum(),
        "context_2": rungs.context_vectors(stable, x),
    }  # fmt: skip


def _all_tokens(notebook: Notebook) -> dict[str, Tensor]:
    x = notebook.inputs
    by_loop = torch.stack([torch.stack([torch.dot(x_i, x_j) for x_j in x]) for x_i in x])
    scores = rungs.dot_product_scores(x, x)  # (6, 6)
    weights = rungs.softmax_stable(scores)
    return {
        "scores_by_loop": by_loop, "scores": scores, "weights": weights,
        "weights_row_1_total": weights[0].sum(), "weights_row_2_total": weights[1].sum(),
        "weights_totals": weights.sum(dim=1), "contexts": rungs.context_vectors(weights, x),
    }  # fmt: skip


def _trainable_step_by_step(notebook: Notebook) -> dict[str, Tensor]:
    torch.manual_seed(notebook.seed)
    W_query, W_key, W_value = torch.rand(3, 2), torch.rand(3, 2), torch.rand(3, 2)
    x = notebook.inputs
    query_2, keys, values = x[1] @ W_query, x @ W_key, x @ W_value
    scores_2 = rungs.dot_product_scores(query_2.unsqueeze(0), keys)[0]
    weights_2 = rungs.softmax_stable(scores_2 / keys.shape[-1] ** 0.5)
    return {
        "query_2": query_2, "keys_shape": torch.tensor(keys.shape), "values_shape": torch.tensor(values.shape),
        "keys": keys, "values": values, "keys_transposed": keys.T, "projected_score_22": query_2.dot(keys[1]),
        "projected_scores_2": scores_2, "projected_weights_2": weights_2,
        "projected_context_2": rungs.context_vectors(weights_2, values),
    }  # fmt: skip


def _v1(notebook: Notebook) -> dict[str, Tensor]:
    torch.manual_seed(notebook.seed)
    return {"self_attention_v1": rungs.SelfAttentionV1(3, 2)(notebook.inputs)}


def _v2(notebook: Notebook) -> dict[str, Tensor]:
    torch.manual_seed(notebook.seed)
    return {"self_attention_v2": rungs.SelfAttentionV2(3, 2)(notebook.inputs)}


def _mask_by_renormalizing(notebook: Notebook) -> dict[str, Tensor]:
    torch.manual_seed(notebook.seed)
    v2 = rungs.SelfAttentionV2(3, 2)
    weights = rungs.softmax_stable(v2.scores(notebook.inputs) / 2**0.5)  # (6, 6)
    example = torch.randn(6, 6)  # goes on with the numbers after v2's
    seen = torch.tril(torch.ones(6, 6))
    return {
        "v2_weights": weights, "tril_example": example, "tril": torch.tril(example),
        "mask_simple": seen, "masked_simple": weights * seen,
        "masked_simple_norm": rungs.mask_by_renormalizing(weights),
        "row_sums": (weights * seen).sum(dim=1, keepdim=True),
    }  # fmt: skip


def _mask_by_infinity(notebook: Notebook) -> dict[str, Tensor]:
    torch.manual_seed(notebook.seed)
    masked = rungs.mask_by_infinity(rungs.SelfAttentionV2(3, 2).scores(notebook.inputs))
    return {"masked_scores": masked, "causal_weights": rungs.softmax_stable(masked / 2**0.5)}


def _dropout(notebook: Notebook) -> dict[str, Tensor]:
    ones, weights = torch.ones(6, 6), _mask_by_infinity(notebook)["causal_weights"]
    torch.manual_seed(notebook.seed)
    dropped_ones = rungs.drop_weights(ones, 0.5)
    torch.manual_seed(notebook.seed)
    return {
        "ones": ones, "dropout_of_ones": dropped_ones,
        "causal_weights": weights, "dropout_of_weights": rungs.drop_weights(weights, 0.5),
    }  # fmt: skip


def _causal(notebook: Notebook) -> dict[str, Tensor]:
    batch = _batch(notebook)
    torch.manual_seed(notebook.seed)
    contexts = rungs.CausalAttention(3, 2, 6, 0.0)(batch)
    return {
        "batch": batch, "batch_shape": torch.tensor(batch.shape),
        "causal_attention_shape": torch.tensor(contexts.shape), "causal_attention": contexts,
    }  # fmt: skip


def _wrapper(notebook: Notebook) -> dict[str, Tensor]:
    batch, computed = _batch(notebook), {}
    for dim, suffix in ((1, ""), (-1, "_corrected")):
        torch.manual_seed(notebook.seed)
        wrapper = rungs.MultiHeadAttentionWrapper(3, 2, 6, 0.0, num_heads=2, softmax_dim=dim)
        head: Any = wrapper.heads[0]
        computed["wrapper" + suffix] = wrapper(batch)
        computed["wrapper_row_sums" + suffix] = head.weights(batch)[0].sum(dim=-1)
    return computed | {"wrapper_shape": torch.tensor(computed["wrapper"].shape)}


def _multi_head(notebook: Notebook) -> dict[str, Tensor]:
    torch.manual_seed(notebook.seed)
    contexts = rungs.MultiHeadAttention(3, 2, 6, 0.0, num_heads=2)(_batch(notebook))
    a = notebook.heads_example
    return {
        "heads_example_shape": torch.tensor(a.shape), "heads_products": rungs.dot_product_scores(a, a),
        "first_head_product": a[0, 0] @ a[0, 0].T, "second_head_product": a[0, 1] @ a[0, 1].T,
        "multi_head_attention": contexts, "multi_head_attention_shape": torch.tensor(contexts.shape),
    }  # fmt: skip


def _torch_module(notebook: Notebook) -> dict[str, Tensor]:
    torch.manual_seed(notebook.seed)
    before, batch = rungs.MultiHeadAttention(3, 3, 6, 0.0, num_heads=3), _batch(notebook)
    contexts, _ = rungs.attend_as_gpt(rungs.to_torch(before), batch)
    difference = (contexts - before(batch)).abs().max()
    return {"rung_before": before(batch), "nn_MultiheadAttention": contexts, "largest_difference": difference}


def _buffers_and_views(notebook: Notebook) -> dict[str, Tensor]:
    module = nn.Module()
    module.register_buffer("counter", torch.ones(2, 3))
    larger = nn.Module()
    larger.register_buffer("counter", torch.ones(6, 6))
    x, numbers = torch.tensor([[1, 2, 3], [4, 5, 6]]), torch.arange(10)
    return {
        "buffer_2x3": module.get_buffer("counter"), "buffer_6x6": larger.get_buffer("counter"),
        "view_input": x, "view_3x2": x.view(3, 2),
        "view_range": numbers, "view_2x5": numbers.view(-1, 5), "view_flat": x.view(-1),
    }  # fmt: skip


def _batch(notebook: Notebook) -> Tensor:
    return torch.stack((notebook.inputs, notebook.inputs))  # (2, 6, 3)


def _tensor(values: Any, kind: torch.dtype) -> Tensor:
    """JSON has no infinity: it is written as the text "-inf"."""

    def numbers(value: Any) -> Any:
        return [numbers(v) for v in value] if isinstance(value, list) else float(value)

    return torch.tensor(numbers(values), dtype=kind)


RUNGS = (
    Rung(say("Scores, weights, context"),
         say("A token's new vector is a mean of all tokens, weighted by dot products."), _scores_and_weights),
    Rung(say("All tokens at once"),
         say("The loops over queries and keys become two matrix products."), _all_tokens),
    Rung(say("Queries, keys, values"),
         say("Three matrices to train; scores are divided by sqrt(d_k)."), _trainable_step_by_step),
    Rung(say("SelfAttentionV1"),
         say("The same for all tokens, as a module with parameters."), _v1),
    Rung(say("SelfAttentionV2"),
         say("The matrices become linear layers, drawn on another scale."), _v2),
    Rung(say("Causal mask by renormalising"),
         say("Weights of the future become 0; rows are made to sum to 1 again."), _mask_by_renormalizing),
    Rung(say("Causal mask by -inf"),
         say("Scores of the future become -inf before the softmax: the same weights, one step less."),
         _mask_by_infinity),
    Rung(say("Dropout"),
         say("Half of the weights become 0, the rest is doubled. The mask depends on the build of PyTorch."), _dropout),
    Rung(say("CausalAttention"),
         say("Linear layers, causal mask and dropout in one module, for a batch."), _causal),
    Rung(say("MultiHeadAttentionWrapper"),
         say("Two heads side by side. Erratum: the notebook's softmax is over the queries (dim=1), its rows of weights "
             "do not sum to 1, so it is not attention. `_corrected` is."), _wrapper),
    Rung(say("MultiHeadAttention"),
         say("One matrix for all heads, cut into parts; out_proj mixes the heads."), _multi_head),
    Rung(say("nn.MultiheadAttention"),
         say("PyTorch's module, as the GPT uses it, with the weights of the rung before (d_out = 3, 3 heads)."),
         _torch_module),
    Rung(say("Appendix: buffers and views"),
         say("A buffer is kept with a module and not trained; a view has the same data."), _buffers_and_views),
)  # fmt: skip
