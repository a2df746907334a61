"""What `validate` says of the course and of R, on which page, in which language."""

import json
import math
import re
from pathlib import Path

import pytest

from pygpt.corpus import Corpus
from pygpt.exercises.opening import course as exercises
from pygpt.validation import figure, gather, report
from tests.validation.helpers import Cli, a_run


@pytest.mark.usefixtures("same", "no_corpus")
def test_the_page_is_whole_and_in_the_language_asked_for(cli: Cli, tmp_path: Path) -> None:
    gpt, noattn = a_run(tmp_path / "<gpt>"), a_run(tmp_path / "noattn", "gpt_noattn")
    pages = {}
    for lang in ("en", "pt"):
        done = cli("validate", "run", gpt, noattn, "--html", tmp_path / f"{lang}.html", "--lang", lang)
        assert done.exit_code in (0, 1)
        pages[lang] = (tmp_path / f"{lang}.html").read_text("utf-8")
    numbers = {"en": ("1.7662", "1.7568", "2.5480", "5.44"), "pt": ("1,7662", "1,7568", "2,5480", "5,44")}
    for lang, page in pages.items():
        assert f'<html lang="{"pt-BR" if lang == "pt" else lang}">' in page
        assert not re.search(r'(src|href)="(?!data:)', page)
        assert "<script" not in page
        assert "default-src 'none'" in page
        assert "&lt;gpt&gt;" in page
        assert "<gpt>" not in page
        for number in numbers[lang]:
            assert f">{number}</td>" in page
        for number in numbers["pt" if lang == "en" else "en"]:
            assert f">{number}</td>" not in page
        assert page.count("<pre><b>MARCIUS: </b>") == 6
        assert page.count("<caption>") == page.count("<table>") == 2
    assert "VERDICT" in pages["en"]
    assert "VEREDITO" in pages["pt"]
    assert "perda de validação" in pages["pt"]
    assert "Provenance" not in pages["pt"]
    # neither corpus nor network: what is left out is said on the page, too
    assert "floors and shares of known words are left out" in pages["en"]


@pytest.mark.usefixtures("same", "no_corpus")
def test_the_picture_is_told_in_words(cli: Cli, tmp_path: Path) -> None:
    steps = list(exercises()["gpt"].recorded.steps)
    steps[299:] = [loss + 2e-4 for loss in steps[299:]]
    far = max(exercises()["gpt"].half_width(part) for part in ("train", "valid"))
    run = a_run(tmp_path / "run", steps=steps, shift=1.1 * far)
    cli("validate", "run", run, "--html", tmp_path / "r.html", "--lang", "en")
    (words,) = re.findall(r'<img [^>]*alt="([^"]*)"', (tmp_path / "r.html").read_text("utf-8"))
    # Table 1 and the recording: 1.7568 to 1.4700, 1.7341 to 1.6880
    assert "train loss goes from 1.76 to 1.47, its validation loss from 1.73 to 1.69" in words
    assert "course&#39;s losses all lie inside" in words
    assert "Of the run&#39;s losses, 6 lie outside the band." in words
    assert "at step 300." in words


@pytest.mark.usefixtures("no_corpus")
def test_portuguese_writes_numbers_with_its_marks(cli: Cli, tmp_path: Path) -> None:
    done = cli("validate", "recorded", "--lang", "pt", "--figure", tmp_path / "f.svg")
    assert "1,7568" in done.output
    assert "1,7072 … 1,8064" in done.output
    assert "a menos de 0,00005" in done.output
    assert not re.search(r"\d\.\d{4}", done.output)
    assert "Exercício 2: GPT (tabela 1, página 5)" in done.output
    # JSON and English keep the point
    done = cli("validate", "recorded", "--json", tmp_path / "r.json")
    assert "1.7072 … 1.8064" in done.output
    assert json.loads((tmp_path / "r.json").read_text())["exercises"][0]["losses"][0]["recorded"] == 1.75675607


@pytest.mark.parametrize(("lang", "mark"), [("en", "."), ("pt", ",")])
def test_the_ticks_of_the_figure_are_in_the_language(lang: str, mark: str) -> None:
    drawn = figure._draw(report.build([], ["gpt"], None, same_kernels=False), lang)
    drawn.canvas.draw()
    loss, _, gap = drawn.axes
    labels = [label.get_text() for label in loss.get_yticklabels()]
    assert f"1{mark}60" in labels
    assert all(re.fullmatch(rf"\d{mark}\d+", label) for label in labels)
    assert f"0{mark}20" in {label.get_text() for label in gap.get_yticklabels()}


@pytest.mark.parametrize("model", ["gpt", "gpt_noattn"])
def test_the_band_is_drawn(model: str) -> None:
    exercise = exercises()[model]
    r = exercise.recorded.losses
    loss, perplexity, gap = figure._draw(report.build([], [model], None, same_kernels=False), "en").axes
    for axes, of_loss in ((loss, float), (perplexity, math.exp)):
        for band, part in zip(axes.collections, ("train", "valid"), strict=True):
            (corners,) = (path.vertices for path in band.get_paths())
            for epoch in (1, 2, 3):
                drawn = [y for x, y in corners if x == epoch]
                half = exercise.half_width(part)
                assert min(drawn) == pytest.approx(of_loss(r[epoch, part] - half))
                assert max(drawn) == pytest.approx(of_loss(r[epoch, part] + half))
    (band,) = gap.collections
    (corners,) = (path.vertices for path in band.get_paths())
    middle = r[2, "valid"] - r[2, "train"]
    assert max(y for x, y in corners if x == 2) == pytest.approx(middle + exercise.half_width("gap"))


@pytest.mark.usefixtures("same", "no_corpus")
def test_steps_are_drawn_where_a_run_has_them(tmp_path: Path) -> None:
    attempts = [gather.from_run(a_run(tmp_path / "run"), exercises(), same=True)]
    drawn = figure._draw(report.build(attempts, list(exercises()), None, same_kernels=True), "en")
    assert len(drawn.axes) == 8
    of_gpt, of_noattn = drawn.axes[3], drawn.axes[7]
    drawn.canvas.draw()
    assert {"3000", "6000"} <= {label.get_text() for label in of_gpt.get_xticklabels()}
    assert len(of_gpt.lines) == 2
    assert not of_noattn.axison


@pytest.mark.usefixtures("no_corpus")
def test_course_and_r_alone(cli: Cli, tmp_path: Path) -> None:
    result = cli("validate", "recorded", "--json", tmp_path / "r.json", "--figure", tmp_path / "f.svg")
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "r.json").read_text())
    assert content["good"] is None
    for exercise in content["exercises"]:
        assert exercise["seeds"] >= 5
        for row in exercise["losses"]:
            gap = abs(row["published"] - row["recorded"])
            assert row["published_inside_band"] is (gap <= exercise["half_width"][row["part"]])
            assert ([row["epoch"], row["part"]] in exercise["published_outside"]) is not row["published_inside_band"]
    again = tmp_path / "g.svg"
    cli("validate", "recorded", "--figure", again)
    assert again.read_bytes() == (tmp_path / "f.svg").read_bytes()


def test_floor_and_known_words(cli: Cli, tmp_path: Path, shakespeare: Corpus) -> None:
    result = cli("validate", "recorded", "--json", tmp_path / "r.json")
    assert result.exit_code == 0
    content = json.loads((tmp_path / "r.json").read_text())
    assert f"{content['floors']['both']:.4f}" in result.output
    effects = content["effect_of_other_characters"]
    assert effects["gpt_noattn"]["change"] == 0 < effects["gpt"]["change"]
    facts = {(t["source"], t["model"]): t["facts"] for t in content["texts"]}
    assert facts["corpus", None]["known_share"] == 1
    for source in ("course", "r"):
        assert facts[source, "gpt"]["known_share"] > 0.9 > 0.5 > facts[source, "gpt_noattn"]["known_share"]
