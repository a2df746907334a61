"""The vocabulary of weights alone: from their file, another file, or the text."""

import shutil
from pathlib import Path

import pytest

from pygpt.errors import PygptError
from pygpt.r_files.vocabularies import vocabulary_of
from pygpt.r_files.weights import Weights, read_weights
from pygpt.vocabulary import Vocabulary
from tests.r_files.helpers import FILES, TEXT

CHARACTERS = tuple(sorted(set(TEXT.read_text())))  # the same in both of R's orders


@pytest.fixture(scope="module")
def weights() -> Weights:
    return read_weights(FILES / "state_dict.pt", 4)


def test_every_way_to_say_it(weights: Weights, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for path in (tmp_path / "v.json", tmp_path / "run" / "vocabulary.json"):
        path.write_text(Vocabulary(CHARACTERS).to_json())
    for given in (tmp_path / "v.json", tmp_path / "run", FILES / "vocab.rds", FILES / "workspace.RData", TEXT):
        assert vocabulary_of(weights, str(given)).characters == CHARACTERS
    assert vocabulary_of(read_weights(FILES / "exercise.safetensors"), None).characters == CHARACTERS


def test_of_rs_two_orders_the_one_that_the_model_knows(tmp_path: Path) -> None:
    """The same text with capitals: ICU sorts a A b B, the C locale A B a b."""
    text = TEXT.read_text().replace("t", "T").replace("q", "Q")
    (tmp_path / "text.txt").write_text(text)
    held = read_weights(FILES / "state_dict.pt", 4)
    assert Vocabulary.from_text(text, "icu") != Vocabulary.from_text(text, "c")
    # The model's rows stand for the characters in the C order of the small letters: turn them into each order's.
    for order in ("icu", "c"):
        own = Vocabulary.from_text(text, order)
        rows = [0, *(1 + CHARACTERS.index(c.lower()) for c in own.characters)]
        tables = {name: held.tensors[name][rows] for name in ("wte.weight", "ln_f.weight")}
        turned = Weights(held.path, held.tensors | tables, held.settings, True, None, ())
        assert vocabulary_of(turned, str(tmp_path / "text.txt")) == own


def test_what_does_not_fit(weights: Weights, tmp_path: Path) -> None:
    with pytest.raises(PygptError, match=r"does not say which characters its 23 rows stand for. Add --vocabulary"):
        vocabulary_of(weights, None)
    with pytest.raises(PygptError, match="the vocabulary of sample has 62 rows"):
        vocabulary_of(weights, "sample")
    (tmp_path / "v.json").write_text(Vocabulary("abc").to_json())
    with pytest.raises(PygptError, match="has 4 rows"):
        vocabulary_of(weights, str(tmp_path / "v.json"))
    with pytest.raises(PygptError, match="holds no vocabulary"):
        vocabulary_of(weights, str(FILES / "get_metrics.rds"))
    with pytest.raises(PygptError, match=r"there is no file .*: --vocabulary takes"):
        vocabulary_of(weights, str(tmp_path / "nowhere"))
    shutil.copy(FILES / "vocab.rds", tmp_path / "cut.rds")
    (tmp_path / "cut.rds").write_bytes((FILES / "vocab.rds").read_bytes()[:60])
    with pytest.raises(PygptError, match="cannot be read"):
        vocabulary_of(weights, str(tmp_path / "cut.rds"))
