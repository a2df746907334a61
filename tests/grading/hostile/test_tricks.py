"""Safety: a hostile submission gains nothing. They are bounded, should the sandbox ever fail."""

from functools import cache
from pathlib import Path

import pytest

from pygpt.grading.report import GradeReport
from tests.grading.helpers import at_load, grade_file, grade_sources, lost, needs_isolation, small_rubric
from tests.grading.hostile.sources import WRONG

pytestmark = needs_isolation

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

READ = ("syntax", "nul", "nested", "no_model")
"""What is told of these by reading them; the others are told by what they do."""

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
import gc, sys
from safetensors.torch import load as read_safetensors
gc.freeze()  # what is there before the first request is left out of get_objects: that is quicker
def above(frame):
    while frame is not None:
        for value in list(frame.f_locals.values()):
            if isinstance(value, dict): yield from value.values()
            elif isinstance(value, bytes):  # the request as it came
                try: yield from read_safetensors(value).values()
                except Exception: pass
            else: yield value
        frame = frame.f_back
def trick(self, x):
    shape = (*x.shape, self.ln_f.out_features)
    everything = [*gc.get_objects(), *above(sys._getframe())]
    alike = [o for o in everything if type(o) is torch.Tensor and o.shape == shape]
    return alike[-1] + honest(self, x) if alike else honest(self, x)
""",
    # Tells what it finds in the frames above it (see below).
    "tells": """
import sys
def trick(self, x):
    frame, seen = sys._getframe(1), set()
    while frame is not None:
        for name, value in list(frame.f_locals.items()):
            if name == "answer": continue  # its own last one
            several = value.items() if isinstance(value, dict) else [(name, value)]
            tensors = [(n, v) for n, v in several if type(v) is torch.Tensor and n != "x"]
            seen |= {f"{n.split('.')[0].rstrip('0123456789')}:{v.dtype}" for n, v in tensors}
        frame = frame.f_back
    raise RuntimeError("holds " + " ".join(sorted(seen)))
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

# Kinds that others stand for, and that the tests of what comes over the descriptor hold, too: `make test-slow`.
SLOW = ("inf", "no_tensor", "random", "huge", "constant", "threads", "whole_numbers")
# Of what "tells" may find: y are rows, the targets of a training step.
HELD = (
    ("w", "float32"), ("w", "float64"), ("x", "int64"), ("y", "int64"), ("cotangent", "float32"),
    ("cotangent", "float64"), ("idx", "int64"),
)  # fmt: skip
QUICK = tuple(name for name in TRICKS if name not in SLOW)


@cache
def at_import() -> dict[str, GradeReport]:
    acts = {name: at_load(source) for name, source in AT_IMPORT.items() if name not in READ and isinstance(source, str)}
    return grade_sources({**AT_IMPORT, **acts}, small_rubric())


@cache
def tricks(names: tuple[str, ...]) -> dict[str, GradeReport]:
    # By exec, since what it does cannot be known from reading: all of it is run.
    sources = {name: f"{WRONG}\nexec({TRICKS[name]!r})\n" for name in names}
    return grade_sources({**sources, "honest": WRONG}, small_rubric())


@pytest.mark.parametrize("name", AT_IMPORT)
def test_what_cannot_be_loaded_is_ungradable(name: str) -> None:
    report = at_import()[name]
    assert report.state == "ungradable", report
    assert report.score == 0
    assert report.message
    assert not Path("/tmp/pygpt-hostile-pickle").exists()


@pytest.mark.parametrize("name", QUICK)
def test_a_trick_gains_nothing(name: str) -> None:
    gains_nothing(tricks(QUICK)[name], tricks(QUICK)["honest"])


@pytest.mark.slow  # as many gradings again
@pytest.mark.parametrize("name", SLOW)
def test_another_trick_gains_nothing(name: str) -> None:
    gains_nothing(tricks(SLOW)[name], tricks(SLOW)["honest"])


def gains_nothing(report: GradeReport, honest: GradeReport) -> None:
    assert report.state in ("graded", "ungradable"), report
    assert report.score <= honest.score + 1e-9, lost(honest)
    assert report.max_score == honest.max_score


def test_the_process_holds_weights_inputs_and_cotangents_alone() -> None:
    told = [item.actual for check in tricks(QUICK)["tells"].checks for item in check.items]
    held = {word for words in told if "holds " in words for word in words.partition("holds ")[2].split(" (")[0].split()}
    assert "x:torch.int64" in held, told
    assert held <= {f"{name}:torch.{kind}" for name, kind in HELD}


def test_an_honest_wrong_port_scores_little() -> None:
    honest = tricks(QUICK)["honest"]
    assert honest.state == "graded"
    assert honest.score <= 20


def test_the_graders_own_port_is_whole_after_all_this() -> None:
    assert grade_file("correct").score == 100
