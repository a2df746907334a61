"""The attention of a trained GPT over one text: the numbers behind the pictures, and the files that hold them.

Of every layer and head: the weights w_ij that position i gives to position j, and the length (Euclidean norm) of
what j contributes to i, the vector w_ij (x_j' U_V) U_O of exercise 1's last equation. Positions count from 1.
"""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pygpt.attention.formula import heads_of, values, with_ones
from pygpt.errors import PygptError
from pygpt.models import CharacterModel
from pygpt.trace import activations
from pygpt.vocabulary import Vocabulary

FORMAT = 1
_COLUMNS = ("layer", "head", "query", "query_character", "key", "key_character", "weight", "length")


@dataclass(frozen=True)
class AttentionView:
    """What a model does with `text`, the last block of a text of which it cannot see the first `left_out` characters.

    `weights` and `lengths` have shape (layer, head, k, k) with queries as rows and keys as columns.
    """

    text: str
    left_out: int
    weights: NDArray[np.float32]
    lengths: NDArray[np.float32]

    def heads(self) -> Iterator[tuple[int, int]]:
        """Every (layer, head), from 1."""
        layers, heads = self.weights.shape[:2]
        return ((layer, head) for layer in range(1, layers + 1) for head in range(1, heads + 1))


@dataclass(frozen=True)
class Contribution:
    """What position `key` gives to one position in one layer and head."""

    layer: int
    head: int
    key: int
    character: str
    weight: float
    length: float


@torch.no_grad()
def view(model: CharacterModel, vocabulary: Vocabulary, text: str) -> AttentionView:
    """Run `model`, which must be in eval mode (no dropout), over the last block_size characters of `text`.

    Raises:
        PygptError: the model has no attention, the text is empty, or a character is unknown.
    """
    if not model.has_attention:
        raise PygptError(
            "this run is a gpt_noattn (exercise 3): it has no attention, so there are no weights to show. What it "
            "gives at a position depends on the character there, and on no other. Use a run of --model gpt."
        )
    if not text:
        raise PygptError("the text is empty: attention needs at least one character")
    rows = vocabulary.encode(text)[-model.settings.block_size :]
    act = activations(model, torch.from_numpy(rows.astype(np.int64)).unsqueeze(0))
    weights, lengths = [], []
    for j in range(model.settings.n_layer):
        W = act[f"act.block{j + 1}.attn_weights"][0]  # (head, k, k)
        X = with_ones(act[f"act.block{j + 1}.scale1"][0])  # with the biases, as `heads_of` has them
        # w_ij is at least 0, so the length of w_ij v_j U_O is w_ij times that of v_j U_O.
        of_values = torch.stack([(values(X, head) @ head.U_O).norm(dim=1) for head in heads_of(model.attention(j))])
        weights.append(W)
        lengths.append(W * of_values.unsqueeze(1))
    block = text[-model.settings.block_size :]
    return AttentionView(block, len(text) - len(block), torch.stack(weights).numpy(), torch.stack(lengths).numpy())


def check_position(shown: AttentionView, position: int) -> None:
    """Raise PygptError where `shown` has no such position."""
    k = len(shown.text)
    if not 1 <= position <= k:
        raise PygptError(f"position = {position} is not in the text that is shown: its positions are 1 to {k}")


def largest(shown: AttentionView, layer: int, head: int, position: int) -> list[Contribution]:
    """The contributions to `position` in a layer and head, by weight, the largest first; all three count from 1."""
    weights, lengths = (a[layer - 1, head - 1, position - 1, :position] for a in (shown.weights, shown.lengths))
    order = np.argsort(-weights, kind="stable")
    return [Contribution(layer, head, int(j) + 1, shown.text[j], float(weights[j]), float(lengths[j])) for j in order]


def to_json(shown: AttentionView, run: str, position: int | None) -> str:
    """The file of `--json`: every weight and length; with a position, its contributions by weight, too."""
    content: dict[str, Any] = {"format": FORMAT, "run": run, "text": shown.text, "left_out": shown.left_out}
    content["heads"] = [
        {"layer": layer, "head": head, "weights": shown.weights[layer - 1, head - 1].tolist(),
         "lengths": shown.lengths[layer - 1, head - 1].tolist()}
        for layer, head in shown.heads()
    ]  # fmt: skip
    if position is not None:
        content["position"] = position
        content["largest"] = [asdict(c) for layer, head in shown.heads() for c in largest(shown, layer, head, position)]
    return json.dumps(content, ensure_ascii=False) + "\n"


def to_csv(shown: AttentionView, position: int | None) -> str:
    """The file of `--csv`: a line for each layer, head, query and key up to it, by weight, the largest first.

    With a position (from 1), the lines of that query only.
    """
    queries = range(1, len(shown.text) + 1) if position is None else (position,)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(_COLUMNS)
    for layer, head in shown.heads():
        for query in queries:
            for c in largest(shown, layer, head, query):
                writer.writerow((layer, head, query, shown.text[query - 1], c.key, c.character, c.weight, c.length))
    return file.getvalue()
