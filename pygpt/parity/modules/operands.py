"""Another tensor than R's: a sum left out, a layer that gets what another should get."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from pygpt.parity.modules.calls import Instead, Key, Traced

_MOST_LATER = 25
_MOST_EARLIER = 12


def tried(calls: Sequence[Traced]) -> Iterator[tuple[str, dict[Key, Instead]]]:
    """What is tried: a sentence, and what to do at which call.

    Args:
        calls: the likeliest first.
    """
    for call in calls[:_MOST_LATER]:
        own = call.result
        if not isinstance(own, Tensor | tuple):
            continue
        first = _tensor(own)
        earlier = [
            one
            for one in sorted(calls, key=lambda one: -one.number)
            if one.number < call.number and first is not None and _alike(_tensor(one.result), first)
        ][:_MOST_EARLIER]
        for one in earlier:
            if _tensor(one.result) not in _tensors(call.args):
                yield f"a sum left out (a residual?): R adds {place_of(one)} to {place_of(call)}", _added(one, call)
        for i, argument in enumerate(call.args[:2]):
            if isinstance(argument, Tensor) and argument.is_floating_point():
                for one in sorted(calls, key=lambda one: -one.number)[: 3 * _MOST_EARLIER]:
                    other = _tensor(one.result)
                    if one.number < call.number and _alike(other, argument) and other is not argument:
                        yield (
                            f"{place_of(call)} gets another tensor than in R, where it is {place_of(one)}",
                            _given(one, call, i),
                        )


def _added(earlier: Traced, later: Traced) -> dict[Key, Instead]:
    kept: list[Tensor] = []

    def add(function: Any, args: Any, kwargs: Any, layer: Any) -> Any:
        out = function(*args, **kwargs)
        if isinstance(out, Tensor):
            return out + kept[-1]
        return (out[0] + kept[-1], *out[1:])

    return {earlier.key: keep(kept), later.key: add}


def _given(earlier: Traced, later: Traced, place: int) -> dict[Key, Instead]:
    kept: list[Tensor] = []

    def give(function: Any, args: Any, kwargs: Any, layer: Any) -> Any:
        return function(*args[:place], kept[-1], *args[place + 1 :], **kwargs)

    return {earlier.key: keep(kept), later.key: give}


def keep(kept: list[Tensor]) -> Instead:
    """The same call; what it gives is kept."""

    def instead(function: Any, args: Any, kwargs: Any, layer: Any) -> Any:
        out = function(*args, **kwargs)
        kept.append(_tensor(out))  # type: ignore[arg-type]
        return out

    return instead


def _tensor(value: Any) -> Tensor | None:
    one = value[0] if isinstance(value, tuple) and value else value
    return one if isinstance(one, Tensor) and one.is_floating_point() else None


def _tensors(args: Sequence[Any]) -> "_Identities":
    return _Identities(args)


class _Identities(list[Any]):
    """Tensors, looked up by identity: their `==` is of their elements."""

    def __contains__(self, one: object) -> bool:
        return any(one is other for other in self)


def _alike(one: Tensor | None, other: Tensor) -> bool:
    return one is not None and one is not other and one.shape == other.shape and one.dim() > 1


def place_of(call: Traced) -> str:
    """What a call gives, in words."""
    where = ", ".join(one for one in (call.layer, call.line) if one)
    return f"what {call.function.strip('_')}() gives" + (f" ({where})" if where else "")
