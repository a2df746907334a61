"""Which of a port's parameters is which of R's: by names that count otherwise, by values, by shape, in pieces."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from pygpt.errors import PygptError
from pygpt.parity.modules.matching import matchings
from pygpt.parity.modules.numbering import paired, ranked
from pygpt.parity.modules.older_form import optimizers_told
from pygpt.parity.modules.recording import ModuleRecording
from pygpt.parity.modules.statistics import of_running


@given(st.integers(1, 5), st.integers(1, 3), st.sampled_from(("block.{}.w{}", "layer{}.fc{}.weight", "l{}_{}")))
def test_names_that_count_from_1_are_those_that_count_from_0(outer: int, inner: int, pattern: str) -> None:
    r = [pattern.format(i + 1, j + 1) for i in range(outer) for j in range(inner)]
    own = [pattern.format(i, j) for i in range(outer) for j in range(inner)]
    assert paired(r, own) == dict(zip(r, own, strict=True))
    assert paired(own, own) == dict(zip(own, own, strict=True))


def test_a_recurrent_layer_counts_from_1_in_r() -> None:
    ends = [
        f"{kind}_{way}_l{{}}{back}" for kind in ("weight", "bias") for way in ("ih", "hh") for back in ("", "_reverse")
    ]
    r = ["rnn." + end.format(n) for end in ends for n in (1, 2)]
    assert paired(r, ["rnn." + end.format(n) for end in ends for n in (0, 1)])["rnn.weight_ih_l2_reverse"] == (
        "rnn.weight_ih_l1_reverse"
    )


def test_names_are_the_same_where_one_side_has_more() -> None:
    assert paired(["fc.1", "fc.2"], ["fc.1", "fc.2", "fc.3"]) == {"fc.1": "fc.1", "fc.2": "fc.2"}
    assert paired(["seq.0.w", "seq.3.w"], ["seq.0.w", "seq.2.w"]) == {"seq.0.w": "seq.0.w", "seq.3.w": "seq.2.w"}
    assert paired(["lnF.weight"], ["ln_f.weight"]) == {"lnF.weight": "ln_f.weight"}
    assert ranked(["a10", "a2"]) == {"a10": "a1", "a2": "a0"}


def recording(init: dict[str, Tensor]) -> ModuleRecording:
    return ModuleRecording(
        path=Path("none"), model="", facts={}, threads=1, built=True, build_seed=1, args={}, inputs=(), target=None,
        target_ids=False, loss_name="", tensors={}, init=init, calls=(), layers={}, outputs=(), loss=None,
        gradients=init, order=tuple(init), frozen=frozenset(), trainings=(), train_seed=1,
    )  # fmt: skip


class Raw(nn.Module):
    """`x @ W + c`: weights with inputs first."""

    def __init__(self) -> None:
        super().__init__()
        self.W = nn.Parameter(torch.randn(3, 5))
        self.c = nn.Parameter(torch.zeros(5))


def test_weights_of_other_names_and_inputs_first_find_their_place() -> None:
    init = {"fc.weight": torch.arange(15.0).reshape(5, 3), "fc.bias": torch.arange(5.0)}
    matched = matchings(recording(init), Raw(), {})[0]
    own = matched.to_own(init)
    assert torch.equal(own["W"], init["fc.weight"].T)
    assert all(torch.equal(t, init[name]) for name, t in matched.to_r(own).items())
    assert set(matched.how.values()) == {"shape"}


def test_what_the_same_seed_gives_is_the_same_parameter() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.second, self.first = nn.Linear(4, 4), nn.Linear(4, 4)

    module = Two()
    own = {"a": module.first, "b": module.second}
    init = {f"{name}.{part}": t.detach().clone() for name, one in own.items() for part, t in one.state_dict().items()}
    matched = matchings(recording(init), module, {})[0]
    assert matched.own_names("a.weight") == ["first.weight"]
    assert matched.own_names("b.bias") == ["second.bias"]
    assert set(matched.how.values()) == {"value"}


def test_a_parameter_may_be_in_pieces() -> None:
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.query, self.key, self.value = (nn.Linear(4, 4) for _ in range(3))

    init = {"in_proj_weight": torch.randn(12, 4), "in_proj_bias": torch.randn(12)}
    ways = matchings(recording(init), Cut(), {})
    assert ways[0].own_names("in_proj_weight") == ["query.weight", "key.weight", "value.weight"]
    assert torch.equal(ways[0].to_own(init)["key.weight"], init["in_proj_weight"][4:8])
    assert len({tuple(way.own_names("in_proj_weight")) for way in ways}) == 6


def test_a_weight_map_says_it() -> None:
    init = {"fc.weight": torch.arange(15.0).reshape(5, 3), "fc.bias": torch.arange(5.0)}
    (matched,) = matchings(recording(init), Raw(), {"fc.weight": ["W.T"]})
    assert torch.equal(matched.to_own(init)["W"], init["fc.weight"].T)
    assert matched.how["fc.weight"] == "weight_map"
    for wrong, told in (
        ({"fc.weight": ["V"]}, "there is no parameter V"),
        ({"fc.bias": ["W"]}, "have the shapes .3, 5"),
        ({"fd": ["W"]}, "has no fd"),
    ):
        with pytest.raises(PygptError, match=told):
            matchings(recording(init), Raw(), wrong)


def test_tied_weights_have_one_place_and_two_where_the_port_has_two() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wte, self.head = nn.Embedding(4, 2), nn.Linear(2, 4, bias=False)

    weight = torch.randn(4, 2)
    both = replace(recording({"wte.weight": weight, "head.weight": weight}), order=("wte.weight",),
                   tied={"head.weight": "wte.weight"})  # fmt: skip
    two = matchings(both, Tied(), {})[0]
    assert two.own_names("head.weight") == ["head.weight"]
    module = Tied()
    module.head.weight = module.wte.weight
    assert "head.weight" not in matchings(both, module, {})[0].carried.pieces


def test_the_older_form_tells_its_optimizers() -> None:
    told = optimizers_told("adam lr .01; sgd_momentum lr .05 momentum .9 nesterov; the rest R torch's defaults")
    assert told == {
        "adam": ("optim_adam", {"lr": 0.01}),
        "sgd_momentum": ("optim_sgd", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    }


def test_running_statistics_are_explained_by_arithmetic() -> None:
    x = torch.randn(12, 3, generator=torch.Generator().manual_seed(1))
    start, right = torch.ones(3), 0.9 + 0.1 * x.var(0)
    told = of_running("bn.running_var", start, right, 0.9 + 0.1 * x.var(0, unbiased=False), {5, 12})
    assert told is not None
    assert "is over n: R's" in told
    assert "n = 12" in told
    zero, mean = torch.zeros(3), x.mean(0)
    told = of_running("bn.running_mean", zero, 0.1 * mean, 0.9 * mean, {12})
    assert told is not None
    assert "9 times R's" in told
    assert of_running("bn.running_mean", zero, 0.1 * mean, torch.randn(3), {12}) is None
