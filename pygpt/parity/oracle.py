"""The ladder as R computes it: the oracle of `r_reference/oracle`, base R in double precision."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pygpt.files import shipped
from pygpt.parity.compare import Limit
from pygpt.parity.ladder import Task, masks
from pygpt.r.session import RSession
from pygpt.trace import backward_order
from pygpt.vocabulary import PAD


def oracle_session(timeout: float = 600.0) -> RSession:
    """An R session that holds the oracle and the course's Encoder; R starts with the first call."""
    return RSession([shipped("r_reference/course/text.R"), shipped("r_reference/oracle/oracle.R")], timeout=timeout)


def climb_with_oracle(task: Task, r: RSession) -> dict[str, Tensor]:
    """Every quantity of the ladder, as the oracle computes it, in the order of computation.

    Raises:
        RError: an error in R; other errors of `RSession.call`.
    """
    model = task.model()
    start = {name: value.numpy() for name, value in model.state_dict().items()}
    vocabulary = np.array([PAD, *task.vocabulary.characters])
    ids = np.stack(
        [np.asarray(r.call("Encoder", np.array(list(text)), vocabulary), dtype=np.float64) for text in task.texts]
    )
    x, y = ids[:, :-1], ids[:, 1:]
    heads = float(task.settings.n_head)

    first = r.call("oracle_gradients", start, x, y, heads, None, task.padding_row)
    clipped = r.call("oracle_clip", first["gradients"], task.max_norm)
    state = r.call("oracle_adamw_start", start)
    stepped = r.call("oracle_adamw_step", start, clipped["gradients"], state, task.lr)["weights"]
    batches = [
        {"x": x, "y": y, "masks": {n: m.numpy() for n, m in masks(task, step).items()}} for step in range(task.steps)
    ]
    trained = r.call("oracle_train", start, batches, heads, task.lr, task.max_norm, task.padding_row)
    generated = r.call(
        "oracle_generate", trained["weights"], x[:1, :3], heads, float(task.settings.block_size),
        float(task.tokens), task.temperature, task.noise().numpy(),
    )  # fmt: skip

    names = [f"grad.{name}" for name in backward_order(model, list(first["gradients"]))]
    computed: dict[str, Any] = {"ids": ids, **first["activations"], "loss": first["loss"]}
    computed |= {name: first["gradients"][name.removeprefix("grad.")] for name in names}
    computed |= {"grad_norm": clipped["norm"]} | {f"step1.{name}": value for name, value in stepped.items()}
    computed |= {"losses": trained["losses"]}
    computed |= {f"step{task.steps}.{name}": value for name, value in trained["weights"].items()}
    computed |= {"generated": generated}
    return {
        name: torch.from_numpy(np.atleast_1d(np.asarray(value, dtype=np.float64)).copy())
        for name, value in computed.items()
    }


def limit_of(name: str, lr: float) -> Limit:
    """How far pygpt and the oracle may be apart, both in double precision, as a share of a tensor's largest value.

    Weights: as a share of the learning rate, which is what Adam's steps are made of.
    """
    if name in ("ids", "generated"):
        return Limit()
    if name.startswith("grad"):
        return Limit(of_largest=1e-10)
    if name.startswith("step"):
        return Limit(absolute=1e-6 * lr)
    return Limit(of_largest=1e-9 if name == "losses" else 1e-12)
