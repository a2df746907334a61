"""How Python and the R worker talk: a frame is two lengths, a JSON header, and the raw bytes of arrays.

No pickle: a header is data, and nothing in it is run. In a header, `arrays` lists the kind and the number of
elements of each array that follows; a value is one of

- null: None, R's NULL;
- a text: a string, an R character vector of length 1;
- `{"array": i, "kind": "double", "dim": […]}`: the i-th array of the frame, the first index running fastest,
  as in R; `dim` is null for a vector;
- `{"strings": [text or null, …], "dim": […]}`: an R character vector; null is NA_character_;
- `{"list": […], "names": […]}`: an R list; `names` is null where it has none.

Both sides use this file. The worker runs it by itself, so it imports nothing of this package.
"""

import json
import socket
import struct
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

SIZES = {"double": 8, "integer": 4, "logical": 4}
"""Bytes of an element of each kind of array, as R keeps them."""

_PREFIX = struct.Struct("<Q")
Array = TypeVar("Array")


def send(
    connection: socket.socket,
    header: dict[str, Any],
    arrays: Iterable[tuple[str, int, memoryview]] = (),
    deadline: float | None = None,
) -> None:
    """Send one frame.

    Args:
        arrays: kind, number of elements, and bytes of each array.
        deadline: the moment of `time.monotonic()` by which all must be sent.

    Raises:
        TimeoutError: the deadline has passed.
        OSError: the other side is gone.
    """
    arrays = list(arrays)
    text = json.dumps(header | {"arrays": [(kind, count) for kind, count, _ in arrays]}).encode()
    _set_limit(connection, deadline)
    connection.sendall(_PREFIX.pack(len(text)) + text)
    for _, count, data in arrays:
        if count:
            _set_limit(connection, deadline)
            connection.sendall(data)


def receive(
    connection: socket.socket,
    new_array: Callable[[str, int], tuple[Array, memoryview]],
    deadline: float | None = None,
) -> tuple[dict[str, Any], list[Array]]:
    """The header and the arrays of the next frame.

    Args:
        new_array: makes room for an array of a kind and a number of elements: the array and its writable bytes.

    Raises:
        TimeoutError: the deadline has passed.
        EOFError, OSError: the other side is gone.
    """
    (length,) = _PREFIX.unpack(_read(connection, bytearray(_PREFIX.size), deadline))
    header: dict[str, Any] = json.loads(_read(connection, bytearray(length), deadline))
    arrays = []
    for kind, count in header["arrays"]:
        array, data = new_array(kind, count)
        _read(connection, data, deadline)
        arrays.append(array)
    return header, arrays


Bytes = TypeVar("Bytes", bytearray, memoryview)


def _read(connection: socket.socket, into: Bytes, deadline: float | None) -> Bytes:
    view, at = memoryview(into), 0
    while at < len(into):
        _set_limit(connection, deadline)
        got = connection.recv_into(view[at:])
        if got == 0:
            raise EOFError("the other side has closed the connection")
        at += got
    return into


def _set_limit(connection: socket.socket, deadline: float | None) -> None:
    if deadline is None:
        return
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.settimeout(left)
