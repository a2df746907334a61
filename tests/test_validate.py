"""`validate` as a user meets it: verdicts, reports, and what it refuses. Runs are made of R's recordings."""

import csv
import dataclasses
import json
import math
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import pytest
import torch
from click.testing import Result
from safetensors.torch import save_file

from pygpt import checkpoints, corpus, training
from pygpt.checkpoints import RESUME, Run
from pygpt.corpus import SHAKESPEARE_SHA256, Corpus
from pygpt.course import exercises
from pygpt.errors import PygptError
from pygpt.models import build_model
from pygpt.settings import ModelSettings, TrainingSettings
from pygpt.training import Epoch
from pygpt.validation import gather, report
from pygpt.vocabulary import Vocabulary

Cli = Callable[..., Result]
CHARACTERS = "\n -,;:!?.'&$3aAbBcCdDeEfFgGhHiIjJkKlLmMnNoOpPqQrRsStTuUvVwWxXyYzZ"


def refused(result: Result, *words: str) -> None:
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith(("Error: ", "Usage: ")), result.stderr
    for word in words:
        assert word in result.stderr, result.stderr


@pytest.fixture
def no_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where there is neither network nor copy."""

    def absent(source: str) -> Corpus:
        raise PygptError("the course's text could not be downloaded")

    monkeypatch.delenv("PYGPT_CORPUS", raising=False)
    monkeypatch.setattr(corpus, "read_corpus", absent)


@pytest.fixture
def shakespeare() -> Corpus:
    try:
        return corpus.read_corpus("shakespeare")
    except PygptError as error:
        pytest.skip(f"the course's text is not at hand: {error}")


@pytest.fixture
def same(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a processor with the recording's kernels; the weights, which are not kept, count as R's."""
    monkeypatch.setattr(gather, "same_kernels", lambda: True)

    def sha256(tensors: dict[str, torch.Tensor]) -> str:
        model = "gpt" if "MH.0.in_proj_weight" in tensors else "gpt_noattn"
        return exercises()[model].recorded.weights_sha256

    monkeypatch.setattr(gather, "weights_sha256", sha256)


def a_run(
    folder: Path, model: str = "gpt", steps: Sequence[float] = (), epochs: int = 3, shape: dict[str, int] | None = None,
    sha256: str = SHAKESPEARE_SHA256, shift: float = 0.0, **settings: object,
) -> Path:  # fmt: skip
    """A finished run of the course with R's losses; its weights are seed 42's first ones."""
    recorded = exercises()[model].recorded
    training_settings = TrainingSettings(threads=1, **settings)  # type: ignore[arg-type]
    model_settings = ModelSettings(model=model, **(shape or {}))  # type: ignore[arg-type]
    run = Run(folder, model_settings, training_settings, checkpoints.provenance(sha256, 301_092, 33_398),
              Vocabulary(CHARACTERS, "icu"))  # fmt: skip
    state = training.start(model_settings, training_settings)
    losses = recorded.losses
    state.history = [Epoch(e, losses[e, "train"] + shift, losses[e, "valid"] + shift) for e in range(1, epochs + 1)]
    steps = steps or recorded.steps
    state.step, state.epoch = len(steps), epochs
    if math.isnan(shift):
        torch.nn.init.constant_(next(state.model.parameters()), math.nan)
    checkpoints.create(run)
    checkpoints.save_checkpoint(run, state, list(enumerate(steps, start=1)))
    return folder


def a_history(path: Path, losses: dict[tuple[int, str], float], decimals: int = 8) -> Path:
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["epoch", "train", "valid"])
        out.writerows([e, *(f"{losses[e, part]:.{decimals}f}" for part in ("train", "valid"))] for e in (1, 2, 3))
    return path


def test_help_needs_nothing_heavy(environment: dict[str, str]) -> None:
    code = (
        "import sys\nfrom pygpt.commands import main\n"
        "try: main(['validate', '--help'])\nexcept SystemExit as end: assert end.code == 0\n"
        "heavy = {'torch', 'numpy', 'matplotlib', 'rich', 'pooch', 'safetensors'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("same", "no_corpus")
def test_rs_own_run_is_identical(cli: Cli, tmp_path: Path) -> None:
    run, files = a_run(tmp_path / "run"), [tmp_path / name for name in ("f.png", "f.svg", "r.html", "r.json")]
    options = ["--figure", files[0], "--figure", files[1], "--html", files[2], "--json", files[3]]
    result = cli("validate", "--run", run, *options)
    assert result.exit_code == 0, result.output
    assert "Against R's recording: identical (steps: 14115, losses of epochs: 6" in result.output
    assert "VERDICT: good" in result.output
    assert files[0].read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in files[1].read_bytes()
    found = json.loads(files[3].read_text())
    assert found["good"] is True
    (exercise,) = found["exercises"]
    row = exercise["losses"][5]
    # Table 1, page 5, and the recording's last line
    assert (row["epoch"], row["part"], row["published"], row["recorded"]) == (3, "valid", 1.6940, 1.68795359)
    assert row["run_minus_recorded"] == 0
    assert row["run_minus_published"] == pytest.approx(1.68795359 - 1.6940)
    assert row["published_perplexity"] == pytest.approx(5.44, abs=0.005)
    assert found["provenance"]["validated"]["gpt"]["settings"]["seed"] == 42


@pytest.mark.usefixtures("same", "no_corpus")
def test_the_page_is_whole_and_in_the_language_asked_for(cli: Cli, tmp_path: Path) -> None:
    gpt, noattn = a_run(tmp_path / "<gpt>"), a_run(tmp_path / "noattn", "gpt_noattn")
    pages = {}
    for lang in ("en", "pt"):
        options = ["--run", gpt, "--run", noattn, "--html", tmp_path / f"{lang}.html", "--lang", lang]
        assert cli("validate", *options).exit_code in (0, 1)
        pages[lang] = (tmp_path / f"{lang}.html").read_text("utf-8")
    for lang, page in pages.items():
        assert f'<html lang="{lang}">' in page
        assert not re.search(r'(src|href)="(?!data:)', page)
        assert "<script" not in page
        assert "&lt;gpt&gt;" in page
        assert "<gpt>" not in page
        for number in ("1.7662", "1.7568", "2.5480", "5.44"):
            assert f">{number}</td>" in page
        assert page.count("<pre><b>MARCIUS: </b>") == 6
    assert "VERDICT" in pages["en"]
    assert "VEREDITO" in pages["pt"]
    assert "perda de validação" in pages["pt"]
    assert "Provenance" not in pages["pt"]


@pytest.mark.usefixtures("same", "no_corpus")
def test_a_step_that_differs_is_named(cli: Cli, tmp_path: Path) -> None:
    steps = list(exercises()["gpt"].recorded.steps)
    steps[299:] = [loss + 2e-4 for loss in steps[299:]]
    steps[99] += 5e-7
    result = cli("validate", "--run", a_run(tmp_path / "run", steps=steps), "--json", tmp_path / "r.json")
    assert result.exit_code == 1
    assert "differs from step 300 on" in result.output
    assert "The first bit differs at step 100." in result.output
    verdict = json.loads((tmp_path / "r.json").read_text())["exercises"][0]["verdict"]
    assert (verdict["kind"], verdict["steps"]["first"], verdict["good"]) == ("differs", 300, False)


@pytest.mark.usefixtures("no_corpus")
def test_other_kernels_need_not_give_the_same_bits(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [*exercises()["gpt"].recorded.steps[:-1], 1.3]
    run = a_run(tmp_path / "run", steps=steps)
    for same, code in ((True, 1), (False, 0)):
        monkeypatch.setattr(gather, "same_kernels", lambda same=same: same)
        assert cli("validate", "--run", run).exit_code == code


@pytest.mark.usefixtures("same")
def test_a_model_of_exercise_3_that_sees_other_characters_is_not_good(
    cli: Cli, tmp_path: Path, shakespeare: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(tmp_path / "run", "gpt_noattn")
    good = cli("validate", "--run", run)
    assert good.exit_code == 0, good.output
    # the terminal's width decides where lines break
    assert "depends on the present character and its place alone" in " ".join(good.output.split())
    monkeypatch.setattr(report, "effect_of_others", lambda _: 0.1)
    assert cli("validate", "--run", run).exit_code == 1


def test_a_loss_below_the_floor_is_named(cli: Cli, tmp_path: Path, shakespeare: Corpus) -> None:
    history = a_history(tmp_path / "h.csv", exercises()["gpt"].recorded.losses)
    result = cli("validate", "--r-history", history, "--model", "gpt_noattn")
    assert result.exit_code == 1
    assert "run is BELOW the floor" in result.output


@pytest.mark.usefixtures("no_corpus")
@pytest.mark.parametrize(("shift", "code"), [(0.001, 0), (0.5, 1)])
def test_another_seed_is_judged_by_the_band(cli: Cli, tmp_path: Path, shift: float, code: int) -> None:
    steps = [loss + 0.01 for loss in exercises()["gpt"].recorded.steps]
    result = cli("validate", "--run", a_run(tmp_path / "run", steps=steps, shift=shift, seed=7))
    assert result.exit_code == code, result.output
    assert "differs from step 1 on" in result.output
    assert ("Outside the band around R's: train loss of epoch 1 (2.2568" in result.output) is bool(code)


@pytest.mark.usefixtures("no_corpus")
def test_a_diverged_run_is_not_good(cli: Cli, tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", steps=[math.nan] * 14_115, shift=math.nan, seed=7)
    options = ["--json", tmp_path / "r.json", "--html", tmp_path / "r.html", "--figure", tmp_path / "f.png"]
    result = cli("validate", "--run", run, *options)
    assert result.exit_code == 1, result.output
    row = json.loads((tmp_path / "r.json").read_text())["exercises"][0]["losses"][0]
    assert (row["run"], row["run_inside_band"]) == (None, False)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epochs": 2}, ["has trained 2 of the course's 3 epochs", "train --resume --epochs 3"]),
        ({"epochs": 3, "sha256": "0" * 64}, ["another text than the course's"]),
        ({"shape": {"n_embd": 64}, "lr": 0.01}, ["n_embd is 64, not 128", "lr is 0.01, not 0.001"]),
    ],
)
@pytest.mark.usefixtures("no_corpus")
def test_runs_that_are_not_the_courses(cli: Cli, tmp_path: Path, options: dict[str, object], words: list[str]) -> None:
    refused(cli("validate", "--run", a_run(tmp_path / "run", **options)), *words)  # type: ignore[arg-type]


@pytest.mark.usefixtures("no_corpus")
def test_runs_that_cannot_be_read(cli: Cli, tmp_path: Path) -> None:
    refused(cli("validate", "--run", tmp_path), "holds no run")
    run = a_run(tmp_path / "run")
    refused(cli("validate", "--run", run, "--run", run), "two runs of gpt")
    refused(cli("validate", "--run", run, "--model", "gpt_noattn"), "is a gpt model")
    (run / "steps.csv").write_text("step,loss\n1,4.31018066\n")
    refused(cli("validate", "--run", run), "steps.csv has 1 steps; 3 epochs of the course's text are 14115")
    (run / "steps.csv").write_text("step,loss\n1,what\n")
    refused(cli("validate", "--run", run), "steps.csv is damaged", "what")


@pytest.mark.usefixtures("no_corpus")
@pytest.mark.parametrize("model", ["gpt", "gpt_noattn"])
def test_histories(cli: Cli, tmp_path: Path, model: str) -> None:
    exercise = exercises()[model]
    command = ["validate", "--model", model, "--json", tmp_path / "r.json", "--r-history"]
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


GOOD = "epoch,train,valid\n1,1.7,1.7\n2,1.5,1.7\n3,1.4,1.6\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["is empty"]),
        (GOOD.replace("2,1.5,1.7\n", ""), ["lacks train of epoch 2, valid of epoch 2"]),
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
    refused(cli("validate", "--model", "gpt", "--r-history", tmp_path / "h.csv"), *words)


@pytest.mark.usefixtures("no_corpus")
def test_bad_requests(cli: Cli, tmp_path: Path) -> None:
    history = a_history(tmp_path / "h.csv", exercises()["gpt"].recorded.losses)
    refused(cli("validate", "--r-history", history), "needs --model")
    refused(cli("validate", "--r-history", tmp_path / "nowhere.csv", "--model", "gpt"), "cannot read")
    refused(cli("validate", "--r-history", history, "--model", "gpt", "--quick"), "--r-history and --quick do not go")
    refused(cli("validate", "--recorded", "--figure", tmp_path / "f.pdf"), "must end in .png or .svg")
    refused(cli("validate", "--quick"), "could not be downloaded")


def test_a_corpus_that_is_not_the_courses(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.txt").write_text("To be, or not to be\n")
    monkeypatch.setenv("PYGPT_CORPUS", str(tmp_path / "text.txt"))
    history = a_history(tmp_path / "h.csv", exercises()["gpt"].recorded.losses)
    refused(cli("validate", "--r-history", history, "--model", "gpt"), "is not the course's text")


@pytest.mark.usefixtures("no_corpus")
def test_course_and_r_alone(cli: Cli, tmp_path: Path) -> None:
    result = cli("validate", "--recorded", "--json", tmp_path / "r.json", "--figure", tmp_path / "f.svg")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["good"] is None
    for exercise in found["exercises"]:
        assert exercise["seeds"] >= 5
        for row in exercise["losses"]:
            gap = abs(row["published"] - row["recorded"])
            assert row["published_inside_band"] is (gap <= exercise["half_width"][row["part"]])
            assert ([row["epoch"], row["part"]] in exercise["published_outside"]) is not row["published_inside_band"]
    again = tmp_path / "g.svg"
    cli("validate", "--recorded", "--figure", again)
    assert again.read_bytes() == (tmp_path / "f.svg").read_bytes()


def test_floor_and_known_words(cli: Cli, tmp_path: Path, shakespeare: Corpus) -> None:
    result = cli("validate", "--recorded", "--json", tmp_path / "r.json")
    assert result.exit_code == 0
    found = json.loads((tmp_path / "r.json").read_text())
    assert f"{found['floors']['both']:.4f}" in result.output
    effects = found["effect_of_other_characters"]
    assert effects["gpt_noattn"]["change"] == 0 < effects["gpt"]["change"]
    facts = {(t["source"], t["model"]): t["facts"] for t in found["texts"]}
    assert facts["corpus", None]["known_share"] == 1
    for source in ("course", "r"):
        assert facts[source, "gpt"]["known_share"] > 0.9 > 0.5 > facts[source, "gpt_noattn"]["known_share"]


def unigram_weights(text: str, order: str) -> tuple[dict[str, torch.Tensor], float]:
    """A no-attention model that gives every character its share of the text, and its loss on `text` by counting."""
    vocabulary = Vocabulary.from_text(text, order)
    shares = torch.full((len(vocabulary),), 1e-9, dtype=torch.float64)
    for row, character in enumerate(vocabulary.characters, start=1):
        shares[row] = text.count(character) / len(text)
    weights = {k: torch.zeros_like(v) for k, v in build_model(ModelSettings(model="gpt_noattn")).state_dict().items()}
    # scale3 gives (1, 0, 0, ...) whatever comes in, so the logits are the first column of ln_f
    weights["scale3.bias"][0] = 1
    weights["ln_f.weight"][:, 0] = shares.log().to(torch.float32)
    return weights, -sum(shares[r] * shares[r].log() for r in range(1, len(vocabulary))).item()


@pytest.mark.parametrize("order", ["icu", "c"])
def test_weights_are_evaluated_in_the_order_they_were_trained_in(
    order: str, tmp_path: Path, shakespeare: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = gather.course_windows

    def few(text: Corpus, vocabulary: Vocabulary) -> tuple[torch.Tensor, torch.Tensor]:
        train, valid = whole(text, vocabulary)
        return train, valid[: 64 * 64 * 2 : 64]

    monkeypatch.setattr(gather, "course_windows", few)
    # 128 windows that do not overlap: this text, each of its characters predicted once
    vocabulary = Vocabulary.from_text(shakespeare.text)
    windows = few(shakespeare, vocabulary)[1]
    text = vocabulary.decode(windows[:, 1:].flatten().tolist())
    missing = "".join(sorted(set(shakespeare.text) - set(text)))
    weights, _ = unigram_weights(text + missing, order)
    save_file(weights, tmp_path / "w.safetensors")
    counts = {c: (text + missing).count(c) / len(text + missing) for c in set(text)}
    expected = -sum(math.log(counts[c]) for c in text) / len(text)
    attempt = gather.from_weights(tmp_path / "w.safetensors", shakespeare)
    assert attempt.model == "gpt_noattn"
    assert attempt.facts["vocabulary"] == order
    assert attempt.losses == {(3, "valid"): pytest.approx(expected, abs=1e-5)}
    assert attempt.weights_sha256 != exercises()["gpt_noattn"].recorded.weights_sha256


def test_weights_by_command(cli: Cli, tmp_path: Path, shakespeare: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(42)
    path = tmp_path / "w.safetensors"
    save_file(build_model(ModelSettings(model="gpt_noattn")).state_dict(), path)
    loss = exercises()["gpt_noattn"].recorded.losses[3, "valid"]
    monkeypatch.setattr(training, "validation_loss", lambda *_: loss)
    other = cli("validate", "--r-weights", path)
    assert other.exit_code == 0, other.output
    assert "The weights are not R's of seed 42" in other.output
    assert "Inside the band around R's: validation loss of epoch 3 (2.5455" in other.output
    monkeypatch.setattr(training, "validation_loss", lambda *_: 4.3)
    assert cli("validate", "--r-weights", path).exit_code == 1
    monkeypatch.setattr(training, "validation_loss", lambda *_: loss)
    held = exercises()["gpt_noattn"]
    recorded = dataclasses.replace(
        held.recorded, weights_sha256=gather.weights_sha256(checkpoints.read_tensors(path)[0])
    )
    monkeypatch.setitem(exercises(), "gpt_noattn", dataclasses.replace(held, recorded=recorded))
    same = cli("validate", "--r-weights", path)
    assert "The weights are R's of seed 42" in same.output


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda w: w.update({"wte.weight": torch.zeros(90, 128), "ln_f.weight": torch.zeros(90, 128)}),
            ["90 rows", "66"],
        ),
        (lambda w: w.update({"wpe.weight": torch.zeros(32, 128)}), ["does not fit", "wpe.weight has shape (32, 128)"]),
        (lambda w: w.pop("scale3.bias"), ["missing scale3.bias"]),
        (lambda w: w.update({"MH.0.in_proj_weight": torch.zeros(384, 128)}), ["does not fit this gpt model"]),
    ],
)
def test_bad_weights(
    cli: Cli, tmp_path: Path, shakespeare: Corpus, change: Callable[[dict[str, torch.Tensor]], object], words: list[str]
) -> None:
    weights = build_model(ModelSettings(model="gpt_noattn")).state_dict()
    change(weights)
    save_file(weights, tmp_path / "w.safetensors")
    refused(cli("validate", "--r-weights", tmp_path / "w.safetensors"), *words)
    (tmp_path / "w.safetensors").write_bytes(b"weights")
    refused(cli("validate", "--r-weights", tmp_path / "w.safetensors"), "not a whole safetensors file")


@pytest.mark.parametrize("padding_row", ["r", "corrected"])
def test_quick(
    padding_row: str, cli: Cli, tmp_path: Path, shakespeare: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "QUICK_STEPS", 12)
    begin = training.start

    def start(model: ModelSettings, settings: TrainingSettings) -> training.TrainingState:
        return begin(model, dataclasses.replace(settings, padding_row=padding_row))

    monkeypatch.setattr(training, "start", start)
    result = cli("validate", "--quick", "--model", "gpt_noattn", "--json", tmp_path / "r.json")
    steps = json.loads((tmp_path / "r.json").read_text())["exercises"][0]["verdict"]["steps"]
    assert steps["compared"] == 12
    if padding_row == "corrected":  # R's slip in the embedding is what the recording can tell
        assert result.exit_code == 1, result.output
        assert "differs from step " in result.output
        return
    assert result.exit_code == 0, result.output
    assert steps["kind"] in (["identical"] if gather.same_kernels() else ["identical", "digits"])


@pytest.mark.usefixtures("same")
def test_whole_training_goes_on_where_it_was(cli: Cli, tmp_path: Path, shakespeare: Corpus) -> None:
    run = a_run(tmp_path / "gpt_noattn", "gpt_noattn")
    before = (run / RESUME).read_bytes()
    result = cli("validate", "--model", "gpt_noattn", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "resumed after step 14,115" in result.output
    assert "identical (steps: 14115" in result.output
    assert (run / RESUME).read_bytes() == before


def test_whole_training_is_the_recordings(
    cli: Cli, tmp_path: Path, shakespeare: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Run] = []

    def watch(run: Run, *_: object, **__: object) -> None:
        begun.append(run)
        raise click.exceptions.Exit(130)

    monkeypatch.setattr("pygpt.commands.progress.watch", watch)
    assert cli("validate", "--out", tmp_path).exit_code == 130
    (run,) = begun
    assert run.folder == tmp_path / "gpt"
    assert run.training == TrainingSettings(threads=1)
    assert run.model == ModelSettings()
