"""causality: no output sees a later token, and each sees what R's does."""

from collections.abc import Iterator

import torch
from torch import Tensor

from pygpt.grading.algebra import R, forward
from pygpt.grading.check import Case, Each, Outcome, Verdict, check
from pygpt.grading.diagnosis import Diagnosis, gap
from pygpt.grading.exam import Exam, tokens
from pygpt.grading.r_model import normal_weights
from pygpt.output.messages import Message, say
from pygpt.settings import R_MODELS, ModelName

# Shares of the logits' standard deviation, and of R's own move.
_STILL, _MOVED, _SHARE_OF_R = 1e-4, 1e-2, 0.1
_CHANGED_ROWS = 6
_EXPECTED = say("each output depends on the tokens that R's does")


def _of(train: bool, id: str) -> Each:
    def cases(exam: Exam) -> Iterator[Case]:
        for model in exam.models:
            yield Case(say("{model}", model=R_MODELS[model]), model, given=(model, train, id))

    return cases


@check(
    "causality.lengths",
    say("Causality at every length"),
    say("The mask must fit every k up to block_size, also lengths that training never shows."),
    say("Make the mask for k, the length of this input, or cut a larger one to [:k, :k]."),
    each=_of(False, "causality.lengths"),
)
@check(
    "causality.train",
    say("Causality in train mode"),
    say("The same mask in training: a model that sees the next character learns nothing but to copy it."),
    say("Is the mask applied in train mode, too?"),
    each=_of(True, "causality.train"),
)
@check(
    "causality.eval",
    say("Causality in eval mode"),
    say("The output at t depends on tokens 1 to t (GPT) or on token t alone (GPT_NoAttn), and on no later one."),
    say("torch.triu(torch.ones(k, k), diagonal=1) is True where attention is blocked: j > i."),
    each=_of(False, "causality.eval"),
)
def causal(exam: Exam, model: ModelName, train: bool, id: str) -> Verdict:
    diagnosis = exam.diagnosis(model)
    costs = diagnosis.costs(id)
    if costs:
        return Verdict(Outcome.WRONG, _EXPECTED, costs[0].words)
    if not diagnosis.explained or (train and diagnosis.in_training is None):
        return Verdict.of(not (wrong := _moves_otherwise(exam, model, train)), _EXPECTED, wrong or say("as expected"))
    if train and diagnosis.in_training != diagnosis.algebra:
        return Verdict(Outcome.WRONG, _EXPECTED, say("in train mode the mask is another"))
    if id == "causality.lengths" and (length := _other_at(exam, diagnosis)):
        return Verdict(Outcome.WRONG, _EXPECTED, say("at length {k} the logits are others", k=length))
    return Verdict(Outcome.RIGHT, _EXPECTED, say("as expected"))


def _other_at(exam: Exam, diagnosis: Diagnosis) -> int | None:
    """The first length, of every one in a small block and some of the exercise's, at which the logits are others."""
    rng = exam.random("causality", "lengths", diagnosis.model)
    small = exam.settings(diagnosis.model, rng, block_size=int(torch.randint(20, 30, (1,), generator=rng)))
    block = exam.rubric.own[diagnosis.model].block_size
    own = exam.settings(diagnosis.model, rng, block_size=block)
    for settings, lengths in ((small, range(1, small.block_size)), (own, (block // 2 + 1, block - 1))):
        weights = normal_weights(settings, rng)
        inputs = [tokens(rng, (1, k), 0, settings.vocab_size) for k in lengths]
        for x, answer in zip(inputs, exam.port.logits(settings, weights, inputs), strict=True):
            if gap(forward(diagnosis.algebra, settings, weights, x), answer, exam.tolerance):
                return x.shape[1]
    return None


def _moves_otherwise(exam: Exam, model: ModelName, train: bool) -> Message | None:
    """What no change explains: tokens are changed, one in each of a few rows, hidden among rows of their own.

    Returns:
        Which output sees what R's does not, or does not see what R's sees.
    """
    rng = exam.random("causality", "moves", train, model)
    settings = exam.settings(model, rng)
    weights, k = normal_weights(settings, rng), settings.block_size
    rows = tokens(rng, (_CHANGED_ROWS, k), 0, settings.vocab_size)
    places = torch.randperm(k, generator=rng)[:_CHANGED_ROWS]
    changed = rows.clone()
    for i, place in enumerate(places.tolist()):
        changed[i, place] = (
            rows[i, place] + 1 + tokens(rng, (1,), 0, settings.vocab_size - 1)[0]
        ) % settings.vocab_size
    order = [torch.randperm(2 * _CHANGED_ROWS, generator=rng) for _ in range(2)]
    noise = [tokens(rng, (_CHANGED_ROWS, k), 0, settings.vocab_size) for _ in range(2)]
    inputs = [torch.cat([a, b])[o] for a, b, o in zip((rows, changed), noise, order, strict=True)]
    answers = exam.port.logits(settings, weights, inputs, train=train)
    before, after = (answer[o.argsort()][:_CHANGED_ROWS] for answer, o in zip(answers, order, strict=True))
    moved = _size(after - before, before)
    should = _size(forward(R, settings, weights, changed) - (right := forward(R, settings, weights, rows)), right)
    for row, place in enumerate(places.tolist()):
        for at in range(k):
            where = {"place": at + 1, "changed": place + 1, "mode": "train" if train else "eval"}
            if float(should[row, at]) == 0 and float(moved[row, at]) > _STILL:
                return say("{mode} mode: position {place} sees the token at {changed}", **where)
            if float(should[row, at]) > _MOVED and float(moved[row, at]) < _SHARE_OF_R * float(should[row, at]):
                return say("{mode} mode: position {place} does not see the token at {changed}", **where)
    return None


def _size(move: Tensor, logits: Tensor) -> Tensor:
    return move.abs().amax(dim=2) / max(float(logits.std()), 1e-30)
