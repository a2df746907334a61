"""Beginning a new exercise: a folder with its file and its text."""

from pathlib import Path
from typing import Any

from pygpt import corpus
from pygpt.corpus import Corpus
from pygpt.errors import PygptError
from pygpt.exercises.folder import Folder
from pygpt.exercises.reading import KEYS, OF_TEXT, read
from pygpt.exercises.template import new, other_model
from pygpt.files import write_atomically
from pygpt.settings import MODELS, ModelSettings, TrainingSettings, from_dict, split_settings

FILE, OTHER_FILE = "exercise.toml", "exercise_without.toml"
_LONGEST_PROMPT = 12


def begin(
    folder: Path, given: dict[str, Any], title: str | None, prompt: str | None, compare: bool, lang: str
) -> list[Path]:
    """Write a new exercise.

    Args:
        folder: where; it is made where it is not there.
        given: settings by name, the text's place under `corpus`.
        compare: whether a second file is written, with the other model.
        lang: of the comments.

    Returns:
        What was written.

    Raises:
        PygptError: a setting is not allowed, the text cannot be read, or there is such a file already.
    """
    for_model, for_training = split_settings(given)
    from_dict(ModelSettings, for_model)
    from_dict(TrainingSettings, for_training)
    names = [FILE, OTHER_FILE] if compare else [FILE]
    for name in names:
        if (folder / name).exists():
            raise PygptError("{path} is there already: name another folder", path=folder / name)
    source = str(given.get("corpus", "sample"))
    text = corpus.read_corpus(source)
    written = [] if text.name in corpus.NAMES else [_kept(folder, text)]
    values = {
        "text": {
            "source": written[0].name if written else source,
            "sha256": text.sha256,
            "share": 1.0,
            **{name: given[name] for name in OF_TEXT if name in given},
        },
        "model": for_model,
        "training": {name: value for name, value in for_training.items() if name in KEYS["training"]},
        "generation": {"prompt": _beginning(text) if prompt is None else prompt},
    }
    called = {language: title or folder.resolve().name for language in ("en", "pt")}
    model = for_model.get("model", MODELS[0])
    for name, beside, of in zip(names, names[::-1], (model, other_model(model)), strict=False):
        values["model"] = for_model | {"model": of}
        content = new(called, values, beside if compare else None, lang)
        write_atomically(folder / name, content)
        written.append(folder / name)
        read(Folder(folder), name)
    return written


def _kept(folder: Path, text: Corpus) -> Path:
    """The text, beside the exercise's file."""
    path = folder / Path(text.name).name
    content = Path(text.name).read_bytes()
    if path.exists() and path.read_bytes() != content:
        raise PygptError("{path} is there already, and is another text: name another folder", path=path)
    write_atomically(path, content)
    return path


def _beginning(text: Corpus) -> str:
    """The first words of a text that fit."""
    line = next((line.strip() for line in text.text.splitlines() if line.strip()), text.text)
    cut = line[:_LONGEST_PROMPT]
    if len(line) > _LONGEST_PROMPT and " " in cut:
        cut = cut[: cut.rindex(" ") + 1]
    return cut
