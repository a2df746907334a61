"""Finding out what explains a divergence: each usual mistake is undone on the port, and the ladder is climbed again."""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace

from torch import nn

from pygpt.parity.compare import Comparison, Line
from pygpt.parity.modules import boundaries, changes, dropouts, operands, optimizing
from pygpt.parity.modules.calls import Calls, Instead, Key, Traced, changed, listed
from pygpt.parity.modules.lines import Sides, compared, judged
from pygpt.parity.modules.matching import Matched
from pygpt.parity.modules.replay import Around, Setting, Stage, padding_rows, replay
from pygpt.parity.modules.turned import turned

_SECONDS = 120.0  # on a machine that is slow: what comes out should not depend on it
_MOST = 1500
_FEW = 4


@dataclass(frozen=True)
class Change:
    """One thing that is tried."""

    cause: str
    apply: Callable[[Setting], Setting]


@dataclass(frozen=True)
class Mended:
    """The change that mends a divergence, and what is left then."""

    cause: str
    setting: Setting
    comparison: Comparison


def mend(sides: Sides, setting: Setting, comparison: Comparison) -> Mended | None:
    """The change after which the ladder agrees farthest, beyond the first divergence; None where none helps."""
    first = comparison.first_divergence
    if first is None:
        return None
    stage = stage_of(first.name)
    brief = _brief(sides, first.name)
    was = _height(brief, replace(setting, until=stage), first.name)
    best: tuple[_Height, Change] | None = None
    until = time.monotonic() + _SECONDS
    for number, change in enumerate(_changes(sides, setting, first, stage)):
        if number > _MOST or time.monotonic() > until:
            break
        height = _height(brief, replace(change.apply(setting), until=stage), first.name)
        # one number may agree by chance
        enough = height.agreeing > was.agreeing + 1 or first.shape != (1,) or height.off == 0
        if height.agreeing > was.agreeing and enough and (best is None or height.beats(best[0])):
            best = (height, change)
    if best is None:
        return None
    mended = best[1].apply(setting)
    return Mended(
        best[1].cause, mended, compared(replace(sides, matched=mended.matched), replay(sides.recording, mended))
    )


def stage_of(name: str) -> Stage:
    """The stage of a replay in which a quantity is computed."""
    if name.startswith(("act.", "in.", "output")):
        return "forward"
    return "loss" if name == "loss" else "gradients" if name.startswith("grad.") else "training"


def _brief(sides: Sides, name: str) -> Sides:
    """The sides without what a trial need not compute: of trainings the one that parts, as far as it parts."""
    if stage_of(name) != "training":
        return sides
    training = optimizing.training_of(sides.recording, name)
    one = replace(training, steps=1) if name.startswith(("train_loss1", "step1.")) else training
    return replace(sides, recording=replace(sides.recording, trainings=(one,)))


@dataclass(frozen=True)
class _Height:
    agreeing: int
    """How many quantities agree before the first that does not."""
    off: float
    """How far off the one in question is."""

    def beats(self, other: "_Height") -> bool:
        """Farther up; or as far, and far nearer to R, not by rounding alone."""
        farther = self.agreeing > other.agreeing
        return farther or (self.agreeing == other.agreeing and self.off < other.off / 10 and other.off > 1e-6)


def _height(sides: Sides, setting: Setting, name: str) -> _Height:
    with warnings.catch_warnings(action="ignore"):  # of what is tried, not of the port
        done = replay(sides.recording, setting)
    agreeing, off = 0, 0.0
    for line in judged(replace(sides, matched=setting.matched), done):
        if _reached(line, setting.until):
            off = line.absolute if line.name == name else off
            if not line.agrees:
                break
            agreeing += 1
    return _Height(agreeing, off)


def _reached(line: Line, until: Stage) -> bool:
    order = ("forward", "loss", "gradients", "training")
    return order.index(stage_of(line.name)) <= order.index(until)


def _changes(sides: Sides, setting: Setting, first: Line, stage: Stage) -> Iterator[Change]:
    layer = layer_of(first.name)
    calls = _traced(_brief(sides, first.name), setting, stage)
    own = setting.layers.get(layer, layer)
    near = sorted(
        _before(first.name, own, calls),
        key=lambda call: (call.layer != own, not call.layer.startswith(own), -call.number),
    )
    weights = [
        Change(cause, _with_matched(matched)) for cause, matched in turned(setting.matched, sides.recording.init, layer)
    ]
    if stage == "gradients":
        yield Change(optimizing.PADDING_ROW, lambda s: replace(s, around=_also(s.around, _r_rows)))
    if stage == "training":
        for cause, apply in optimizing.tried(sides.recording, setting, first.name):
            yield Change(cause, apply)
        yield from _on_calls([call for call in near if call.function in ("batch_norm", "dropout")], sides, setting)
        if first.name.startswith(("train_loss1", "step1", "losses")):
            shares = [float(s["p"]) for kind, s in sides.recording.layers.values() if "dropout" in kind and "p" in s]
            yield from (Change(cause, _with_calls(way)) for cause, way in dropouts.moved(calls, shares))
        yield from _on_calls([call for call in near if call.function not in ("batch_norm", "dropout")], sides, setting)
        return
    for cause, around in boundaries.given(first.name, own, sides.recording):
        yield Change(cause, _with_around(around))
    yield from (change for change in weights if change.cause.startswith("the gates"))
    yield from _on_calls(near, sides, setting)
    yield from (change for change in weights if not change.cause.startswith("the gates"))
    if stage == "forward":
        for cause, around in boundaries.tried(first.name, own, first.shape, near):
            yield Change(cause, _with_around(around))
    yield from (Change(cause, _with_calls(way)) for cause, way in operands.tried(near))


def _before(name: str, own: str, calls: list[Traced]) -> list[Traced]:
    """The calls that a quantity can depend on: those before it, as far as its name tells."""
    inside = [call.number for call in calls if call.layer == own or call.layer.startswith(own + ".")]
    if not own or not inside:
        return calls
    until = min(inside) - 1 if name.startswith("in.") else max(inside)
    return [call for call in calls if call.number <= until]


def _on_calls(calls: list[Traced], sides: Sides, setting: Setting) -> Iterator[Change]:
    """What is tried on the calls of one function in one line, together and, where they are few, one by one."""
    r_layers = {name: layer for layer, name in setting.layers.items()}
    together: dict[tuple[str, str, str, str], dict[Key, Instead]] = {}
    one_by_one: list[tuple[Traced, str, Instead]] = []
    everywhere: dict[tuple[str, str], dict[Key, Instead]] = {}
    for call in calls:
        settings = dict(sides.recording.layers.get(r_layers.get(call.layer, ""), ("", {}))[1])
        for cause, instead in changes.tried_on(call, settings):
            together.setdefault((call.layer, call.line, call.function, cause), {})[call.key] = instead
            everywhere.setdefault((call.function, cause), {})[call.key] = instead
            one_by_one.append((call, cause, instead))
    for (layer, line, _, cause), all_ in together.items():
        yield Change(_placed(layer, line, cause), _with_calls(all_))
    for (_, cause), all_ in everywhere.items():
        if all_ not in together.values():
            yield Change(f"everywhere: {cause}", _with_calls(all_))
    for call, cause, instead in one_by_one:
        if 1 < len(together[call.layer, call.line, call.function, cause]) <= _FEW:
            yield Change(f"once in {_placed(call.layer, call.line, cause)}", _with_calls({call.key: instead}))


def _placed(layer: str, line: str, cause: str) -> str:
    where = ", ".join(one for one in (layer, line) if one)
    return f"{where}: {cause}" if where else cause


def _with_calls(instead: dict[Key, Instead]) -> Callable[[Setting], Setting]:
    return _with_around(lambda module: changed(instead, module))


def _with_around(around: Around) -> Callable[[Setting], Setting]:
    return lambda setting: replace(setting, around=_also(setting.around, around))


def _with_matched(matched: Matched) -> Callable[[Setting], Setting]:
    return lambda setting: replace(setting, matched=matched)


def _also(one: Around, other: Around) -> Around:
    @contextmanager
    def both(module: nn.Module) -> Iterator[None]:
        with ExitStack() as stack:
            stack.enter_context(one(module))
            stack.enter_context(other(module))
            yield

    return both


def _r_rows(module: nn.Module) -> AbstractContextManager[None]:
    return padding_rows(module, "r")


def _traced(sides: Sides, setting: Setting, stage: Stage) -> list[Traced]:
    calls, training = Calls(setting.port.file), stage == "training"
    around = _also(setting.around, lambda module: listed(calls, module, training))
    replay(sides.recording, replace(setting, around=around, until="training" if training else "forward"))
    return calls.traced


def layer_of(name: str) -> str:
    """R's submodule that a quantity is of: `act.block.0#2[1]` is of `block.0`; empty where it is of none."""
    if not name.startswith(("act.", "in.")):
        return ""
    return name.split(".", 1)[1].split("[")[0].split("#")[0]
