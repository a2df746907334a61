"""What is held against the recording, whichever way it came: a run, a history, weights, or 200 steps."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pygpt.exercises.exercise import Losses
from pygpt.output.messages import Message
from pygpt.settings import ModelName

if TYPE_CHECKING:
    from pygpt.models import CharacterModel


@dataclass(frozen=True)
class Attempt:
    """Losses in nats per character, and what else is known.

    Attributes:
        name: what the user called it: a folder, a file.
        model: `gpt` or `gpt_noattn`.
        due: what the verdict must be to be good: `identical` (same seed, settings and kernels as the recording),
            `digits` (same seed and settings, other kernels), `threads` (the same, R on other threads), `seed` (said
            to have the same seed and settings) or `band` (another draw).
        losses: by epoch and part; weights alone give the last epoch's validation loss.
        steps: the loss of each training step from the first on.
        decimals: how many the losses were written with; None: as many as a float32 needs.
        weights_sha256: SHA-256 as the recordings' README defines it.
        network: the trained model, where there is one.
        text: what follows the exercise's prompt, drawn as R drew it.
        missing: the (epoch, part) whose losses it should have and has not: they are not judged.
        notes: what was taken for granted in reading it.
        facts: where it came from, for the report.
        note: what was done to it before it could be judged, for the user to know.
    """

    name: str
    model: ModelName
    due: str
    losses: Losses = field(default_factory=dict)
    steps: tuple[float, ...] = ()
    decimals: int | None = None
    weights_sha256: str | None = None
    network: "CharacterModel | None" = None
    text: str | None = None
    missing: tuple[tuple[int, str], ...] = ()
    notes: tuple[Message, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    note: Message | None = None
