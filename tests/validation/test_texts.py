"""What is counted in a text; values by hand."""

import pytest

from pygpt.validation.texts import is_speaker, measure, words


def test_texts_by_hand() -> None:
    text = "MARCIUS:\nWhy, prevail'd thee!\n\nFirst Citizen:\n'Tis blorf: yes:\n"
    assert words(text) == ["marcius", "why", "prevail'd", "thee", "first", "citizen", "tis", "blorf", "yes"]
    facts = measure(text, {"why", "thee", "first", "tis"})
    assert (facts.words, facts.known, facts.lines, facts.speakers) == (9, 4, 4, 2)
    assert facts.known_share == pytest.approx(4 / 9)
    assert facts.word_length == pytest.approx((7 + 3 + 9 + 4 + 5 + 7 + 3 + 5 + 3) / 9)
    assert facts.speaker_share == 0.5
    assert measure("", set()).known_share == 0


@pytest.mark.parametrize(("line", "speaker"), [("KING RICHARD III:", True), ("First Citizen:", True), ("QUS:", True),
                                               ("And thus I say:", False), ("Romeo", False), ("", False)])  # fmt: skip
def test_speakers(line: str, speaker: bool) -> None:
    assert is_speaker(line) is speaker
