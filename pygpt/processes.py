"""The processes that torchrun started for one training: who writes, sums over all of them, and what all agree on.

Gloo carries what lies on the CPU, NCCL what lies on a GPU. Where torchrun started nothing, there is one process.
"""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from pygpt.errors import PygptError


@dataclass(frozen=True)
class Processes:
    """This process among those of one training.

    Attributes:
        rank: which one it is, from 0; 0 alone writes files and speaks.
        count: how many there are.
    """

    rank: int = 0
    count: int = 1

    @property
    def writes(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    @property
    def command(self) -> str:
        """How as many processes are started, up to pygpt's own command."""
        return f"torchrun --nproc-per-node {self.count} -m pygpt" if self.count > 1 else ""

    def add(self, tensor: Tensor) -> None:
        """Put the sum over all processes into `tensor`, to the same bits in each.

        Raises:
            PygptError: another process has gone.
        """
        if self.count == 1:
            return
        try:
            dist.all_reduce(tensor)
        except RuntimeError as error:
            raise PygptError(
                "another of the {n} processes has gone, so this one (rank {rank}) ends, too ({why})",
                n=self.count, rank=self.rank, why=_first_line(error),
            ) from error  # fmt: skip

    def any(self, here: bool) -> bool:
        """Whether it is so in any process; every one must ask.

        Raises:
            PygptError: another process has gone.
        """
        if self.count == 1:
            return here
        votes = torch.tensor(float(here))
        self.add(votes)
        return votes.item() > 0


ALONE = Processes()


@contextmanager
def joined() -> Iterator[Processes]:
    """For as long as a training lasts, be one of the processes that torchrun started; or `ALONE`.

    On a machine with a GPU for each, `cuda` means one's own.

    Raises:
        PygptError: the others cannot be reached.
    """
    if not dist.is_available() or not dist.is_torchelastic_launched() or int(os.environ["WORLD_SIZE"]) == 1:
        yield ALONE
        return
    # Default arguments in there take hold of the group, if there is one when they are imported (an optimizer does so):
    # then its threads outlive it, and may abort a process that ends.
    importlib.import_module("torch.distributed.nn.functional")
    local, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if local < gpus:
        torch.cuda.set_device(local)
    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo")
    except RuntimeError as error:
        raise PygptError(
            "the processes that torchrun started cannot reach one another ({why})", why=_first_line(error)
        ) from error
    processes = Processes(dist.get_rank(), dist.get_world_size())
    yield processes
    # Together, when the one that writes has written all; and not after an error, when nobody may be left to wait for.
    processes.any(False)
    dist.destroy_process_group()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
