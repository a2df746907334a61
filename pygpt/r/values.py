"""Python values as R values and back.

To R: numpy arrays of any number of dimensions become R arrays with the same indices (those of one dimension become
plain vectors); a number, a truth value or a text becomes a vector of length 1; None becomes NULL; a dict becomes a
named list and a list or tuple an unnamed one, nested as they are. float16 and float32 become double, exactly. Whole
numbers become integer where all of them fit, else double where that is exact.

From R: the same in reverse, as C-ordered arrays of float64, int32 or bool. R has no scalars: a vector of length 1
without `dim` arrives as a float, int, bool or str (`numpy.atleast_1d` where a vector is meant), an array of shape (1,)
too. Character vectors arrive as object arrays of str. Names and dimnames of vectors are dropped.

What is missing:

- NA_real_ and NaN are both NaN in numpy and keep their bits in both directions; `is_na` tells them apart.
- NA_integer_ in an array is `NA_INTEGER`, the smallest int32, and an int32 array may hold it on the way to R.
- NA_character_ and NA in arrays are None; such a logical array is an object array of True, False and None.
- A lone NA_integer_, NA_character_ or NA arrives as None. None itself is NULL on the way to R.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pygpt.errors import PygptError

NA_INTEGER = -(2**31)
"""R's NA_integer_, as an element of an int32 array."""
NA_REAL = float(np.array([0x7FF00000000007A2], np.uint64).view(np.float64)[0])
"""R's NA_real_: a NaN with 1954 in its low word."""

_KINDS: dict[str, np.dtype[Any]] = {"double": np.dtype("<f8"), "integer": np.dtype("<i4"), "logical": np.dtype("<i4")}
_EXACT = 2**53


def is_na(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where `values`, of any shape, is R's NA_real_ and not another NaN. Source: R's `R_IsNA`, the low word is 1954."""
    bits = np.ascontiguousarray(values, np.float64).view(np.uint64)
    return np.asarray(np.isnan(values) & ((bits & np.uint64(0xFFFFFFFF)) == 1954))


def new_array(kind: str, count: int) -> tuple[NDArray[Any], memoryview]:
    """Room for an array that comes from R, as `wire.receive` wants it."""
    array = np.empty(count, _KINDS[kind])
    return array, array.view(np.uint8).data


def to_wire(value: Any) -> tuple[Any, list[tuple[str, int, memoryview]]]:
    """A value for R in the form of `wire`, with its arrays.

    Raises:
        PygptError: R has no such value.
    """
    arrays: list[tuple[str, int, memoryview]] = []
    return _outward(value, arrays), arrays


def from_wire(value: Any, arrays: list[NDArray[Any]]) -> Any:
    """A value from R: None, float, int, bool, str, array, list or dict."""
    if value is None or isinstance(value, str):
        return value
    if "array" in value:
        kind, array = value["kind"], arrays[value["array"]]
        if kind == "logical":
            array = _truths(array)
        missing = kind == "integer" and value["dim"] is None and array.size == 1 and array[0] == NA_INTEGER
        return None if missing else _shaped(array, value["dim"])
    if "strings" in value:
        return _shaped(np.array(value["strings"], dtype=object), value["dim"])
    items = [from_wire(item, arrays) for item in value["list"]]
    return items if value["names"] is None else dict(zip(value["names"], items, strict=True))


def _outward(value: Any, arrays: list[tuple[str, int, memoryview]]) -> Any:
    if value is None:
        return None
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Mapping):
        names = [text(name) for name in value]
        return {"list": [_outward(item, arrays) for item in value.values()], "names": names}
    if isinstance(value, list | tuple):
        return {"list": [_outward(item, arrays) for item in value], "names": None}
    if isinstance(value, np.ndarray | np.generic | bool | int | float):
        return _array(np.asarray(value), arrays)
    raise PygptError(
        "a {kind} cannot be sent to R; numpy arrays, numbers, texts, lists and dicts can", kind=type(value).__name__
    )


def _array(value: NDArray[Any], arrays: list[tuple[str, int, memoryview]]) -> Any:
    dim = None if value.ndim < 2 else list(value.shape)
    flat = value.ravel(order="F")
    if flat.dtype.kind == "U" or (flat.dtype.kind == "O" and all(isinstance(v, str | None) for v in flat)):
        return {"strings": [None if v is None else text(v) for v in flat.tolist()], "dim": dim}
    kind, numbers = _numbers(flat)
    arrays.append((kind, len(numbers), numbers.view(np.uint8).data))
    return {"array": len(arrays) - 1, "dim": dim, "kind": kind}


def _numbers(flat: NDArray[Any]) -> tuple[str, NDArray[Any]]:
    """The kind of R vector for `flat`, and its elements as R keeps them."""
    dtype = flat.dtype
    if dtype.kind == "f" and dtype.itemsize <= 8:
        return "double", np.ascontiguousarray(flat, "<f8")
    if dtype.kind == "b":
        return "logical", flat.astype("<i4")
    if dtype.kind == "O" and all(v is None or isinstance(v, bool | np.bool_) for v in flat):
        return "logical", np.array([NA_INTEGER if v is None else v for v in flat], "<i4")
    if dtype == np.int32:
        return "integer", np.ascontiguousarray(flat, "<i4")
    if dtype.kind in "iu":
        low, high = (int(flat.min()), int(flat.max())) if flat.size else (0, 0)
        if low > NA_INTEGER and high < 2**31:
            return "integer", flat.astype("<i4")
        if low >= -_EXACT and high <= _EXACT:
            return "double", flat.astype("<f8")
        raise PygptError(
            "R has no whole numbers beyond 2^53: the array holds {low} to {high}", low=str(low), high=str(high)
        )
    raise PygptError("R has no vector for an array of {dtype}", dtype=dtype)


def text(value: Any) -> str:
    """A text as R can hold it.

    Raises:
        PygptError: not a text, or one with U+0000 or half of a surrogate pair.
    """
    if not isinstance(value, str):
        raise PygptError("a name in a list for R must be a text, not {value}", value=repr(value))
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise PygptError("R has no text with half of a surrogate pair in it: {text}", text=f"{value!r:.60}") from error
    if "\0" in value:
        raise PygptError("R has no text with the character U+0000 in it: {text}", text=f"{value!r:.60}")
    return str(value)


def _truths(array: NDArray[Any]) -> NDArray[Any]:
    missing = array == NA_INTEGER
    truths = array != 0
    return np.asarray(np.where(missing, None, truths.astype(object))) if missing.any() else truths


def _shaped(array: NDArray[Any], dim: list[int] | None) -> Any:
    if dim is None:
        return array.tolist()[0] if array.size == 1 else array
    return np.ascontiguousarray(array.reshape(dim, order="F"))
