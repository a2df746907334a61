"""Reading an exercise's file: every fault is named, with its line."""

import dataclasses
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pygpt.errors import PygptError
from pygpt.exercises import tables
from pygpt.exercises.exercise import HOW, ExerciseFile, Generation, Published, TextSource
from pygpt.exercises.folder import Folder
from pygpt.exercises.lines import line_of
from pygpt.generation import Rule
from pygpt.output.messages import Listed, Message, say
from pygpt.output.spelling import did_you_mean
from pygpt.settings import OTHER_NAMES, ModelSettings, Settings, TrainingSettings, from_dict
from pygpt.vocabulary import ORDERS

FORMAT = 1
OF_TEXT = ("share", "train_share", "vocabulary")
_MOST_BYTES = 1 << 20
_RULES = get_args(Rule)
_SHA256 = re.compile(r"[0-9a-f]{64}")
KEYS: dict[str, tuple[str, ...]] = {
    "": ("format", "number", "beside", "title", "model", "training", "text", "generation", "published", "grading"),
    "model": tuple(f.name for f in dataclasses.fields(ModelSettings) if f.name != "vocab_size"),
    "training": tuple(f.name for f in dataclasses.fields(TrainingSettings) if f.name not in (*HOW, *OF_TEXT)),
    "text": ("source", "sha256", *OF_TEXT),
    "generation": tuple(f.name for f in dataclasses.fields(Generation)),
    "published": tables.PUBLISHED,
}
"""What a file may hold, by table; "" is the file itself."""
_NEEDED = {"": ("format", "title", "model", "text", "generation"), "model": ("model",), "text": ("source", "sha256"),
           "generation": ("prompt",)}  # fmt: skip


@dataclass
class Reading:
    """A file as it is read, and the faults in it so far: where each is, by its keys, and what it is."""

    path: Path
    text: str
    values: dict[str, Any]
    faults: list[tuple[tuple[str | int, ...], Message | PygptError]] = field(default_factory=list)

    def fault(self, keys: tuple[str | int, ...], why: Message | PygptError) -> None:
        """Keep a fault."""
        self.faults.append((keys, why))

    def table(self, name: str) -> dict[str, Any]:
        """A table without its unknown keys, which are faults; empty where there is none."""
        given = self.values.get(name, {})
        if not isinstance(given, dict):
            self.fault((name,), say("{name} must be a table: [{name}]", name=name))
            return {}
        return self.known(given, KEYS[name], (name,))

    def known(self, given: dict[str, Any], known: tuple[str, ...], at: tuple[str | int, ...]) -> dict[str, Any]:
        """What of a table has a name that is known."""
        for key in given:
            if key not in known:
                self.fault((*at, key), _unknown(key, known, at))
        return {key: value for key, value in given.items() if key in known}

    def error(self) -> PygptError | None:
        """All faults as one, by line; None where there are none."""
        if not self.faults:
            return None
        lines = [(_line(self.text, keys), why) for keys, why in self.faults]
        listed = [
            say("line {line}: {why}", line=line, why=why) if line else say("{why}", why=why)
            for line, why in sorted(lines, key=lambda pair: pair[0] or 0)
        ]
        return PygptError("{path}: {faults}", path=self.path, faults=Listed(listed))


def read(folder: Folder, name: str) -> ExerciseFile:
    """An exercise's file.

    Args:
        name: its name in the folder.

    Raises:
        PygptError: it cannot be read, is not TOML, or a key or a value is wrong; all of them are named.
    """
    path = folder.path / name
    reading = Reading(path, *_toml(folder.read(name), path))
    values = reading.known(reading.values, KEYS[""], ())
    if values.get("format", FORMAT) != FORMAT:
        raise PygptError(
            "{path} has format {version}; this pygpt reads format {known}. Update pygpt.",
            path=path, version=str(values["format"]), known=FORMAT,
        )  # fmt: skip
    for name, needed in _NEEDED.items():
        given: Any = reading.values if not name else reading.values.get(name)
        for key in needed if isinstance(given, dict) else ():
            if key not in given:
                where = say("[{name}]", name=name) if name else say("the file")
                reading.fault((name,) if name else (), say("{where} lacks {key}", where=where, key=key))
    exercise = _exercise(reading, values, folder)
    if (error := reading.error()) is not None:
        raise error
    return exercise


def _exercise(reading: Reading, values: dict[str, Any], folder: Folder) -> ExerciseFile:
    text, published = reading.table("text"), reading.table("published")
    of_text = {name: text.pop(name) for name in OF_TEXT if name in text}
    order = of_text.get("vocabulary", ORDERS[0])
    if order not in ORDERS:
        meant = did_you_mean(str(order), ORDERS)
        reading.fault(
            ("text", "vocabulary"),
            say("vocabulary = {value} is not one of {choices}.{meant}",
                value=repr(order), choices=", ".join(ORDERS), meant=meant),
        )  # fmt: skip
        del of_text["vocabulary"]
    source = TextSource(_text(reading, "source", text), _text(reading, "sha256", text))
    if source.sha256 and not _SHA256.fullmatch(source.sha256):
        reading.fault(("text", "sha256"), say("sha256 is not a SHA-256: 64 digits 0 to 9, a to f"))
    given = {"text": of_text, "training": reading.table("training") | {"corpus": source.source or "sample"}}
    training = _settings(reading, TrainingSettings, given)
    model = _settings(reading, ModelSettings, {"model": reading.table("model")})
    beside = values.get("beside")
    if beside is not None and not (isinstance(beside, str) and beside and Path(beside).name == beside):
        reading.fault(("beside",), say("beside must be the name of another exercise's file in the same folder"))
        beside = None
    number = values.get("number")
    if number is not None and type(number) is not int:
        reading.fault(("number",), say("number = {value} is not a whole number", value=repr(number)))
    generation, grading = _generation(reading), values.get("grading", {})
    if not isinstance(grading, dict):
        reading.fault(("grading",), say("{name} must be a table: [{name}]", name="grading"))
    return ExerciseFile(
        path=reading.path,
        folder=folder,
        number=number,
        title=tables.words(reading, ("title",), values.get("title", {"en": "?"})),
        model=model,
        training=training,
        text=source,
        generation=generation,
        published=_published(reading, published, training.epochs, generation.prompt),
        grading=grading,
        beside=beside,
    )


def _published(reading: Reading, given: dict[str, Any], epochs: int, prompt: str) -> Published | None:
    if not given:
        return None
    published = tables.published(reading, given, epochs)
    return dataclasses.replace(published, text=published.text and published.text.removeprefix(prompt))


def _settings(reading: Reading, cls: type[Settings], given: dict[str, dict[str, Any]]) -> Settings:
    """Settings from tables; each that is wrong is a fault, and its default stands for it."""
    table_of = {key: table for table, values in given.items() for key in values}
    values = {key: value for table in given.values() for key, value in table.items()}
    while True:
        try:
            return from_dict(cls, values)
        except PygptError as error:
            # the fault's own name; where several are at odds, any of them that is there
            named = [str(error.values.get("name")), *map(str, error.values)]
            wrong = next((name for name in named if name in values), None)
            if wrong is None:
                reading.fault((next(iter(given)),), error)
                return cls()
            reading.fault((table_of[wrong], wrong), error)
            del values[wrong]


def _generation(reading: Reading) -> Generation:
    values = reading.table("generation")
    whole = say("a whole number from 1")
    allowed: dict[str, tuple[bool, Message]] = {
        "prompt": (isinstance(p := values.get("prompt", "-"), str) and bool(p), say("a text that is not empty")),
        "tokens": (type(n := values.get("tokens", 1)) is int and 1 <= n < 1 << 31, whole),
        "temperature": (
            type(t := values.get("temperature", 1)) in (int, float) and 0 <= t < float("inf"),
            say("0 or above, and finite"),
        ),
        "seed": (
            type(s := values.get("seed", 1)) is int and 0 <= s < 1 << 63,
            say("a whole number from 0 to 2^63 - 1"),
        ),
        "top_k": (type(k := values.get("top_k", 1)) is int and k >= 1, whole),
        "rule": (values.get("rule", _RULES[0]) in _RULES, say("one of {choices}", choices=", ".join(_RULES))),
    }
    for name, (right, what) in allowed.items():
        if not right:
            value = repr(values.pop(name))
            reading.fault(
                ("generation", name),
                say("{name} = {value} is not allowed: it must be {allowed}", name=name, value=value, allowed=what),
            )
    return Generation(**{"prompt": "?"} | values)


def _text(reading: Reading, name: str, values: dict[str, Any]) -> str:
    value = values.get(name, "")
    if not isinstance(value, str) or (name in values and not value):
        reading.fault(("text", name), say("{name} = {value} is not a text", name=name, value=repr(value)))
        return ""
    return value


def _unknown(key: str, known: tuple[str, ...], at: tuple[str | int, ...]) -> Message:
    elsewhere = [name for name, keys in KEYS.items() if key in keys and name and (name,) != at]
    if elsewhere:
        return say("{key} stands in the wrong table: it belongs in [{table}]", key=key, table=elsewhere[0])
    meant = did_you_mean(key, known, {other: own for other, own in OTHER_NAMES.items() if own in known})
    return say("unknown key {key}; known are: {known}.{meant}",
               key=repr(".".join(map(str, (*at, key)))), known=", ".join(known), meant=meant)  # fmt: skip


def _line(text: str, keys: tuple[str | int, ...]) -> int | None:
    """Of the key, or of the table that it is in."""
    while keys:
        if (line := line_of(text, keys)) is not None:
            return line
        keys = keys[:-1]
    return None


def _toml(content: bytes, path: Path) -> tuple[str, dict[str, Any]]:
    if len(content) > _MOST_BYTES:
        raise PygptError("{path} is too large to be an exercise's file", path=path)
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
        return text, tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise PygptError("{path} is not a TOML file: {why}", path=path, why=str(error)) from error
