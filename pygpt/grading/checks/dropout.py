"""dropout: off in eval mode, and in train mode at R's three places: what a port drops is told by `dropping`."""

import torch

from pygpt.grading.algebra import forward
from pygpt.grading.check import Outcome, Verdict, check
from pygpt.grading.diagnosis import gap
from pygpt.grading.dropping import places_of
from pygpt.grading.exam import Exam, of_models
from pygpt.grading.r_model import normal_weights
from pygpt.output.messages import Message, say
from pygpt.settings import ModelName

_ALIVE = 1e-3
_HINT = say("nn.Dropout(p0), in train mode alone: on the embedding, on the attention weights, at the end of FFN.")
_WHERE: dict[str, Message] = {
    "dropout.embedding": say("the sum of token and position is dropped at the rate p"),
    "dropout.attention": say("attention weights are dropped at the rate p, after the softmax"),
    "dropout.ffn": say("the output of the feed-forward part is dropped at the rate p"),
}


@check(
    "dropout.eval",
    say("No dropout in eval mode"),
    say("model$eval() turns dropout off: the same input gives the same logits."),
    say("nn.Dropout knows the mode; functional.dropout needs training=self.training."),
    each=of_models(),
)
def only_in_training(exam: Exam, model: ModelName) -> Verdict:
    rng = exam.random("dropout", "eval", model)
    settings = exam.settings(model, rng, dropout=0.3)
    weights = normal_weights(settings, rng)
    x, y = (torch.randint(0, settings.vocab_size, (2, settings.block_size - 1), generator=rng) for _ in range(2))
    one, two, other = exam.port.logits(settings, weights, [x, x, y], seeds=(11, 12, 11))
    expected = say("in eval mode the same logits for the same input")
    if not bool((one == two).all()):
        return Verdict.of(False, expected, say("different logits at each call"))
    if float((one - other).std()) <= _ALIVE * float(one.std()):
        return Verdict(Outcome.NO_EFFECT, expected, say("the input changes nothing"))
    diagnosis = exam.diagnosis(model)
    if diagnosis.explained and gap(forward(diagnosis.algebra, settings, weights, x), one, exam.tolerance) is not None:
        return Verdict.of(False, expected, say("other logits than with a rate of 0: something is dropped or scaled"))
    return Verdict.of(True, expected, say("the same"))


@check(
    "dropout.ffn",
    say("Dropout at the end of the feed-forward part"),
    say("The last layer of FFN is nn_dropout(p0): before the sum, after the second linear layer."),
    _HINT,
    each=of_models("dropout.ffn"),
)
@check(
    "dropout.attention",
    say("Dropout on the attention weights"),
    say("nn_multihead_attention(dropout = p0) drops weights after the softmax, and nothing after the projection."),
    _HINT,
    each=of_models("dropout.attention", having="MH"),
    needs=("GPT",),
)
@check(
    "dropout.embedding",
    say("Dropout on the embedding"),
    say("drop0 drops single values of the sum of token and position."),
    _HINT,
    each=of_models("dropout.embedding"),
)
def dropped_at(exam: Exam, model: ModelName, place: str) -> Verdict:
    dropping, expected = exam.dropping(model), _WHERE[place]
    diagnosis = exam.diagnosis(model)
    if diagnosis.explained and place not in places_of(diagnosis):
        return Verdict(Outcome.NO_EFFECT, expected, say("there is nothing that could be dropped"))
    for drop in dropping.drops:
        if drop.check == place:
            return Verdict.of(False, expected, drop.words)
    if place in dropping.unknown:
        return Verdict.of(False, expected, dropping.problem or say("something else is dropped than in R, or nothing"))
    return Verdict.of(True, expected, say("as expected"))
