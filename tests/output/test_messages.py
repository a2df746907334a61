"""Sentences in two languages: nothing is left untranslated, nothing is stale, numbers have the language's marks."""

import ast
import inspect
import re
import string
import tomllib
from collections.abc import Iterator
from multiprocessing import Pipe
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pygpt
from pygpt.commands import main
from pygpt.errors import PygptError
from pygpt.output.messages import LANGUAGES, Listed, catalogue, number, plain, render, say, tell

PACKAGE = Path(pygpt.__file__).parent
CATALOGUES = PACKAGE / "output" / "catalogues"
# Which argument of these calls is a sentence.
SENTENCES = {"say": 0, "tell": 1, "PygptError": 0, "translated": 0}
# Commands whose help is translated; of the others only what stands in the list of commands.
TRANSLATED = ("validate", "grade", "ladder", "attention", "exercise")
OTHER_LANGUAGES = [lang for lang in LANGUAGES if lang != "en"]


def in_python() -> Iterator[tuple[str, str]]:
    """Every sentence in the code, with its place."""
    errors = {"PygptError"} | {sub.__name__ for sub in subclasses(PygptError) if takes_a_template(sub)}
    for path in PACKAGE.rglob("*.py"):
        if "isolation/child.py" in path.as_posix():
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                place = 0 if name in errors else SENTENCES.get(name)
                if place is not None and len(node.args) > place:
                    yield from constants(node.args[place], f"{path.relative_to(PACKAGE)}:{node.lineno}", named)


def constants(argument: ast.expr, where: str, named: dict[str, ast.expr]) -> Iterator[tuple[str, str]]:
    """The texts that an argument may be, by itself or by a name of its module; none is put together when it runs."""
    assert not isinstance(argument, ast.JoinedStr | ast.BinOp), f"{where}: a template must be a constant"
    if isinstance(argument, ast.IfExp):
        yield from constants(argument.body, where, named)
        yield from constants(argument.orelse, where, named)
    elif isinstance(argument, ast.Subscript):
        yield from constants(argument.value, where, named)
    elif isinstance(argument, ast.Name) and argument.id in named:
        value = named[argument.id]
        for part in value.values if isinstance(value, ast.Dict) else [value]:
            yield from constants(part, where, named)
    elif isinstance(argument, ast.Constant) and isinstance(argument.value, str) and argument.value:
        yield argument.value, where


def named_in_python() -> set[str]:
    """Every text in the code that stands alone: constants that are handed to `say` and its like by a name."""
    return {
        node.value
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def in_templates() -> Iterator[tuple[str, str]]:
    for path in (PACKAGE / "output" / "templates").glob("*.html"):
        source = path.read_text(encoding="utf-8")
        for match in re.finditer(r"""\b_\(\s*("(?:[^"\\]|\\.)*")""", source):
            yield ast.literal_eval(match[1]), path.name


def in_help() -> Iterator[tuple[str, str]]:
    yield from of_command(main, "pygpt")
    for name, command in main.commands.items():
        if name in TRANSLATED:
            yield from of_command(command, name)
        else:
            yield first_paragraph(command), name


def of_command(command: click.Command, where: str) -> Iterator[tuple[str, str]]:
    texts = [command.help, command.epilog]
    for parameter in command.get_params(click.Context(command)):
        texts.append(getattr(parameter, "help", None))
    for text in texts:
        for paragraph in inspect.cleandoc(text or "").split("\n\n"):
            if paragraph:
                yield " ".join(paragraph.split()), where
    if isinstance(command, click.Group) and command is not main:
        for name, below in command.commands.items():
            yield from of_command(below, f"{where} {name}")


def first_paragraph(command: click.Command) -> str:
    return " ".join(inspect.cleandoc(command.help or "").split("\n\n")[0].split())


def subclasses(cls: type) -> Iterator[type]:
    for sub in cls.__subclasses__():
        yield sub
        yield from subclasses(sub)


def takes_a_template(cls: type) -> bool:
    return cls.__init__ is PygptError.__init__


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    return dict([*in_python(), *in_templates(), *in_help()])


@pytest.mark.parametrize("lang", OTHER_LANGUAGES)
def test_every_sentence_is_translated(lang: str, said: dict[str, str]) -> None:
    own = catalogue(lang)
    assert len(said) > 300
    missing = [f"{where}: {words}" for words, where in said.items() if words not in own]
    assert not missing, "\n".join(["no translation of", *missing])


@pytest.mark.parametrize("lang", OTHER_LANGUAGES)
def test_no_translation_is_stale(lang: str, said: dict[str, str]) -> None:
    alone = named_in_python()
    stale = [
        f"{path.name}: {english}"
        for path in (CATALOGUES / lang).glob("*.toml")
        if path.stem not in ("language", "click")
        for english in tomllib.loads(path.read_text(encoding="utf-8"))
        if english not in said and english not in alone
    ]
    assert not stale, "\n".join(["no one says", *stale])


@pytest.mark.parametrize("lang", OTHER_LANGUAGES)
def test_each_sentence_has_one_translation_with_the_same_fields(lang: str) -> None:
    seen: dict[str, str] = {}
    for path in sorted((CATALOGUES / lang).glob("*.toml")):
        if path.stem == "language":
            continue
        for english, own in tomllib.loads(path.read_text(encoding="utf-8")).items():
            assert english not in seen, f"{path.name} says {english!r} again, after {seen[english]}"
            seen[english] = path.name
            assert fields(english) == fields(own), f"{path.name}: {english!r}"


def fields(template: str) -> set[tuple[str, str]]:
    parsed = string.Formatter().parse(template)
    return {(name, "" if kind is None else kind) for _, name, kind, _ in parsed if name is not None}


@given(st.integers(-(10**9), 10**9), st.floats(-1e9, 1e9))
def test_portuguese_marks_are_english_ones_exchanged(whole: int, broken: float) -> None:
    for value, spec in ((whole, ",d"), (broken, ",.3f"), (broken, ".4g"), (broken, "+.2e")):
        english = number(value, spec, "en")
        assert english == format(value, spec)
        back = number(value, spec, "pt").translate(str.maketrans(",.", ".,"))
        assert back == english


def test_numbers_in_sentences() -> None:
    assert tell("pt", "{n:,} x {loss:.4f} {other}", n=7872, loss=1.7568, other=0.5) == "7.872 x 1,7568 0,5"
    assert tell("pt", "{version} {flag}", version="2.13.0", flag=True) == "2.13.0 True"  # texts are left alone


@given(st.text(), st.integers())
def test_an_error_is_what_it_says(path: str, n: int) -> None:
    error = PygptError("{path}: {n} and {{that}}", path=path, n=n)
    assert str(error) == f"{path}: {n} and {{that}}"
    assert render(error, "en") == str(error)
    here, there = Pipe()
    with here, there:
        here.send(error)  # as a worker process hands it over
        assert str(there.recv()) == str(error)
    assert str(PygptError("braces { alone")) == "braces { alone"


def test_sentences_nest(monkeypatch: pytest.MonkeyPatch) -> None:
    own = {"{what} is empty": "{what} está vazio", "the text": "o texto", "{a}!": "{a}!!"}
    monkeypatch.setattr("pygpt.output.messages.catalogue", lambda lang: own if lang == "pt" else {})
    inner = PygptError("{what} is empty", what=say("the text"))
    assert render(PygptError("{a}!", a=inner), "pt") == "o texto está vazio!!"
    assert render(PygptError("{a}!", a=Listed([say("the text"), say("the text")])), "pt") == "o texto; o texto!!"
    assert str(PygptError("{a}!", a=inner)) == "the text is empty!"


@given(st.text(max_size=2000))
def test_a_strangers_text_does_nothing(words: str) -> None:
    line = plain(words)
    assert len(line) <= 600
    assert line.isprintable()
    assert tell("en", "{words}", words=words) == line
