"""R's `sort()` against `pygpt.vocabulary`, live, by code point and by ICU."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pygpt.files import shipped
from pygpt.r.session import RSession
from pygpt.vocabulary import _icu_ranks, sort_characters

PORTUGUESE = (
    "Não consultes dicionários. Casmurro não está aqui no sentido que eles lhe dão, mas no que lhe pôs o vulgo de "
    "homem calado e metido consigo. — «Dom» veio por ironia, para atribuir-me fumos de fidalgo: ÀS 3 h, à tarde; "
    "é/ou… “três” léguas, ímã, ônibus, órgão, ünico, çédula, ÇÃO, ÕES, nº 1, 2ª, R$ 5 & 10% + [x] {y} = ~z^2 \t|\r\n"
)


@pytest.fixture(scope="module")
def r_by_order(r: RSession) -> Iterator[dict[str, RSession]]:
    """R by ICU is the shared session; R by code point needs a process with another locale."""
    with RSession(locale="C") as by_code_point:
        for session in (r, by_code_point):
            session.source(shipped("r_reference/course/text.R"))
        if not r.evaluate('capabilities("ICU")'):
            pytest.skip("this R was built without ICU: its sort() follows the C library")
        yield {"icu": r, "c": by_code_point}


def sorted_by_r(text: str, r: RSession) -> list[str]:
    """`sort(unique(strsplit(text, "")[[1]]))`, as exercise 2 has it; the characters go over as code points."""
    points = np.array([ord(c) for c in text], dtype=np.float64)
    code = "(function(points) utf8ToInt(paste(sort(unique(intToUtf8(points, multiple = TRUE))), collapse = '')))"
    r.evaluate(f"sorted_points <- {code}")
    return [chr(int(point)) for point in np.atleast_1d(r.call("sorted_points", points))]


@pytest.mark.parametrize("order", ["icu", "c"])
@pytest.mark.parametrize("text", ["".join(map(chr, range(1, 128))), PORTUGUESE], ids=["ASCII", "Portuguese"])
def test_texts(order: str, text: str, r_by_order: dict[str, RSession]) -> None:
    assert sort_characters(text, order) == sorted_by_r(text, r_by_order[order])


@settings(max_examples=60, deadline=None)
@given(
    text=st.text(st.sampled_from([chr(point) for point in sorted(_icu_ranks())]), min_size=1, max_size=60),
    order=st.sampled_from(["icu", "c"]),
)
def test_drawn_strings(text: str, order: str, r_by_order: dict[str, RSession]) -> None:
    assert sort_characters(text, order) == sorted_by_r(text, r_by_order[order])


@settings(max_examples=30, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=60))
def test_any_string_by_code_point(text: str, r_by_order: dict[str, RSession]) -> None:
    assert sort_characters(text, "c") == sorted_by_r(text, r_by_order["c"])


def test_characters_that_icu_holds_equal_fall_as_in_r(r_by_order: dict[str, RSession]) -> None:
    # spaces of several widths, ignorable controls, and 300 others, so that the Shell sort has several gaps to move over
    equal = "".join(map(chr, [0x2003, 0x2009, 0x2001, 0x200A, 0x2000, 0xAD, 0x1, 0x200B, 0x202F, 0xA0, 0xFEFF, 0x7F]))
    others = "".join(map(chr, range(0x21, 0x180)))
    for text in (equal, others[:40] + equal + others[40:], equal[::-1] + others[::-1]):
        text = "".join(c for c in text if ord(c) in _icu_ranks())
        assert sort_characters(text, "icu") == sorted_by_r(text, r_by_order["icu"])


def test_the_whole_table(r_by_order: dict[str, RSession]) -> None:
    text = "".join(chr(point) for point in sorted(_icu_ranks(), key=lambda p: p * 7919 % 10007))
    version = r_by_order["icu"].evaluate('extSoftVersion()[["ICU"]]')
    if not str(version).startswith("72."):
        pytest.skip(
            f"the table was made with ICU 72.1; this R has {version}, whose rarer characters may stand elsewhere"
        )
    assert sort_characters(text, "icu") == sorted_by_r(text, r_by_order["icu"])
