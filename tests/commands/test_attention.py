"""`attention`: the numbers, the text view and the files, and what is refused."""

import csv
import errno
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import Result
from safetensors.torch import load_file, save_file

from pygpt.attention import text as attention_text
from pygpt.attention import view as attention_view
from pygpt.checkpoints import WEIGHTS, load_model, open_run

Cli = Callable[..., Result]
RunOf = Callable[[str], Path]
TEXT = "TEODORA: a\nb"


@pytest.fixture(scope="module")
def numbers(cli: Cli, run_of: RunOf, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The JSON of TEXT, with position 5."""
    path = tmp_path_factory.mktemp("attention") / "numbers.json"
    assert cli("attention", "--run", run_of("gpt"), "--text", TEXT, "--position", 5, "--json", path).exit_code == 0
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


@pytest.fixture
def altered(run_of: RunOf, tmp_path: Path) -> Callable[[Callable[[dict[str, torch.Tensor]], None]], Path]:
    """A copy of the gpt's run whose weights a function has changed."""

    def copy(change: Callable[[dict[str, torch.Tensor]], None]) -> Path:
        folder = tmp_path / "altered"
        shutil.copytree(run_of("gpt"), folder)
        weights = load_file(folder / WEIGHTS)
        change(weights)
        save_file(weights, folder / WEIGHTS)
        return folder

    return copy


def refused(result: Result, *words: str) -> None:
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert result.stderr.startswith("Error: ")
    for word in words:
        assert word in result.stderr


# --- The numbers ---


def test_weights_of_every_layer_and_head_sum_to_1_over_the_past(numbers: dict[str, Any]) -> None:
    assert numbers["text"] == TEXT
    assert [(h["layer"], h["head"]) for h in numbers["heads"]] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    for head in numbers["heads"]:
        W = np.array(head["weights"])
        assert W.shape == (len(TEXT), len(TEXT))
        assert np.allclose(W.sum(axis=1), 1, atol=1e-6)
        assert (np.triu(W, 1) == 0).all()
    assert not np.allclose(numbers["heads"][0]["weights"], numbers["heads"][1]["weights"])


def test_without_queries_the_past_counts_evenly(
    altered: Callable[[Callable[[dict[str, torch.Tensor]], None]], Path],
) -> None:
    def no_queries(weights: dict[str, torch.Tensor]) -> None:
        for j in (0, 1):
            weights[f"MH.{j}.in_proj_weight"][:16] = 0
            weights[f"MH.{j}.in_proj_bias"][:16] = 0

    run = open_run(altered(no_queries))
    attended = attention_view.view(load_model(run), run.vocabulary, TEXT)
    even = np.tril(np.ones((12, 12))) / np.arange(1, 13)[:, None]
    assert np.allclose(attended.weights, even, atol=1e-6)


def test_a_length_is_that_of_what_one_head_adds(run_of: RunOf) -> None:
    run = open_run(run_of("gpt"))
    model = load_model(run)
    attended = attention_view.view(model, run.vocabulary, TEXT)
    seen: dict[str, torch.Tensor] = {}
    handle = model.attention(0).register_forward_pre_hook(lambda _, inputs: seen.update(x=inputs[0]))
    with torch.no_grad():
        model(torch.from_numpy(run.vocabulary.encode(TEXT).astype(np.int64)).unsqueeze(0))
    handle.remove()
    # A position alone gives itself the weight 1: with one head's columns of out_proj kept and no bias, what comes
    # out is v_j U_O, and w_ij times its length is what the view should say of every i.
    for head in (0, 1):
        part, columns = load_model(run).attention(0), slice(8 * head, 8 * head + 8)
        kept = torch.zeros_like(part.out_proj.weight.data)
        kept[:, columns] = part.out_proj.weight.data[:, columns]
        part.out_proj.weight.data, part.out_proj.bias.data = kept, torch.zeros(16)
        with torch.no_grad():
            alone = [part(x, x, x)[0].norm().item() for x in seen["x"].split(1)]
        assert np.allclose(attended.lengths[0, head], attended.weights[0, head] * np.array(alone), rtol=1e-4, atol=1e-7)


def test_largest_contributions_are_sorted_and_complete(numbers: dict[str, Any]) -> None:
    for head in numbers["heads"]:
        contributions = [c for c in numbers["largest"] if (c["layer"], c["head"]) == (head["layer"], head["head"])]
        assert sorted(c["key"] for c in contributions) == [1, 2, 3, 4, 5]
        weights = [c["weight"] for c in contributions]
        assert weights == sorted(weights, reverse=True)
        assert sum(weights) == pytest.approx(1, abs=1e-6)
        for c in contributions:
            assert c["character"] == TEXT[c["key"] - 1]
            assert c["weight"] == head["weights"][4][c["key"] - 1]
            assert c["length"] == head["lengths"][4][c["key"] - 1]


def test_csv_holds_the_numbers_of_the_json(
    cli: Cli, run_of: RunOf, tmp_path: Path, numbers: dict[str, Any]
) -> None:  # fmt: skip
    path = tmp_path / "all.csv"
    assert cli("attention", "--run", run_of("gpt"), "--text", TEXT, "--csv", path).exit_code == 0
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    assert len(rows) == 4 * 12 * 13 / 2
    W = {(h["layer"], h["head"]): h for h in numbers["heads"]}
    for row in rows:
        i, j = int(row["query"]) - 1, int(row["key"]) - 1
        head = W[int(row["layer"]), int(row["head"])]
        assert (row["query_character"], row["key_character"]) == (TEXT[i], TEXT[j])
        assert (float(row["weight"]), float(row["length"])) == (head["weights"][i][j], head["lengths"][i][j])
    assert cli("attention", "--run", run_of("gpt"), "--text", TEXT, "--position", 5, "--csv", path).exit_code == 0
    at_5 = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    assert at_5 == [row for row in rows if row["query"] == "5"]


# --- The text view ---


def test_text_view_shows_a_matrix_in_percent_with_newline_and_space_visible(cli: Cli, run_of: RunOf) -> None:
    result = cli("attention", "--run", run_of("gpt"), "--text", TEXT, env={"COLUMNS": "80"})
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert [line for line in lines if line.startswith("layer")] == [
        f"layer {layer}, head {head}" for layer in (1, 2) for head in (1, 2)
    ]
    first = lines.index("layer 1, head 1")
    space, newline = lines[first + 1].split()[8], lines[first + 1].split()[10]
    assert (space, newline) in [("␣", "↵"), ("_", "|")]
    assert f"{space} is a space" in result.stdout.replace("\n", " ")
    for i, line in enumerate(lines[first + 2 : first + 14], start=1):
        cells = line[5:].split()
        assert line.startswith(f"{i:3} ")
        assert len(cells) == i
        assert abs(sum(0 if cell == "." else int(cell) for cell in cells) - 100) <= i / 2 + 0.5


def test_narrow_text_view_lists_the_largest_weights(cli: Cli, run_of: RunOf, numbers: dict[str, Any]) -> None:
    result = cli("attention", "--run", run_of("gpt"), "--text", TEXT, env={"COLUMNS": "30"})
    lines = result.stdout.splitlines()
    assert all(len(line) <= 30 for line in lines)
    W = np.array(numbers["heads"][0]["weights"])[11]
    line = lines[lines.index("layer 1, head 1") + 12]
    order = np.argsort(-W)[:2]
    expected = "".join(f"{j + 1:3} . {100 * W[j]:3.0f}" for j in order)
    assert re.fullmatch(f" 12 b:{expected}", line)


def test_position_shows_its_largest_contributions(cli: Cli, run_of: RunOf, numbers: dict[str, Any]) -> None:
    result = cli("attention", "--run", run_of("gpt"), "--text", TEXT, "--position", 5)
    assert "Position 5, O: " in result.stdout
    rows = [line.split() for line in result.stdout.splitlines() if re.match(r" +\d", line)]
    assert [row[:4] for row in rows] == [
        [str(c["key"]), c["character"], f"{c['weight']:.4f}", f"{c['length']:.3f}"] for c in numbers["largest"]
    ]


def test_position_of_a_long_text_sums_up_the_rest(cli: Cli, run_of: RunOf) -> None:
    result = cli("attention", "--run", run_of("gpt"), "--text", "abcdefghijklmnop", "--position", 16)
    listed = [float(line.split()[2]) for line in result.stdout.splitlines() if re.match(r" +\d+ +[a-p] ", line)]
    rest = [float(r) for r in re.findall(r"and 6 more, together (\d\.\d+)", result.stdout)]
    assert (len(listed), len(rest)) == (40, 4)
    for head in range(4):
        assert sum(listed[10 * head : 10 * head + 10]) + rest[head] == pytest.approx(1, abs=1e-3)


def test_position_fits_a_narrow_terminal(cli: Cli, run_of: RunOf) -> None:
    result = cli(
        "attention", "--run", run_of("gpt"), "--text", "abcdefghijklmnop", "--position", 16, env={"COLUMNS": "30"}
    )
    assert max(map(len, result.stdout.splitlines())) <= 30
    assert len(re.findall(r"\d\.\d{4} +\d+\.\d{3}", result.stdout)) == 40  # no number is folded


def test_in_the_c_locale_all_is_ascii(run_of: RunOf, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pygpt", "attention", "--run", str(run_of("gpt")), "--text", TEXT],
        env=environment | {"LC_ALL": "C", "COLUMNS": "40"}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "_ is a space, | a newline." in done.stdout.decode("ascii").replace("\n", " ")


@pytest.mark.parametrize(
    ("character", "encoding", "sign"),
    [(" ", None, "␣"), ("\n", "utf-8", "↵"), (" ", "latin-1", "_"), ("\n", "ascii", "|"), ("é", "latin-1", "é"),
     ("é", "ascii", "?"), ("\x07", "utf-8", "?"), ("a", "ascii", "a")],
)  # fmt: skip
def test_visible(character: str, encoding: str | None, sign: str) -> None:
    assert attention_text.visible(character, encoding) == sign


# --- A text longer than the block ---


def test_a_text_longer_than_the_block_is_said_and_its_last_block_taken(
    cli: Cli, run_of: RunOf, tmp_path: Path
) -> None:  # fmt: skip
    long, last = tmp_path / "long.json", tmp_path / "last.json"
    result = cli("attention", "--run", run_of("gpt"), "--text", "Farewell, " + "abcdefghijklmnop", "--json", long)
    assert result.exit_code == 0
    assert result.stderr == (
        "The text has 26 characters, the model sees 16 (block_size): the last 16 are taken, "
        "and position 1 is character 11.\n"
    )
    assert cli("attention", "--run", run_of("gpt"), "--text", "abcdefghijklmnop", "--json", last).stderr == ""
    of_long, of_last = json.loads(long.read_text()), json.loads(last.read_text())
    assert (of_long["text"], of_long["left_out"], of_last["left_out"]) == ("abcdefghijklmnop", 10, 0)
    assert of_long["heads"] == of_last["heads"]


# --- What is refused ---


def test_a_run_without_attention_is_refused_with_the_reason(cli: Cli, run_of: RunOf) -> None:
    result = cli("attention", "--run", run_of("gpt_noattn"), "--text", "MARCIUS: ")
    refused(result, "gpt_noattn", "has no attention, so there are no weights to show", "depends on the character there")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--text", "ab\nc€"], ["unknown character '€'", "at character 5 (line 2, column 2)"]),
        (["--text", ""], ["the text is empty"]),
        (["--text", "abc", "--position", "0"], ["position = 0", "1 to 3"]),
        (["--text", "abc", "--position", "4"], ["position = 4", "1 to 3"]),
        (["--text", "abc", "--out", "a.pdf"], ["a.pdf must end in .png or .svg"]),
        (["--text", "abc", "--out", "picture"], ["picture must end in .png or .svg"]),
    ],
)
def test_bad_input_is_refused(cli: Cli, run_of: RunOf, arguments: list[str], words: list[str]) -> None:
    refused(cli("attention", "--run", run_of("gpt"), *arguments), *words)


def test_an_unknown_character_is_refused_even_where_the_block_leaves_it_out(cli: Cli, run_of: RunOf) -> None:
    refused(cli("attention", "--run", run_of("gpt"), "--text", "€" + 20 * "a"), "unknown character '€'")


def test_weights_whose_rank_does_not_fit_are_refused_with_their_shapes(
    cli: Cli, altered: Callable[[Callable[[dict[str, torch.Tensor]], None]], Path]
) -> None:
    def one_more_dimension(weights: dict[str, torch.Tensor]) -> None:
        weights["MH.0.in_proj_weight"] = weights["MH.0.in_proj_weight"].unsqueeze(0)

    folder = altered(one_more_dimension)
    refused(cli("attention", "--run", folder), "MH.0.in_proj_weight has shape (1, 48, 16)", "not (48, 16)")


def test_heads_that_do_not_divide_the_width_are_refused(cli: Cli, tmp_path: Path) -> None:
    refused(
        cli("train", "--corpus", "sample", "--n-embd", 6, "--n-head", 4, "--out", tmp_path / "run"),
        "n_embd = 6 is not divisible by n_head = 4",
    )


def test_a_folder_without_a_run_and_a_full_disk_are_refused(
    cli: Cli, run_of: RunOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused(cli("attention", "--run", tmp_path), "holds no run")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    run = run_of("gpt")
    monkeypatch.setattr(os, "fsync", full)
    for option, name in (("--json", "a.json"), ("--csv", "a.csv"), ("--out", "a.png")):
        refused(cli("attention", "--run", run, option, tmp_path / name), f"cannot write {tmp_path / name}", "No space")
    assert not list(tmp_path.iterdir())


# --- In Portuguese ---
