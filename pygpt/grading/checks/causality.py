"""causality: each token is changed in turn, and the outputs must move exactly where R's do."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pygpt.grading.drawn import normal_weights, one_changed
from pygpt.grading.exam import Check, Exam, Item, Verdict, judged, of_model
from pygpt.grading.messages import say
from pygpt.grading.port import R_NAME, Weights, reference
from pygpt.settings import ModelSettings

# Below this share of the logits' standard deviation nothing has moved; R's own moves count from the second on.
_STILL, _MOVED = 1e-5, 1e-3
_SHARE_OF_R = 0.01
_COURSE_BLOCK = 64


def _mode(exam: Exam, train: bool) -> list[Item]:
    items = []
    for model in exam.models:
        rng = exam.random("causality", train, model)
        settings = exam.settings(model, rng)
        lengths = [settings.block_size, settings.block_size - 1]
        items.append(judged(of_model(model), moved_as_in_r, exam, settings, lengths, (train,), rng))
    return items


def _lengths(exam: Exam) -> list[Item]:
    items = []
    for model in exam.models:
        rng = exam.random("causality", "lengths", model)
        small = exam.settings(model, rng, block_size=int(torch.randint(20, 30, (1,), generator=rng)))
        course = exam.settings(model, rng, block_size=_COURSE_BLOCK, n_layer=2)
        for settings, lengths, name in (
            (small, range(1, small.block_size + 1), say("{model}, every length", model=R_NAME[model])),
            (course, (33, 63, 64), say("{model}, the course's block", model=R_NAME[model])),
        ):
            items.append(judged(name, moved_as_in_r, exam, settings, lengths, (False, True), rng))
    return items


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
                return Verdict(False, expected, leak if leaks else blind)
    return Verdict(True, expected, say("so it is, at {n} lengths", n=len(lengths)))


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
    for found, leak in ((leaks, True), (blind, False)):
        if bool(found.any()):
            i, place = (int(n) for n in found.nonzero()[0])
            return int(changed_at[i]) + 1, place + 1, leak
    return None


CHECKS = (
    Check(
        "causality.eval",
        say("Causality in eval mode"),
        say("The output at t depends on tokens 1 to t (GPT) or on token t alone (GPT_NoAttn), and on no later one."),
        say("torch.triu(torch.ones(k, k), diagonal=1) is True where attention is blocked: j > i."),
        lambda exam: _mode(exam, False),
    ),
    Check(
        "causality.train",
        say("Causality in train mode"),
        say("The same mask in training: a model that sees the next character learns nothing but to copy it."),
        say("Is the mask applied in train mode, too?"),
        lambda exam: _mode(exam, True),
    ),
    Check(
        "causality.lengths",
        say("Causality at every length"),
        say("The mask must fit every k up to block_size, also lengths that training never shows."),
        say("Make the mask for k, the length of this input, or cut a larger one to [:k, :k]."),
        _lengths,
    ),
)
