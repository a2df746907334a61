"""forward: what the diagnosis of each model says, check by check."""

from collections.abc import Callable, Iterator

from pygpt.grading.check import Case, Each, Outcome, Verdict, check
from pygpt.grading.diagnosis import BASE, Diagnosis, Place
from pygpt.grading.exam import Exam, of_models
from pygpt.grading.r_model import BLOCK_PARTS
from pygpt.output.messages import Message, say
from pygpt.settings import R_MODELS, ModelName

_EXPECTED = say("the logits of R's model, for any weights, lengths and batches")


def _blocks(part: str) -> Each:
    """Each block of each model that has this part."""

    def cases(exam: Exam) -> Iterator[Case]:
        for model in exam.models:
            if part in BLOCK_PARTS[model]:
                for j in range(exam.blocks_alone):
                    name = say("{model}, block {j}", model=R_MODELS[model], j=j + 1)
                    yield Case(name, model, j + 1, part, given=(model, (j, part)))

    return cases


@check(
    "forward.head",
    say("Final norm and output layer"),
    say("logits = ln_f(scale3(h)): a LayerNorm, then a linear layer without bias."),
    say("Apply scale3 before ln_f, and return logits, not probabilities."),
    each=of_models("forward.head"),
)
@check(
    "forward.embedding",
    say("Embedding: token plus position"),
    say("h0 = Embed(x) + Pos(x): the token's row plus the row of its position, counted from the first."),
    say("self.wte(x) + self.wpe(torch.arange(k)), without a factor"),
    each=of_models("forward.embedding"),
)
def around_the_blocks(exam: Exam, model: ModelName, id: str) -> Verdict:
    """Right where the model is right without its blocks."""
    return judged(exam, model, id, lambda d: Outcome.RIGHT if BASE in d.right else Outcome.WRONG)


@check(
    "forward.ffn",
    say("Feed-forward part of each block"),
    say("h + FFN(LN(h)) with Linear(d, 4d), the exact GELU, Linear(4d, d)."),
    say("nn.GELU() without approximate='tanh'; LayerNorm before, the input added after."),
    each=_blocks("FFN"),
)
@check(
    "forward.attention",
    say("Attention of each block"),
    say("h' = h + MHA(LN(h))."),
    say("softmax(Q K^T / sqrt(d / heads)) V for each head, then the output projection; the input is added after."),
    each=_blocks("MH"),
    needs=("GPT",),
)
def in_a_block(exam: Exam, model: ModelName, place: Place) -> Verdict:
    """Right where the model is right with this part of this block alone."""
    id = "forward.attention" if place[1] == "MH" else "forward.ffn"
    return judged(exam, model, id, lambda d: Outcome.RIGHT if place in d.right else Outcome.WRONG)


@check(
    "forward.norm_eps",
    say("eps of the LayerNorms"),
    say("R's nn_layer_norm adds eps = 1e-5 to the variance; for inputs of small variance it shows."),
    say("nn.LayerNorm(n_embd) has eps=1e-5 already"),
    each=of_models("forward.norm_eps"),
)
@check(
    "forward.norm_places",
    say("Each LayerNorm in its place"),
    say("scale1 stands before the attention, scale2 before the feed-forward part, inside of the branch (pre-norm)."),
    say("h + MHA(scale1(h)), then h + FFN(scale2(h)): not exchanged, and not after the sum."),
    each=of_models("forward.norm_places"),
)
def norms(exam: Exam, model: ModelName, id: str) -> Verdict:
    """Where no change explains the model, its one wrong part has been paid for; with more, nothing is proven."""
    return judged(exam, model, id, lambda d: Outcome.PAID if d.wrong_parts <= 1 else Outcome.WRONG)


@check(
    "forward.whole",
    say("The whole model"),
    say("The parts follow each other as in R."),
    say("Embedding, block 1 to N (attention, then feed-forward), scale3, ln_f."),
    each=of_models("forward.whole"),
)
def whole(exam: Exam, model: ModelName, id: str) -> Verdict:
    """Each part right by itself and the whole wrong is this check's; one wrong part has been paid for."""
    return judged(exam, model, id, lambda d: Outcome.PAID if d.wrong_parts == 1 else Outcome.WRONG)


def judged(exam: Exam, model: ModelName, id: str, unexplained: Callable[[Diagnosis], Outcome]) -> Verdict:
    """A check's verdict from the diagnosis.

    Args:
        unexplained: what it is where no change explains the model.
    """
    diagnosis = exam.diagnosis(model)
    costs = diagnosis.costs(id)
    if costs:
        return Verdict(Outcome.WRONG, _EXPECTED, _told(diagnosis, costs[0].words))
    if diagnosis.explained:
        return Verdict(Outcome.RIGHT, _EXPECTED, say("as expected"))
    if diagnosis.unanswered is not None:
        return Verdict(Outcome.NO_ANSWER, _EXPECTED, diagnosis.unanswered)
    outcome = unexplained(diagnosis)
    if outcome is Outcome.RIGHT:
        return Verdict(outcome, _EXPECTED, say("as expected, with the other parts silent"))
    verdict = Verdict(outcome, _EXPECTED, _told(diagnosis, say("no usual mistake explains it")))
    return verdict.paid() if outcome is Outcome.PAID else verdict


def _told(diagnosis: Diagnosis, words: Message) -> Message:
    gap = diagnosis.gap
    if gap is None:
        return words if diagnosis.problem is None else say("{words}: {problem}", words=words, problem=diagnosis.problem)
    return say(
        "{words} (window {window}, position {position}, row {row} of the vocabulary: {actual} where R has {expected}, "
        "{deviations} standard deviations off)",
        words=words,
        window=gap.window,
        position=gap.position,
        row=gap.row,
        actual=gap.actual,
        expected=gap.expected,
        deviations=gap.deviations,
    )
