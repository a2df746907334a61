"""What a check is, the register of all checks, and the order in which they run.

A check is a function that judges, under `@check`. It is run for each thing that `each` names and leaves an item for
each of them; its points, the rubric's, are shared equally among its items. Checks speak to each other by the fields of
their items, never by the sentences in them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeVar

from pygpt.grading.rubric import PARTS
from pygpt.output.messages import Message, say
from pygpt.settings import ModelName

STAGES: dict[str, Message] = {
    "loads": say("Loads"),
    "builds": say("Builds"),
    "forward": say("Forward"),
    "causality": say("Causality"),
    "gradients": say("Gradients"),
    "padding": say("Padding row"),
    "dropout": say("Dropout"),
    "training": say("Training"),
    "vocabulary": say("Vocabulary and ids"),
    "generation": say("Generation"),
}
"""The stages and their titles, in the order of a report."""


class Outcome(Enum):
    """What a check says of one thing."""

    RIGHT = auto()
    WRONG = auto()
    NO_EFFECT = auto()
    """Wrong: what is asked about changes nothing at all."""
    NO_ANSWER = auto()
    """Wrong: the submission crashed, hung or gave an answer that is not allowed."""
    PAID = auto()
    """Wrong, and counted as passed: another check has taken the points for the same mistake."""

    @property
    def passed(self) -> bool:
        return self in (Outcome.RIGHT, Outcome.PAID)


@dataclass(frozen=True)
class Verdict:
    """Whether one thing is as it should be, with what was expected and what came."""

    outcome: Outcome
    expected: Message
    actual: Message

    @classmethod
    def of(cls, right: bool, expected: Message, actual: Message) -> "Verdict":
        """RIGHT or WRONG."""
        return cls(Outcome.RIGHT if right else Outcome.WRONG, expected, actual)

    @property
    def passed(self) -> bool:
        return self.outcome.passed

    def paid(self) -> "Verdict":
        """The same, where another check has taken the points for it."""
        actual = say("{actual} (another check has taken the points for this)", actual=self.actual)
        return Verdict(Outcome.PAID, self.expected, actual)


@dataclass(frozen=True)
class Case:
    """One thing that a check is run for."""

    name: Message
    """As reports call the item."""
    model: ModelName | None = None
    block: int | None = None
    """From 1."""
    part: str | None = None
    given: tuple[Any, ...] = ()
    """What the judge is called with, after the exam."""


@dataclass(frozen=True)
class Item:
    """What a check says of one thing: one of its equal shares."""

    check: str
    name: Message
    model: ModelName | None
    block: int | None
    part: str | None
    outcome: Outcome
    expected: Message
    actual: Message

    @property
    def passed(self) -> bool:
        return self.outcome.passed


Each = Callable[[Any], Iterable[Case]]
"""Called with the exam."""
Judge = TypeVar("Judge", bound=Callable[..., Verdict])


@dataclass(frozen=True)
class Check:
    """One leaf of the tree; `check` says what the fields are."""

    id: str
    title: Message
    rationale: Message
    hint: Message
    judge: Callable[..., Verdict]
    each: Each
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    @property
    def stage(self) -> str:
        return self.id.split(".")[0]


REGISTERED: dict[str, Check] = {}
"""Every check by its id, in the order of the files and of the functions in them."""


def check(
    id: str,
    title: Message,
    rationale: Message,
    hint: Message,
    each: Each,
    needs: tuple[str, ...] = (),
    after: tuple[str, ...] = (),
) -> Callable[[Judge], Judge]:
    """Register the function below as a check's judge: it is called with the exam and a case's `given`.

    Several may stand above one function; the lowest is registered first.

    Args:
        id: `stage.name`, the rubric's key.
        rationale: what R does, for a student whose port does otherwise.
        each: what the check is run for.
        needs: parts of the submission; where the rubric asks for one of them not, the check is not run at all.
        after: checks whose results it reads, and after which it runs.

    Raises:
        ValueError: an unknown stage or part, or an id that is taken.
    """

    def register(judge: Judge) -> Judge:
        made = Check(id, title, rationale, hint, judge, each, needs, after)
        if made.stage not in STAGES or id in REGISTERED or not set(needs) <= set(PARTS):
            raise ValueError(f"check {id}: unknown stage, unknown part among {needs}, or an id that is taken")
        REGISTERED[id] = made
        return judge

    return register


def in_order(checks: Iterable[Check]) -> tuple[Check, ...]:
    """By stage, then as they come; but each after those that it follows.

    Raises:
        ValueError: a check follows one that is not there, or itself in a circle.
    """
    stages = list(STAGES)
    waiting = {check.id: check for check in sorted(checks, key=lambda check: stages.index(check.stage))}
    for check in waiting.values():
        if unknown := [id for id in check.after if id not in waiting]:
            raise ValueError(f"check {check.id} follows {', '.join(unknown)}: there is no such check")
    done: dict[str, Check] = {}
    while waiting:
        ready = next((check for check in waiting.values() if all(id in done for id in check.after)), None)
        if ready is None:
            raise ValueError(f"checks follow each other in a circle: {', '.join(waiting)}")
        done[ready.id] = waiting.pop(ready.id)
    return tuple(done.values())
