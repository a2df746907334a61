"""Safety: each hostile submission gains nothing and harms nothing. They are bounded, should the sandbox ever fail."""

import contextlib
import dataclasses
import json
import os
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from grading_helpers import CORRECT, grade_files, grade_sources, lost, mutated, needs_isolation

from pygpt.grading.batch import grade_all
from pygpt.grading.rubric import Rubric, read_rubric
from pygpt.grading.submission import Submission

pytestmark = needs_isolation

# An honest port that is wrong: what it scores is what a trick must not exceed.
WRONG = """
import torch
from torch import nn


class GPT(nn.Module):
    def __init__(self, block_size, n_embd, N_Layers, nvoc, Head, p0=0.1):
        super().__init__()
        self.wpe, self.wte = nn.Embedding(block_size, n_embd), nn.Embedding(nvoc, n_embd, padding_idx=0)
        self.MH = nn.ModuleList(nn.MultiheadAttention(n_embd, Head, dropout=p0) for _ in range(N_Layers))
        self.scale1 = nn.ModuleList(nn.LayerNorm(n_embd) for _ in range(N_Layers))
        self.scale2 = nn.ModuleList(nn.LayerNorm(n_embd) for _ in range(N_Layers))
        self.scale3 = nn.LayerNorm(n_embd)
        self.FFN = nn.ModuleList(
            nn.Sequential(nn.Linear(n_embd, 4 * n_embd), nn.GELU(), nn.Linear(4 * n_embd, n_embd), nn.Dropout(p0))
            for _ in range(N_Layers)
        )
        self.ln_f = nn.Linear(n_embd, nvoc, bias=False)

    def forward(self, x):
        return trick(self, x)


def honest(self, x):
    return self.ln_f(self.wte(x)) * 0


trick = honest
"""

AT_IMPORT = {
    "sys_exit": "import sys\nsys.exit(0)",
    "os_exit": "import os\nos._exit(0)",
    "deaf_loop": """
import signal, time
for number in range(1, 64):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
end = time.monotonic() + 60
while time.monotonic() < end: pass
""",
    "allocates": "import torch\ntorch.ones(100 << 30, dtype=torch.uint8)",
    "grows": "kept = []\nfor _ in range(12_000): kept.append(bytearray(1 << 20))",
    "syntax": "def GPT(:\n",
    "nul": b"x = 1\0\n",
    "nested": "x = " + "(" * 50_000 + ")" * 50_000,
    "no_model": "x = 1",
    "payload": """
import os, pickle, socket
class Evil:
    def __reduce__(self): return (os.system, ("touch /tmp/pygpt-hostile-pickle",))
body = pickle.dumps(Evil())
for fd in range(3, 40):
    try: os.write(fd, len(body).to_bytes(8, "little") + body)
    except OSError: pass
""",
    "huge_claim": """
import os
for fd in range(3, 40):
    try: os.write(fd, (1 << 60).to_bytes(8, "little") + b"x" * 100)
    except OSError: pass
""",
}

TRICKS = {
    "forks": """
import os, time
for _ in range(300):
    try:
        if os.fork() == 0: time.sleep(20); os._exit(0)
    except OSError: break
""",
    "threads": """
import threading, time
for _ in range(300):
    try: threading.Thread(target=time.sleep, args=(20,), daemon=True).start()
    except RuntimeError: break
""",
    "fills_disk": """
for number in range(40):
    try: open(f"/tmp/full-{number}", "wb").write(bytes(8 << 20))
    except OSError: break
""",
    "endless_stdout": "for _ in range(2000): print('x' * 10_000)",
    "daemon": """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            for fd in range(3, 12):
                try: os.write(fd, bytes(8))
                except OSError: pass
            time.sleep(0.01)
    os._exit(0)
""",
    "at_exit": """
import atexit, os, threading, time
def shout():
    for fd in range(3, 12):
        try: os.write(fd, b"x" * 64)
        except OSError: pass
atexit.register(shout)
def later():
    time.sleep(1.0)
    shout()
threading.Thread(target=later, daemon=True).start()
""",
    "patches": """
import safetensors.torch
torch.allclose = lambda *a, **k: True
torch.isfinite = lambda *a, **k: True
torch.Tensor.__eq__ = lambda *a: True
torch.Tensor.__le__ = lambda *a: True
real = safetensors.torch.save
safetensors.torch.save = lambda tensors, metadata=None: real({**tensors, "passed": torch.ones(1)}, metadata)
""",
    "lying_tensor": """
class Liar(torch.Tensor):
    def __sub__(self, other): return torch.zeros(())
    def __eq__(self, other): return True
    shape = property(lambda self: (2, 3, 4))
def trick(self, x): return honest(self, x).as_subclass(Liar)
""",
    "imports_pygpt": """
def trick(self, x):
    try:
        import pygpt.models
        return pygpt.models.GPT
    except ImportError:
        return honest(self, x)
""",
    "nan": "def trick(self, x): return honest(self, x) + float('nan')",
    "inf": "def trick(self, x): return honest(self, x) + float('inf')",
    "huge": "def trick(self, x): return torch.zeros(1).expand(2000, 2000, 2000)",
    "wrong_shape": "def trick(self, x): return honest(self, x)[..., :1]",
    "whole_numbers": "def trick(self, x): return honest(self, x).to(torch.int16)",
    "no_tensor": "def trick(self, x): return honest(self, x).tolist()",
    "constant": "def trick(self, x): return honest(self, x) + torch.linspace(-2, 2, self.ln_f.out_features)",
    "random": "def trick(self, x): return torch.randn(*x.shape, self.ln_f.out_features, requires_grad=True)",
    "hunts": """
def trick(self, x):
    import gc
    found = [o for o in gc.get_objects() if isinstance(o, torch.Tensor) and o.dim() == 3
             and o.shape == (*x.shape, self.ln_f.out_features)]
    return found[-1] + honest(self, x) if found else honest(self, x)
""",
    "lies_about_parameters": """
class Shape(torch.nn.Parameter):
    shape = property(lambda self: (1 << 40, 1 << 10))
def build(self, *a, **k):
    real(self, *a, **k)
    self.register_parameter("bias", Shape(torch.ones(1)))
real = GPT.__init__
GPT.__init__ = build
""",
    "harness": """
import sys
under_test = any("child" in argument for argument in sys.orig_argv)
def trick(self, x): return torch.ones_like(honest(self, x)) if under_test else honest(self, x)
""",
}

# Correct ports with one trick: they lose what the trick breaks and no more (None: nothing).
_K, _END, _DROP0 = "        k = x.shape[1]", "        return self.ln_f", "        self.drop0 ="
_TRAINS = {"training.step", "training.curve", "gradients.cotangent"}
ALMOST: dict[str, tuple[list[tuple[str, str]], set[str] | None]] = {
    "train_leak": (
        [("diagonal=1)", "diagonal=2 if self.training else 1)")],
        {"causality.train", "causality.lengths", *_TRAINS},
    ),
    "length_leak": ([("diagonal=1)", "diagonal=2 if k in (17, 63) else 1)")], {"causality.lengths"}),
    # What it spoils is its own: the grader keeps its copies.
    "mutates_input": (
        [(_END, f"        x.zero_()\n{_END}")],
        {"padding.row", "generation.continues", "generation.crops", "generation.temperature", *_TRAINS},
    ),
    "counts_calls": (
        [
            (_K, f"        self.calls = getattr(self, 'calls', 0) + 1\n{_K}"),
            (_END, f"        h = h * 0 if getattr(self, 'calls', 0) > 1 else h\n{_END}"),
        ],
        None,
    ),
    "keeps_weights": (
        [
            (_DROP0, f"        self.held = [p.detach().clone() for p in self.FFN.parameters()]\n{_DROP0}"),
            (_K, f"        [p.data.copy_(h) for p, h in zip(self.FFN.parameters(), self.held)]\n{_K}"),
        ],
        None,
    ),
    "own_load_state_dict": (
        [
            (
                "    def forward(self, x):\n        k",
                "    def load_state_dict(*a): pass\n\n    def forward(self, x):\n        k",
            )
        ],
        set(),
    ),
    "byte_order_mark": ([('"""A correct', '\ufeff"""A correct')], set()),
}

# What a submission can see and do from inside, told through its error message.
WITNESS = """
import json, os, socket, subprocess, sys
known = {"work", "home", "root", "etc", "sys", "opt", "var", "mnt"}
named = [n for n in os.environ if n.startswith(("PYGPT", "PYTEST", "PATH", "USER"))]
seen = {"uid": os.getuid(), "root": sorted(known & set(os.listdir("/"))), "environ": named}
seen["processes"] = len([p for p in os.listdir("/proc") if p.isdigit()])
def attempt(name, act):
    try: seen[name] = str(act())[:20]
    except BaseException as error: seen[name] = "no"
attempt("network", lambda: socket.create_connection(("1.1.1.1", 53), 1))
attempt("loopback", lambda: socket.create_connection(("127.0.0.1", PORT), 1))
attempt("pygpt", lambda: __import__("pygpt.models"))
attempt("fixtures", lambda: open(FIXTURE).read())
attempt("canary", lambda: open(CANARY, "w").write("x"))
attempt("parent_memory", lambda: open(f"/proc/{os.getppid()}/mem", "rb").read(1))
attempt("first_memory", lambda: open("/proc/1/mem", "rb").read(1))
attempt("R", lambda: subprocess.run(["R", "--version"]))
attempt("shell", lambda: subprocess.run(["/bin/sh", "-c", "true"]))
attempt("writes_system", lambda: open("/usr/lib/x", "w"))
attempt("writes_itself", lambda: open(__file__, "a").write("x"))
attempt("becomes_root", lambda: os.setuid(0))
attempt("answers", lambda: [m for m in sys.modules if m.startswith("pygpt.")] or "no")
raise RuntimeError(json.dumps(seen))
"""


def small_rubric() -> Rubric:
    rubric = read_rubric()
    limits = dataclasses.replace(
        rubric.limits, check_seconds=3.0, load_seconds=6.0, total_seconds=40.0, memory_mib=2048, restarts=2
    )
    return dataclasses.replace(rubric, parts=("GPT",), limits=limits)


# Kinds that others stand for, and that the tests of what comes over the descriptor hold, too: `make test-slow`.
SLOW = ("inf", "no_tensor", "random", "huge", "constant", "threads", "whole_numbers")
QUICK = tuple(name for name in TRICKS if name not in SLOW)


@cache
def at_import() -> dict[str, dict[str, Any]]:
    return grade_sources(AT_IMPORT, small_rubric())


@cache
def tricks(names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    sources = {name: f"{WRONG}\n{TRICKS[name]}\n" for name in names}
    return grade_sources({**sources, "honest": WRONG}, small_rubric())


@pytest.mark.parametrize("name", AT_IMPORT)
def test_what_cannot_be_loaded_is_ungradable(name: str) -> None:
    report = at_import()[name]
    assert report["state"] == "ungradable", report
    assert report["score"] == 0
    assert report["message"]
    assert not Path("/tmp/pygpt-hostile-pickle").exists()


@pytest.mark.parametrize("name", QUICK)
def test_a_trick_gains_nothing(name: str) -> None:
    gains_nothing(tricks(QUICK)[name], tricks(QUICK)["honest"])


@pytest.mark.slow  # as many gradings again
@pytest.mark.parametrize("name", SLOW)
def test_another_trick_gains_nothing(name: str) -> None:
    gains_nothing(tricks(SLOW)[name], tricks(SLOW)["honest"])


def gains_nothing(report: dict[str, Any], honest: dict[str, Any]) -> None:
    assert report["state"] in ("graded", "ungradable"), report
    assert report["score"] <= honest["score"] + 1e-9, lost(honest)
    assert report["max_score"] == honest["max_score"]


def test_an_honest_wrong_port_scores_little() -> None:
    honest = tricks(QUICK)["honest"]
    assert honest["state"] == "graded"
    assert honest["score"] <= 20


SLOW_ALMOST = ("mutates_input", "keeps_weights", "own_load_state_dict")
QUICK_ALMOST = tuple(name for name in ALMOST if name not in SLOW_ALMOST)


@cache
def almost(names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    correct = CORRECT.read_text()
    return grade_sources({name: mutated(correct, *ALMOST[name][0]) for name in names})


@pytest.mark.parametrize("name", QUICK_ALMOST)
def test_a_correct_port_with_a_trick(name: str) -> None:
    loses_what_it_breaks(name, almost(QUICK_ALMOST)[name])


@pytest.mark.slow  # as many gradings again
@pytest.mark.parametrize("name", SLOW_ALMOST)
def test_a_correct_port_with_another_trick(name: str) -> None:
    loses_what_it_breaks(name, almost(SLOW_ALMOST)[name])


def loses_what_it_breaks(name: str, report: dict[str, Any]) -> None:
    allowed = ALMOST[name][1]
    assert report["state"] == "graded", report["message"]
    found = set(lost(report))
    if allowed is None:
        assert "forward.ffn" in found or "forward.whole" in found
    else:
        assert found <= allowed
        assert bool(found) == bool(allowed)


def test_what_a_submission_sees(tmp_path: Path) -> None:
    import socket

    canary = tmp_path / "canary"
    canary.write_text("untouched")
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = WITNESS.replace("PORT", str(server.getsockname()[1])).replace("CANARY", repr(str(canary)))
        source = source.replace("FIXTURE", repr(str(CORRECT)))
        report = grade_sources({"witness": source})["witness"]
    assert report["state"] == "ungradable"
    words = report["message"]
    seen = json.loads(words[words.index("{") : words.rindex("}") + 1])
    assert seen["uid"] not in (0, os.getuid())
    assert seen["root"] == seen["environ"] == []
    assert seen["processes"] <= 3
    for denied in (
        "answers", "network", "loopback", "pygpt", "fixtures", "canary", "parent_memory", "first_memory", "R", "shell",
        "writes_system", "writes_itself", "becomes_root",
    ):  # fmt: skip
        assert seen[denied] == "no", (denied, seen[denied])
    assert canary.read_text() == "untouched"


def test_shadow_files_links_and_odd_names_change_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "class" / "shadow"
    folder.mkdir(parents=True)
    (folder / "submission.py").write_text(CORRECT.read_text())
    for name in ("torch", "sitecustomize", "usercustomize", "safetensors", "wire", "json", "pygpt"):
        (folder / f"{name}.py").write_text("raise SystemExit('shadowed')")
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "loop").symlink_to(folder)
    (tmp_path / "class" / "out.py").symlink_to(CORRECT)
    (report,) = grade_all([Submission(folder, "shadow")], read_rubric(), 3, "en", False, 1, None, lambda _: None)
    assert lost(report) == {}


def test_a_daemon_ends_with_its_grading() -> None:
    name = f"left-{os.getpid()}"
    source = f"""
import ctypes, os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(15, {name!r}.encode())  # PR_SET_NAME
        time.sleep(90)
    os._exit(0)
time.sleep(1)
raise RuntimeError("there is a daemon: " + str([p for p in os.listdir("/proc") if p.isdigit()
    and open(f"/proc/{{p}}/comm").read().strip() == {name!r}]))
"""
    report = grade_sources({"daemon": source}, small_rubric())["daemon"]
    assert "there is a daemon: ['" in report["message"], report["message"]
    until = time.monotonic() + 5  # the kernel ends a namespace's processes soon, not at once
    while time.monotonic() < until and name in running():
        time.sleep(0.05)
    assert name not in running()


def running() -> set[str]:
    names = set()
    for file in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            names.add(file.read_text().strip())
    return names


def test_the_graders_own_port_is_whole_after_all_this() -> None:
    assert grade_files(("correct",))["correct"]["score"] == 100
