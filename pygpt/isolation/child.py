"""The process that runs a submission: it loads it and answers requests. It holds no reference answers.

Started as `python -I -S child.py JSON` (see sandbox.py); of pygpt it needs only the files beside it that it loads.
All it says back is tensors, and the grader believes none of them before it has looked at them.
"""

import contextlib
import importlib.util
import json
import os
import resource
import socket
import sys
from pathlib import Path
from typing import Any

_LIMITS = {
    "memory": resource.RLIMIT_AS,
    "cpu": resource.RLIMIT_CPU,
    "file": resource.RLIMIT_FSIZE,
    "files": resource.RLIMIT_NOFILE,
    "processes": resource.RLIMIT_NPROC,
}
_MESSAGE = 2000


def main() -> None:
    setup = json.loads(sys.argv[1])
    channel = socket.socket(fileno=setup["fd"])
    os.set_inheritable(setup["fd"], False)
    sys.path.extend(setup["site"])
    import torch

    torch.set_num_threads(1)
    with contextlib.suppress(RuntimeError):
        torch.set_num_interop_threads(1)
    # Before the change of user: the package may be closed to others.
    wire, seccomp, parameters, reading, any_module = map(
        _load_file, ("wire", "seccomp", "parameters", "reading", "any_module")
    )
    _give_up_rights(setup)
    seccomp.end_with_parent()  # after the change of user, which would undo it
    seccomp.refuse_system_calls()
    channel.sendall(wire.pack({"ready": wire.text("ready")}))
    served = _Served(torch, wire, parameters, reading, Path(setup["submission"]), Path(setup["root"]))
    served.any = any_module.AnyModule(torch, parameters)
    while True:
        body = _receive(channel)
        try:
            answer = served.answer(wire.request_of(body), wire.unpack(body))
        except BaseException as error:  # whatever the submission raises, SystemExit too, is an answer
            answer = {"error": wire.text(_words(error) + _place(error, setup["root"]))}
        channel.sendall(wire.pack(answer))


def _give_up_rights(setup: dict[str, Any]) -> None:
    if setup["uid"] is not None:
        os.setgroups([])
        os.setresgid(setup["uid"], setup["uid"], setup["uid"])
        os.setresuid(setup["uid"], setup["uid"], setup["uid"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name, value in setup["limits"].items():
        hard = resource.getrlimit(_LIMITS[name])[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(_LIMITS[name], (value, value))


def _receive(channel: socket.socket) -> bytes:
    size = int.from_bytes(_exactly(channel, 8), "little")
    return _exactly(channel, size)


def _exactly(channel: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = channel.recv(min(size - len(data), 1 << 20))
        if not part:
            os._exit(0)
        data += part
    return bytes(data)


def _words(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:_MESSAGE]
    except BaseException:  # the exception's own __str__ may raise
        return "an exception that cannot be printed"


def _place(error: BaseException, root: str) -> str:
    """The last line of the submission that the exception came through."""
    place, trace = "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file.startswith(root):
            place = f" ({Path(file).name}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return place


def _load_file(name: str) -> Any:
    """One of the files beside this one, or a folder of them."""
    path = Path(__file__).with_name(name)
    folder = path.is_dir()
    spec = importlib.util.spec_from_file_location(
        f"grader_{name}",
        path / "__init__.py" if folder else path.with_suffix(".py"),
        submodule_search_locations=[str(path)] if folder else None,
    )
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[f"grader_{name}"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _Served:
    """The loaded submission and the answers to what may be asked of it."""

    def __init__(self, torch: Any, wire: Any, parameters: Any, reading: Any, path: Path, root: Path) -> None:
        self.torch, self.wire, self.parameters, self.reading = torch, wire, parameters, reading
        self.path, self.root = path, root
        self.module: Any = None
        self.models: dict[str, Any] = {}
        self.any: Any = None

    def answer(self, request: dict[str, Any], tensors: dict[str, Any]) -> dict[str, Any]:
        return getattr(self, "on_" + request["op"])(request, tensors)  # type: ignore[no-any-return]

    def on_load(self, request: dict[str, Any], _tensors: dict[str, Any]) -> dict[str, Any]:
        self.module, notes = self.reading.load(
            self.path, self.root, (*request["parts"], "weight_map"), request["seconds"], _words
        )
        parts = [name for name in request["parts"] if callable(getattr(self.module, name, None))]
        lines = []
        for name, own in dict(getattr(self.module, "weight_map", None) or {}).items():
            lines.append("\t".join([str(name), *([own] if isinstance(own, str) else [str(o) for o in own])]))
        told = "\n".join("\t".join(" ".join(str(part)[:_MESSAGE].split()) for part in note) for note in notes)
        texts = {"parts": "\n".join(parts), "weight_map": "\n".join(lines), "notes": told}
        return {name: self.wire.text(words) for name, words in texts.items()}

    def on_build(self, request: dict[str, Any], _tensors: dict[str, Any]) -> dict[str, Any]:
        self.torch.manual_seed(request["seed"])
        # Kept: what is said of its parameters is said of the model that answers.
        model = self.models[self._key(request)] = self._construct(request)
        first: dict[int, str] = {}
        lines = []
        for name, p in self.parameters.every(model):
            known = first.setdefault(id(p), name)
            lines.append("\t".join([name, known, *([",".join(map(str, p.shape))] if known == name else [])]))
        answer = {"names": self.wire.text("\n".join(lines))}
        if request.get("values"):
            answer |= {f"p.{i}": p.detach().clone() for i, p in enumerate(self.parameters.named(model).values())}
        return answer

    def on_run(self, request: dict[str, Any], tensors: dict[str, Any]) -> dict[str, Any]:
        """Questions of all kinds, each answered by itself: by logits, or by what was raised."""
        answer = {}
        for i, (weights, train, seed) in enumerate(request["questions"]):
            try:
                model = self._model(request, tensors, f"w{weights}.")
                model.train(train)
                self.torch.manual_seed(seed)
                with self.torch.no_grad():
                    answer[f"y.{i}"] = _tensor(self.torch, model(tensors[f"x.{i}"]))
            except BaseException as error:
                answer[f"error.y.{i}"] = self.wire.text(_words(error) + _place(error, str(self.root)))
        return answer

    def on_gradients(self, request: dict[str, Any], tensors: dict[str, Any]) -> dict[str, Any]:
        model = self._model(request, tensors)
        model.train()
        self.torch.manual_seed(0)
        logits = model(tensors["x"])
        (logits * tensors["cotangent"].to(logits.dtype)).sum().backward()
        named, zeros = self.parameters.named(model), self.torch.zeros_like
        return {f"g.{n}": zeros(p) if p.grad is None else p.grad.detach().clone() for n, p in named.items()}

    def on_loss(self, request: dict[str, Any], tensors: dict[str, Any]) -> dict[str, Any]:
        logits = tensors["logits"].requires_grad_(request["gradient"])
        loss = self.module.loss(logits, tensors["y"])
        if not request["gradient"]:
            return {"loss": _tensor(self.torch, loss)}
        loss.backward()
        return {"gradient": _tensor(self.torch, logits.grad)}

    def on_train(self, request: dict[str, Any], tensors: dict[str, Any]) -> dict[str, Any]:
        """The parameters before the first step (w0) and after each. Nothing is done for `train_step`."""
        model = self._model(request, tensors)
        model.train()
        optimizer = self.module.make_optimizer(model, request["lr"])
        answer = self._parameters(model, "w0")
        self.torch.manual_seed(request["seed"])
        for step in range(request["steps"]):
            self.module.train_step(model, optimizer, tensors[f"x.{step}"], tensors[f"y.{step}"])
            answer |= self._parameters(model, f"w{step + 1}")
        return answer

    def on_encode(self, request: dict[str, Any], _tensors: dict[str, Any]) -> dict[str, Any]:
        try:
            ids = self.module.Encoder(request["characters"], request["vocabulary"])
        except (AttributeError, TypeError):  # R's are characters; a text holds the same
            ids = self.module.Encoder("".join(request["characters"]), request["vocabulary"])
        return {"ids": self.torch.as_tensor([int(i) for i in ids], dtype=self.torch.int64)}

    def on_decode(self, request: dict[str, Any], _tensors: dict[str, Any]) -> dict[str, Any]:
        characters = self.module.Decoder(request["ids"], request["vocabulary"])
        return {"text": self.wire.text("".join(characters))}

    def on_generate(self, request: dict[str, Any], tensors: dict[str, Any]) -> dict[str, Any]:
        model = self._model(request, tensors)
        model.train()  # as training leaves it: R's Generate_Text_Base calls eval() itself
        self.torch.manual_seed(request["seed"])
        rows = self.module.generate(
            model, tensors["idx"], request["max_new_tokens"], request["temperature"], request["block_size"]
        )
        return {"idx": self.torch.as_tensor(rows).detach().to(self.torch.int64).clone()}

    def on_any_build(self, request: dict[str, Any], _tensors: dict[str, Any]) -> dict[str, Any]:
        return {name: self.wire.text(words) for name, words in self.any.build(self.module.build, request).items()}

    def on_any_call(self, request: dict[str, Any], tensors: dict[str, Any]) -> dict[str, Any]:
        return {name: self.wire.text(words) for name, words in self.any.call(request, tensors).items()}

    def on_any_gradients(self, request: dict[str, Any], tensors: dict[str, Any]) -> dict[str, Any]:
        return {name: self.wire.text(words) for name, words in self.any.gradients(request, tensors).items()}

    def on_any_loss(self, _request: dict[str, Any], tensors: dict[str, Any]) -> dict[str, Any]:
        return {name: self.wire.text(words) for name, words in self.any.loss(self.module.loss, tensors).items()}

    def on_any_fetch(self, request: dict[str, Any], _tensors: dict[str, Any]) -> dict[str, Any]:
        return self.any.fetch(request)  # type: ignore[no-any-return]

    def _construct(self, request: dict[str, Any]) -> Any:
        made, arguments = getattr(self.module, request["model"]), request["arguments"]
        try:
            model = made(**arguments)
        except TypeError as error:
            # Other argument names are allowed as long as the order is R's.
            if "argument" not in str(error):
                raise
            model = made(*arguments.values())
        if any(map(self.torch.nn.parameter.is_lazy, self.parameters.named(model).values())):
            with self.torch.no_grad():  # a lazy module has its parameters from the first call on
                model(self.torch.ones(1, arguments["block_size"], dtype=self.torch.int64))
        return model

    def _key(self, request: dict[str, Any]) -> str:
        return json.dumps([request["model"], request["arguments"], request["double"]])

    def _model(self, request: dict[str, Any], tensors: dict[str, Any], prefix: str = "w0.") -> Any:
        """The model with the weights that the request carries under this prefix."""
        key = self._key(request)
        if key not in self.models:
            built = self._construct(request)
            self.models[key] = built.double() if request["double"] else built
        model = self.models[key]
        named = self.parameters.named(model)
        with self.torch.no_grad():
            for name, value in tensors.items():
                if name.startswith(prefix):
                    # Not load_state_dict: a submission may have written its own.
                    named[name.removeprefix(prefix)].copy_(value)
        model.zero_grad()
        return model

    def _parameters(self, model: Any, prefix: str) -> dict[str, Any]:
        return {f"{prefix}.{n}": p.detach().clone() for n, p in self.parameters.named(model).items()}


def _tensor(torch: Any, value: Any) -> Any:
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"a tensor was expected, not {type(value).__name__}")
    return value.detach().clone()


if __name__ == "__main__":
    main()
