"""What a submission says of its parameters: read, and bounded before anything is made of it."""

import math
from collections.abc import Mapping

from pygpt.isolation.session import AnswerError
from pygpt.layouts.pieces import Shape
from pygpt.output.messages import say

# Of a model's parameters, beside a few times R's: numbers, names, and characters of a name.
_NUMBERS, _NAMES, _LONGEST_NAME = 1 << 20, 200, 200
_TIMES = 4


def parameters_of(names: str, r: Mapping[str, Shape] | None = None) -> tuple[dict[str, Shape], dict[str, str]]:
    """The parameters that a submission says it has, and the further names of shared ones.

    Args:
        names: lines of name, name of the same parameter, and for a first name the shape, `2,3`; parted by tabs.
        r: R's, of which a submission may have a few times as many.

    Raises:
        AnswerError: they cannot be read, or claim to be more or larger than any that is asked for.
    """
    lines = [line.split("\t") for line in names.split("\n")]
    try:
        named = {line[0]: tuple(int(n) for n in line[2].split(",") if n) for line in lines if line[0] == line[1]}
        aliases = {line[0]: line[1] for line in lines if line[0] != line[1]}
    except (IndexError, ValueError) as error:
        raise AnswerError(say("the model has no parameters that could be read")) from error
    if any(n < 1 for shape in named.values() for n in shape) or not {*aliases.values()} <= {*named}:
        raise AnswerError(say("the model has no parameters that could be read"))
    most = _NAMES + _TIMES * len(r or ())
    if len(lines) > most or any(len(line[0]) > _LONGEST_NAME for line in lines):
        raise AnswerError(
            say(
                "the model has more than {n:,} parameters, or a name of more than {m} characters",
                n=most,
                m=_LONGEST_NAME,
            )
        )
    most = _NUMBERS + _TIMES * sum(map(math.prod, (r or {}).values()))
    if sum(map(math.prod, named.values())) > most:
        raise AnswerError(say("the model's parameters have more than {n:,} numbers", n=most))
    return named, aliases
