"""What a notebook or a script imports; `pygpt` exports it. The commands go through it, too.

Nothing of the caller is left changed: neither torch's global generators nor its number of threads.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from pygpt import checkpoints, generation, losses, progress
from pygpt.determinism import reproducible
from pygpt.models import CharacterModel
from pygpt.output.messages import say
from pygpt.r_files.vocabularies import vocabulary_of
from pygpt.r_files.weights import Weights, read_weights
from pygpt.settings import ModelSettings, TrainingSettings
from pygpt.training import Epoch
from pygpt.vocabulary import Vocabulary

if TYPE_CHECKING:
    from pygpt.attention.view import AttentionView


def train(out: str | Path | None = None, *, resume: bool = False, quiet: bool = False, **settings: Any) -> "Run":
    """Train a model and keep the run in a folder, as the command `train` does.

    Args:
        out: the run's folder; `runs/MODEL` by default.
        resume: go on with the run there, exactly as if it had never stopped.
        quiet: print nothing.
        settings: any of `ModelSettings` and `TrainingSettings` by name; the others are the course's.

    Raises:
        PygptError: a setting is not allowed, the text cannot be had, or the folder cannot be used.
        KeyboardInterrupt: the training was stopped; all of it is saved, and `resume=True` goes on.
    """
    folder = Path("runs") / str(settings.get("model", "gpt")) if out is None else Path(out)
    progress.train(folder, settings, resume, quiet)
    return load(folder)


def load_weights(path: str | Path, vocabulary: str | Path | None = None, n_head: int | None = None) -> "WeightsFile":
    """Weights alone, as R or PyTorch wrote them: `torch_save`, `luz_save`, `safe_save_file`, arrays in an RDS, ….

    Args:
        vocabulary: a vocabulary.json, a run's folder, R's `vocab` by saveRDS, or the text that the model was trained
            on (sample, shakespeare, or a path); None where the file itself says it.
        n_head: how many heads; None where the file says it, or the course's 2 are right.

    Raises:
        PygptError: the file cannot be read, holds no such weights, or the vocabulary does not fit.
    """
    return WeightsFile(Path(path), None if vocabulary is None else str(vocabulary), n_head)


def load(folder: str | Path) -> "Run":
    """The run in a folder.

    Raises:
        PygptError: there is none, or its settings or vocabulary are damaged.
    """
    return Run(Path(folder))


class Trained:
    """A trained model with its vocabulary: what it writes and what it attends to.

    Attributes:
        model_settings: the model's shape.
        vocabulary: its characters in their order.
        r_threads: how many threads R's torch has, whose text is drawn.
    """

    model_settings: ModelSettings
    vocabulary: Vocabulary
    r_threads: int = 1

    @property
    def model(self) -> CharacterModel:
        """The model, in eval mode, on the CPU."""
        raise NotImplementedError

    def generate(
        self,
        prompt: str,
        tokens: int = 300,
        temperature: float = 0.8,
        seed: int | Tensor = 123,
        top_k: int | None = None,
        rule: generation.Rule = "course",
    ) -> str:
        """`prompt` and the `tokens` characters that R draws after it with this seed (`Generate_Text_Base`).

        Args:
            seed: or the state of a generator to go on from, such as a run's `generator_state`.
            rule: as `generation.generate` has it: the course's, or GPT4R's.

        Raises:
            PygptError: a value that is not allowed, or a character that the vocabulary does not hold.
        """
        (text,) = self.samples(prompt, tokens, temperature, [seed], top_k, rule)
        return text

    def samples(
        self,
        prompt: str,
        tokens: int = 300,
        temperature: float = 0.8,
        seeds: Sequence[int | Tensor] = (123,),
        top_k: int | None = None,
        rule: generation.Rule = "course",
    ) -> list[str]:
        """One text for each seed, all drawn together: quicker than one after the other, and the same texts."""
        drawn = zip(*self.draw(prompt, tokens, temperature, seeds, top_k, rule), strict=True)
        return [prompt + self.vocabulary.decode(rows) for rows in drawn]

    def draw(
        self,
        prompt: str,
        tokens: int,
        temperature: float,
        seeds: Sequence[int | Tensor],
        top_k: int | None,
        rule: generation.Rule = "course",
    ) -> Iterator[list[int]]:
        """The rows that are drawn after `prompt`, one for each seed, `tokens` times, as they come.

        Raises:
            PygptError: as `generate`, before anything is drawn.
        """
        rows = self.vocabulary.encode(prompt, say("the prompt")).tolist()
        return generation.generate(self.model, rows, tokens, temperature, seeds, top_k, self.r_threads, rule)

    def attention(self, text: str) -> "AttentionView":
        """What the model attends to in the last block of `text`: weights (layer, head, query, key).

        Raises:
            PygptError: a model without attention, or a text that it cannot take.
        """
        from pygpt.attention.view import view

        return view(self.model, self.vocabulary, text)


class Run(Trained):
    """A run's folder as Python objects; each is read when it is first asked for.

    Attributes:
        folder: where it is.
        model_settings, training_settings: what it was made with.
        provenance: versions, SHA-256 of the text, numbers of windows.
        vocabulary: its characters in their order.
    """

    def __init__(self, folder: Path) -> None:
        self._run = checkpoints.open_run(folder)
        self.folder = folder
        self.model_settings: ModelSettings = self._run.model
        self.training_settings: TrainingSettings = self._run.training
        self.provenance: dict[str, Any] = self._run.provenance
        self.vocabulary: Vocabulary = self._run.vocabulary
        self.r_threads = self.training_settings.r_threads

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}, {self.model_settings.model}, {len(self.history)} epochs)"

    @cached_property
    def model(self) -> CharacterModel:
        """The model with the run's weights, in eval mode, on the CPU.

        Raises:
            PygptError: there are no weights yet, or they are damaged.
        """
        with reproducible():
            return checkpoints.load_model(self._run)

    @cached_property
    def history(self) -> list[Epoch]:
        """Losses in nats per character, an epoch each: `epoch`, `train`, `valid`.

        Raises:
            PygptError: the file is damaged.
        """
        return losses.read_history(self.folder)

    @cached_property
    def steps(self) -> list[float]:
        """The loss of each training step in nats per character, from the first on.

        Raises:
            PygptError: the file is damaged.
        """
        return losses.read_steps(self.folder)

    @cached_property
    def generator_state(self) -> Tensor:
        """The state of torch's generator after the last step: what R draws next, where nothing is seeded anew.

        Raises:
            PygptError: the run has no checkpoint, was trained on another device, or the file is damaged.
        """
        return checkpoints.generator_state(self._run)


class WeightsFile(Trained):
    """Weights alone, from a file of R's or PyTorch's.

    Attributes:
        weights: what the file says: tensors under R's keys, settings, notes on what was changed.
    """

    def __init__(self, path: Path, vocabulary: str | None, n_head: int | None) -> None:
        self.weights: Weights = read_weights(path, n_head)
        self.model_settings = self.weights.settings
        self.vocabulary = vocabulary_of(self.weights, vocabulary)

    def __repr__(self) -> str:
        return f"WeightsFile({str(self.weights.path)!r}, {self.model_settings.model})"

    @cached_property
    def model(self) -> CharacterModel:
        """The model with these weights, in eval mode, on the CPU."""
        with reproducible():
            return self.weights.model()
