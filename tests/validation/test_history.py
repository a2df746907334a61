"""`validate history`: tables of losses that come from R."""

import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pygpt.errors import PygptError
from pygpt.validation.course import KEYS, exercises
from pygpt.validation.history import read_luz_history
from tests.validation.helpers import Cli, a_history, refused

WIDE = [(1, 1.75676, 1.73407), (2, 1.51799, 1.70134), (3, 1.47003, 1.68795)]
EXPECTED = {(e, part): value for e, *both in WIDE for part, value in zip(("train", "valid"), both, strict=True)}
HISTORIES = {
    "ours": "epoch,train,valid\n" + "".join(f"{e},{t},{v}\n" for e, t, v in WIDE),
    # write.csv: row names, quoted headers, the course's columns and its perplexities
    "write.csv": '"","Epoca","Loss_Treino","Loss_Valid","PPL_Treino","PPL_Valid"\n'
    + "".join(f'"{e}",{e},{t},{v},5.79,5.66\n' for e, t, v in WIDE),
    "write.csv2": '"";"Epoca";"Loss_Treino";"Loss_Valid"\n'
    + "".join(f'"{e}";{e};{t};{v}\n'.replace(".", ",") for e, t, v in WIDE),
    # write.csv(luz::get_metrics(fitted))
    "luz": '"","set","metric","epoch","value"\n'
    + "".join(f'"","train","loss",{e},{t}\n"","valid","loss",{e},{v}\n"","valid","acc",{e},1\n' for e, t, v in WIDE),
    "windows": "\ufeffÉpoca;Treino;Validação\r\n"
    + "".join(f"{e};{t};{v}\r\n".replace(".", ",") for e, t, v in reversed(WIDE)),
}  # fmt: skip


@pytest.mark.parametrize("name", HISTORIES)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_histories_as_r_writes_them(name: str, encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "h.csv"
    text = HISTORIES[name].lstrip("\ufeff") if encoding == "latin-1" else HISTORIES[name]
    path.write_bytes(text.encode(encoding))
    assert read_luz_history(path) == (EXPECTED, 5)


GOOD = "epoch,train,valid\n1,1.7,1.7\n2,1.5,1.7\n3,1.4,1.6\n"


@pytest.mark.usefixtures("no_corpus")
@pytest.mark.parametrize("model", ["gpt", "gpt_noattn"])
def test_histories(cli: Cli, tmp_path: Path, model: str) -> None:
    exercise = exercises()[model]
    command = ["validate", "history", "--model", model, "--json", tmp_path / "r.json"]
    same = cli(*command, a_history(tmp_path / "r.csv", exercise.recorded.losses))
    assert same.exit_code == 0
    assert "identical (losses of epochs: 6" in same.output
    rounded = cli(*command, a_history(tmp_path / "r4.csv", exercise.recorded.losses, 4))
    assert rounded.exit_code == 0
    assert "identical to 4 digits" in rounded.output
    losses = dict(exercise.recorded.losses)
    losses[2, "valid"] += 2e-4
    near = cli(*command, a_history(tmp_path / "near.csv", losses))
    assert near.exit_code == 0
    assert "differs from validation loss of epoch 2 on" in near.output
    assert "Inside the band around R's: all 6 losses." in near.output
    losses[2, "valid"] += 1
    far = cli(*command, a_history(tmp_path / "far.csv", losses))
    assert far.exit_code == 1
    assert "Outside the band around R's: validation loss of epoch 2" in far.output
    assert "floors and shares of known words are left out" in far.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["is empty"]),
        (GOOD.replace("2,1.5,1.7\n", ""), ["lacks train of epoch 2; valid of epoch 2"]),
        (GOOD + "4,1.3,1.5\n", ["line 5", "epoch 4", "3 epochs"]),
        (GOOD.replace("2,1.5", "1,1.5"), ["line 3", "epoch 1 has a second train loss"]),
        (GOOD.replace("1.5", "um e meio"), ["line 3, train", "'um e meio' is not a number"]),
        (GOOD.replace("1.5", "NaN"), ["line 3, train", "'NaN' is not a finite number"]),
        (GOOD.replace("1.5", "NA"), ["line 3, train", "'NA' is not a number"]),
        (GOOD.replace("1.5", "1_5"), ["line 3, train", "'1_5' is not a number"]),
        ("x" * 200_000 + GOOD, ["is not a CSV file", "field"]),
        (GOOD.replace("1.5", ""), ["line 3, train", "'' is not a number"]),
        (GOOD.replace(",", "\t"), ["one column only", "write.csv2"]),
        (GOOD.replace(".", ","), ["line 2: 5 fields under 3 columns", "Decimal commas need ;"]),
        (GOOD.replace("valid", "test"), ["'epoch', 'train', 'test'", "Loss_Treino"]),
        (GOOD.replace("1,1.7", "1.5,1.7"), ["epoch 1.5"]),
        ("set,epoch,value\ntest,1,2\n", ["line 2", "'test' is neither train nor valid"]),
    ],
)
@pytest.mark.usefixtures("no_corpus")
def test_bad_histories(cli: Cli, tmp_path: Path, content: str, words: list[str]) -> None:
    (tmp_path / "h.csv").write_text(content)
    refused(cli("validate", "history", tmp_path / "h.csv", "--model", "gpt"), *words)


def test_a_corpus_that_is_not_the_courses(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.txt").write_text("To be, or not to be\n")
    monkeypatch.setenv("PYGPT_CORPUS", str(tmp_path / "text.txt"))
    history = a_history(tmp_path / "h.csv", exercises()["gpt"].recorded.losses)
    refused(cli("validate", "history", history, "--model", "gpt"), "is not the course's text")


def test_a_column_given_twice_is_not_dropped(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text("epoch,train,valid,Loss_Treino\n1,1.7,1.7,1\n2,1.5,1.7,1\n3,1.4,1.6,1\n")
    refused(cli("validate", "history", tmp_path / "h.csv", "--model", "gpt"), "train, loss_treino", "keep one")


GOOD_FILES = [text.encode(encoding) for text in HISTORIES.values() for encoding in ("utf-8", "utf-16")]
ODD = [
    b"\x00",
    b"\xff\xfe",
    b'"',
    b"\r",
    b"\n",
    b";",
    b",",
    b"1e999",
    b"-",
    b"nan",
    b"99999999999999999999",
    b"\xe2\x80\x83",
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A history as R writes it, with some bytes taken out and others put in; or any bytes."""
    content = draw(st.sampled_from(GOOD_FILES) | st.binary(max_size=200))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(content)))
        end = draw(st.integers(start, min(len(content), start + 20)))
        content = content[:start] + draw(st.sampled_from(ODD) | st.binary(max_size=8)) + content[end:]
    return content


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=damaged())
def test_any_bytes_give_a_result_or_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "h.csv").write_bytes(content)
    try:
        losses, decimals = read_luz_history(tmp_path / "h.csv")
    except PygptError:
        return
    assert sorted(losses) == sorted(KEYS)
    assert all(math.isfinite(loss) for loss in losses.values())
    assert decimals >= 0
