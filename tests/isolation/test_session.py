"""What ends a submission's process and what does not, and what all of its processes may use together."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch

from pygpt.isolation import sandbox
from pygpt.isolation.sandbox import Limits
from pygpt.isolation.session import AnswerError, Session, _opened
from tests.grading.helpers import needs_isolation

Begin = Callable[..., Session]
ENCODER = """
import os, time, torch
def GPT(): pass
def Encoder(characters, vocabulary):
    return eval(vocabulary)
"""
IDS = {"ids": (3,)}
HOLDS = "[os.fork() or [bytearray(b'x') * (400 << 20), time.sleep(60)] for _ in range(4)]"
"""Four processes of 400 MiB, each of which is allowed."""


@pytest.fixture(params=["isolated", "unsafe"])
def begin(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Begin]:
    """Start a session in which `encode` evaluates what it is given."""
    with ExitStack() as stack:

        def begun(source: str = ENCODER, **limits: Any) -> Session:
            path = tmp_path / "s" / "submission.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(source)
            limited = dataclasses.replace(Limits(check_seconds=20), **limits)
            session = stack.enter_context(Session(path, limited, request.param == "unsafe"))
            session.load()
            return session

        yield begun


pytestmark = needs_isolation


def encode(session: Session, expression: str) -> list[int]:
    request = {"op": "encode", "characters": [], "vocabulary": expression}
    ids: list[int] = session.ask(request, {}, IDS)["ids"].tolist()
    return ids


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("[1, 2]", "has shape (2,), not (3,)"),
        ("list(range(400_000))", "too large"),
        ("1 / 0", "ZeroDivisionError"),
        ("[0, 0, 1 << 70]", "raised"),
    ],
)
def test_a_wrong_answer_ends_nothing(begin: Begin, expression: str, words: str) -> None:
    session = begin(restarts=0)
    for _ in range(3):
        with pytest.raises(AnswerError) as error:
            encode(session, expression)
        assert words in error.value.message.render("en")
        assert encode(session, "[1, 2, 3]") == [1, 2, 3]
    assert session.starts == 1


def test_numbers_that_are_not_finite_end_nothing(begin: Begin) -> None:
    session = begin(ENCODER + "def loss(logits, y): return logits.sum() / 0\n", restarts=0)
    for _ in range(3):
        with pytest.raises(AnswerError, match="not finite"):
            session.ask({"op": "loss", "gradient": False}, {"logits": torch.ones(2), "y": torch.ones(2)}, {"loss": ()})
    assert encode(session, "[1, 2, 3]") == [1, 2, 3]


@pytest.mark.parametrize("expression", ["os._exit(0)", "os.kill(os.getpid(), 9)", "os.write(SOCKET, b'x' * 64)"])
def test_what_breaks_the_protocol_is_begun_anew(begin: Begin, expression: str) -> None:
    session = begin(restarts=1)
    link = "f'/proc/self/fd/{n}'"
    sockets = f"next(n for n in range(99) if os.path.lexists({link}) and 'socket' in os.readlink({link}))"
    with pytest.raises(AnswerError):
        encode(session, expression.replace("SOCKET", sockets))
    assert encode(session, "[1, 2, 3]") == [1, 2, 3]
    assert session.starts == 2


@pytest.fixture
def no_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine that lets no control group be made: the grader watches the memory itself."""
    monkeypatch.setattr("pygpt.isolation.group.made", lambda _most: None)


def test_what_takes_too_much_together_is_told(begin: Begin) -> None:
    session = begin(memory_mib=1400)
    with pytest.raises(AnswerError, match="too much memory"):
        encode(session, HOLDS + " and time.sleep(15)")


@pytest.mark.usefixtures("no_group")
def test_processes_are_counted_together(begin: Begin) -> None:
    session = begin(memory_mib=1900)
    with pytest.raises(AnswerError, match="too much memory"):
        encode(session, HOLDS + " and time.sleep(15)")


@pytest.mark.usefixtures("no_group")
def test_processes_are_counted_while_another_session_is_asked(begin: Begin) -> None:
    held, asked = begin(memory_mib=2300), begin(memory_mib=2300)
    assert encode(held, HOLDS + " and [1, 2, 3]") == [1, 2, 3]
    with pytest.raises(AnswerError, match="too much memory"):
        encode(asked, "time.sleep(15)")
    # Both have ended, and go on anew.
    with pytest.raises(AnswerError, match="process ended"):
        encode(held, "[1, 2, 3]")
    assert encode(held, "[1, 2, 3]") == encode(asked, "[1, 2, 3]") == [1, 2, 3]


@pytest.mark.usefixtures("no_group")
def test_memory_is_that_of_what_runs(begin: Begin) -> None:
    session = begin()
    torch_alone = sandbox.memory()
    assert encode(session, "[globals().update(held=bytearray(os.urandom(1 << 20) * 300)), 1, 2, 3][1:]") == [1, 2, 3]
    assert 280 << 20 < sandbox.memory() - torch_alone < 330 << 20
    session.__exit__()
    assert sandbox.memory() == 0


def test_a_million_empty_tensors_are_not_opened() -> None:
    entries = b",".join(b'"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}' % i for i in range(1_000_000))
    header = b"{" + entries + b"}"
    with pytest.raises(AnswerError, match="too many tensors"):
        _opened(len(header).to_bytes(8, "little") + header)


PARAMETERS = """
import torch
from torch import nn
class GPT(nn.Module):
    def __init__(self, block_size, n_embd, N_Layers, nvoc, Head, p0=0.1):
        super().__init__()
        self.a, self.b = nn.Linear(2, 2), nn.LazyLinear(3, bias=False)
        self.again, self.me = self.a, nn.ModuleList()
        self.me.append(self.me)
        self.alpha = nn.Parameter(torch.ones(()))
    def forward(self, x): return self.b(self.a(x.float()[:, :2])) * self.alpha
    def named_parameters(self, *a, **k): return iter([])
    named_modules = parameters = modules = _named_members = named_children = children = named_parameters
"""


def test_parameters_are_read_whatever_a_submission_says_of_them(begin: Begin) -> None:
    session = begin(PARAMETERS)
    sizes = {"block_size": 4, "n_embd": 2, "N_Layers": 1, "nvoc": 3, "Head": 1, "p0": 0.0}
    request = {"op": "build", "model": "GPT", "arguments": sizes, "double": False, "seed": 1}
    names = bytes(session.ask(request, {}, {"names": None})["names"].tolist()).decode()
    assert names.split("\n") == [
        "alpha\talpha\t", "a.weight\ta.weight\t2,2", "a.bias\ta.bias\t2", "b.weight\tb.weight\t3,2",
        "again.weight\ta.weight", "again.bias\ta.bias",
    ]  # fmt: skip


def test_torch_compile_costs_nothing(begin: Begin) -> None:
    source = ENCODER + "@torch.compile\ndef doubled(x): return 2 * x\n"
    session = begin(source, cpu_seconds=20)
    assert encode(session, "doubled(torch.arange(3)).tolist()") == [0, 2, 4]
    assert encode(session, "[torch.compile(torch.nn.Linear(1, 1)).in_features, 2, 3]") == [1, 2, 3]
