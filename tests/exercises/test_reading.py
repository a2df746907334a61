"""What is wrong with an exercise's file: what, on which line, and what was meant."""

from pathlib import Path

import pytest
from click.testing import Result

from pygpt.errors import PygptError
from pygpt.exercises.exercise import HOW
from pygpt.exercises.folder import Folder
from pygpt.exercises.opening import course_files
from pygpt.exercises.reading import KEYS, OF_TEXT, read
from pygpt.exercises.template import new
from pygpt.files import shipped
from tests.validation.helpers import Cli, refused

GOOD = """format = 1
[title]
en = "Sheet"
[text]
source = "sample"
sha256 = "a896d096f56725a2f61ad8f8a27c292b738ed0ece5928663c0b1cee15520f096"
[model]
model = "gpt"
n_embd = 8
[training]
epochs = 2
[generation]
prompt = "OLIVANE:"
"""


def checked(cli: Cli, folder: Path, text: str, *options: str) -> Result:
    (folder / "e.toml").write_text(text, encoding="utf-8")
    return cli("exercise", "check", folder / "e.toml", *options)


def test_a_good_file_is_told_to_be_good(cli: Cli, tmp_path: Path) -> None:
    done = checked(cli, tmp_path, GOOD)
    assert done.exit_code == 0, done.output
    assert "is right" in done.output


@pytest.mark.parametrize(
    ("old", "own", "words"),
    [
        ("n_embd = 8", "n_embed = 8", ["line 9", "n_embed", "Did you mean 'n_embd'?"]),
        ("n_embd = 8", "learning_rate = 8", ["line 9", "unknown key"]),
        ("n_embd = 8", "epochs = 8", ["line 9", "belongs in [training]"]),
        ("n_embd = 8", "n_embd = 9", ["line 9", "not divisible by n_head"]),
        ("n_embd = 8", "n_embd = 0", ["line 9", "n_embd = 0 is not allowed"]),
        ("n_embd = 8", 'n_embd = "8"', ["line 9", "not a whole number"]),
        ('model = "gpt"', 'model = "gtp"', ["line 8", "Did you mean 'gpt'?"]),
        ('model = "gpt"\n', "", ["line 7", "lacks model"]),
        ("epochs = 2", "epochs = 0", ["line 11", "epochs = 0"]),
        ("epochs = 2", "engine = 'fast'", ["line 11", "unknown key 'training.engine'"]),
        ("[training]", "[trainig]", ["line 10", "Did you mean 'training'?"]),
        ('prompt = "OLIVANE:"', 'prompt = ""', ["line 13", "not empty"]),
        ('prompt = "OLIVANE:"', 'prompt = "%"', ["'%'", "the text lacks"]),
        ('prompt = "OLIVANE:"', "prompt = 'O'\ntemperature = nan", ["line 14", "temperature"]),
        ("a896", "b896", ["is another one", "a896d096"]),
        ('"a896', '"x896', ["line 6", "not a SHA-256"]),
        ('en = "Sheet"', 'xx = "Sheet"', ["line 3", "unknown key"]),
        ('source = "sample"', 'source = "nowhere.txt"', ["cannot read", "nowhere.txt"]),
        ('source = "sample"', "source = 3", ["line 5", "not a text"]),
        ("format = 1", "format = 2", ["format 2", "Update pygpt"]),
        ("format = 1", "format = ", ["not a TOML file", "line 1"]),
        ("format = 1", 'format = 1\nbeside = "no.toml"', ["cannot read", "no.toml"]),
        ("format = 1", 'format = 1\nbeside = "../no.toml"', ["line 2", "in the same folder"]),
        ("[training]", "[grading.points]\n'forward.fnn' = 3\n[training]", ["line 11", "forward.fnn"]),
        ("[training]", "[grading.sizes]\nn_layer = [0]\n[training]", ["line 11", "whole numbers from 1 to 6"]),
        ("[training]", "[grading]\nparts = 3\n[training]", ["line 11", "parts"]),
        (
            "[training]",
            "[published]\nepochs = [{epoch = 3, train = 1.0}]\n[training]",
            ["line 11", "an epoch of its own, from 1 to 2"],
        ),
        ("[training]", "[published]\nepochs = [{epoch = 1, trian = 1.0}]\n[training]", ["line 11", "'train'?"]),
        ("[training]", "[published]\ntable = 'one'\n[training]", ["line 11", "table must be a whole number"]),
    ],
)
def test_faults_are_named_with_their_lines(cli: Cli, tmp_path: Path, old: str, own: str, words: list[str]) -> None:
    assert old in GOOD
    refused(checked(cli, tmp_path, GOOD.replace(old, own, 1)), "e.toml", *words)


def test_all_faults_are_named_at_once(cli: Cli, tmp_path: Path) -> None:
    wrong = GOOD.replace("n_embd", "n_embed").replace("epochs = 2", "epochs = -1\nbatch_size = 0").replace("O", "")
    told = checked(cli, tmp_path, wrong)
    refused(told, "line 9", "line 11", "line 12")
    portuguese = checked(cli, tmp_path, wrong, "--lang", "pt")
    assert "linha 9: chave desconhecida" in portuguese.stderr


def test_the_courses_files_say_every_key_themselves() -> None:
    # so that no default of pygpt's is part of the course's exercises
    for file in course_files().values():
        text = shipped(f"data/{file.name}.toml").read_text(encoding="utf-8")
        for table in ("model", "training"):
            for key in KEYS[table]:
                # TOML has no way to say that there is no such number
                assert f"\n{key} = " in text or getattr(getattr(file, table), key) is None, key
        assert all(f"\n{key} = " in text for key in OF_TEXT)
        assert not any(f"\n{key} = " in text for key in HOW)


def test_the_settings_hash_hears_what_decides_and_nothing_else(tmp_path: Path) -> None:
    def of(text: str) -> str:
        (tmp_path / "e.toml").write_text(text)
        return read(Folder(tmp_path), "e.toml").settings_sha256

    same = [
        GOOD.replace("Sheet", "Another"),
        GOOD + "[published]\ntable = 3\n",
        GOOD + "[grading.points]\n'forward.ffn' = 3\n",
        GOOD.replace("epochs = 2", "epochs = 2\nlr = 0.001"),  # its default, written out
    ]
    other = [
        GOOD.replace("epochs = 2", "epochs = 3"),
        GOOD.replace("a896", "b896"),
        GOOD.replace("OLIVANE", "O"),
        GOOD.replace('source = "sample"', 'source = "sample"\nvocabulary = "c"'),
    ]
    assert {of(text) for text in same} == {of(GOOD)}
    assert len({of(text) for text in [GOOD, *other]}) == 5


@pytest.mark.parametrize("lang", ["en", "pt"])
def test_a_new_file_explains_every_key(lang: str, tmp_path: Path) -> None:
    values = {"text": {"source": "sample", "sha256": "0" * 64}, "generation": {"prompt": 'a "b" \\ é'}}
    text = new({"en": "É"}, values, None, lang)
    (tmp_path / "e.toml").write_text(text, encoding="utf-8")
    file = read(Folder(tmp_path), "e.toml")
    assert (file.generation.prompt, file.title.render(lang)) == ('a "b" \\ é', "É")
    lines = [line for line in text.splitlines() if " = " in line and not line.startswith(("#", "en"))]
    assert len(lines) > 20
    assert all("  # " in line for line in lines)
    for key in KEYS["published"]:
        assert key in text


def test_any_bytes_are_read_or_refused(tmp_path: Path) -> None:
    for content in (b"\xff\xfe", b"a = 1\n" * 200_000, b"[" * 5000, b"title = 3", b"text = 1\nmodel = []"):
        (tmp_path / "e.toml").write_bytes(content)
        with pytest.raises(PygptError):
            read(Folder(tmp_path), "e.toml")


def test_gpt4rs_settings_are_an_exercise() -> None:
    file = read(Folder(shipped("data")), "gpt4r.toml")
    t = file.training
    # config.R and Train.R of GPT4R
    assert (file.model.block_size, file.model.n_embd, file.model.n_layer, file.model.n_head) == (256, 384, 6, 6)
    assert (t.optimizer, t.lr, t.order, t.epoch_windows, t.split_at) == ("adam", 0.003, "sample", 64 * 500, "round")
    assert (file.generation.top_k, file.generation.temperature, file.generation.rule) == (3, 0.7, "gpt4r")
