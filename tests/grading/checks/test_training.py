"""Training: another rule costs what shows of it and is named; what has been paid for elsewhere costs nothing here."""

import pytest

from tests.grading.helpers import CORRECT, SUBMISSIONS, examined, failed, mutated, needs_isolation

pytestmark = needs_isolation

RIGHT = CORRECT.read_text()
_CLIP = "    nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n"
_ADAMW = "torch.optim.AdamW(model.parameters(), lr=lr)"
_FORWARD = "    value = loss(model(x), y)\n"
BOTH, LATER = {"training.step", "training.curve"}, {"training.curve"}

RULES: dict[str, tuple[list[tuple[str, str]], set[str], str]] = {
    "momentum": ([(_ADAMW, "torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)")], BOTH,
        "SGD with momentum, not AdamW"),
    "Adam": ([(_ADAMW, "torch.optim.Adam(model.parameters(), lr=lr)")], BOTH,
        "Adam without weight decay, not AdamW with 0.01"),
    "RMSprop": ([(_ADAMW, "torch.optim.RMSprop(model.parameters(), lr=lr)")], BOTH, "RMSprop, not AdamW"),
    "another decay": ([("lr=lr)", "lr=lr, weight_decay=0.1)")], BOTH, "AdamW with a decay of 0.1, not 0.01"),
    "its own rate": ([("lr=lr)", "lr=1e-3)")], BOTH, "the learning rate is 0.001, not the one that is given"),
    "nothing": ([("    optimizer.step()\n", "")], BOTH, "the learning rate is 0, not the one that is given"),
    "gradients add up": ([("    optimizer.zero_grad()\n", "")], LATER,
        "gradients are not set to zero before they are computed: they add up"),
    "another norm": ([("(), 1.0)", "(), 5.0)")], LATER, "gradients are clipped to norm 5, not 1"),
    "other betas": ([("lr=lr)", "lr=lr, betas=(0.9, 0.95))")], LATER,
        "AdamW with betas 0.9 and 0.95, not 0.9 and 0.999"),
    "a hidden scale": ([(_CLIP, ""), (_FORWARD, "    value = 1e-4 * loss(model(x), y)\n")], LATER,
        "the loss is multiplied by 0.0001 in training"),
    "no dropout": ([(_FORWARD, "    model.eval()\n" + _FORWARD)], BOTH,
        "the model is in eval mode: nothing is dropped in training"),
    "two things": ([(_CLIP, ""), ("lr=lr)", "lr=lr, weight_decay=0)")], BOTH,
        "gradients are not clipped, or only after the step; Adam without weight decay, not AdamW with 0.01"),
    "signs": ([("    optimizer.step()\n", "    with torch.no_grad():\n        for p in model.parameters():\n"
        "            p -= optimizer.param_groups[0]['lr'] * (p.grad.sign() + 0.01 * p)\n")], BOTH,
        "the sign of the gradient with decay, not AdamW"),
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
def test_another_rule_is_named(name: str) -> None:
    changes, checks, words = RULES[name]
    told = failed(examined(mutated(RIGHT, *changes), "training"))
    assert told == {check: {words} for check in checks}


PAID: dict[str, tuple[list[tuple[str, str]], set[str]]] = {
    "a loss of its own": ([("y.reshape(-1))", "y.reshape(-1), label_smoothing=0.2)")], {"training.loss"}),
    "a loss that is a sum": ([("y.reshape(-1))", 'y.reshape(-1), reduction="sum")'), (_CLIP, _CLIP)],
        {"training.loss"}),
    "no dropout at all": ([("nn.Dropout(p0)", "nn.Dropout(0.0)"), (", dropout=p0)", ")")], set()),
    "a wrong forward pass": ([("nn.GELU()", "nn.ReLU()")], set()),
    "tied weights": ([("        self.drop0 =", "        self.ln_f.weight = self.wte.weight\n        self.drop0 =")],
        set()),
    "a parameter too many": ([("n_embd, nvoc, bias=False)", "n_embd, nvoc)")], set()),
    "a forward pass that nothing explains": ([("self.FFN[j](self.scale2[j](h))",
        "self.FFN[j](self.scale2[j](h)) * (1 if j else 1.01)")], set()),
    "masks that the loss draws again": ([(_FORWARD, "    model(x)\n" + _FORWARD)], set()),
}  # fmt: skip


@pytest.mark.parametrize("name", PAID)
def test_what_is_paid_elsewhere_costs_nothing_here(name: str) -> None:
    changes, checks = PAID[name]
    assert set(failed(examined(mutated(RIGHT, *changes), "training"))) == checks


@pytest.mark.parametrize("seed", range(3))
def test_right_training_passes_whatever_is_drawn(seed: int) -> None:
    for name in ("correct", "slow"):
        assert failed(examined((SUBMISSIONS / f"{name}.py").read_text(), "training", seed=seed)) == {}


def test_a_rule_is_told_where_the_forward_pass_is_not() -> None:
    source = mutated(RIGHT, *PAID["a forward pass that nothing explains"][0], (_ADAMW, _ADAMW.replace("AdamW", "SGD")))
    words = {"plain gradient descent (SGD), not AdamW"}
    assert failed(examined(source, "training")) == {"training.step": words, "training.curve": words}


@pytest.mark.parametrize("logits", ["0 * {}", "0 * {} + torch.linspace(0, 1, self.ln_f.out_features)",
    "0 * {} + torch.randn(*x.shape, self.ln_f.out_features)"])  # fmt: skip
def test_logits_that_no_weight_moves_get_nothing(logits: str) -> None:
    source = mutated(RIGHT, ("self.ln_f(self.scale3(h))", logits.format("self.ln_f(self.scale3(h))")))
    items = examined(source, "training", "dropout", "generation")
    passed = {id for id, some in items.items() for item in some if item.passed}
    assert passed == {"training.loss"}
