"""What goes over the bridge to R and comes back, value by value."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pygpt.errors import PygptError
from pygpt.r.session import RSession
from pygpt.r.values import NA_INTEGER, NA_REAL, is_na

relaxed = settings(deadline=None, max_examples=60)

texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8)
leaves = st.none() | st.booleans() | st.integers(-(2**31) + 1, 2**31 - 1) | st.floats(allow_nan=False) | texts
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts.filter(bool), inner, max_size=4)
)


@relaxed
@given(data=st.data())
def test_arrays_come_back_as_they_went(r: RSession, data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(["<f8", "<i4", "<i8", "?"]))
    # whole numbers that R has as integer; the limits have tests of their own
    elements = {"min_value": -(2**31) + 1, "max_value": 2**31 - 1} if dtype[1:2] == "i" else None
    shapes = hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5)
    array = data.draw(hnp.arrays(dtype, shapes, elements=elements))
    if data.draw(st.booleans()):
        array = array.T
    back = r.call("identity", array)
    if array.shape == (1,):  # R's vectors of length 1 are scalars here
        back = np.array([back])
    else:
        assert back.dtype == {"<f8": "<f8", "?": "?"}.get(dtype, "<i4")
    assert back.shape == array.shape
    assert back.flags.c_contiguous
    assert back.astype(dtype).tobytes() == array.tobytes()


@relaxed
@given(array=hnp.arrays("<f8", hnp.array_shapes(min_dims=2, max_dims=4, max_side=4)), data=st.data())
def test_r_sees_the_same_indices(r: RSession, array: np.ndarray, data: st.DataObject) -> None:
    at = tuple(data.draw(st.integers(0, side - 1)) for side in array.shape)
    assert tuple(r.call("dim", array)) == array.shape
    seen = np.float64(r.call("function(x, at) do.call(`[`, c(list(x), as.list(at)))", array, np.array(at) + 1))
    assert seen.tobytes() == array[at].tobytes()


@relaxed
@given(value=values)
def test_nested_lists_and_texts_come_back_as_they_went(r: RSession, value: Any) -> None:
    back = r.call("identity", value)
    assert back == value
    assert repr(back) == repr(value)


def test_names_and_the_kinds_of_arguments(r: RSession) -> None:
    weights = {"MH.0.in_proj_weight": np.eye(3), "FFN.0.0.bias": np.arange(4.0), "ln_f.weight": np.ones((2, 3))}
    back = r.call("identity", weights)
    assert list(back) == list(weights)
    assert all(np.array_equal(back[name], weights[name]) for name in weights)
    assert r.call("names", weights).tolist() == list(weights)
    assert r.call("sum", np.array([1.0, np.nan]), **{"na.rm": True}) == 1
    assert r.call("base::paste", "a", "b", sep="-") == "a-b"
    assert r.call("function(function_, x = NULL) is.null(x) && function_ == 1L", function_=1, x=None) is True
    assert r.call("is.character", r.call("date")) is True
    assert r.call("typeof", np.float32(0.1)) == "double"
    assert r.call("identity", np.float32(0.1)) == float(np.float32(0.1))
    assert r.evaluate("list()") == []
    assert r.evaluate("data.frame(a = 1:2, b = c('x', NA))")["b"].tolist() == ["x", None]
    assert r.evaluate("unseen <- 1") is None
    assert r.evaluate("unseen <- 2\nunseen") == 2
    assert r.evaluate("") is None


def test_whole_numbers_at_the_limits(r: RSession) -> None:
    assert r.call("typeof", np.array([2**31 - 1, -(2**31) + 1])) == "integer"
    assert r.call("typeof", np.array([2**31, 0])) == "double"
    assert r.call("identity", np.array([-(2**31), 2**53])).tolist() == [-(2**31), 2**53]
    with pytest.raises(PygptError, match="beyond 2\\^53"):
        r.call("identity", np.array([2**53 + 1]))


def test_non_ascii_strings(r: RSession) -> None:
    words = ["ação", "Łódź", "日本", "𝕏", "", "\n", "e\u0301"]
    assert r.call("identity", np.array(words)).tolist() == words
    assert r.call("nchar", np.array(words)).tolist() == [len(word) for word in words]
    assert r.call("identity", np.array(words[:6]).reshape(2, 3)).tolist() == [words[:3], words[3:6]]
    assert list(r.call("identity", {"é": {"日": 1}})["é"]) == ["日"]
    assert r.evaluate("'ação'") == "ação"
    assert r.evaluate(r"x <- '\xe9'; Encoding(x) <- 'latin1'; x") == "é"
    with pytest.raises(PygptError, match="no text"):
        r.evaluate(r"'\xe9'")
    for impossible in ("a\0b", "\ud800", ["\ud800"], {"\0": 1}):
        with pytest.raises(PygptError, match="R has no text"):
            r.call("identity", impossible)


def test_na_and_nan(r: RSession) -> None:
    doubles = r.evaluate("c(NA, NaN, 1, -Inf)")
    assert is_na(doubles).tolist() == [True, False, False, False]
    assert np.isnan(doubles).tolist() == [True, True, False, False]
    back = np.array([NA_REAL, np.nan, 2.0])
    assert r.call("is.nan", back).tolist() == [False, True, False]
    assert r.call("is.na", back).tolist() == [True, True, False]
    assert is_na(r.evaluate("NA_real_"))
    assert not is_na(r.evaluate("NaN"))
    assert r.call("identity", np.array([3, NA_INTEGER], np.int32)).tolist() == [3, NA_INTEGER]
    assert r.call("is.na", np.array([3, NA_INTEGER], np.int32)).tolist() == [False, True]
    assert r.evaluate("c('a', NA, 'NA')").tolist() == ["a", None, "NA"]
    assert r.call("is.na", np.array(["a", None, "NA"], object)).tolist() == [False, True, False]
    assert r.evaluate("matrix(c(TRUE, NA, FALSE, NA), 2)").tolist() == [[True, False], [None, None]]
    assert r.call("is.na", np.array([True, None], object)).tolist() == [False, True]
    assert [r.evaluate(na) for na in ("NA", "NA_integer_", "NA_character_", "NULL")] == [None] * 4


def test_what_cannot_be_sent_is_said(r: RSession) -> None:
    for value in (object(), 1j, b"bytes", np.array([1j]), {1: 2}, [np.array(["a", 1], object)], 2**70):
        with pytest.raises(PygptError, match="R"):
            r.call("identity", value)
    for code, message in {
        "list(a = list(1, sum))": r"value\$a\[\[2\]\] is an R object of type BUILTINSXP",
        "globalenv()": "ENVSXP",
        "quote(unknown)": "SYMSXP",
        "factor('a')": "class factor",
        "list(a = 1, 2)": "names that are missing",
        "list(a = 1, a = 2)": "there twice",
    }.items():
        with pytest.raises(PygptError, match=message):
            r.evaluate(code)


def test_a_200_mb_array_goes_both_ways(r: RSession) -> None:
    array = np.arange(25_000_000.0).reshape(500, 50_000)
    with RSession(timeout=60) as session:
        back = session.call("identity", array)
        peak = Path(f"/proc/{session.pid}/status").read_text().partition("VmHWM:")[2].split()[0]
    assert back.shape == array.shape
    assert np.array_equal(back, array)
    # R itself and the array once: neither direction makes a copy in R's process
    assert int(peak) < array.nbytes / 1024 + 150_000


def test_a_call_costs_milliseconds(r: RSession) -> None:
    weights = {f"layer.{i}": np.ones((8, 8)) for i in range(30)}
    r.call("identity", weights)
    times = []
    for _ in range(20):
        began = time.perf_counter()
        r.call("identity", weights)
        times.append(time.perf_counter() - began)
    assert min(times) < 0.02
