"""What `validate` shows of the course and of R, on which page, and requests that make no sense."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pygpt.corpus import Corpus
from pygpt.validation.course import exercises
from tests.validation.helpers import Cli, a_history, a_run, refused


def test_help_needs_nothing_heavy(environment: dict[str, str]) -> None:
    code = (
        "import sys\nfrom pygpt.commands import main\n"
        "try: main(['validate', '--help'])\nexcept SystemExit as end: assert end.code == 0\n"
        "heavy = {'torch', 'numpy', 'matplotlib', 'rich', 'pooch', 'safetensors'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("same", "no_corpus")
def test_the_page_is_whole_and_in_the_language_asked_for(cli: Cli, tmp_path: Path) -> None:
    gpt, noattn = a_run(tmp_path / "<gpt>"), a_run(tmp_path / "noattn", "gpt_noattn")
    pages = {}
    for lang in ("en", "pt"):
        options = ["--run", gpt, "--run", noattn, "--html", tmp_path / f"{lang}.html", "--lang", lang]
        assert cli("validate", *options).exit_code in (0, 1)
        pages[lang] = (tmp_path / f"{lang}.html").read_text("utf-8")
    for lang, page in pages.items():
        assert f'<html lang="{lang}">' in page
        assert not re.search(r'(src|href)="(?!data:)', page)
        assert "<script" not in page
        assert "&lt;gpt&gt;" in page
        assert "<gpt>" not in page
        for number in ("1.7662", "1.7568", "2.5480", "5.44"):
            assert f">{number}</td>" in page
        assert page.count("<pre><b>MARCIUS: </b>") == 6
    assert "VERDICT" in pages["en"]
    assert "VEREDITO" in pages["pt"]
    assert "perda de validação" in pages["pt"]
    assert "Provenance" not in pages["pt"]


@pytest.mark.usefixtures("no_corpus")
def test_course_and_r_alone(cli: Cli, tmp_path: Path) -> None:
    result = cli("validate", "--recorded", "--json", tmp_path / "r.json", "--figure", tmp_path / "f.svg")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["good"] is None
    for exercise in found["exercises"]:
        assert exercise["seeds"] >= 5
        for row in exercise["losses"]:
            gap = abs(row["published"] - row["recorded"])
            assert row["published_inside_band"] is (gap <= exercise["half_width"][row["part"]])
            assert ([row["epoch"], row["part"]] in exercise["published_outside"]) is not row["published_inside_band"]
    again = tmp_path / "g.svg"
    cli("validate", "--recorded", "--figure", again)
    assert again.read_bytes() == (tmp_path / "f.svg").read_bytes()


def test_floor_and_known_words(cli: Cli, tmp_path: Path, shakespeare: Corpus) -> None:
    result = cli("validate", "--recorded", "--json", tmp_path / "r.json")
    assert result.exit_code == 0
    found = json.loads((tmp_path / "r.json").read_text())
    assert f"{found['floors']['both']:.4f}" in result.output
    effects = found["effect_of_other_characters"]
    assert effects["gpt_noattn"]["change"] == 0 < effects["gpt"]["change"]
    facts = {(t["source"], t["model"]): t["facts"] for t in found["texts"]}
    assert facts["corpus", None]["known_share"] == 1
    for source in ("course", "r"):
        assert facts[source, "gpt"]["known_share"] > 0.9 > 0.5 > facts[source, "gpt_noattn"]["known_share"]


@pytest.mark.usefixtures("no_corpus")
def test_bad_requests(cli: Cli, tmp_path: Path) -> None:
    history = a_history(tmp_path / "h.csv", exercises()["gpt"].recorded.losses)
    refused(cli("validate", "--r-history", history), "needs --model")
    refused(cli("validate", "--r-history", tmp_path / "nowhere.csv", "--model", "gpt"), "cannot read")
    refused(cli("validate", "--r-history", history, "--model", "gpt", "--quick"), "--r-history and --quick do not go")
    refused(cli("validate", "--recorded", "--figure", tmp_path / "f.pdf"), "must end in .png or .svg")
    refused(cli("validate", "--quick"), "could not be downloaded")
