"""What a GPU is asked for, as far as that can be seen without one: on torch's meta device, and by what is handed on."""

from typing import Any

import pytest
import torch

from pygpt import progress, runs, training
from pygpt.errors import PygptError
from pygpt.machine import check_machine, for_gpu
from pygpt.processes import ALONE, Processes
from pygpt.settings import ModelSettings, TrainingSettings
from pygpt.training import Epoch, Step

SHAPE = ModelSettings(block_size=8, n_embd=8, vocab_size=9)


@pytest.mark.parametrize("model", ["gpt", "gpt_noattn"])
@pytest.mark.parametrize("engine", ["r", "fast"])
def test_a_training_leaves_nothing_behind_on_the_cpu(model: str, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps, a short last batch, validation: an operation that mixes devices is an error on meta, too."""
    monkeypatch.setattr(torch.Tensor, "item", lambda self: 0.5)  # meta has no numbers
    if engine == "fast":  # torch's fused AdamW and its list of norms know no meta
        adamw, clip = torch.optim.AdamW, torch.nn.utils.clip_grad_norm_
        monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda many, norm, foreach: clip(many, norm))
        monkeypatch.setattr(torch.optim, "AdamW", lambda *args, fused, **kwargs: adamw(*args, **kwargs))
    shape = ModelSettings(model=model, block_size=8, n_embd=8, vocab_size=9)
    windows = torch.randint(9, (40,), dtype=torch.uint8).unfold(0, 9, 1)
    settings = TrainingSettings(engine=engine, device="meta", batch_size=12, epochs=1)
    state = training.start(shape, settings)
    events = list(training.fit(state, windows, windows, settings))
    assert [type(event) for event in events if isinstance(event, Step | Epoch)] == [Step, Step, Step, Epoch]
    assert all(p.is_meta for p in state.model.parameters())
    tensors = [v for of in state.optimizer.state.values() for name, v in of.items() if name != "step"]
    assert tensors
    assert all(v.is_meta for v in tensors)


def test_the_optimizers_divisor_is_where_the_weights_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU a list of tensors takes no divisor that lies on the CPU; meta would not mind."""
    seen, divide = [], torch._foreach_div_

    def seen_dividing(many: list[torch.Tensor], by: torch.Tensor) -> None:
        seen.append((many[0].device, by.device))
        divide(many, by)

    monkeypatch.setattr(torch, "_foreach_div_", seen_dividing)
    monkeypatch.setattr(torch.Tensor, "item", lambda self: 0.5)
    settings = TrainingSettings(device="meta", batch_size=12, max_steps=1)
    windows = torch.randint(9, (40,), dtype=torch.uint8).unfold(0, 9, 1)
    list(training.fit(training.start(SHAPE, settings), windows, windows, settings))
    assert seen == [(torch.device("meta"), torch.device("meta"))]


@pytest.mark.parametrize(
    ("engine", "given", "count", "expected"),
    [
        ("fast", {}, 1, (True, True)),
        ("fast", {"bf16": False}, 1, (False, True)),
        ("fast", {"compile": False}, 1, (True, False)),
        ("fast", {}, 2, (True, False)),
        ("r", {}, 1, (False, False)),
    ],
)
def test_fast_takes_bf16_and_graphs_on_a_gpu(
    engine: str, given: dict[str, Any], count: int, expected: tuple[bool, bool]
) -> None:
    asked = TrainingSettings(engine=engine, device="cuda", **given)
    settled = for_gpu(asked, given, Processes(0, count))
    assert (settled.bf16, settled.compile) == expected
    on_cpu = TrainingSettings(engine=engine)
    assert for_gpu(on_cpu, {}, ALONE) == on_cpu


@pytest.mark.parametrize(("device", "mode"), [("cuda", "reduce-overhead"), ("cpu", None)])
def test_graphs_are_asked_for_on_a_gpu_alone(device: str, mode: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(torch, "compile", lambda model, **how: asked.append(how) or model)
    training._loss_of(torch.nn.Identity(), TrainingSettings(engine="fast", device=device, compile=True))
    assert [how.get("mode") for how in asked] == [mode]


def test_each_process_needs_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pygpt.machine._check_device", lambda name: None)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    check_machine(TrainingSettings(device="cuda"), Processes(0, 2))
    for device, count in (("cuda", 4), ("cuda:1", 2)):
        with pytest.raises(PygptError, match=f"device = {device} does not go with {count} processes.*here are 2"):
            check_machine(TrainingSettings(device=device), Processes(0, count))


def test_engine_r_on_a_gpu_says_what_it_is_not(tmp_path: Any) -> None:
    given = {"corpus": "sample", "share": 0.04, "block_size": 8, "n_embd": 8, "device": "meta", "threads": 1}
    told = progress._plan(runs.begin(tmp_path / "run", given))
    assert "on meta these are R's operations in R's order, but not the bits of R on a CPU" in told
    assert "bits of R on a CPU" not in progress._plan(runs.begin(tmp_path / "cpu", given | {"device": "cpu"}))
