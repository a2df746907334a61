"""Asking a submission, and believing nothing: bounds on time and size, names, types, shapes, finiteness.

A process that crashed, hung, took too much or broke the protocol is ended and, a few times, begun anew for the next
question; one whose answer is wrong goes on.
"""

import math
import select
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from pygpt.errors import PygptError
from pygpt.isolation import wire
from pygpt.isolation.sandbox import Limits, Process, memory, stop_all
from pygpt.output.messages import Message, say

_FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
COURSE_PARTS = ("GPT", "GPT_NoAttn", "Encoder", "Decoder", "generate", "loss", "make_optimizer", "train_step")
"""What a port of the course's code can define."""
# Answers that are texts or ids; all others are numbers that are computed with.
_TEXTS = ("parts", "weight_map", "notes")
_WHOLE = (*_TEXTS, "names", "told", "text", "ids", "idx")
# Of an answer beside its numbers: names, types and places of its tensors, and of a text.
_HEADER = 1 << 20
_LOOK_SECONDS = 0.1
# As a student knows what an answer calls by a letter.
_CALLED = {
    "y": say("the model's result"),
    "ids": say("Encoder's result"),
    "text": say("Decoder's result"),
    "idx": say("generate's result"),
}
_T = TypeVar("_T")
Shapes = Mapping[str, tuple[int, ...] | None]
"""What an answer must hold: the shape of each name; None for any shape."""


class AnswerError(Exception):
    """The submission did not give a usable answer; `message` is for the student."""

    def __init__(self, message: Message, fatal: bool = False) -> None:
        super().__init__(message.template)
        self.message = message
        self.fatal = fatal
        """Whether nothing more can be asked."""


class _TooLargeError(AnswerError):
    """More than was asked for, and read to its end."""


class Session:
    """One submission under examination, for as long as its grading takes."""

    def __init__(
        self,
        submission: Path,
        limits: Limits,
        unsafe: bool,
        root: Path | None = None,
        asked: Sequence[str] = COURSE_PARTS,
    ) -> None:
        """What will be asked.

        Args:
            submission: what is loaded.
            root: the folder of all that was handed in, its parent where it stands alone.
            asked: what the submission may define that something is asked of; what these need is run.
        """
        self.asked = asked
        self.submission, self.limits, self.unsafe = submission, limits, unsafe
        self.root = root or submission.parent
        self.ends_at = time.monotonic() + limits.total_seconds
        self.process: Process | None = None
        self.starts, self._looked = 0, 0.0
        self.parts: tuple[str, ...] = ()
        self.weight_map: dict[str, list[str]] = {}
        self.notes: tuple[str, ...] = ()
        """What was left out, as `left_out.sentences` reads it."""

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def load(self) -> None:
        """Start a process and have it load the submission.

        Raises:
            AnswerError: it cannot be loaded.
            PygptError: the process did not even come up: our fault, or the machine's.
        """
        self._end()
        if self.starts > self.limits.restarts:
            raise AnswerError(say("not run: the submission's process ended too often ({n} times)", n=self.starts), True)
        self.starts += 1
        self.process = Process(self.submission, self.root, self.limits, self.unsafe)
        try:
            self._read(self.limits.load_seconds, 1 << 16)
        except AnswerError as failed:
            self._end()
            if time.monotonic() >= self.ends_at:
                raise
            raise PygptError("the isolated process did not start ({why})", why=failed.message) from failed
        request = {"op": "load", "seconds": self.limits.load_seconds, "parts": list(self.asked)}
        answer = self._ask(request, {}, dict.fromkeys(_TEXTS), self.limits.load_seconds)
        parts, lines, notes = (wire.words(or_raised(answer[name])).split("\n") for name in _TEXTS)
        self.parts, self.notes = tuple(parts), tuple(notes)
        self.weight_map = {name: own for name, *own in (line.split("\t") for line in lines if line)}

    def ask(self, request: dict[str, Any], tensors: Mapping[str, Tensor], shapes: Shapes) -> dict[str, Tensor]:
        """The answer to a request, its tensors checked; floats come as float64.

        Raises:
            AnswerError: an exception in the submission, a crash, no answer in time, or an answer that is not allowed.
        """
        return {name: or_raised(answer) for name, answer in self.each(request, tensors, shapes).items()}

    def each(
        self, request: dict[str, Any], tensors: Mapping[str, Tensor], shapes: Shapes
    ) -> dict[str, Tensor | AnswerError]:
        """The same where a part of the answer may be wrong, or missing, by itself.

        Raises:
            AnswerError: there is no answer at all.
        """
        if time.monotonic() >= self.ends_at:
            raise AnswerError(say("not run: the time for the whole grading is over"), True)
        if self.process is None:
            self.load()
        return self._ask(request, tensors, shapes, self.limits.check_seconds)

    def _ask(
        self, request: dict[str, Any], tensors: Mapping[str, Tensor], shapes: Shapes, seconds: float
    ) -> dict[str, Tensor | AnswerError]:
        # Floats of 8 bytes at most; of any shape are only texts.
        numbers = sum(8 * math.prod(shape) if shape is not None else wire.LONGEST_TEXT for shape in shapes.values())
        try:
            self._send(wire.pack(tensors, request), seconds)
            answer = _opened(self._read(seconds, numbers + 2 * _HEADER))
        except AnswerError as failed:
            if not isinstance(failed, _TooLargeError):
                self._end()
            raise
        if (raised := _raised("error", answer)) is not None:
            raise raised
        return {name: _raised(f"error.{name}", answer) or _checked(name, answer, shape)
                for name, shape in shapes.items()}  # fmt: skip

    def _send(self, message: bytes, seconds: float) -> None:
        assert self.process is not None
        channel, until = self.process.channel, self._until(seconds)
        channel.setblocking(False)
        view = memoryview(message)
        while view:
            self._wait(channel, until, writing=True)
            try:
                view = view[channel.send(view) :]
            except BlockingIOError:
                continue
            except OSError:
                raise self._ended() from None

    def _read(self, seconds: float, most: int) -> bytes:
        until = self._until(seconds)
        size, allowed = int.from_bytes(self._exactly(wire.LENGTH_BYTES, until), "little"), self.limits.answer_mib << 20
        if size <= min(most, allowed):
            return self._exactly(size, until)
        if size > allowed:
            raise AnswerError(_too_large(size, allowed))
        for start in range(0, size, _HEADER):  # so that the next answer is read from its beginning
            self._exactly(min(_HEADER, size - start), until)
        raise _TooLargeError(_too_large(size, most))

    def _exactly(self, size: int, until: float) -> bytes:
        assert self.process is not None
        channel, data = self.process.channel, bytearray()
        channel.setblocking(False)
        while len(data) < size:
            self._wait(channel, until, writing=False)
            try:
                part = channel.recv(min(size - len(data), 1 << 20))
            except BlockingIOError:
                continue
            except OSError:
                part = b""
            if not part:
                raise self._ended()
            data += part
        return bytes(data)

    def _wait(self, channel: Any, until: float, writing: bool) -> None:
        assert self.process is not None
        while True:
            left = until - time.monotonic()
            if left <= 0:
                raise AnswerError(say("no answer in time: the process was ended"))
            if time.monotonic() - self._looked > _LOOK_SECONDS:
                self._looked = time.monotonic()
                if self.process.overran() or memory() > self.limits.memory_mib << 20:
                    stop_all()
                    raise self._too_much_memory()
            ready = select.select(
                [] if writing else [channel], [channel] if writing else [], [], min(left, _LOOK_SECONDS)
            )
            if ready[0] or ready[1]:
                return

    def _until(self, seconds: float) -> float:
        return min(time.monotonic() + seconds, self.ends_at)

    def _ended(self) -> AnswerError:
        if self.process is not None and self.process.overran():
            return self._too_much_memory()
        return AnswerError(say("the submission's process ended (sys.exit, os._exit, a crash, or a limit)"))

    def _too_much_memory(self) -> AnswerError:
        words = say("too much memory: more than {n:,} MiB; the process was ended", n=self.limits.memory_mib)
        return AnswerError(words)

    def _end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process = None


def _too_large(size: int, most: int) -> Message:
    return say("the answer is too large: {size:,} bytes, {most:,} are allowed", size=size, most=most)


def _opened(body: bytes) -> dict[str, Tensor]:
    header = int.from_bytes(body[:8], "little")
    if header > _HEADER:
        raise AnswerError(say("the answer holds too many tensors: {size:,} bytes of names", size=header))
    try:
        return wire.unpack(body)
    except Exception as error:  # whatever a parser says of bytes that a stranger sent
        raise AnswerError(say("the answer is not a whole safetensors message")) from error


def or_raised(kept: _T | AnswerError) -> _T:
    """What was kept, or the error, raised anew."""
    if isinstance(kept, AnswerError):
        raise AnswerError(kept.message, kept.fatal)
    return kept


def _raised(name: str, answer: Mapping[str, Tensor]) -> AnswerError | None:
    words = answer.get(name)
    if words is None or words.dtype != torch.uint8:
        return None
    return AnswerError(say("the submission raised {error}", error=wire.words(words)))


def _checked(name: str, answer: Mapping[str, Tensor], shape: tuple[int, ...] | None) -> Tensor | AnswerError:
    tensor, known = answer.get(name), _CALLED.get(name.split(".")[0], name)
    if tensor is None:
        return AnswerError(say("the answer lacks {name}", name=known))
    if shape is not None and tuple(tensor.shape) != shape:
        own, wanted = str(tuple(tensor.shape)), str(shape)
        return AnswerError(say("{name} has shape {shape}, not {wanted}", name=known, shape=own, wanted=wanted))
    if name in _WHOLE and tensor.dtype in (torch.int64, torch.uint8):
        return tensor
    if tensor.dtype not in _FLOATS or name in _WHOLE:
        return AnswerError(say("{name} is {dtype}: not a type that is allowed", name=known, dtype=str(tensor.dtype)))
    tensor = tensor.to(torch.float64)
    if not bool(torch.isfinite(tensor).all()):
        return AnswerError(say("{name} holds values that are not finite (NaN or Inf)", name=known))
    return tensor
