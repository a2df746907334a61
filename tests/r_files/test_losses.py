"""Losses of epochs from R's own files: what write.csv wrote of them."""

import csv
from pathlib import Path

import pytest

from pygpt.errors import PygptError
from pygpt.r_files.losses import LossTable, losses_of
from pygpt.r_files.opening import opened
from pygpt.validation.history import read_luz_history
from tests.r_files.helpers import FILES, OBJECTS, file


def of(path: Path) -> LossTable | None:
    return losses_of(opened(path), path)


@pytest.mark.parametrize(
    "name",
    [
        "get_metrics.rds",
        "records_metrics.rds",
        "workspace.RData",
        "everything.RData",
        "luz_save.rds",
        "checkpoint-2.pt",
    ],
)
def test_every_file_gives_the_same_losses(name: str) -> None:
    with (FILES / "get_metrics.csv").open(newline="") as file_:
        header, *expected = csv.reader(file_)
    table = of(FILES / name)
    assert table is not None
    assert table.header == header
    assert [row[:3] for row in table.lines] == [row[:3] for row in expected]
    # write.csv writes 15 digits
    assert [f"{float(row[3]):.15g}" for row in table.lines] == [row[3] for row in expected]


def test_files_without_losses(tmp_path: Path) -> None:
    for path in (FILES / "arrays.rds", FILES / "list.pt", file("module.pt", tmp_path), OBJECTS / "objects.rds"):
        assert of(path) is None
        with pytest.raises(PygptError, match="holds no losses of epochs"):
            read_luz_history(path, 3)


def test_a_damaged_file_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "h.rds").write_bytes((FILES / "get_metrics.rds").read_bytes()[:-20])
    with pytest.raises(PygptError, match="cannot be read"):
        read_luz_history(tmp_path / "h.rds", 3)
