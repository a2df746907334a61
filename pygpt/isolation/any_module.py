"""A submission's module of any kind: built, called whole or in part, differentiated. It holds no reference answers.

Loaded by child.py, which stands alone. What is asked for is described in JSON; every tensor lies beside it.
"""

import contextlib
import inspect
import json
from collections.abc import Callable, Iterator
from typing import Any

_MOST_LAYERS = 500
_LONGEST = 200
_Told = dict[str, Any]


class AnyModule:
    """The module that the submission's `build` gives, and what it gave last: that is fetched by pieces."""

    def __init__(self, torch: Any, parameters: Any) -> None:
        self.torch, self.parameters = torch, parameters
        self.module: Any = None
        self.kept: dict[str, Any] = {}
        self.given: Any = None
        self.outputs: list[Any] = []

    def build(self, build: Callable[..., Any], request: _Told) -> _Told:
        """Build it anew. Told: the names of its state, as `on_build` of child.py tells them, and its submodules."""
        takes = inspect.signature(build).parameters
        any_name = any(one.kind is one.VAR_KEYWORD for one in takes.values())
        given = {name: value for name, value in request["arguments"].items() if any_name or name in takes}
        self.torch.manual_seed(request["seed"])
        module = build(**given)
        if not isinstance(module, self.torch.nn.Module):
            raise TypeError(f"build() must return a torch.nn.Module, not {type(module).__name__}")
        self.module, self.kept, self.outputs = module, {}, []
        state = self._state()
        lines, first = [], dict[int, str]()
        for name, tensor in state.items():
            known = first.setdefault(id(tensor), name)
            shape = [",".join(map(str, tensor.shape))] if known == name else []
            lines.append("\t".join([name, known, *shape]))
        self.kept = {name: state[name].detach() for name in first.values()}
        trained = [name for name in first.values() if state[name].requires_grad]
        return {
            "names": "\n".join(lines),
            "told": json.dumps({"trained": trained, "layers": list(self._layers(request["settings"])), "not_taken": [
                name for name in request["arguments"] if name not in given
            ]}),
        }  # fmt: skip

    def call(self, request: _Told, tensors: _Told) -> _Told:
        """Call it, or one of its submodules. Told: the shape of each tensor that can then be fetched."""
        module = self.module if not request["part"] else self.module.get_submodule(request["part"])
        self._load(tensors)
        for name, settings in request["set"].items():
            for key, value in settings.items():
                setattr(self.module.get_submodule(name), key, value)
        self.module.train(request["train"])
        if request["seed"] is not None:
            self.torch.manual_seed(request["seed"])
        places = [self._argument(one, tensors) for one in request["arguments"]]
        with contextlib.ExitStack() as stack:
            padding_rows(self.torch, self.module, stack, request["padding"])
            calls = self._watched(stack, request["watch"])
            with self.torch.set_grad_enabled(request["gradients"]):
                given = called(module, [one["name"] for one in request["arguments"]], places)
        self.given = given
        self.outputs = [leaf for leaf in flat(given) if isinstance(leaf, self.torch.Tensor)]
        self.kept = {f"y.{i}": tensor for i, tensor in enumerate(self.outputs)}
        told = []
        for k, (layer, got, gave) in enumerate(calls):
            told.append([layer, len(got), len(gave)])
            self.kept |= {f"in.{k}.{i}": t for i, t in enumerate(got)}
            self.kept |= {f"out.{k}.{i}": t for i, t in enumerate(gave)}
        buffers = {name: t for name, t in self._state().items() if not t.requires_grad}
        self.kept |= {f"b.{name}": tensor for name, tensor in buffers.items()}
        shapes = {name: list(tensor.shape) for name, tensor in self.kept.items()}
        return {"told": json.dumps({"shapes": shapes, "calls": told})}

    def fetch(self, request: _Told) -> _Told:
        """What the last answer told of."""
        return {name: self._sent(self.kept[name]) for name in request["names"]}

    def gradients(self, request: _Told, tensors: _Told) -> _Told:
        """Of the last call, for what is given for its outputs. Told: the parameters that have one."""
        self.module.zero_grad()
        pairs = [(self.outputs[i], tensors[f"c.{i}"].to(self.outputs[i].dtype)) for i in request["outputs"]]
        with contextlib.ExitStack() as stack:
            padding_rows(self.torch, self.module, stack, request["padding"])
            self.torch.autograd.backward([y for y, _ in pairs], [c for _, c in pairs])
        state = self._state()
        self.kept = {name: t.grad for name, t in state.items() if t.requires_grad and t.grad is not None}
        return {"told": json.dumps(list(self.kept))}

    def loss(self, loss: Callable[..., Any], tensors: _Told) -> _Told:
        """The submission's own loss of what the last call gave. Told: its value and gradients, to be fetched."""
        # Of copies: an output may be computed from another, and each is to have its own share of the gradient alone.
        leaves: list[Any] = []
        value = loss(self._copied(self.given, leaves), tensors.get("t"))
        self.kept = {"y.0": value.reshape(1)}
        if value.requires_grad:
            of = [(i, y) for i, y in enumerate(leaves) if y.requires_grad]
            slopes = self.torch.autograd.grad(value, [y for _, y in of], allow_unused=True)
            self.kept |= {f"c.{i}": slope for (i, _), slope in zip(of, slopes, strict=True) if slope is not None}
        return {"told": json.dumps(list(self.kept))}

    def _copied(self, value: Any, leaves: list[Any]) -> Any:
        """The same, with tensors that depend on nothing; these are put into `leaves`."""
        if isinstance(value, self.torch.Tensor):
            leaves.append(value.detach().clone().requires_grad_(value.requires_grad))
            return leaves[-1]
        if isinstance(value, dict):
            return type(value)((name, self._copied(one, leaves)) for name, one in value.items())
        if isinstance(value, list | tuple):
            parts = [self._copied(one, leaves) for one in value]
            return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
        return value

    def _state(self) -> _Told:
        """Parameters and the buffers that a state dict has, under all of their names."""
        return dict(self.parameters.every(self.module)) | {
            name: buffer
            for name, buffer in self.parameters.every(self.module, "_buffers")
            if isinstance(buffer, self.torch.Tensor) and self._is_kept(name)
        }

    def _is_kept(self, name: str) -> bool:
        layer, _, leaf = name.rpartition(".")
        return leaf not in self.module.get_submodule(layer)._non_persistent_buffers_set

    def _load(self, tensors: _Told) -> None:
        state = self._state()
        with self.torch.no_grad():
            for name, value in tensors.items():
                if name.startswith("w."):
                    state[name[2:]].copy_(value)

    def _layers(self, settings: list[str]) -> Iterator[tuple[str, str, _Told]]:
        """Each submodule's name, class, and those of these settings that it has."""
        for name, layer in list(self.module.named_modules())[:_MOST_LAYERS]:
            plain = {key: value for key, value in vars(layer).items() if key in settings and _is_plain(value)}
            yield name[:_LONGEST], type(layer).__name__[:_LONGEST], plain

    def _argument(self, one: _Told, tensors: _Told) -> Any:
        return tensors[one["tensor"]] if "tensor" in one else one["value"]

    def _watched(self, stack: contextlib.ExitStack, layers: list[str]) -> list[tuple[str, list[Any], list[Any]]]:
        """While it computes, each call of these submodules, with the tensors that it got and gave."""
        calls: list[tuple[str, list[Any], list[Any]]] = []
        is_tensor = self.torch.Tensor

        def leaves(value: Any) -> list[Any]:
            return [leaf.detach().clone() for leaf in flat(value) if isinstance(leaf, is_tensor)]

        for name in layers:
            open_: list[list[Any]] = []

            def before(_layer: Any, args: Any, kwargs: Any, open_: list[list[Any]] = open_) -> None:
                open_.append(leaves([args, kwargs]))

            def after(_layer: Any, _args: Any, output: Any, name: str = name, open_: list[list[Any]] = open_) -> None:
                calls.append((name, open_.pop(), leaves(output)))

            layer = self.module.get_submodule(name)
            stack.callback(layer.register_forward_pre_hook(before, with_kwargs=True).remove)
            stack.callback(layer.register_forward_hook(after).remove)
        return calls

    def _sent(self, tensor: Any) -> Any:
        tensor = tensor.detach()
        return (tensor if tensor.is_floating_point() else tensor.double()).clone()


def padding_rows(torch: Any, module: Any, stack: contextlib.ExitStack, after: bool) -> None:
    """With `after`, the row of each embedding that gets no gradient is the one after its padding row, as in R."""
    for layer in module.modules() if after else ():
        if isinstance(layer, torch.nn.Embedding) and layer.padding_idx is not None:
            stack.callback(setattr, layer, "padding_idx", layer.padding_idx)
            layer.padding_idx = layer.padding_idx + 1 if layer.padding_idx + 1 < layer.num_embeddings else None


def called(module: Any, names: list[str], values: list[Any]) -> Any:
    """What `forward` gives: by name where it has an argument of R's name, else by place."""
    takes = inspect.signature(module.forward).parameters
    named = {name: value for name, value in zip(names, values, strict=True) if name in takes}
    places = [value for name, value in zip(names, values, strict=True) if name not in takes]
    if any(name in list(takes)[: len(places)] for name in named):
        return module(*values)
    return module(*places, **named)


def _is_plain(value: Any) -> bool:
    parts = value if isinstance(value, list | tuple) else [value]
    return len(parts) < 8 and all(
        isinstance(x, int | float | None) or (isinstance(x, str) and len(x) < 20) for x in parts
    )


def flat(value: Any) -> list[Any]:
    """The leaves of nested tuples, lists and dicts, in order."""
    if isinstance(value, dict):
        value = list(value.values())
    return [leaf for one in value for leaf in flat(one)] if isinstance(value, list | tuple) else [value]
