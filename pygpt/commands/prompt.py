"""The text that a command takes where none is given: the course's prompt, if the vocabulary has its characters."""

from typing import TYPE_CHECKING

from pygpt.errors import PygptError

if TYPE_CHECKING:
    from pygpt.vocabulary import Vocabulary


def course_prompt(vocabulary: "Vocabulary", option: str) -> str:
    """The course's prompt.

    Args:
        option: the one that gives another text, for the error.

    Raises:
        PygptError: the vocabulary, that of another text, lacks a character of it.
    """
    from pygpt.exercises.opening import course_files

    first, *_ = course_files().values()
    prompt = first.generation.prompt
    missing = sorted(set(prompt) - set(vocabulary.characters))
    if missing:
        raise PygptError(
            "give a text with {option}: the course's {prompt}, taken where none is given, has {missing}, which this "
            "vocabulary lacks. It holds: {known}",
            option=option, prompt=repr(prompt), missing=", ".join(map(repr, missing)),
            known=repr("".join(vocabulary.characters)),
        )  # fmt: skip
    return prompt
