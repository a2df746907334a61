"""The attention of a trained GPT over one text: the numbers behind the pictures, and the files that hold them.

Of every layer and head: the weights w_ij that position i gives to position j, and the length (Euclidean norm) of
what j contributes to i, the vector w_ij (x_j' U_V) U_O of exercise 1's last equation. Positions count from 1.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pygpt.attention.formula import heads_of, values, with_ones
from pygpt.errors import PygptError
from pygpt.files import json_text
from pygpt.models import CharacterModel
from pygpt.trace import activations
from pygpt.vocabulary import Vocabulary

FORMAT = 1
_COLUMNS = ("layer", "head", "query", "query_character", "key", "key_character", "weight", "length")


@dataclass(frozen=True)
class Contribution:
    """What position `key` gives to one position in one layer and head; layers, heads and positions count from 1.

    Attributes:
        weight: w_ij, from 0 to 1; the weights of a position sum to 1 in each layer and head.
        length: the Euclidean norm of w_ij (x_j' U_V) U_O, in units of the residual stream.
    """

    layer: int
    head: int
    key: int
    character: str
    weight: float
    length: float


@dataclass(frozen=True)
class AttentionView:
    """What each layer and head of a model attends to in `text`.

    The arrays have shape (layer, head, k, k) for the k characters of `text`: rows are queries i, columns are keys j.
    As in every array they count from 0: `weights[0, 1]` is the matrix W of layer 1, head 2.

    Attributes:
        text: the characters that the model sees: the text that was asked for, or its last block.
        left_out: how many characters stand before them, which the model cannot see.
        weights: w_ij, float32. Each row sums to 1; above the diagonal, in the future, all are 0.
        lengths: the Euclidean norm of what j adds to i, w_ij (x_j' U_V) U_O, float32.
    """

    text: str
    left_out: int
    weights: NDArray[np.float32] = field(repr=False)
    lengths: NDArray[np.float32] = field(repr=False)

    def heads(self) -> Iterator[tuple[int, int]]:
        """Every (layer, head), from 1."""
        layers, heads = self.weights.shape[:2]
        return ((layer, head) for layer in range(1, layers + 1) for head in range(1, heads + 1))

    def largest(self, layer: int, head: int, position: int) -> list[Contribution]:
        """The contributions to `position` in a layer and head, by weight, the largest first; all three count from 1.

        Raises:
            PygptError: there is no such layer, head or position.
        """
        layers, heads = self.weights.shape[:2]
        if not (1 <= layer <= layers and 1 <= head <= heads):
            raise PygptError(
                "there is no layer {layer}, head {head}: layers are 1 to {layers}, heads 1 to {heads}",
                layer=layer,
                head=head,
                layers=layers,
                heads=heads,
            )
        self.check_position(position)
        weights, lengths = (a[layer - 1, head - 1, position - 1, :position] for a in (self.weights, self.lengths))
        order = np.argsort(-weights, kind="stable")
        return [
            Contribution(layer, head, int(j) + 1, self.text[j], float(weights[j]), float(lengths[j])) for j in order
        ]

    def check_position(self, position: int) -> None:
        """Raise PygptError where the text has no such position."""
        if not 1 <= position <= len(self.text):
            raise PygptError(
                "position = {position} is not in the text that the model sees: its positions are 1 to {last}",
                position=position,
                last=len(self.text),
            )


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


def to_json(view: AttentionView, run: str, position: int | None) -> str:
    """The file of `--json`: every weight and length; with a position, its contributions by weight, too."""
    content: dict[str, Any] = {"format": FORMAT, "run": run, "text": view.text, "left_out": view.left_out}
    content["heads"] = [
        {"layer": layer, "head": head, "weights": view.weights[layer - 1, head - 1].tolist(),
         "lengths": view.lengths[layer - 1, head - 1].tolist()}
        for layer, head in view.heads()
    ]  # fmt: skip
    if position is not None:
        content["position"] = position
        content["largest"] = [asdict(c) for layer, head in view.heads() for c in view.largest(layer, head, position)]
    return json_text(content, indent=None)


def to_csv(view: AttentionView, position: int | None) -> str:
    """The file of `--csv`: a line for each layer, head, query and key up to it, by weight, the largest first.

    With a position (from 1), the lines of that query only.
    """
    queries = range(1, len(view.text) + 1) if position is None else (position,)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(_COLUMNS)
    for layer, head in view.heads():
        for query in queries:
            for c in view.largest(layer, head, query):
                writer.writerow((layer, head, query, view.text[query - 1], c.key, c.character, c.weight, c.length))
    return file.getvalue()
