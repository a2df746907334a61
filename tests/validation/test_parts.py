"""What `validate` is made of: the course's data, agreement, histories, floors, texts; values by hand or from R."""

import dataclasses
import hashlib
import itertools
import json
import math
import statistics
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch.nn import functional

from pygpt import corpus, training
from pygpt.errors import PygptError
from pygpt.models import build_model
from pygpt.parity.recordings import read_recording
from pygpt.settings import ModelSettings, TrainingSettings
from pygpt.validation.attempt import Attempt
from pygpt.validation.course import KEYS, exercises, results
from pygpt.validation.floor import conditional_entropy, count_floors, effect_of_others
from pygpt.validation.gather import same_kernels, weights_sha256
from pygpt.validation.history import read_luz_history
from pygpt.validation.texts import is_speaker, measure, words
from pygpt.validation.verdict import compare, judge
from pygpt.validation.words import _WORDS, say
from pygpt.vocabulary import Vocabulary

RECORDINGS = Path(__file__).parents[2] / "parity_tests" / "recordings"
MODELS = ["gpt", "gpt_noattn"]


@pytest.mark.parametrize("model", MODELS)
def test_published_perplexities_follow_from_the_published_losses(model: str) -> None:
    published = exercises()[model].published
    assert list(published.losses) == list(KEYS)
    for key, loss in published.losses.items():
        assert published.perplexities[key] == pytest.approx(math.exp(loss), abs=0.0051)


@pytest.mark.parametrize("model", MODELS)
def test_recorded_steps_and_epochs_belong_together(model: str) -> None:
    recorded = exercises()[model].recorded
    assert len(recorded.steps) == 3 * 4705
    for epoch in (1, 2, 3):
        of_epoch = recorded.steps[(epoch - 1) * 4705 : epoch * 4705]
        assert recorded.losses[epoch, "train"] == pytest.approx(statistics.fmean(of_epoch), abs=2e-5)


def test_the_data_says_what_the_recordings_say() -> None:
    with safe_open(RECORDINGS / "stream_gpt.safetensors", "pt") as file:
        assert results()["recording"]["provenance"] == json.loads(file.metadata()["provenance"])
    readme = (RECORDINGS / "README.md").read_text()
    for exercise in exercises().values():
        assert f"`{exercise.recorded.weights_sha256}`" in readme


@pytest.mark.parametrize("model", MODELS)
def test_the_spread_is_of_five_seeds_and_the_cost_of_bf16_is_stated(model: str) -> None:
    exercise = exercises()[model]
    entry = next(e for e in results()["exercises"] if e["model"] == model)
    seeds = {s["seed"]: s for s in exercise.spread}
    assert len(seeds) == len(exercise.spread) >= 5
    for part in ("train", "valid"):
        difference = seeds[42][part] - exercise.recorded.losses[1, part]
        assert entry["bf16_cost"][part] == pytest.approx(difference, abs=1e-8)
        assert abs(difference) < exercise.deviation(part)


def test_the_band_by_hand() -> None:
    spread = tuple({"seed": i, "train": float(i), "valid": 2.0 * i} for i in (1, 2, 3))
    exercise = dataclasses.replace(exercises()["gpt"], spread=spread)
    # three seeds 1 apart: s = 1, and Student's 99% point for 2 degrees of freedom is 9.925
    assert exercise.half_width("train") == pytest.approx(9.925 * math.sqrt(2), rel=1e-4)
    assert exercise.half_width("valid") == pytest.approx(2 * 9.925 * math.sqrt(2), rel=1e-4)
    r = exercise.recorded.losses[2, "train"]
    assert exercise.inside((2, "train"), r + 14.0)
    assert not exercise.inside((2, "train"), r + 14.1)
    assert not exercise.inside((2, "train"), math.nan)


RECORDED = [4.31018066, 4.12856054, 3.95, 3.80]


@pytest.mark.parametrize(
    ("here", "kind", "digits", "first"),
    [
        (RECORDED, "identical", None, None),
        (RECORDED[:2], "identical", None, None),
        ([round(x, 4) for x in RECORDED], "digits", 4, None),
        ([x + 4e-7 for x in RECORDED], "digits", 6, None),
        ([*RECORDED[:2], 3.9503, 3.80], "differs", 3, 3),
        ([4.31018066, math.nan, 3.95, 3.80], "differs", 0, 2),
        ([*RECORDED, 3.7], "differs", 0, 5),
    ],
)
def test_agreement(here: list[float], kind: str, digits: int | None, first: int | None) -> None:
    found = compare(here, RECORDED)
    assert (found.kind, found.digits, found.first) == (kind, digits, first)


def test_agreement_claims_no_more_digits_than_were_given() -> None:
    assert compare([3.95, 3.8], RECORDED[2:], decimals=5).digits == 5
    assert compare([3.95, 3.8], RECORDED[2:], decimals=5).kind == "digits"
    assert compare([3.95, 3.8], RECORDED[2:], decimals=1).kind == "differs"


def test_the_first_bit_and_the_fourth_decimal_are_told_apart() -> None:
    found = compare([4.31018066, 4.12856102, 3.96, 3.80], RECORDED)
    assert (found.first_bit, found.first) == (2, 3)
    assert found.largest == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize(
    ("due", "change", "good"),
    [("identical", 0.0, True), ("identical", 1e-6, False), ("digits", 1e-6, True), ("digits", 1e-3, False)],
)
def test_what_is_due_decides_what_is_good(due: str, change: float, good: bool) -> None:
    exercise = exercises()["gpt"]
    steps = (*exercise.recorded.steps[:99], exercise.recorded.steps[99] + change)
    assert judge(exercise, Attempt("x", "gpt", due, steps=steps)).good is good


@pytest.mark.parametrize("model", MODELS)
def test_a_draw_inside_the_band_is_good_and_one_outside_is_not(model: str) -> None:
    exercise = exercises()[model]
    for share, good in ((0.9, True), (-0.9, True), (1.1, False)):
        losses = dict(exercise.recorded.losses)
        losses[3, "valid"] += share * exercise.half_width("valid")
        verdict = judge(exercise, Attempt("x", model, "band", losses))
        assert (verdict.good, verdict.kind) == (good, "differs")
        assert verdict.outside == (() if good else ((3, "valid"),))


def test_losses_of_the_other_exercise_are_never_good() -> None:
    for model, other in (MODELS, MODELS[::-1]):
        for losses in (exercises()[other].recorded.losses, exercises()[other].published.losses):
            assert not judge(exercises()[model], Attempt("x", model, "band", losses)).good


def test_weights_are_judged_by_their_hash() -> None:
    exercise = exercises()["gpt"]
    for sha256, off, kind in (
        (exercise.recorded.weights_sha256, 2e-7, "identical"),
        ("0" * 64, 0.0, "digits"),
        (exercise.recorded.weights_sha256, 1e-3, "differs"),  # evaluated on something else
    ):
        loss = exercise.recorded.losses[3, "valid"] + off
        attempt = Attempt("x", "gpt", "band", {(3, "valid"): loss}, weights_sha256=sha256)
        assert judge(exercise, attempt).kind == kind


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


def test_entropy_by_hand() -> None:
    # after 0 comes 0 or 1 alike (log 2), after 1 always 1 (0); 0 has a third of the weight
    given, following = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    assert conditional_entropy(given, following, np.ones(4)) == pytest.approx(math.log(2) / 2)
    assert conditional_entropy(given, following, np.array([1, 1, 2, 2])) == pytest.approx(math.log(2) / 3)


def best_luz_loss(valid: np.ndarray, keys: np.ndarray, batch_size: int) -> float:
    """luz's loss of the best table there is, batch by batch; the table is fitted by weighted counting in a dict."""
    batches = [slice(i, i + batch_size) for i in range(0, len(valid), batch_size)]
    joint: Counter[tuple[int, int]] = Counter()
    margin: Counter[int] = Counter()
    for batch in batches:
        pairs = list(zip(keys[batch].ravel().tolist(), valid[batch, 1:].ravel().tolist(), strict=True))
        for key, following in pairs:
            joint[key, following] += 1 / len(pairs)  # type: ignore[assignment]
            margin[key] += 1 / len(pairs)  # type: ignore[assignment]
    losses = []
    for batch in batches:
        pairs = list(zip(keys[batch].ravel().tolist(), valid[batch, 1:].ravel().tolist(), strict=True))
        losses.append(statistics.fmean(-math.log(joint[k, f] / margin[k]) for k, f in pairs))
    return statistics.fmean(losses)


def test_the_floor_is_what_the_best_table_gets_from_luz() -> None:
    rng = np.random.default_rng(1)
    tokens = rng.integers(1, 5, 30)
    valid = np.lib.stride_tricks.sliding_window_view(tokens, 6)  # 25 windows, batches of 8: the last has one
    place = np.broadcast_to(np.arange(5), (25, 5))
    found = count_floors(tokens, valid, vocab_size=5, batch_size=8)
    assert found.both == pytest.approx(best_luz_loss(valid, place * 5 + valid[:, :-1], 8))
    assert found.token == pytest.approx(best_luz_loss(valid, valid[:, :-1], 8))
    assert found.place == pytest.approx(best_luz_loss(valid, place, 8))
    assert found.both < min(found.token, found.place) < found.counted


def test_no_attention_sees_one_character_and_attention_sees_others() -> None:
    torch.manual_seed(0)
    small = {"block_size": 16, "n_embd": 16}
    assert effect_of_others(build_model(ModelSettings(model="gpt_noattn", **small))) == 0
    assert effect_of_others(build_model(ModelSettings(model="gpt", **small))) > 0.01


def test_texts_by_hand() -> None:
    text = "MARCIUS:\nWhy, prevail'd thee!\n\nFirst Citizen:\n'Tis blorf: yes:\n"
    assert words(text) == ["marcius", "why", "prevail'd", "thee", "first", "citizen", "tis", "blorf", "yes"]
    found = measure(text, {"why", "thee", "first", "tis"})
    assert (found.words, found.known, found.lines, found.speakers) == (9, 4, 4, 2)
    assert found.known_share == pytest.approx(4 / 9)
    assert found.word_length == pytest.approx((7 + 3 + 9 + 4 + 5 + 7 + 3 + 5 + 3) / 9)
    assert found.speaker_share == 0.5
    assert measure("", set()).known_share == 0


@pytest.mark.parametrize(("line", "speaker"), [("KING RICHARD III:", True), ("First Citizen:", True), ("QUS:", True),
                                               ("And thus I say:", False), ("Romeo", False), ("", False)])  # fmt: skip
def test_speakers(line: str, speaker: bool) -> None:
    assert is_speaker(line) is speaker


def test_validation_loss_is_rs() -> None:
    recording = read_recording(RECORDINGS / "stream_gpt_noattn.safetensors")
    r_ids = [2 + (i * 7919 % 10007) % 65 for i in range(3295, 4118)]
    valid = corpus.windows(torch.tensor(r_ids) - 1, 64, "the stream")
    model = build_model(recording.model)
    model.load_state_dict({k.removeprefix("final."): v for k, v in recording.tensors.items() if k.startswith("final.")})
    found = training.validation_loss(model, valid, TrainingSettings())
    assert found == pytest.approx(recording.tensors["valid_loss"][1].item(), abs=0 if same_kernels() else 2e-6)


def test_the_hash_of_weights_is_the_readmes() -> None:
    tensors = {"b": torch.tensor([1.0, 2.0]), "a.weight": torch.tensor([[3.0]])}
    content = b"a.weight" + np.float32([3]).tobytes() + b"b" + np.float32([1, 2]).tobytes()
    assert weights_sha256(tensors) == hashlib.sha256(content).hexdigest()


def test_the_floor_on_shakespeare_lies_below_every_loss_without_attention() -> None:
    try:
        text = corpus.read_corpus("shakespeare").text
    except PygptError as error:
        pytest.skip(f"the course's text is not at hand: {error}")
    vocabulary = Vocabulary.from_text(text)
    train, valid = corpus.split(vocabulary.encode(text), 0.3, 0.9)
    windows = corpus.windows(valid, 64, "Shakespeare")
    floors = count_floors(train.numpy(), windows.numpy(), 66, 64)
    # the entropy given the present character, counted once per character of the text: the windows' ends weigh less
    used = text[: math.floor(0.3 * len(text))]
    part = used[math.floor(0.9 * len(used)) :]
    pairs, single = Counter(itertools.pairwise(part)), Counter(part[:-1])
    entropy = -sum(n * math.log(n / single[a]) for (a, _), n in pairs.items()) / (len(part) - 1)
    assert floors.token == pytest.approx(entropy, abs=2e-3)
    # 64 places of nearly the same text: knowing the place helps little
    assert floors.token - 1e-3 < floors.both <= floors.token
    losses = exercises()["gpt_noattn"]
    for key in KEYS:
        if key[1] == "valid":
            assert floors.both < losses.recorded.losses[key] < floors.place
            assert floors.both < losses.published.losses[key] < floors.place
    # only attention gets below
    assert exercises()["gpt"].recorded.losses[3, "valid"] < floors.both
    # what one table counted on the training text gets, by torch: one more of each pair
    table = torch.ones(66, 66)
    for a, b in zip(train[:-1].tolist(), train[1:].tolist(), strict=True):
        table[a, b] += 1
    log_share = (table / table.sum(1, keepdim=True)).log()
    losses_ = functional.nll_loss(log_share[valid[:-1].long()], valid[1:].long())
    assert floors.counted == pytest.approx(losses_.item(), abs=2e-3)


def test_both_languages_fill_in_the_same_values() -> None:
    import string

    for key, both in _WORDS.items():
        fields = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in both]
        assert fields[0] == fields[1], key
    assert say("pt", "exercise", number=2, model="GPT", table=1, page=5) == "Exercício 2: GPT (tabela 1, página 5)"
