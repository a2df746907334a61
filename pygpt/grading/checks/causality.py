"""causality: each token is changed in turn, and the outputs must move exactly where R's do."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from pygpt.grading.check import Case, Each, Verdict, check
from pygpt.grading.drawn import normal_weights, one_changed
from pygpt.grading.exam import Exam
from pygpt.grading.port import Weights, reference
from pygpt.output.messages import say
from pygpt.settings import R_MODELS, ModelSettings

# Below this share of the logits' standard deviation nothing has moved; R's own moves count from the second on.
_STILL, _MOVED = 1e-5, 1e-3
_SHARE_OF_R = 0.01
_COURSE_BLOCK = 64


def _in_mode(train: bool) -> Each:
    def cases(exam: Exam) -> Iterator[Case]:
        for model in exam.models:
            rng = exam.random("causality", train, model)
            settings = exam.settings(model, rng)
            lengths = [settings.block_size, settings.block_size - 1]
            yield Case(say("{model}", model=R_MODELS[model]), model, given=(settings, lengths, (train,), rng))

    return cases


def _at_every_length(exam: Exam) -> Iterator[Case]:
    for model in exam.models:
        rng = exam.random("causality", "lengths", model)
        small = exam.settings(model, rng, block_size=int(torch.randint(20, 30, (1,), generator=rng)))
        course = exam.settings(model, rng, block_size=_COURSE_BLOCK, n_layer=2)
        every, modes = range(1, small.block_size + 1), (False, True)
        yield Case(say("{model}, every length", model=R_MODELS[model]), model, given=(small, every, modes, rng))
        name = say("{model}, the course's block", model=R_MODELS[model])
        yield Case(name, model, given=(course, (33, 63, 64), modes, rng))


@check(
    "causality.lengths",
    say("Causality at every length"),
    say("The mask must fit every k up to block_size, also lengths that training never shows."),
    say("Make the mask for k, the length of this input, or cut a larger one to [:k, :k]."),
    each=_at_every_length,
)
@check(
    "causality.train",
    say("Causality in train mode"),
    say("The same mask in training: a model that sees the next character learns nothing but to copy it."),
    say("Is the mask applied in train mode, too?"),
    each=_in_mode(train=True),
)
@check(
    "causality.eval",
    say("Causality in eval mode"),
    say("The output at t depends on tokens 1 to t (GPT) or on token t alone (GPT_NoAttn), and on no later one."),
    say("torch.triu(torch.ones(k, k), diagonal=1) is True where attention is blocked: j > i."),
    each=_in_mode(train=False),
)
def moved_as_in_r(
    exam: Exam, settings: ModelSettings, lengths: Sequence[int], modes: Sequence[bool], rng: torch.Generator
) -> Verdict:
    """Change one token at a time, at these lengths and in these modes (True: train)."""
    # Scores near zero: attention that saturates, as without 1/sqrt(d), is not blind.
    drawn = {n: 0.5 * w if "in_proj" in n else w for n, w in normal_weights(settings, rng).items()}
    weights = exam.port.fitted(settings, drawn)
    batches = [one_changed(settings, k, rng) for k in lengths]
    expected = say("each output depends on the tokens that R's does")
    for train in modes:
        answers = exam.port.logits(settings, weights, batches, train=train)
        for k, x, logits in zip(lengths, batches, answers, strict=True):
            wrong = _first_difference(settings, weights, x, logits)
            if wrong is not None:
                changed, place, leaks = wrong
                where = {"mode": "train" if train else "eval", "k": k, "place": place, "changed": changed}
                leak = say("{mode} mode, length {k}: position {place} sees the token at {changed}", **where)
                blind = say("{mode} mode, length {k}: position {place} does not see the token at {changed}", **where)
                return Verdict.of(False, expected, leak if leaks else blind)
    return Verdict.of(True, expected, say("as expected, at {n} lengths", n=len(lengths)))


def _first_difference(
    settings: ModelSettings, weights: Weights, x: Tensor, logits: Tensor
) -> tuple[int, int, bool] | None:
    """Changed position, position of the output, and whether it leaks (True) or is blind (False); from 1."""
    with torch.no_grad():
        right = reference(settings, weights)(x)
    changed_at = (x[1:] != x[0]).int().argmax(dim=1)
    moves = (logits[1:] - logits[0]).abs().amax(dim=2) / max(float(logits.std()), 1e-30)
    should = (right[1:] - right[0]).abs().amax(dim=2) / float(right.std())
    leaks = (should == 0) & (moves > _STILL)
    blind = (should > _MOVED) & (moves < _SHARE_OF_R * should)
    for wrong, leak in ((leaks, True), (blind, False)):
        if bool(wrong.any()):
            i, place = (int(n) for n in wrong.nonzero()[0])
            return int(changed_at[i]) + 1, place + 1, leak
    return None
