"""vocabulary and ids: Encoder and Decoder, with R's ids, which count from 1."""

import torch

from pygpt.grading.check import Verdict, check
from pygpt.grading.exam import Exam, once
from pygpt.grading.isolation import wire
from pygpt.output.messages import say
from pygpt.vocabulary import PAD

_LETTERS = "\n !,.:;?'-ABCDEFGHIKLMabcdefghijklmnopqrstuvwxyzãçéõ"


def _drawn(exam: Exam) -> tuple[list[str], list[str], list[int]]:
    """A vocabulary in an order of its own, the characters of a text, and their ids as R counts them."""
    rng = exam.random("vocabulary")
    order = torch.randperm(len(_LETTERS), generator=rng).tolist()
    vocabulary = [PAD, *(_LETTERS[i] for i in order)]
    ids = torch.randint(2, len(vocabulary) + 1, (40,), generator=rng).tolist()
    return vocabulary, [vocabulary[i - 1] for i in ids], ids


@check(
    "vocabulary.encode",
    say("Encoder gives R's ids"),
    say("R counts from 1, and <PAD> is 1: a character's id is its place in the vocabulary, from 1."),
    say("{{c: i + 1 for i, c in enumerate(Vocabulary)}}"),
    each=once(say("{part}", part="Encoder")),
    needs=("Encoder",),
)
def encoded(exam: Exam) -> Verdict:
    vocabulary, characters, ids = _drawn(exam)
    own = _ask_ids(exam, vocabulary, characters)
    first = " ".join(map(repr, characters[:4]))
    expected, actual = (say("{c}: {ids} …", c=first, ids=str(some[:4])) for some in (ids, own))
    return Verdict.of(own == ids, expected, actual)


@check(
    "vocabulary.decode",
    say("Decoder takes R's ids"),
    say("Vocabulary[File_indices] in R: id 1 is the first entry."),
    say("Vocabulary[i - 1] in Python"),
    each=once(say("{part}", part="Decoder")),
    needs=("Decoder",),
)
def decoded(exam: Exam) -> Verdict:
    vocabulary, characters, ids = _drawn(exam)
    return _same_text(_ask_text(exam, vocabulary, ids), characters)


@check(
    "vocabulary.round_trip",
    say("Decoder undoes Encoder"),
    say("Text to ids and back is the same text."),
    say("Both must count from the same number."),
    each=once(say("text to ids and back")),
    needs=("Encoder", "Decoder"),
)
def returned(exam: Exam) -> Verdict:
    vocabulary, characters, _ = _drawn(exam)
    ids = _ask_ids(exam, vocabulary, characters)
    if len(set(ids)) != len(set(characters)):
        return Verdict.of(False, say("an id of its own for each character"), say("ids are shared or missing"))
    return _same_text(_ask_text(exam, vocabulary, ids), characters)


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
