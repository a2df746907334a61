"""Writing a new exercise's file, with every key explained."""

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

from pygpt.exercises.exercise import Generation
from pygpt.exercises.reading import FORMAT, KEYS, OF_TEXT
from pygpt.output.messages import Message, say
from pygpt.settings import ModelName, ModelSettings, TrainingSettings

_TABLES = {
    "title": say("What reports call the exercise, in one language or more."),
    "text": say("What is learnt from. Whoever changes the text writes its new SHA-256 here and prepares again."),
    "model": say("The model: R's names of these settings stand in brackets."),
    "training": say("How it is trained."),
    "generation": say("The text that a trained model writes in the reports."),
}
_ABOUT: dict[str, Message] = {
    "format": say("Of this file."),
    "number": say("Of the exercise, where the sheet counts them."),
    "beside": say("The exercise with the other model, for pages that say what attention buys."),
    "text.source": say("A file beside this one, an address (https://…), or sample or shakespeare."),
    "text.sha256": say("Of the text's bytes."),
    "text.share": say("How much of the text is used, from its start, above 0 to 1."),
    "text.train_share": say("How much of that is trained on; the rest validates."),
    "text.vocabulary": say("How R sorts the characters: icu (its default), or c (LC_COLLATE=C)."),
    "model.model": say("gpt (with attention) or gpt_noattn (without)."),
    "model.block_size": say("Characters of context."),
    "model.n_embd": say("Width of the embedding, a multiple of n_head."),
    "model.n_layer": say("Blocks (N_Layers)."),
    "model.n_head": say("Attention heads in each block (Head)."),
    "model.dropout": say("Share of values dropped in training (p0)."),
    "training.split_at": say("How the number of characters to train on is made whole: floor, or R's round."),
    "training.order": say("shuffle: every window once an epoch; sample: windows that R's sample() draws."),
    "training.sample_seed": say("Of order sample: what R's set.seed() is given."),
    "training.epoch_windows": say("Of order sample: windows drawn in an epoch."),
    "training.valid_windows": say("Validate on the first so many windows."),
    "training.optimizer": say("adamw, or adam (without weight decay)."),
    "training.batch_size": say("Windows in each step."),
    "training.lr": say("Learning rate."),
    "training.max_norm": say("Gradients are scaled down to this norm."),
    "training.epochs": say("Passes over the training windows."),
    "training.seed": say("What R's torch_manual_seed is given just before luz::fit."),
    "training.r_threads": say("How many threads R's torch has: its last bits depend on them."),
    "generation.prompt": say("What it begins with: characters of the text."),
    "generation.tokens": say("How many characters follow."),
    "generation.temperature": say("What the logits are divided by; 0 takes the likeliest character each time."),
    "generation.seed": say("What torch_manual_seed is given just before."),
    "generation.rule": say("course, or gpt4r: how R draws among the k likeliest."),
    "generation.top_k": say("Draw from the k likeliest characters only."),
}
_EXAMPLES = (
    (
        say("What the sheet publishes of its own result, if it does: reports hold it against R's."),
        ("[published]", None),
        ('source = "Sheet 4, 2027"', say("Where it is printed.")),
        ("table = 1", say("Number of the table of losses; figure and page likewise.")),
        ("decimals = 4", say("With how many it prints its losses.")),
        (
            "epochs = [{ epoch = 1, train = 2.1034, valid = 2.0871 }]",
            say("As far as they are printed; train_perplexity and valid_perplexity, too."),
        ),
        ('text = "…"', say("The generated text, with or without its prompt.")),
        ('remarks = [{ en = "…", pt = "…" }]', say("What readers should know of it.")),
        ('claim = { en = "…", pt = "…" }', say("What the sheet says of a model without attention.")),
    ),
    (
        say("What ports are graded by: any table of a rubric (`grade rubric` prints all)."),
        ("[grading.points]", None),
        ('"forward.attention" = 20', None),
        ("[grading.parts]", say("What is asked for; without this, this exercise's models and all else.")),
        ('asked = ["GPT", "Encoder", "Decoder", "generate", "loss", "make_optimizer", "train_step"]', None),
        ("[grading.sizes]", say("Of what the sizes of the small models that ports are tried with are drawn.")),
        ("n_layer = [1]", None),
        ("n_head = [2, 4]", None),
    ),
)


def new(title: dict[str, str], values: dict[str, dict[str, Any]], beside: str | None, lang: str) -> str:
    """The text of an exercise's file.

    Args:
        title: by language.
        values: of the tables text, model, training and generation, by name; what is not there is at its default.
        beside: the file of the exercise with the other model.
        lang: of the comments.
    """
    number = "# " + _explained("number = 4", _ABOUT["number"], lang)
    lines = [_line("format", FORMAT, _ABOUT["format"], lang), number]
    if beside is not None:
        lines.append(_line("beside", beside, _ABOUT["beside"], lang))
    lines += ["", *_table("title", title.items(), lang)]
    for table in ("text", "model", "training", "generation"):
        given = _defaults(table) | values.get(table, {})
        lines += ["", *_table(table, ((name, given[name]) for name in KEYS[table] if name in given), lang)]
    for about, *example in _EXAMPLES:
        lines += ["", f"# {about.render(lang)}", *("# " + _explained(*line, lang) for line in example)]
    return "\n".join(lines) + "\n"


def other_model(model: ModelName) -> ModelName:
    """The model that one is compared with."""
    return "gpt_noattn" if model == "gpt" else "gpt"


def _defaults(table: str) -> dict[str, Any]:
    cls: Any = {"model": ModelSettings, "generation": Generation}.get(table, TrainingSettings)
    names = OF_TEXT if table == "text" else KEYS[table]
    fields = {f.name: f.default for f in dataclasses.fields(cls)}
    return {name: fields[name] for name in names if name in fields and fields[name] not in (None, dataclasses.MISSING)}


def _table(name: str, values: Iterable[tuple[str, Any]], lang: str) -> list[str]:
    lines = [f"# {_TABLES[name].render(lang)}", f"[{name}]"]
    return lines + [_line(key, value, _about(name, key), lang) for key, value in values]


def _about(table: str, key: str) -> Message | None:
    if f"{table}.{key}" in _ABOUT or table == "title":
        return _ABOUT.get(f"{table}.{key}")
    fields = {f.name: f for f in (*dataclasses.fields(ModelSettings), *dataclasses.fields(TrainingSettings))}
    # a setting that is new to this list says itself what it is
    return Message("{help}", {"help": fields[key].metadata.get("help", "")}) if key in fields else None


def _line(key: str, value: Any, about: Message | None, lang: str) -> str:
    # A JSON text, number or boolean is a TOML one, too.
    return _explained(f"{key} = {json.dumps(value, ensure_ascii=False)}", about, lang)


def _explained(line: str, about: Message | None, lang: str) -> str:
    return line if about is None else f"{line:32}  # {about.render(lang)}"
