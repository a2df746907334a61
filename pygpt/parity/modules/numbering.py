"""Names of two sides that count otherwise: R's `block.1`, `weight_ih_l1` are `block.0`, `weight_ih_l0` here."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable

_NUMBER = re.compile(r"\d+")


def ranked(names: Collection[str]) -> dict[str, str]:
    """Each name with every number in it replaced by its place (from 0) among the names alike up to there.

    `block.1.w`, `block.2.w` and `block.0.w`, `block.1.w` so become the same.
    """
    numbers: dict[str, set[int]] = defaultdict(set)
    for name in names:
        for stem, number in _stems(name):
            numbers[stem].add(number)
    places = {stem: {number: i for i, number in enumerate(sorted(all_))} for stem, all_ in numbers.items()}
    return {name: _replaced(name, places) for name in names}


def paired(r: Collection[str], own: Collection[str]) -> dict[str, str]:
    """R's names with their counterparts.

    Those that are the same when ranked; where one side has more of a kind, the very name; else one that is written
    otherwise (case, underscores).
    """
    by_rank = {rank: name for name, rank in ranked(own).items()}
    kinds_r, kinds_own = Counter(map(_kind, r)), Counter(map(_kind, own))
    both: dict[str, str] = {}
    for name, rank in ranked(r).items():
        if kinds_r[_kind(name)] != kinds_own[_kind(name)] and name in own:
            both[name] = name
        elif rank in by_rank and by_rank[rank] not in both.values():
            both[name] = by_rank[rank]
    plain = {_plain(name): name for name in own}
    for name in r:
        other = plain.get(_plain(name))
        if name not in both and other is not None and other not in both.values():
            both[name] = other
    return both


def _kind(name: str) -> str:
    return _NUMBER.sub("#", name)


def _plain(name: str) -> str:
    """A name without what people write in either way: case, underscores."""
    return name.lower().replace("_", "")


def _stems(name: str) -> Iterable[tuple[str, int]]:
    """For each number in a name: what stands before it, with its own numbers, up to the name's next dot; the number."""
    for match in _NUMBER.finditer(name):
        rest = name[match.end() :].split(".")[0]
        yield name[: match.start()] + "#" + (rest if "." not in name[match.start() :] else ""), int(match[0])


def _replaced(name: str, places: dict[str, dict[int, int]]) -> str:
    stems = iter(list(_stems(name)))

    def place(match: re.Match[str]) -> str:
        stem, number = next(stems)
        return str(places[stem][number])

    return _NUMBER.sub(place, name)
