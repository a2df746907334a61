"""Encoder and Decoder: what one was asked before answers nothing for the other."""

import pytest

from tests.grading.helpers import CORRECT, examined, failed, mutated, needs_isolation

pytestmark = needs_isolation

RIGHT = CORRECT.read_text()
_IDS = "    ids = {c: i + 1 for i, c in enumerate(Vocabulary)}\n"
_TAKEN = "    return [Vocabulary[i - 1] for i in File_indices]\n"
_REMEMBER = "    asked = Encoder.__dict__.setdefault('asked', [])\n    asked[:] = File_chars\n"

CASES: dict[str, tuple[list[tuple[str, str]], set[str]]] = {
    "right": ([(_IDS, _IDS)], set()),
    "from 0": ([("i + 1 for", "i for"), ("i - 1]", "i]")], {"vocabulary.encode", "vocabulary.decode"}),
    "decoder remembers": ([(_IDS, _IDS + _REMEMBER), (_TAKEN, "    return Encoder.asked\n")],
        {"vocabulary.decode", "vocabulary.round_trip"}),
    "both remember": ([(_IDS, "    ids = {c: i for i, c in enumerate(dict.fromkeys(File_chars))}\n" + _REMEMBER),
        (_TAKEN, "    return Encoder.asked\n")],
        {"vocabulary.encode", "vocabulary.decode", "vocabulary.round_trip"}),
    "decoder wrong": ([("i - 1]", "i - 2]")], {"vocabulary.decode", "vocabulary.round_trip"}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_costs_what_it_gets_wrong(name: str) -> None:
    changes, checks = CASES[name]
    assert set(failed(examined(mutated(RIGHT, *changes), "vocabulary"))) == checks
