"""Weights from every file that R's torch and luz write: the same numbers, and what is wrong is said."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pygpt.errors import PygptError
from pygpt.models import build_model
from pygpt.output.messages import render
from pygpt.r_files.weights import read_weights
from pygpt.settings import ModelSettings
from tests.r_files.helpers import FILES, WEIGHTS, WITH_HEADS, file, rds

# By the package safetensors, which knows nothing of R.
EXPECTED = load_file(FILES / "safe_save_file.safetensors")
SETTINGS = ModelSettings("gpt", block_size=6, n_embd=8, n_layer=1, n_head=4, vocab_size=23, dropout=0.0)


def saved(path: Path, tensors: dict[str, Tensor]) -> Path:
    save_file({name: value.contiguous() for name, value in tensors.items()}, path)
    return path


@pytest.mark.parametrize("name", WEIGHTS)
def test_every_file_gives_the_same_weights(name: str, tmp_path: Path) -> None:
    weights = read_weights(file(name, tmp_path), None if name in WITH_HEADS else 4)
    assert weights.settings == SETTINGS
    assert weights.heads_known
    with torch.device("meta"):
        assert list(weights.tensors) == list(build_model(SETTINGS).state_dict())
    for key, value in weights.tensors.items():
        assert value.dtype == torch.float32
        assert torch.equal(value, EXPECTED[key]), key
    assert torch.equal(weights.model().state_dict()["ln_f.weight"], EXPECTED["ln_f.weight"])


def test_heads_that_nothing_says_are_the_courses_and_said(tmp_path: Path) -> None:
    weights = read_weights(FILES / "state_dict.pt")
    assert weights.settings.n_head == 2
    assert "2 are taken" in str(weights.note())
    assert weights.note(heads=False) is None
    assert read_weights(file("module.pt", tmp_path)).note() is None


def test_vocabularies_are_found_beside_the_weights() -> None:
    characters = tuple(sorted(set((FILES.parent / "text.txt").read_text())))
    for name in ("exercise.safetensors", "everything.RData"):
        found = read_weights(FILES / name).vocabulary
        assert found is not None
        assert found.characters == characters
    assert read_weights(FILES / "state_dict.pt").vocabulary is None


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("prefix", ["model.", "module.", "_orig_mod.", "module._orig_mod."])
def test_other_types_and_prefixes(dtype: torch.dtype, prefix: str, tmp_path: Path) -> None:
    theirs = {f"{prefix}{name}": value.to(dtype) for name, value in EXPECTED.items()}
    weights = read_weights(saved(tmp_path / "w.safetensors", theirs), 4)
    for name, value in weights.tensors.items():
        assert torch.equal(value, EXPECTED[name].to(dtype).float())
    kind = str(dtype).removeprefix("torch.")
    note = str(weights.note())
    assert f"the prefix {prefix} is left out" in note
    assert f"17 tensors were {kind} and are float32 now, each number the same" in note


def test_rounding_is_said(tmp_path: Path) -> None:
    weights = read_weights(saved(tmp_path / "w.safetensors", {n: v.double() / 3 for n, v in EXPECTED.items()}))
    assert "17 tensors were float64 and are float32 now, rounded" in str(weights.note())
    assert torch.equal(weights.tensors["wte.weight"], (EXPECTED["wte.weight"].double() / 3).float())


def test_half_precision_of_r() -> None:
    for name, dtype in (("float16.pt", torch.float16), ("bfloat16_v2.pt", torch.bfloat16)):
        weights = read_weights(FILES / name)
        assert "17 tensors were " + name.partition("_v2")[0].removesuffix(".pt") in str(weights.note())
        for key, value in EXPECTED.items():
            assert torch.equal(weights.tensors[key], value.to(dtype).float())


def test_arrays_without_their_shape() -> None:
    with pytest.raises(PygptError, match=r"wpe\.weight has shape \(48,\), and not 8 columns.*as\.array"):
        read_weights(FILES / "flat.rds")


def test_transposed_matrices_are_told(tmp_path: Path) -> None:
    turned = {name: value.mT if value.dim() == 2 else value for name, value in EXPECTED.items()}
    for path in (FILES / "transposed.rds", saved(tmp_path / "w.safetensors", turned)):
        with pytest.raises(PygptError, match=r"transposed are wpe\.weight, wte\.weight, MH\.0") as failed:
            read_weights(path)
        assert "ln_f.weight" in str(failed.value)
        assert "out_proj" not in str(failed.value)  # square
    one = EXPECTED | {"ln_f.weight": EXPECTED["ln_f.weight"].mT}
    with pytest.raises(PygptError, match=r"transposed are ln_f\.weight: write them as they are"):
        read_weights(saved(tmp_path / "w.safetensors", one))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: w.pop("scale3.weight"), ["lacks scale3.weight"]),
        (lambda w: w.pop("FFN.0.2.bias"), ["missing FFN.0.2.bias"]),
        (lambda w: w.update({"step": torch.tensor([3])}), ["unexpected step"]),
        (lambda w: w.update({"wte.weight": torch.zeros(23, 8, dtype=torch.int32)}), ["torch.int32", "torch.float32"]),
        (lambda w: w.pop("wpe.weight"), ["lacks wpe.weight, a matrix of 8 columns"]),
        (lambda w: w.update({"wpe.weight": torch.zeros(6)}), ["wpe.weight has shape (6,), and not 8 columns"]),
        (lambda w: w.update({"net.wte.weight": w.pop("wte.weight")}), ["net.wte.weight, not wte.weight"]),
        (lambda w: w.clear(), ["holds no weights of the course's models"]),
    ],
)
def test_other_models(change: Callable[[dict[str, Tensor]], object], words: list[str], tmp_path: Path) -> None:
    tensors = dict(EXPECTED)
    change(tensors)
    with pytest.raises(PygptError) as failed:
        read_weights(saved(tmp_path / "w.safetensors", tensors or {"other": torch.zeros(1)}))
    for word in words:
        assert word in str(failed.value)


def test_heads_that_cannot_be() -> None:
    with pytest.raises(PygptError, match="n_head = 3"):
        read_weights(FILES / "state_dict.pt", 3)
    with pytest.raises(PygptError, match="says that it has 4 heads, not 2"):
        read_weights(FILES / "exercise.safetensors", 2)


def test_several_sets_of_weights_are_named() -> None:
    with pytest.raises(PygptError, match=r"x\$first, x\$second\. Write one of them alone, in R:\n  torch::torch_save"):
        read_weights(FILES / "several.pt")


def test_lists_without_names(tmp_path: Path) -> None:
    arrays = {name: value.numpy() for name, value in EXPECTED.items()}
    (tmp_path / "w.rds").write_bytes(rds([1.0, {"a": 2.0}, [arrays], "text"]))
    weights = read_weights(tmp_path / "w.rds", 4)
    assert torch.equal(weights.tensors["wte.weight"], EXPECTED["wte.weight"])
    other = arrays | {"ln_f.weight": arrays["ln_f.weight"] + 1}
    (tmp_path / "w.rds").write_bytes(rds([[arrays], {"last": [arrays, other]}]))
    with pytest.raises(PygptError, match=r"x\[\[1\]\]\[\[1\]\], x\[\[2\]\]\$last\[\[2\]\]\."):
        read_weights(tmp_path / "w.rds", 4)


def test_addresses_are_no_weights() -> None:
    with pytest.raises(PygptError, match="died with the R session") as failed:
        read_weights(FILES / "pointers.rds")
    assert '  library(torch)\n  torch_save(model$state_dict(), "weights.pt")' in str(failed.value)
    assert "morreram com a sessão do R" in render(failed.value, "pt")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_of_python_is_refused_with_a_line_that_works(zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "it's mine.pt"
    torch.save(EXPECTED, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(PygptError, match=r"written by Python's torch\.save") as failed:
        read_weights(path)
    line = next(line.strip() for line in str(failed.value).splitlines() if "import torch" in line)
    exec(line.replace("'it's mine.safetensors'", "x").replace('"it\'s mine.safetensors"', repr(str(tmp_path / "w.st"))))
    weights = read_weights(tmp_path / "w.st", 4)
    assert all(torch.equal(weights.tensors[name], value) for name, value in EXPECTED.items())


def test_a_torchscript_program_is_not_run(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as archive:
        for name in ("m/data.pkl", "m/constants.pkl", "m/code/__torch__.py"):
            archive.writestr(name, "")
    with pytest.raises(PygptError, match="TorchScript program"):
        read_weights(tmp_path / "m.pt")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "w.rds is empty"),
        (b"some text", "none of the files that are read here"),
        (b"\x89HDF\r\n\x1a\n", "none of the files that are read here"),
        (b"PK\3\4 broken", "none of the files that are read here"),
        (b"\x28\xb5\x2f\xfd broken", "damaged or cut off"),
        (b"\x1f\x8b broken", "damaged or cut off"),
        (b"X\n\0\0\0\3", "it ends early"),
        (b"X\n\0\0\0\2" + bytes(8) + b"\0\0\0\x1f", "a type that is not known: 31"),
    ],
)
def test_other_files(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "w.rds").write_bytes(content)
    with pytest.raises(PygptError) as failed:
        read_weights(tmp_path / "w.rds")
    assert words in str(failed.value)
    assert str(tmp_path / "w.rds") in str(failed.value)


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(PygptError, match="there is no file"):
        read_weights(tmp_path / "nowhere.pt")
    with pytest.raises(PygptError, match="cannot read"):
        read_weights(tmp_path)
