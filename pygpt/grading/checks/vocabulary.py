"""vocabulary and ids: Encoder and Decoder, with R's ids, which count from 1.

Each is asked several times about other drawn texts, with questions to the other one in between: what was asked last
answers nothing.
"""

from contextlib import suppress

import torch

from pygpt.grading.check import Verdict, check
from pygpt.grading.exam import Exam, once
from pygpt.isolation import wire
from pygpt.isolation.session import AnswerError
from pygpt.output.messages import say
from pygpt.vocabulary import PAD

_BLANKS = "\n "
_LETTERS = _BLANKS + "!,.:;?'-ABCDEFGHIKLMabcdefghijklmnopqrstuvwxyzãçéõ"
_TEXTS, _LENGTH, _SINGLE = 3, 40, 8


def _vocabulary(rng: torch.Generator) -> list[str]:
    """In an order of its own."""
    return [PAD, *(_LETTERS[i] for i in torch.randperm(len(_LETTERS), generator=rng).tolist())]


def _ids(vocabulary: list[str], rng: torch.Generator) -> list[int]:
    """Of a text that neither begins nor ends with a blank, as R counts them: who strips texts does no wrong here."""
    ids = [int(i) for i in torch.randint(2, len(vocabulary) + 1, (_LENGTH,), generator=rng).tolist()]
    inner = [i for i in range(2, len(vocabulary) + 1) if vocabulary[i - 1] not in _BLANKS]
    first, last = (inner[i] for i in torch.randint(len(inner), (2,), generator=rng).tolist())
    return [first, *ids[1:-1], last]


def _text(vocabulary: list[str], ids: list[int]) -> list[str]:
    return [vocabulary[i - 1] for i in ids]


@check(
    "vocabulary.encode",
    say("Encoder gives R's ids"),
    say("R counts from 1, and <PAD> is 1: a character's id is its place in the vocabulary, from 1."),
    say("{{c: i + 1 for i, c in enumerate(Vocabulary)}}"),
    each=once(say("{part}", part="Encoder")),
    needs=("Encoder",),
)
def encoded(exam: Exam) -> Verdict:
    rng = exam.random("vocabulary", "encode")
    for _ in range(_TEXTS):
        vocabulary = _vocabulary(rng)
        ids = _ids(vocabulary, rng)
        characters = _text(vocabulary, ids)
        own = _ask_ids(exam, vocabulary, characters)
        first = " ".join(map(repr, characters[:4]))
        expected, actual = (say("{c}: {ids} …", c=first, ids=str(some[:4])) for some in (ids, own))
        if own != ids:
            return Verdict.of(False, expected, actual)
    return Verdict.of(True, expected, actual)


@check(
    "vocabulary.decode",
    say("Decoder takes R's ids"),
    say("Vocabulary[File_indices] in R: id 1 is the first entry."),
    say("Vocabulary[i - 1] in Python"),
    each=once(say("{part}", part="Decoder")),
    needs=("Decoder",),
)
def decoded(exam: Exam) -> Verdict:
    rng = exam.random("vocabulary", "decode")
    for _ in range(_TEXTS):
        vocabulary = _vocabulary(rng)
        ids, others = _ids(vocabulary, rng), _ids(vocabulary, rng)
        if "Encoder" in exam.port.session.parts:
            with suppress(AnswerError):  # that is for the other checks to say
                _ask_ids(exam, vocabulary, _text(vocabulary, others))
        verdict = _same_text(_ask_text(exam, vocabulary, ids), _text(vocabulary, ids))
        if not verdict.passed:
            break
    return verdict


@check(
    "vocabulary.round_trip",
    say("Decoder undoes Encoder"),
    say("Text to ids and back is the same text."),
    say("Both must count from the same number."),
    each=once(say("text to ids and back")),
    needs=("Encoder", "Decoder"),
)
def returned(exam: Exam) -> Verdict:
    """The ids of single characters, composed to a text that was never encoded, must decode to it."""
    rng = exam.random("vocabulary", "round trip")
    vocabulary = _vocabulary(rng)
    seen = len(_BLANKS)
    order = (seen + torch.randperm(len(_LETTERS) - seen, generator=rng)[:_SINGLE]).tolist()
    id_of = {_LETTERS[i]: _ask_ids(exam, vocabulary, [_LETTERS[i]])[0] for i in order}
    if len(set(id_of.values())) != len(id_of):
        return Verdict.of(False, say("an id of its own for each character"), say("ids are shared or missing"))
    for _ in range(_TEXTS):
        one, two = ([_LETTERS[order[i]] for i in torch.randint(_SINGLE, (_LENGTH,), generator=rng)] for _ in range(2))
        if _ask_ids(exam, vocabulary, one) != [id_of[c] for c in one]:
            other = say("another id for it within a text")
            return Verdict.of(False, say("an id of its own for each character"), other)
        verdict = _same_text(_ask_text(exam, vocabulary, [id_of[c] for c in two]), two)
        if not verdict.passed:
            break
    return verdict


def _same_text(own: str, characters: list[str]) -> Verdict:
    right = "".join(characters)
    return Verdict.of(own == right, say("{text}", text=repr(right)), say("{text}", text=repr(own)))


def _ask_ids(exam: Exam, vocabulary: list[str], characters: list[str]) -> list[int]:
    request = {"op": "encode", "characters": characters, "vocabulary": vocabulary}
    ids = exam.port.session.ask(request, {}, {"ids": (len(characters),)})["ids"]
    return [int(i) for i in ids.tolist()]


def _ask_text(exam: Exam, vocabulary: list[str], ids: list[int]) -> str:
    answer = exam.port.session.ask({"op": "decode", "ids": ids, "vocabulary": vocabulary}, {}, {"text": None})
    return wire.words(answer["text"][:10_000].to(torch.uint8))
