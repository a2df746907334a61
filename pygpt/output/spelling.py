"""Which known name a misspelt one was meant to be."""

import difflib
from collections.abc import Iterable, Mapping

from pygpt.output.messages import Message, say


def did_you_mean(word: str, known: Iterable[str], other_names: Mapping[str, str] | None = None) -> Message:
    """` Did you mean 'n_embd'?` for `n_embed`; an empty sentence where nothing is near.

    Args:
        other_names: names that are not known, and what they are called here (`learning_rate`: `lr`).
    """
    here = {name.lower(): name for name in known}
    here |= {other.lower(): name for other, name in (other_names or {}).items()}
    near = difflib.get_close_matches(word.lower(), here, n=1)
    return say(" Did you mean {name}?", name=repr(here[near[0]])) if near else say("")
