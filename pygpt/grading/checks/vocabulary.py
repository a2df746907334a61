"""vocabulary and ids: Encoder and Decoder, with R's ids, which count from 1."""

import torch

from pygpt.grading.exam import Check, Exam, Item, Verdict, judged
from pygpt.grading.isolation import wire
from pygpt.grading.messages import say
from pygpt.vocabulary import PAD

_LETTERS = "\n !,.:;?'-ABCDEFGHIKLMabcdefghijklmnopqrstuvwxyzãçéõ"


def _drawn(exam: Exam) -> tuple[list[str], list[str], list[int]]:
    """A vocabulary in an order of its own, the characters of a text, and their ids as R counts them."""
    rng = exam.random("vocabulary")
    order = torch.randperm(len(_LETTERS), generator=rng).tolist()
    vocabulary = [PAD, *(_LETTERS[i] for i in order)]
    ids = torch.randint(2, len(vocabulary) + 1, (40,), generator=rng).tolist()
    return vocabulary, [vocabulary[i - 1] for i in ids], ids


def _encode(exam: Exam) -> list[Item]:
    return [judged(say("{part}", part="Encoder"), lambda: _encoded(exam))]


def _encoded(exam: Exam) -> Verdict:
    vocabulary, characters, ids = _drawn(exam)
    found = _ask_ids(exam, vocabulary, characters)
    actual = say("{c}: {ids} …", c=" ".join(map(repr, characters[:4])), ids=str(found[:4]))
    return Verdict(found == ids, say("{c}: {ids} …", c=" ".join(map(repr, characters[:4])), ids=str(ids[:4])), actual)


def _decode(exam: Exam) -> list[Item]:
    return [judged(say("{part}", part="Decoder"), lambda: _decoded(exam))]


def _decoded(exam: Exam) -> Verdict:
    vocabulary, characters, ids = _drawn(exam)
    found, right = _ask_text(exam, vocabulary, ids), "".join(characters)
    return Verdict(found == right, say("{text}", text=repr(right)), say("{text}", text=repr(found)))


def _round_trip(exam: Exam) -> list[Item]:
    return [judged(say("there and back"), lambda: _returned(exam))]


def _returned(exam: Exam) -> Verdict:
    vocabulary, characters, _ = _drawn(exam)
    ids = _ask_ids(exam, vocabulary, characters)
    if len(set(ids)) != len(set(characters)):
        return Verdict(False, say("an id of its own for each character"), say("ids are shared or missing"))
    found, right = _ask_text(exam, vocabulary, ids), "".join(characters)
    return Verdict(found == right, say("{text}", text=repr(right)), say("{text}", text=repr(found)))


def _ask_ids(exam: Exam, vocabulary: list[str], characters: list[str]) -> list[int]:
    request = {"op": "encode", "characters": characters, "vocabulary": vocabulary}
    found = exam.port.session.ask(request, {}, {"ids": (len(characters),)})["ids"]
    return [int(i) for i in found.tolist()]


def _ask_text(exam: Exam, vocabulary: list[str], ids: list[int]) -> str:
    answer = exam.port.session.ask({"op": "decode", "ids": ids, "vocabulary": vocabulary}, {}, {"text": None})
    return wire.words(answer["text"][:10_000].to(torch.uint8))


CHECKS = (
    Check(
        "vocabulary.encode",
        say("Encoder gives R's ids"),
        say("R counts from 1, and <PAD> is 1: a character's id is its place in the vocabulary, from 1."),
        say("{{c: i + 1 for i, c in enumerate(Vocabulary)}}"),
        _encode,
        ("Encoder",),
    ),
    Check(
        "vocabulary.decode",
        say("Decoder takes R's ids"),
        say("Vocabulary[File_indices] in R: id 1 is the first entry."),
        say("Vocabulary[i - 1] in Python"),
        _decode,
        ("Decoder",),
    ),
    Check(
        "vocabulary.round_trip",
        say("Decoder undoes Encoder"),
        say("Text to ids and back is the same text."),
        say("Both must count from the same number."),
        _round_trip,
        ("Encoder", "Decoder"),
    ),
)
