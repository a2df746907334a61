from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pygpt.errors import PygptError
from pygpt.vocabulary import PAD, Vocabulary, sort_characters

PORTUGUESE = (
    "Não há ação; é o avô, a avó & a maçã — «três» léguas à noite: ÁGUA? Úmido! pão/pães, ímã, ônibus, órgão…\n"
)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)


@given(texts, st.sampled_from(["icu", "c"]))
def test_decode_undoes_encode(text: str, order: str) -> None:
    vocabulary = Vocabulary.from_text(text, order)
    rows = vocabulary.encode(text)
    assert vocabulary.decode(rows) == text
    assert rows.min() >= 1
    assert rows.max() < len(vocabulary)


@given(texts, st.sampled_from(["icu", "c"]))
def test_sorting_keeps_each_character_once(text: str, order: str) -> None:
    assert sorted(sort_characters(text, order)) == sorted(set(text))


def test_portuguese_by_icus_rule() -> None:
    # letters by alphabet, then accents (none, acute, grave, circumflex, diaeresis, tilde), then case
    assert "".join(sort_characters("ãÃâÂàÀáÁaAbçcéeêõôóoü u", "icu")) == " aAáÁàÀâÂãÃbcçeéêoóôõuü"
    vocabulary = Vocabulary.from_text(PORTUGUESE)
    assert vocabulary.decode(vocabulary.encode(PORTUGUESE)) == PORTUGUESE


def test_ids_are_rs() -> None:
    vocabulary = Vocabulary.from_text("ba", "c")
    assert vocabulary.encode("ab").tolist() == [1, 2]
    assert vocabulary.r_ids([0, 1, 2]) == [1, 2, 3]
    assert vocabulary.decode([0, 1]) == PAD + "a"


@pytest.mark.parametrize(("size", "type_name"), [(3, "uint8"), (255, "uint8"), (256, "int16"), (40_000, "int32")])
def test_tokens_take_the_smallest_type(size: int, type_name: str) -> None:
    text = "".join(map(chr, range(0x10000, 0x10000 + size)))
    rows = Vocabulary.from_text(text, "c").encode(text)
    assert rows.dtype.name == type_name
    assert rows.tolist() == list(range(1, size + 1))


def test_an_unknown_character_is_named_with_its_place() -> None:
    with pytest.raises(
        PygptError, match=r"'ç' \(U\+00E7\) in the prompt, at character 5 \(line 2, column 2\).*'\\nab'"
    ):
        Vocabulary.from_text("ab\n").encode("ab\nbç", "the prompt")[0]


def test_file_round_trip_keeps_the_order(tmp_path: Path) -> None:
    vocabulary = Vocabulary(["z", "\n", "é", "a"], "file")
    (tmp_path / "vocabulary.json").write_text(vocabulary.to_json(), encoding="utf-8")
    assert Vocabulary.from_file(tmp_path / "vocabulary.json") == vocabulary


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[1, 2]", "not a vocabulary"),
        ("{", "not a vocabulary"),
        ('{"format": 2, "characters": ["a"]}', "format 2.*Update"),
        ('{"format": 1, "characters": ["ab"]}', "not single"),
        ('{"format": 1, "characters": ["a", "a"]}', "each once"),
        ('{"format": 1, "characters": []}', "at least one"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "v.json").write_text(content)
    with pytest.raises(PygptError, match=words):
        Vocabulary.from_file(tmp_path / "v.json")
