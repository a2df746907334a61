"""What sources, models and quantities are called."""

from pygpt.output.messages import Message, say

SOURCES = {"corpus": say("the course's text"), "course": say("course"), "r": say("R"), "run": say("run")}
MODELS = {"gpt": say("GPT"), "gpt_noattn": say("no attention")}
PARTS = {"train": say("train"), "valid": say("validation")}
LOSSES = {"train": say("train loss"), "valid": say("validation loss")}
PERPLEXITIES = {"train": say("train perplexity"), "valid": say("validation perplexity")}


def loss_of(key: tuple[int, str]) -> Message:
    """The loss of an epoch and part."""
    epoch, part = key
    return say("{loss} of epoch {epoch}", loss=LOSSES[part], epoch=epoch)
