"""The text that an exercise has its model write."""

import torch

from pygpt.determinism import reproducible
from pygpt.exercises.exercise import Generation
from pygpt.generation import generate
from pygpt.models import CharacterModel
from pygpt.output.messages import say
from pygpt.vocabulary import Vocabulary


def written(network: CharacterModel, vocabulary: Vocabulary, how: Generation, r_threads: int = 1) -> str | None:
    """What a model writes after the exercise's prompt, as R draws it; the prompt is left out.

    None where the training has diverged: from weights that are not finite nothing can be drawn.
    """
    if not all(torch.isfinite(value).all() for value in network.state_dict().values()):
        return None
    prompt = vocabulary.encode(how.prompt, say("the course's prompt")).tolist()
    with reproducible():
        drawn = generate(network, prompt, how.tokens, how.temperature, (how.seed,), how.top_k, r_threads, how.rule)
        rows = [row for (row,) in drawn]
    return vocabulary.decode(rows)
