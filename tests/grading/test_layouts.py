"""Right ports in layouts that a name alone does not tell: R's weights find their place, and the logits are R's."""

import dataclasses
from pathlib import Path

import pytest
import torch

from pygpt.grading.port import Port
from pygpt.grading.r_model import normal_weights, reference
from pygpt.isolation.sandbox import Limits
from pygpt.isolation.session import AnswerError, Session
from pygpt.settings import MODELS, ModelSettings
from tests.grading.helpers import CORRECT, mutated, needs_isolation

pytestmark = needs_isolation
SOURCE = CORRECT.read_text()
POSITIONS = (
    "self.wpe = nn.Embedding(block_size, n_embd)",
    "self.wpe = nn.Parameter(torch.randn(1, block_size, n_embd))",
)
OUT = "self.ln_f = nn.Linear(n_embd, nvoc, bias=False)"
HEADS = """
class OneHead(nn.Module):
    def __init__(self, d, k, p0):
        super().__init__()
        self.a, self.b, self.c, self.drop = nn.Linear(d, k), nn.Linear(d, k), nn.Linear(d, k), nn.Dropout(p0)

    def forward(self, x):
        a, b, c = self.a(x), self.b(x), self.c(x)
        scores = a @ b.mT / b.shape[-1] ** 0.5
        mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        return self.drop(scores.masked_fill(mask, float("-inf")).softmax(-1)) @ c


class Attention(nn.Module):
    def __init__(self, d, n, dropout):
        super().__init__()
        self.each = nn.ModuleList(OneHead(d, d // n, dropout) for _ in range(n))
        self.out = nn.Linear(d, d)

    def forward(self, q, *_, **__):
        return self.out(torch.cat([head(q.transpose(0, 1)) for head in self.each], -1)).transpose(0, 1),


class GPT(nn.Module):"""
OF_HEADS = mutated(SOURCE, ("\nclass GPT(nn.Module):", HEADS), ("nn.MultiheadAttention(", "Attention("))
OUTPUT = '"MH.{j}.out_proj.weight": "MH.{j}.out.weight", "MH.{j}.out_proj.bias": "MH.{j}.out.bias"'
_ATTENDS = """
    def attend(self, q, k, v, drop):
        mask = torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool).triu(1)
        scores = (q @ k.mT / k.shape[-1] ** 0.5).masked_fill(mask, float("-inf"))
        return functional.dropout(scores.softmax(-1), drop, self.training) @ v


class GPT(nn.Module):"""
FORMULA = (
    """
class Attention(nn.Module):
    def __init__(self, d, n, dropout):
        super().__init__()
        self.drop, k = dropout, d // n
        for name in "VKQ":
            setattr(self, "U_" + name, nn.Parameter(torch.randn(n, d, k)))
        for name in "VKQ":
            setattr(self, "c" + name, nn.Parameter(torch.randn(n, 1, k)))
        self.U_O, self.c = nn.Parameter(torch.randn(n, k, d)), nn.Parameter(torch.randn(d))

    def forward(self, x, *_, **__):
        x = x.transpose(0, 1)[:, None]
        q, k, v = (x @ getattr(self, "U_" + name) + getattr(self, "c" + name) for name in "QKV")
        y = torch.einsum("bhnk,hkd->bnd", self.attend(q, k, v, self.drop), self.U_O) + self.c
        return y.transpose(0, 1),
"""
    + _ATTENDS
)
SIDE_BY_SIDE = (
    """
class Attention(nn.Module):
    def __init__(self, d, n, dropout):
        super().__init__()
        self.drop, self.n, self.all, self.out = dropout, n, nn.Linear(d, 3 * d), nn.Linear(d, d)

    def forward(self, x, *_, **__):
        b, t, d = x.transpose(0, 1).shape
        q, k, v = self.all(x.transpose(0, 1)).view(b, t, self.n, -1).transpose(1, 2).chunk(3, -1)
        return self.out(self.attend(q, k, v, self.drop).transpose(1, 2).reshape(b, t, d)).transpose(0, 1),
"""
    + _ATTENDS
)
NORMS = """
class Norms(nn.Module):
    def __init__(self, d, n):
        super().__init__()
        self.gain, self.mean = nn.Parameter(torch.ones(n, d)), nn.Parameter(torch.zeros(n, d))

    def __getitem__(self, j):
        return lambda h: functional.layer_norm(h, h.shape[-1:], self.gain[j], self.mean[j])


class GPT(nn.Module):"""
ONE = """
class Function(nn.Module):
    def __init__(self, **sizes):
        super().__init__()
        self.p = nn.ParameterDict({n: torch.ones(s) if n[0] == "g" else torch.randn(s) for n, s in sizes.items()})


class GPT_NoAttn(Function):
    def __init__(self, T, d, N, V, H, p0):
        norms = {f"{n}{j}": (d,) for n in ("gain", "mean") for j in range(N)}
        layers = {f"{n}{j}": s for n, s in (("W", (4 * d, d)), ("u", (4 * d,)), ("M", (d, 4 * d)), ("v", (d,)))
                  for j in range(N)}
        super().__init__(Table=(V, d), End=(V, d), T=(T, d), gain=(d,), mean=(d,), **norms, **layers)
        self.N = N

    def forward(self, x):
        p, f = self.p, functional
        h = p["Table"][x] + p["T"][: x.shape[1]]
        for j in range(self.N):
            z = f.layer_norm(h, h.shape[-1:], p[f"gain{j}"], p[f"mean{j}"])
            h = h + f.linear(f.gelu(f.linear(z, p[f"W{j}"], p[f"u{j}"])), p[f"M{j}"], p[f"v{j}"])
        return f.layer_norm(h, h.shape[-1:], p["gain"], p["mean"]) @ p["End"].T


class Unused(nn.Module):"""
LAYOUTS = {
    "positions (1, T, d) by name": mutated(
        SOURCE, POSITIONS, ("self.wpe(torch.arange(k))", "self.wpe[:, :k]"),
        ("self.wpe(torch.arange(x.shape[1]))", "self.wpe[:, :x.shape[1]]"),
    ) + 'weight_map = {"wpe.weight": "wpe"}\n',
    "output layer under two names": mutated(
        SOURCE, (OUT, "self.mine = self.ln_f = nn.Linear(n_embd, nvoc, bias=False)"),
    ),
    "a block under two names": mutated(
        SOURCE, (OUT, f"{OUT}\n        self.ends = nn.ModuleList([self.FFN[0], self.FFN[-1]])"),
    ),
    "lazy": mutated(SOURCE, ("nn.Linear(n_embd, 4 * n_embd)", "nn.LazyLinear(4 * n_embd)")),
    "heads by {h}": OF_HEADS + f"""
weight_map = {{"MH.{{j}}.in_proj_weight": [f"MH.{{{{j}}}}.each.{{{{h}}}}.{{k}}.weight" for k in "abc"],
              "MH.{{j}}.in_proj_bias": [f"MH.{{{{j}}}}.each.{{{{h}}}}.{{k}}.bias" for k in "abc"], {OUTPUT}}}
""",
    "heads, a list for 9": OF_HEADS + f"""
names = [f"MH.{{{{j}}}}.each.{{h}}.{{k}}." for k in "abc" for h in range(9)]
weight_map = {{"MH.{{j}}.in_proj_weight": [name + "weight" for name in names],
              "MH.{{j}}.in_proj_bias": [name + "bias" for name in names], {OUTPUT}}}
""",
    "heads without a map": OF_HEADS,
    "exercise 1's own U_Q (head, input, within)": mutated(SOURCE, ("\nclass GPT(nn.Module):", FORMULA),
                                                         ("nn.MultiheadAttention(", "Attention(")),
    "query, key and value side by side in each head": mutated(SOURCE, ("\nclass GPT(nn.Module):", SIDE_BY_SIDE),
                                                              ("nn.MultiheadAttention(", "Attention(")),
    "norms of all blocks in one, by rows": mutated(
        SOURCE, ("\nclass GPT(nn.Module):", NORMS),
        ("nn.ModuleList(nn.LayerNorm(n_embd) for _ in range(N_Layers))", "Norms(n_embd, N_Layers)"),
    )
    + "weight_map = {f'scale{i}.{{j}}.{kind}': f'scale{i}.{own}[{{j}}]' for i in (1, 2) "
      "for kind, own in (('weight', 'gain'), ('bias', 'mean'))}\n",
    "a map for one model": mutated(
        SOURCE.split("class GPT_NoAttn")[0],
        ("self.wte", "self.token"), ("self.scale3", "self.end"), ("self.ln_f", "self.scale3"),
    )
    + "\nclass GPT_NoAttn" + SOURCE.split("class GPT_NoAttn")[1]
    + 'weight_map = {"wte.weight": "token.weight", "ln_f.weight": "scale3.weight", "scale3.weight": "end.weight", '
      '"scale3.bias": "end.bias"}\n',
    "numbered, in any order": mutated(SOURCE, ("\nclass GPT_NoAttn(nn.Module):", ONE)),
}  # fmt: skip


def port_of(source: str, folder: Path) -> Session:
    path = folder / "s" / "submission.py"  # another user may not read pytest's own folder
    path.parent.mkdir()
    path.write_text(source)
    return Session(path, dataclasses.replace(Limits(), total_seconds=60.0), False)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_weights_find_their_place(layout: str, tmp_path: Path) -> None:
    rng = torch.Generator().manual_seed(5)
    with port_of(LAYOUTS[layout], tmp_path) as session:
        session.load()
        port = Port(session)
        for model in MODELS:
            for heads in (2, 3):
                settings = ModelSettings(model, 7, 6 * heads, heads, heads, vocab_size=23, dropout=0.0)
                weights = normal_weights(settings, rng)
                weights["wte.weight"][0] = 0
                x = torch.randint(1, 23, (2, 6), generator=rng)
                cotangent = torch.randn(2, 6, 23, generator=rng, dtype=torch.float64)
                r = reference(settings, weights)
                expected = r(x)
                (expected * cotangent).sum().backward()
                (logits,) = port.logits(settings, weights, [x])
                torch.testing.assert_close(
                    logits, expected.detach(), rtol=0, atol=1e-4 * float(expected.detach().std())
                )
                carried = port.built(settings).carried
                assert not carried.missing
                assert not carried.extra
                gradients = port.gradients(settings, weights, x, cotangent, double=True)
                for name, p in r.named_parameters():
                    assert p.grad is not None
                    if name != "wte.weight":  # R's padding row has none
                        torch.testing.assert_close(gradients[name], p.grad, rtol=1e-5, atol=1e-5)


GUESSED = {
    "heads": OF_HEADS,
    "U_Q": LAYOUTS["exercise 1's own U_Q (head, input, within)"],
    "side by side": LAYOUTS["query, key and value side by side in each head"],
    "numbered": LAYOUTS["numbered, in any order"],
}


@pytest.mark.parametrize("layout", GUESSED)
def test_the_line_that_is_printed_says_the_same_when_it_is_pasted(layout: str, tmp_path: Path) -> None:
    with port_of(GUESSED[layout], tmp_path) as session:
        session.load()
        port = Port(session)
        lines = [port.built(ModelSettings(model, 7, 12, 2, 2, vocab_size=23)).carried.line() for model in MODELS]
    said = "\n".join(f"{line}\nboth.update(weight_map)" for line in lines if line)
    (tmp_path / "pasted").mkdir()
    with port_of(f"{GUESSED[layout]}\nboth = {{}}\n{said}\nweight_map = both\n", tmp_path / "pasted") as session:
        session.load()
        for model, line in zip(MODELS, lines, strict=True):
            # At a size that the line was not made for.
            large = ModelSettings(model, 7, 18, 3, 3, vocab_size=23)
            weights, x = normal_weights(large, torch.Generator().manual_seed(3)), torch.randint(1, 23, (2, 6))
            expected = reference(large, weights)(x).detach()
            (logits,) = Port(session).logits(large, weights, [x])
            torch.testing.assert_close(logits, expected, rtol=0, atol=1e-4 * float(expected.std()))
            assert not line or "weight_map" in Port(session).built(large).carried.how.template


def test_an_entry_that_fits_in_no_model_is_named(tmp_path: Path) -> None:
    with port_of(SOURCE + 'weight_map = {"wte.weight": "table.weight"}\n', tmp_path) as session:
        session.load()
        with pytest.raises(AnswerError, match="there is no parameter"):
            Port(session).built(ModelSettings("gpt", 7, 6, 2, 2, vocab_size=23))


def test_every_size_that_is_built_is_counted(tmp_path: Path) -> None:
    late = mutated(
        SOURCE, ("self.drop0 =", "self.ln_f = self.ln_f if nvoc == 23 else nn.Identity()\n        self.drop0 =")
    )
    with port_of(late, tmp_path) as session:
        session.load()
        port, first = Port(session), ModelSettings("gpt", 7, 6, 2, 2, vocab_size=23)
        assert not port.built(first).carried.missing
        assert port.built(dataclasses.replace(first, vocab_size=24)).carried.missing == ("ln_f.weight",)


@pytest.mark.parametrize("how", ["self.ln_f.weight = self.wte.weight", "pass"])
def test_tied_is_tied_however_it_is_said(how: str, tmp_path: Path) -> None:
    tied = mutated(SOURCE, ("self.drop0 =", f"{how}\n        self.drop0 ="))
    tied += 'weight_map = {"wte.weight": "wte.weight", "ln_f.weight": "wte.weight"}\n' if how == "pass" else ""
    with port_of(tied, tmp_path) as session:
        session.load()
        carried = Port(session).built(ModelSettings("gpt", 7, 6, 2, 2, vocab_size=23)).carried
        assert carried.tied == {"ln_f.weight": "wte.weight"}
        assert carried.missing == ("ln_f.weight",)
