"""Whatever a recording's file holds: a report, or an error that says why there is none."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from torch import Tensor

from pygpt.errors import PygptError
from pygpt.files import json_text
from pygpt.models import build_model
from pygpt.output.messages import render
from pygpt.parity.check import check_recording
from pygpt.parity.html import report_html
from pygpt.parity.recordings import ModelRun, Recording, Stream, TrainingRun, read_recording
from pygpt.parity.replay import replay
from pygpt.parity.report import Report, report_json, report_text
from pygpt.settings import R_MODELS, ModelSettings
from pygpt.trace import weights
from tests.fuzz import damaged

SHAPE = ModelSettings(block_size=4, n_embd=4, n_layer=1, n_head=2, vocab_size=5)
RUNS: dict[str, dict[str, Any]] = {
    "model": {
        "build_seed": 42, "train_seed": 7, "train_steps": 3, "lr": 0.001, "max_norm": 1.0,
        "generate_seed": 123, "temperature": 0.8, "new_tokens": 3,
    },
    "training": {
        "stream": {"a": 3, "b": 101, "c": 4}, "train_tokens": 14, "valid_tokens": 8, "epochs": 2, "batch_size": 4,
        "lr": 0.001, "max_norm": 1.0, "seed": 42, "prompt_tokens": 2, "generate_seed": 123, "temperature": 0.8,
        "new_tokens": 3,
    },
}  # fmt: skip
SEEDS = ("build_seed", "train_seed", "generate_seed", "seed", "a", "b")
RATES = ("lr", "max_norm", "temperature")
WINDOWS = torch.tensor([[1, 2, 3, 4, 5], [5, 4, 3, 2, 1]])

few = settings(max_examples=30, deadline=None)
kinds = pytest.mark.parametrize("kind", RUNS)


def metadata(kind: str) -> dict[str, str]:
    return {
        "recording": kind,
        "model": R_MODELS["gpt"],
        "model_settings": json.dumps(SHAPE.to_r()),
        "run": json.dumps(RUNS[kind]),
        "provenance": json.dumps({"r": "4.2.2", "torch": "0.17.0", "threads": 1, "kernel_fingerprint": "none"}),
    }


def whole(kind: str) -> dict[str, Tensor]:
    """The tensors of a small valid recording. They were computed here: it is their form that counts."""
    if kind == "training":
        run = TrainingRun(**RUNS[kind] | {"stream": Stream(**RUNS[kind]["stream"])})
        return apart(replay(Recording(Path(), SHAPE, run, {}, {})))
    torch.manual_seed(42)
    start = weights(build_model(SHAPE), "init") | {"x": WINDOWS[:, :-1], "y": WINDOWS[:, 1:]}
    return apart(start | replay(Recording(Path(), SHAPE, ModelRun(**RUNS[kind]), {}, start)))


def apart(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copies that share no memory, as safetensors wants them."""
    return {name: tensor.detach().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}


WHOLE = {kind: whole(kind) for kind in RUNS}
# saved once: safetensors writes metadata in no fixed order
BYTES = {kind: save(tensors, metadata(kind)) for kind, tensors in WHOLE.items()}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that each example writes anew."""
    return tmp_path_factory.mktemp("recordings") / "r.safetensors"


def checked(file: Path, content: bytes) -> Report | None:
    """The report of a recording, written in every way; None where there is none, and the error tells why."""
    file.write_bytes(content)
    try:
        report = check_recording(file)
    except PygptError as error:
        refused = error
    else:
        assert report_text(report)
        assert json.loads(json_text(report_json(report)))["agrees"] in (True, False)
        assert report_html([report])
        return report
    assert str(file) in str(refused)
    assert str(file) in render(refused, "pt")
    return None


@kinds
def test_the_whole_file_is_a_recording(kind: str, file: Path) -> None:
    report = checked(file, BYTES[kind])
    assert report is not None
    assert report.comparison.agrees


@kinds
@few
@given(data=st.data())
def test_damaged_bytes(kind: str, file: Path, data: st.DataObject) -> None:
    checked(file, data.draw(damaged(BYTES[kind])))


@kinds
@few
@given(data=st.data())
def test_damaged_metadata(kind: str, file: Path, data: st.DataObject) -> None:
    held = metadata(kind)
    for key in data.draw(st.lists(st.sampled_from(sorted(held)), min_size=1, unique=True)):
        held[key] = data.draw(damaged(held[key].encode())).decode("utf-8", "replace")
    if data.draw(st.booleans()):
        held.pop(data.draw(st.sampled_from(sorted(held))))
    checked(file, save(WHOLE[kind], held))


@kinds
@few
@given(data=st.data())
def test_damaged_tensors(kind: str, file: Path, data: st.DataObject) -> None:
    tensors = dict(WHOLE[kind])
    for name in data.draw(st.lists(st.sampled_from(sorted(tensors)), min_size=1, max_size=3, unique=True)):
        tensor = tensors.pop(name)
        change = data.draw(st.sampled_from(["gone", "renamed", "type", "flat", "longer", "empty", "scalar", "value"]))
        if change == "renamed":
            tensors[data.draw(st.sampled_from(["", "é\x1b[2J\n", "init.", f"step1.{name}", f"final.{name}"]))] = tensor
        elif change == "type":
            types = [torch.float16, torch.bfloat16, torch.float64, torch.int32, torch.int64, torch.bool, torch.uint8]
            tensors[name] = tensor.to(data.draw(st.sampled_from(types)))
        elif change != "gone":
            tensors[name] = {
                "flat": tensor.flatten(),
                "longer": torch.cat([tensor, tensor]),
                "empty": tensor[:0].clone(),
                "scalar": tensor.flatten()[0].clone(),
                "value": torch.full_like(tensor, data.draw(st.sampled_from([-1, 0, 6, 2**40]))),
            }[change]
            if tensor.is_floating_point() and change == "value" and data.draw(st.booleans()):
                tensors[name].view(-1)[0] = data.draw(st.sampled_from([float("nan"), float("inf"), 3e38]))
    checked(file, save(tensors, metadata(kind)))


NO_COUNTS = (-1, 10**12, 2**63, 10**30, 10**400, 2.5, "3", None, True, [3], {"a": 3}, float("nan"), float("inf"))


def claims() -> list[tuple[str, str, str]]:
    """Every number in the metadata, by the kind of recording and the key it stands under."""
    settings = list(SHAPE.to_r())
    run = [(kind, "run", name) for kind, values in RUNS.items() for name in values if name != "stream"]
    return [
        *run,
        *(("training", "stream", name) for name in "abc"),
        *((kind, "model_settings", name) for kind in RUNS for name in settings),
    ]


@pytest.mark.parametrize(("kind", "key", "name"), claims())
def test_no_number_can_ask_for_what_is_not_there(kind: str, key: str, name: str, file: Path) -> None:
    """Each count is held against the tensors before anything is computed: no memory is taken, no time spent."""
    for value in NO_COUNTS:
        possible = (name in RATES and value in (2.5, 10**12, 2**63 - 1)) or (name in SEEDS and value == 10**12)
        if possible or (name == "p0" and isinstance(value, float)):
            continue
        held = metadata(kind)
        values = json.loads(held["run" if key == "stream" else key])
        (values["stream"] if key == "stream" else values)[name] = value
        held["run" if key == "stream" else key] = json.dumps(values)
        file.write_bytes(save(WHOLE[kind], held))
        with pytest.raises(PygptError, match=str(file)):
            read_recording(file)
