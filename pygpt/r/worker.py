"""The process that holds R: it answers the requests of `session.RSession`, one after another, until they end.

Run as a file, by path, so that nothing of this package is imported and Python's torch never is: two copies of
libtorch in one process break each other. Imports the standard library, rpy2 and its neighbour wire.
"""

import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

# At the end, for this folder's own names must not hide the standard library's.
sys.path.append(str(Path(__file__).parent))
if TYPE_CHECKING:
    from pygpt.r import wire
else:
    import wire

UNAVAILABLE = ""
try:
    from rpy2 import rinterface
    from rpy2.rinterface_lib import embedded, openrlib
except Exception as error:  # where rpy2 does not fit R it raises anything from ImportError to AttributeError
    UNAVAILABLE = f"{type(error).__name__}: {error}"

GRACE = 5
"""Seconds past its time limit after which R ends by itself, if the parent that should have ended it is gone."""

Vectors = list[tuple[str, Any]]


class UnsendableError(Exception):
    """An R value that has no place in a frame."""


def main(descriptor: int, folder: str) -> None:
    """Start R, say so, and answer requests from the socket `descriptor` until it is closed; then remove `folder`."""
    connection = socket.socket(fileno=descriptor)
    connection.set_inheritable(False)
    if UNAVAILABLE:
        wire.send(connection, {"unavailable": UNAVAILABLE})
        return
    r = R()
    wire.send(connection, {"collate": rinterface.evalr('Sys.getlocale("LC_COLLATE")')[0]})
    while True:
        try:
            request, arrays = wire.receive(connection, r.new_vector)
        except EOFError:
            # The parent does this, too, but it may have been killed.
            shutil.rmtree(folder, ignore_errors=True)
            return
        signal.alarm(request["limit"] + GRACE)
        reply, vectors = r.answer(request, arrays)
        signal.alarm(0)
        wire.send(connection, reply, [(kind, len(vector), memory(kind, vector)) for kind, vector in vectors])


class R:
    """R in this process, and its values in the form of `wire`."""

    def __init__(self) -> None:
        embedded.set_initoptions(("rpy2", "--quiet", "--no-save", "--no-restore"))
        # R's own console and exit in place of rpy2's: what R prints goes to this process's output byte by byte, and
        # quit() ends it. 0: R finds the limit of the C stack itself and makes an endless recursion an R error.
        rinterface.initr(interactive=False, _want_setcallbacks=False, _c_stack_limit=0)
        rinterface.evalr("options(warn = 1, width = 120)")
        functions = rinterface.evalr(Path(__file__).with_suffix(".R").read_text("utf-8"))
        self.functions = dict(zip(functions.names, functions, strict=True))

    def new_vector(self, kind: str, count: int) -> tuple[Any, memoryview]:
        """An R vector and its memory, so that what is received goes there without a copy."""
        vector = self.functions[kind](count)
        return vector, memory(kind, vector)

    def answer(self, request: dict[str, Any], arrays: list[Any]) -> tuple[dict[str, Any], Vectors]:
        """Do what `request` asks for: the reply, and the R vectors that go with it, each with its kind."""
        if request["do"] == "modules":
            return {"value": {"list": sorted(sys.modules), "names": None}}, []
        outcome = self.functions[request["do"]](*(self.to_r(value, arrays) for value in request["values"]))
        if len(outcome) > 1:
            message, call, traceback = (strings(part) for part in outcome)
            return {"error": {"message": message[0], "call": call[0], "traceback": traceback}}, []
        vectors: Vectors = []
        try:
            return {"value": self.from_r(outcome[0], "the value", vectors)}, vectors
        except UnsendableError as error:
            return {"unsendable": str(error)}, []

    def to_r(self, value: Any, arrays: list[Any]) -> Any:
        """The R object of a value."""
        if value is None:
            return rinterface.NULL
        if isinstance(value, str):
            return rinterface.StrSexpVector([value])
        if "list" in value:
            made = rinterface.ListSexpVector([self.to_r(item, arrays) for item in value["list"]])
            if value["names"] is not None:
                made.names = rinterface.StrSexpVector(value["names"])
            return made
        vector = arrays[value["array"]] if "array" in value else rinterface.StrSexpVector(value["strings"])
        if value["dim"] is not None:
            vector.do_slot_assign("dim", rinterface.IntSexpVector(value["dim"]))
        return vector

    def from_r(self, value: Any, path: str, vectors: Vectors) -> Any:
        """The value of an R object; its vectors of numbers are added to `vectors`.

        Args:
            path: what the object is called in an error.

        Raises:
            UnsendableError: a function, an environment, a tensor, a factor, …
        """
        types = rinterface.RTYPES
        kinds = {types.REALSXP: "double", types.INTSXP: "integer", types.LGLSXP: "logical", types.STRSXP: "string"}
        if value.typeof == types.NILSXP:
            return None
        if value.typeof == types.VECSXP:
            return self._from_list(value, path, vectors)
        if value.typeof not in kinds:
            raise UnsendableError(f"{path} is an R object of type {value.typeof.name}")
        classes = attribute(value, "class")
        if classes is not None:
            raise UnsendableError(f"{path} is of class {classes[0]}: apply as.character, as.numeric or unclass to it")
        dim = attribute(value, "dim")
        shape = None if dim is None else list(dim)
        if value.typeof == types.STRSXP:
            texts = self._strings(value, path)
            return texts[0] if len(texts) == 1 and shape is None else {"strings": texts, "dim": shape}
        vectors.append((kinds[value.typeof], value))
        return {"array": len(vectors) - 1, "kind": kinds[value.typeof], "dim": shape}

    def _from_list(self, value: Any, path: str, vectors: Vectors) -> Any:
        given = attribute(value, "names")
        if given is None:
            items = [self.from_r(item, f"{path}[[{i}]]", vectors) for i, item in enumerate(value, start=1)]
            return {"list": items, "names": None}
        names = self._strings(given, path)
        if "" in names or None in names or len(set(names)) < len(names):
            raise UnsendableError(f"{path} is a list with names that are missing or there twice: {names}")
        items = [self.from_r(item, f"{path}${name}", vectors) for name, item in zip(names, value, strict=True)]
        return {"list": items, "names": names}

    def _strings(self, value: Any, path: str) -> list[str | None]:
        texts = self.functions["utf8"](value)
        if texts.typeof == rinterface.RTYPES.NILSXP:
            raise UnsendableError(f"{path} holds bytes that are no text")
        return strings(texts)


def memory(kind: str, vector: Any) -> memoryview:
    """The memory of an R vector of that kind."""
    pointer = {"double": openrlib.rlib.REAL, "integer": openrlib.rlib.INTEGER, "logical": openrlib.rlib.LOGICAL}[kind]
    return memoryview(openrlib.ffi.buffer(pointer(vector.__sexp__._cdata), len(vector) * wire.SIZES[kind]))


def strings(vector: Any) -> list[str | None]:
    """The elements of an R character vector in UTF-8, None for NA."""
    return [text if isinstance(text, str) else None for text in vector]


def attribute(value: Any, name: str) -> Any:
    """An attribute of an R object, None where it has none of that name."""
    try:
        return value.do_slot(name)
    except LookupError:
        return None


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
