"""The ladder: what two implementations of a model are compared by, quantity after quantity, as computed here.

`Task` says what to compute; `climb` computes it with pygpt; `oracle.py` lets R compute the same.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pygpt import generation, r_semantics
from pygpt.checkpoints import load_model, open_run
from pygpt.determinism import reproducible
from pygpt.errors import PygptError
from pygpt.models import CharacterModel, build_model, cross_entropy
from pygpt.r_files.weights import Weights, read_weights
from pygpt.settings import ModelSettings, PaddingRow, TrainingSettings
from pygpt.trace import activations, gradients
from pygpt.trace import weights as named_weights
from pygpt.training import training_step
from pygpt.vocabulary import Vocabulary

# With one step, `step1` would name the weights after it and those after a step without dropout.
_LEAST = {"batch": 1, "length": 0, "steps": 2, "tokens": 1}


@dataclass(frozen=True)
class Task:
    """One model's weights and inputs, all drawn from `seed`, in double precision, and what to do with them.

    Raises:
        PygptError: a value that is not allowed.
    """

    settings: ModelSettings
    padding_row: PaddingRow = "r"
    batch: int = 2
    length: int = 0
    """Characters in each window; 0 for a whole block."""
    steps: int = 5
    lr: float = 0.001
    max_norm: float = 1.0
    tokens: int = 10
    temperature: float = 0.8
    seed: int = 42
    r_threads: int = 1
    """Threads to compute on, as many as R's torch had."""
    run: Path | None = None
    """A run's folder, or a file of weights, whose weights are taken in place of drawn ones."""
    weights: Weights | None = None
    """Of that file."""

    def __post_init__(self) -> None:
        TrainingSettings(
            padding_row=self.padding_row, lr=self.lr, max_norm=self.max_norm, seed=self.seed, r_threads=self.r_threads
        )
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value < least:
                raise PygptError(
                    "{name} = {value} is not allowed: it must be a whole number from {least}",
                    name=name, value=value, least=least,
                )  # fmt: skip

    @classmethod
    def of_run(cls, folder: Path, **options: Any) -> "Task":
        """The shape, the padding row, R's threads and the weights of a run; `options` are other fields, and win.

        Raises:
            PygptError: there is no run, or no weights yet.
        """
        run = open_run(folder)
        own = {"padding_row": run.training.padding_row, "r_threads": run.training.r_threads}
        return cls(run.model, **{**own, **options}, run=folder)

    @classmethod
    def of_weights(cls, file: Path, n_head: int | None = None, dropout: float = 0.2, **options: Any) -> "Task":
        """The shape and the weights of a file; `options` are other fields.

        Raises:
            PygptError: see `read_weights`.
        """
        held = read_weights(file, n_head)
        return cls(dataclasses.replace(held.settings, dropout=dropout), **options, run=file, weights=held)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Made-up characters, as many as the model has rows."""
        return Vocabulary([chr(0x4E00 + i) for i in range(self.settings.vocab_size - 1)])

    @cached_property
    def texts(self) -> list[str]:
        """The windows as texts, one character longer than x: x and y are both cut from them."""
        draw = torch.Generator().manual_seed(self.seed)
        k = self.length or self.settings.block_size
        rows = torch.randint(1, self.settings.vocab_size, (self.batch, k + 1), generator=draw)
        return [self.vocabulary.decode(row) for row in rows.tolist()]

    @cached_property
    def rows(self) -> Tensor:
        """The windows as rows, (batch, k + 1), int64."""
        return torch.stack([torch.from_numpy(self.vocabulary.encode(text)).long() for text in self.texts])

    def model(self) -> CharacterModel:
        """The model with its weights, float64, in eval mode. The global generator is left as it was."""
        with reproducible():
            torch.manual_seed(self.seed)
            model = build_model(self.settings, self.padding_row).double()
        if self._run_weights:
            model.load_state_dict(self._run_weights)
        else:
            _unsettle(model, self.seed)
        return model.eval()

    @cached_property
    def _run_weights(self) -> dict[str, Tensor]:
        if self.weights is not None:
            return self.weights.tensors
        return {} if self.run is None else load_model(open_run(self.run)).state_dict()

    def step_seed(self, step: int) -> int:
        """What the generator is seeded with before step `step` (from 0): dropout masks can so be drawn beforehand."""
        return self.seed + 1 + step

    def noise(self) -> Tensor:
        """The exponential draws that decide the generated ids, (tokens, vocab_size)."""
        generator = torch.Generator().manual_seed(self.seed)
        shape = (1, self.settings.vocab_size)
        draws = [
            torch.empty(shape, dtype=torch.float64).exponential_(1, generator=generator) for _ in range(self.tokens)
        ]
        return torch.cat(draws)


def climb(task: Task) -> dict[str, Tensor]:
    """Every quantity of the ladder, as pygpt computes it, in the order of computation."""
    with reproducible(task.r_threads):
        return dict(_rungs(task))


def masks(task: Task, step: int) -> dict[str, Tensor]:
    """The dropout masks of a step, 0 or 1 / (1 - p), by the place where they act.

    They are drawn as the model will draw them: from the same seed, in the same order, in the same shapes.
    """
    s = task.settings
    batch, k = task.batch, task.rows.shape[1] - 1
    with reproducible():
        torch.manual_seed(task.step_seed(step))
        drawn = {"embedding": _mask(s.dropout, batch, k, s.n_embd)}
        for j in range(1, s.n_layer + 1):
            if s.model == "gpt":
                flat = _mask(s.dropout, batch * s.n_head, k, k)
                drawn[f"block{j}.attn_weights"] = flat.view(batch, s.n_head, k, k)
            drawn[f"block{j}.ffn"] = _mask(s.dropout, batch, k, s.n_embd)
        return drawn


def _rungs(task: Task) -> Iterator[tuple[str, Tensor]]:
    model, x, y = task.model(), task.rows[:, :-1], task.rows[:, 1:]
    yield "ids", task.rows + 1
    yield from activations(model, x).items()
    loss, by_name = gradients(model, x, y)
    yield "loss", loss.reshape(1)
    yield from {name: gradient.clone() for name, gradient in by_name.items()}.items()

    parameters = r_semantics.parameters(model)
    yield "grad_norm", r_semantics.clip_grad_norm(parameters, task.max_norm).reshape(1)
    r_semantics.AdamW(parameters, lr=task.lr).step()
    yield from named_weights(model, "step1").items()

    model = task.model().train()
    yield "losses", _train(task, model, x, y)
    model.eval()
    yield from named_weights(model, f"step{task.steps}").items()
    drawn = generation.generate(model, x[0, :3].tolist(), task.tokens, task.temperature, [task.seed])
    ids = [*x[0, :3].tolist(), *(step[0] for step in drawn)]
    yield "generated", torch.tensor([task.vocabulary.r_ids(ids)])


def _train(task: Task, model: CharacterModel, x: Tensor, y: Tensor) -> Tensor:
    parameters = r_semantics.parameters(model)
    optimizer = r_semantics.AdamW(parameters, lr=task.lr)
    losses = []
    for step in range(task.steps):
        torch.manual_seed(task.step_seed(step))
        loss = training_step(lambda x, y: cross_entropy(model(x), y), optimizer, parameters, x, y, task.max_norm)
        losses.append(loss)
    return torch.stack(losses)


def _unsettle(model: CharacterModel, seed: int) -> None:
    """Move every weight off its initial value: norms of one and biases of zero hide faults. Row 0 stays PAD's."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64), alpha=0.1)
        model.wte.weight[0] = 0


def _mask(p: float, *shape: int) -> Tensor:
    return torch.nn.functional.dropout(torch.ones(shape, dtype=torch.float64), p)
