"""Recordings of any R module: the form of `record_module.R`, and the older one with several optimizers.

Both are described in `parity_tests/modules/README.md`. A file may come from anywhere: nothing in it is run, and what
its metadata ask for is held against what it holds.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pygpt.errors import PygptError
from pygpt.parity.modules.older_form import optimizers_told
from pygpt.settings import MOST_THREADS
from pygpt.weights import read_tensors

_MOST_STEPS = 10_000


@dataclass(frozen=True)
class Input:
    """One argument of `forward`: a tensor (ids are R's), or a plain value."""

    name: str
    """Empty where R gave it by its place."""
    value: Any
    ids: bool = False

    @property
    def given(self) -> Any:
        """As Python takes it: ids become rows."""
        return self.value.long() - 1 if self.ids else self.value


@dataclass(frozen=True)
class Call:
    """One call of a submodule."""

    name: str
    """`block.0`; its second call is `block.0#2`."""
    layer: str
    kind: str
    """R's class."""
    ids: bool
    """Its first argument is ids."""
    inputs: tuple[tuple[int, str, str], ...]
    """Place (from 1), name and tensor of each argument that is one."""
    outputs: tuple[str, ...]
    """The names of the tensors it gave."""


@dataclass(frozen=True)
class Training:
    """A few steps on the one batch."""

    label: str
    """Which of several; empty where there is one."""
    optimizer: str
    """R's name, `optim_adamw`."""
    arguments: Mapping[str, Any]
    steps: int
    losses: Tensor
    first: Mapping[str, Tensor]
    """The weights after one step."""
    last: Mapping[str, Tensor]


@dataclass(frozen=True)
class ModuleRecording:
    """What R computed of a module, and how."""

    path: Path
    model: str
    facts: Mapping[str, str]
    """Versions and the like, as the metadata have them."""
    threads: int
    built: bool
    """R built it after `build_seed`; else it was given, with weights of its own."""
    build_seed: int
    args: Mapping[str, Any]
    inputs: tuple[Input, ...]
    target: Tensor | None
    target_ids: bool
    loss_name: str
    tensors: Mapping[str, Tensor]
    init: Mapping[str, Tensor]
    calls: tuple[Call, ...]
    layers: Mapping[str, tuple[str, Mapping[str, Any]]]
    """Of each submodule its class and plain fields; empty in the older form."""
    outputs: tuple[Tensor, ...]
    loss: Tensor | None
    gradients: Mapping[str, Tensor]
    order: tuple[str, ...]
    """R's parameters in R's order; empty where the file does not tell."""
    frozen: frozenset[str]
    trainings: tuple[Training, ...]
    train_seed: int
    tied: Mapping[str, str] = field(default_factory=dict)
    """Names that share another parameter."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the trained parameters, in R's order where it is known."""
        names = self.order or tuple(name for name in self.init if name in self.gradients)
        return tuple(name for name in names if name not in self.frozen)

    @property
    def targets(self) -> Tensor | None:
        """The target as Python takes it: classes become rows."""
        return self.target.long() - 1 if self.target is not None and self.target_ids else self.target


def is_module_recording(path: Path) -> bool:
    """Whether a file says that it is a recording of a module.

    Raises:
        PygptError: it is not a safetensors file.
    """
    return read_tensors(path)[1].get("recording") == "module"


def read_module_recording(path: Path) -> ModuleRecording:
    """Read a recording of a module, in either form.

    Raises:
        PygptError: not a safetensors file; not such a recording; its metadata and tensors do not go together.
    """
    mapped, metadata = read_tensors(path)
    # A mapped file's tensors lie at any address, and from there MKL adds in another order: copies lie as R's did.
    tensors = {name: tensor.clone() for name, tensor in mapped.items()}
    if metadata.get("recording") != "module":
        raise PygptError("{path} is not a recording of a module: record_module.R writes one", path=path)
    try:
        recording = _read(path, tensors, metadata)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        why = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise PygptError("{path}: the recording cannot be read ({why})", path=path, why=why) from error
    if not recording.init and not recording.outputs:
        raise PygptError("{path}: the recording holds neither weights nor outputs", path=path)
    if not 0 < recording.threads <= MOST_THREADS:
        raise PygptError(
            "{path}: the recording's 'threads' must be from 1 to {most}, not {threads}",
            path=path, most=MOST_THREADS, threads=recording.threads,
        )  # fmt: skip
    if any(not 0 < training.steps <= _MOST_STEPS for training in recording.trainings):
        raise PygptError("{path}: the recording's steps must be from 1 to {most:,}", path=path, most=_MOST_STEPS)
    return recording


def _read(path: Path, tensors: dict[str, Tensor], metadata: Mapping[str, str]) -> ModuleRecording:
    newer = int(metadata.get("form", 1)) >= 2

    def said(key: str, otherwise: Any = None) -> Any:
        text = metadata.get(key)
        return otherwise if text is None else json.loads(text)

    args = said("args", {}) or {}
    init = _under("init.", tensors)
    gradients = _under("grad.", tensors)
    layers = {one["name"]: (str(one["class"]), one.get("settings") or {}) for one in said("layers", [])}
    target = tensors.get("target" if newer else "y")
    return ModuleRecording(
        path=path,
        model=metadata.get("model", "?"),
        facts={key: metadata[key] for key in _PROVENANCE if key in metadata},
        threads=int(metadata.get("threads", 1)),
        built=said("built", True),
        build_seed=int(metadata["build_seed"]),
        args={name.replace(".", "_"): value for name, value in args.items()},
        inputs=_inputs(said("inputs"), tensors) if newer else (Input("", tensors["x"], _counts_from_1(tensors["x"])),),
        target=target,
        target_ids=bool(said("target", {}).get("ids")) if newer else target is not None and _counts_from_1(target),
        loss_name=metadata.get("loss", ""),
        tensors=tensors,
        init=init,
        calls=tuple(_call(one) for one in said("calls", [])),
        layers=layers,
        outputs=_outputs(tensors, "output" if newer else "output_eval"),
        loss=tensors.get("loss" if newer else "loss_eval"),
        gradients=gradients,
        order=tuple(said("parameters", [])),
        frozen=frozenset(said("frozen", [])),
        trainings=_trainings(tensors, metadata, newer),
        train_seed=int(metadata.get("train_seed", 0)),
        tied=_tied(init, said("parameters", []) or list(gradients)),
    )


_PROVENANCE = ("r", "torch", "libtorch", "safetensors", "platform", "recorded", "made_by", "note")


def _call(one: Mapping[str, Any]) -> Call:
    inputs = tuple((i["position"], i.get("name") or "", i["tensor"]) for i in one["inputs"] or [] if "tensor" in i)
    return Call(one["name"], one["layer"], one["class"], bool(one["ids"]), inputs, tuple(one["outputs"] or ()))


def _inputs(said: list[dict[str, Any]], tensors: Mapping[str, Tensor]) -> tuple[Input, ...]:
    return tuple(
        Input(one["name"], tensors[one["tensor"]], bool(one["ids"])) if "tensor" in one
        else Input(one["name"], one.get("value"))
        for one in said
    )  # fmt: skip


def _outputs(tensors: Mapping[str, Tensor], name: str) -> tuple[Tensor, ...]:
    if name in tensors:
        return (tensors[name],)
    several: list[Tensor] = []
    while f"{name}[{len(several) + 1}]" in tensors:
        several.append(tensors[f"{name}[{len(several) + 1}]"])
    return tuple(several)


def _trainings(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], newer: bool) -> tuple[Training, ...]:
    steps = int(float(metadata.get("train_steps", 0)))
    if newer:
        if not steps:
            return ()
        arguments = json.loads(metadata["optimizer_arguments"]) or {}
        first, last = _under("step1.", tensors), _under(f"step{steps}.", tensors)
        return (Training("", metadata["optimizer"], arguments, steps, tensors["losses"], first, last),)
    return tuple(
        Training(
            label, optimizer, arguments, steps, tensors[f"losses.{label}"],
            _under(f"step1.{label}.", tensors), _under(f"step{steps}.{label}.", tensors),
        )
        for label, (optimizer, arguments) in optimizers_told(metadata.get("optimizers", "")).items()
        if f"losses.{label}" in tensors
    )  # fmt: skip


def _tied(init: Mapping[str, Tensor], parameters: list[str]) -> dict[str, str]:
    """Names of the state that are no parameter of their own but hold one's very numbers."""
    tied: dict[str, str] = {}
    for name, tensor in init.items():
        if name not in parameters and tensor.is_floating_point():
            same = [p for p in parameters if p in init and torch.equal(init[p], tensor) and _varies(tensor)]
            tied |= {name: same[0]} if same else {}
    return tied


def _varies(tensor: Tensor) -> bool:
    return bool((tensor != tensor.reshape(-1)[:1]).any())


def _counts_from_1(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() and tensor.numel() > 0 and int(tensor.min()) >= 1


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
