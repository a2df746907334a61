"""`validate history`: tables of losses that come from R."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pygpt.errors import PygptError
from pygpt.exercises.opening import course as exercises
from pygpt.validation.history import read_luz_history
from tests.validation.helpers import Cli, a_history, refused
from tests.validation.histories import EXPECTED, HISTORIES, PARTS

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"]


@pytest.mark.parametrize("name", HISTORIES)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_histories_as_people_export_them(name: str, encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "h.csv"
    text = HISTORIES[name].replace("×", "x")
    path.write_bytes(text.encode(encoding))
    history = read_luz_history(path, 3)
    assert (history.losses, history.decimals) == (EXPECTED, 5)


@pytest.mark.parametrize(
    ("name", "words"),
    [("no epochs", "does not number its epochs"), ("from 0", "from 0"), ("ours", ""), ("luz", "")],
)
def test_what_is_taken_for_granted_is_said(name: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text(HISTORIES[name])
    notes = [str(note) for note in read_luz_history(tmp_path / "h.csv", 3).notes]
    assert bool(notes) is bool(words)
    assert all(words in note for note in notes)


@given(
    st.lists(st.tuples(st.floats(0.001, 99), st.floats(0.001, 99)), min_size=1, max_size=5),
    st.sampled_from([(",", "."), (";", ","), ("\t", "."), ("\t", ","), (" ", "."), (" ", ","), ("|", ".")]),
    st.booleans(),
    st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "utf-16"]),
    st.integers(1, 8),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_any_table_is_read_as_it_was_written(
    tmp_path: Path,
    losses: list[tuple[float, float]],
    marks: tuple[str, str],
    names: bool,
    encoding: str,
    decimals: int,
    end: str,
) -> None:
    separator, mark = marks
    rows = [[f"{x:.{decimals}f}".replace(".", mark) for x in row] for row in losses]
    lines = ['"epoch" "train" "valid"', *(f"{e} {' '.join(row)}" for e, row in enumerate(rows, 1))]
    if names:
        lines[1:] = [f'"{n}" {line}' for n, line in enumerate(lines[1:], 1)]
    text = end.join(line.replace(" ", separator) for line in lines) + end
    (tmp_path / "h.txt").write_bytes(text.encode(encoding))
    read = read_luz_history(tmp_path / "h.txt", 3)
    wanted = [[float(x.replace(",", ".")) for x in row] for row in rows[:3]]
    assert read.losses == {(e, p): x for e, row in enumerate(wanted, 1) for p, x in zip(PARTS, row, strict=True)}
    assert read.decimals == decimals
    assert bool(read.notes) is (len(losses) > 3)


@pytest.mark.parametrize(
    ("text", "decimals"),
    [("1.7568e+00", 4), ("1.47e+00", 2), ("17.568e-01", 4), ("1,5", 1), ("2", 0), ("1.7567560", 7), ("2e2", 0)],
)
def test_decimals_are_those_of_the_number(text: str, decimals: int, tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text(f"epoch;train\n1;{text}\n")
    assert read_luz_history(tmp_path / "h.csv", 3).decimals == decimals


@pytest.mark.usefixtures("no_corpus")
@pytest.mark.parametrize("model", ["gpt", "gpt_noattn"])
@pytest.mark.parametrize(("epochs", "judged"), [([1], 2), ([1, 2], 4), ([2], 2), ([1, 3], 4), ([1, 2, 3, 4, 5], 6)])
def test_as_many_epochs_are_judged_as_there_are(
    cli: Cli, tmp_path: Path, model: str, epochs: list[int], judged: int
) -> None:
    r = exercises()[model].recorded.losses
    for shift, code in ((0.0, 0), (0.5, 1)):
        rows = [[e, *(r.get((e, part), 1.4) + shift for part in PARTS)] for e in epochs]
        (tmp_path / "h.csv").write_text("epoch,train,valid\n" + "".join(f"{e},{t:.4f},{v:.4f}\n" for e, t, v in rows))
        done = cli("validate", "history", tmp_path / "h.csv", "--model", model, "--json", tmp_path / "r.json")
        assert done.exit_code == code, done.output
        assert f"(losses of epochs: {judged}" in " ".join(done.output.split())
        (exercise,) = json.loads((tmp_path / "r.json").read_text())["exercises"]
        missing = [[e, part] for e in (1, 2, 3) if e not in epochs for part in PARTS]
        assert exercise["not_judged"] == missing
        assert done.output.count("not judged  ") == len(missing)
        assert ("Not judged, for want of losses: epoch" in done.output) is bool(missing)
        assert ("Epochs after 3 are not judged" in done.output) is (5 in epochs)


@pytest.mark.usefixtures("no_corpus")
def test_one_part_alone_is_judged(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text("epoch,valid\n1,1.7341\n2,1.7013\n3,1.6880\n")
    done = cli("validate", "history", tmp_path / "h.csv", "--model", "gpt")
    assert done.exit_code == 0
    assert "for want of losses: train loss of epoch 1; train loss of epoch 2" in done.output


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
        ("epoch,train,valid\n4,1.3,1.5\n5,1.2,1.5\n", ["no losses of the epochs 1 to 3"]),
        ("epoch,train,valid\n", ["no losses of the epochs 1 to 3"]),
        (GOOD.replace("2,1.5", "1,1.5"), ["line 3", "epoch 1 has a second train loss"]),
        (GOOD.replace("1.5", "um e meio"), ["line 3, train", "'um e meio' is not a number"]),
        (GOOD.replace("1.5", "NaN"), ["line 3, train", "'NaN' is not a finite number"]),
        (GOOD.replace("1.5", "NA"), ["line 3, train", "'NA' is not a number"]),
        (GOOD.replace("1.5", "1_5"), ["line 3, train", "'1_5' is not a number"]),
        ("x" * 200_000 + GOOD, ["is not a CSV file", "field"]),
        (GOOD.replace("1.5", ""), ["line 3, train", "'' is not a number"]),
        (GOOD.replace(",", "~"), ["one column only", "write.csv2"]),
        ("1,1.7,1.7\n2,1.5,1.7\n", ["has no line of column names", "epoch, train, valid"]),
        # five faults that are no decimal commas
        (GOOD.replace("2,1.5,1.7", "2,1.5"), ["line 3: 2 fields under 3 columns"]),
        (GOOD.replace("2,1.5,1.7", "2,1.5,1.7,0.4"), ["line 3: 4 fields under 3 columns"]),
        (GOOD.replace("2,1.5,1.7", "2,about 1.5, or so,1.7"), ["line 3: 4 fields under 3 columns"]),
        ('{"epoch": 1}', ["has the columns 'epoch'", "expected are epoch, train, valid"]),
        ('{"epoch": [1, 2', ["is not JSON"]),
        ("structure(list(a = f(x)))", ["R code that cannot be read", "write.csv(luz::get_metrics"]),
        ("[" * 100_000, ["is not JSON"]),
        ("c(" * 1000, ["one column only"]),
        ("list(" * 100_000, ["R code that cannot be read"]),
        (GOOD.replace(".", ","), ["line 2: 5 fields under 3 columns", "Decimal commas need ;"]),
        (GOOD.replace("valid", "test"), ["'epoch', 'train', 'test'", "Loss_Treino"]),
        (GOOD.replace("1,1.7", "1.5,1.7"), ["epoch 1.5"]),
        ("set,epoch,value\ntest,1,2\n", ["line 2", "'test' is neither train nor valid"]),
    ],
)
@pytest.mark.usefixtures("no_corpus")
def test_bad_histories(cli: Cli, tmp_path: Path, content: str, words: list[str]) -> None:
    (tmp_path / "h.csv").write_text(content)
    told = cli("validate", "history", tmp_path / "h.csv", "--model", "gpt")
    refused(told, *words)
    assert ("ecimal commas" in told.stderr) is any("ecimal commas" in word for word in words)


@pytest.mark.usefixtures("no_corpus")
@pytest.mark.parametrize("start", [b"\x1f\x8b\x08", b"PK\x03\x04", b"BZh9"])
def test_a_packed_file_is_told_what_to_do(cli: Cli, tmp_path: Path, start: bytes) -> None:
    (tmp_path / "h.rds").write_bytes(start + b"\x00" * 50)
    refused(cli("validate", "history", tmp_path / "h.rds", "--model", "gpt"), "packed file", "Excel", "readRDS()")


def test_a_corpus_that_is_not_the_courses(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.txt").write_text("To be, or not to be\n")
    monkeypatch.setenv("PYGPT_CORPUS", str(tmp_path / "text.txt"))
    history = a_history(tmp_path / "h.csv", exercises()["gpt"].recorded.losses)
    refused(cli("validate", "history", history, "--model", "gpt"), "is not the course's text")


def test_a_column_given_twice_is_not_dropped(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text("epoch,train,valid,Loss_Treino\n1,1.7,1.7,1\n2,1.5,1.7,1\n3,1.4,1.6,1\n")
    refused(cli("validate", "history", tmp_path / "h.csv", "--model", "gpt"), "train, Loss_Treino", "keep one")


GOOD_FILES = [text.encode(encoding) for text in HISTORIES.values() for encoding in ("utf-8", "utf-16-le")]
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
        history = read_luz_history(tmp_path / "h.csv", 3)
    except PygptError:
        return
    assert history.losses
    assert set(history.losses) <= set(exercises()["gpt"].keys)
    assert all(math.isfinite(loss) for loss in history.losses.values())
    assert history.decimals >= 0
