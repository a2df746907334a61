"""Engine fast computes as is quickest: what is timed, what is picked, what is said. No test here measures time."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pygpt import api, corpus, picking
from pygpt.output.messages import say
from pygpt.picking import pick, seconds_a_step
from pygpt.settings import ModelSettings, TrainingSettings

MODEL = ModelSettings(block_size=8, n_embd=8, n_layer=1)
WINDOWS = corpus.windows(torch.randint(1, 66, (6400,)), 8, say("rows"))
SMALL = {"corpus": "sample", "share": 0.1, "block_size": 8, "n_embd": 8, "batch_size": 8, "epochs": 1}


def fast(**settings: Any) -> TrainingSettings:
    return TrainingSettings(engine="fast", **settings)


def way(settings: TrainingSettings) -> tuple[bool | None, int | None, bool | None]:
    return settings.bf16, settings.threads, settings.compile


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[TrainingSettings]]:
    """Four cores, a compiler, and a machine that takes so many seconds a step: by (bf16, threads, compile)."""
    monkeypatch.setattr(picking, "ALL_CORES", 4)
    monkeypatch.setattr(picking, "_can_compile", lambda: True)

    def machine(seconds: Callable[[bool, int, bool], float]) -> list[TrainingSettings]:
        asked: list[TrainingSettings] = []

        def take(_model: object, settings: TrainingSettings, *_: object) -> float:
            asked.append(settings)
            return seconds(*way(settings))  # type: ignore[arg-type]

        monkeypatch.setattr(picking, "seconds_a_step", take)
        return asked

    return machine


@pytest.mark.parametrize(
    ("seconds", "picked"),
    [
        (lambda bf16, threads, _: (0.01 if bf16 else 0.02) / threads, (True, 4, False)),
        (lambda bf16, threads, _: (0.03 if bf16 else 0.02) / threads, (False, 4, False)),
        (lambda bf16, threads, _: (0.01 if bf16 else 0.02) * threads, (True, 1, False)),
        (lambda bf16, threads, _: (0.03 if bf16 else 0.02) * threads, (False, 1, False)),
    ],
)
def test_the_quickest_is_picked(
    timed: Callable[..., object], seconds: Callable[..., float], picked: tuple[bool, int, bool]
) -> None:
    timed(seconds)
    settings, why = pick(MODEL, fast(), WINDOWS, WINDOWS)
    assert way(settings) == picked
    assert why is not None
    first, rest = why.split(" ms a step (")
    assert first.startswith(f"{'bf16' if picked[0] else 'float32'} on {picked[1]} thread")
    assert float(first.split()[-1]) == round(1e3 * seconds(*picked), 1)
    assert "float32" in rest
    assert "compiling takes about 40 s" in rest


def test_what_is_given_is_kept_and_not_timed(timed: Callable[..., list[TrainingSettings]]) -> None:
    asked = timed(lambda bf16, threads, _: 1 / threads)
    assert pick(MODEL, fast(bf16=False, threads=3, compile=False), WINDOWS, WINDOWS)[1] is None
    assert asked == []
    assert way(pick(MODEL, fast(bf16=False, compile=False), WINDOWS, WINDOWS)[0]) == (False, 4, False)
    assert {s.bf16 for s in asked} == {False}
    asked.clear()
    assert way(pick(MODEL, fast(threads=2, compile=True), WINDOWS, WINDOWS)[0])[1:] == (2, True)
    assert {(s.threads, s.compile) for s in asked} == {(2, True)}


@pytest.mark.parametrize(("can", "seconds", "compiled"), [(True, 0.5, True), (True, 2.0, False), (False, 0.5, False)])
def test_compiling_is_tried_where_a_training_is_long_enough_for_it(
    timed: Callable[..., list[TrainingSettings]],
    monkeypatch: pytest.MonkeyPatch,
    can: bool,
    seconds: float,
    compiled: bool,
) -> None:
    asked = timed(lambda _bf16, _threads, compiled: seconds if compiled else 1.0)
    monkeypatch.setattr(picking, "_can_compile", lambda: can)
    settings, why = pick(MODEL, fast(epochs=3), WINDOWS, WINDOWS)  # 300 steps of a second
    assert settings.compile is False
    assert "compiling takes" in str(why)
    settings, why = pick(MODEL, fast(epochs=30), WINDOWS, WINDOWS)
    assert settings.compile is compiled
    assert any(s.compile for s in asked) is can


@pytest.mark.parametrize(
    "given",
    [{"epochs": 1, "batch_size": 65}, {"max_steps": 99}, {"epochs": 9, "order": "sample", "epoch_windows": 700}],
)
def test_few_steps_are_not_worth_a_choice(timed: Callable[..., list[TrainingSettings]], given: dict[str, Any]) -> None:
    asked = timed(lambda *_: 1.0)
    settings, why = pick(MODEL, fast(**given), WINDOWS, WINDOWS)
    assert (way(settings), asked) == ((False, 4, False), [])
    assert why is not None
    assert "float32 on 4 threads" in why


@given(st.lists(st.floats(1e-3, 1.0), min_size=8, max_size=8))
def test_nothing_that_was_timed_is_quicker_than_what_is_picked(times: list[float]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        asked = []

        def take(_model: object, settings: TrainingSettings, *_: object) -> float:
            asked.append(times[4 * bool(settings.bf16) + 2 * (settings.threads == 1) + bool(settings.compile)])
            return asked[-1]

        patch.setattr(picking, "ALL_CORES", 4)
        patch.setattr(picking, "_can_compile", lambda: True)
        patch.setattr(picking, "seconds_a_step", take)
        _, why = pick(MODEL, fast(epochs=100), WINDOWS, WINDOWS)
        assert f", {1e3 * min(asked):.1f} ms a step" in str(why)


def test_timing_steps_leaves_all_as_it_was() -> None:
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    assert seconds_a_step(MODEL, fast(bf16=False, threads=1, compile=False), WINDOWS[:500], WINDOWS[:500]) > 0
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_a_run_keeps_what_was_picked_and_goes_on_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def choice(_model: object, given: TrainingSettings, *_: object) -> tuple[TrainingSettings, str]:
        return dataclasses.replace(given, bf16=True, threads=1, compile=False), "so"

    monkeypatch.setattr("pygpt.runs.pick", choice)
    run = api.train(tmp_path / "run", engine="fast", max_steps=3, **SMALL)
    assert "picked: so" in capsys.readouterr().out
    assert way(run.training_settings) == (True, 1, False)
    resumed = api.train(tmp_path / "run", resume=True, max_steps=6)
    assert way(resumed.training_settings) == (True, 1, False)
    whole = api.train(tmp_path / "whole", engine="fast", max_steps=6, **SMALL)
    assert list(resumed.steps) == list(whole.steps)
