"""What a first divergence usually means: which inputs it had, whether these agreed, and the faults seen to cause it."""

import re
from dataclasses import dataclass

from pygpt.parity.compare import Comparison, Line


@dataclass(frozen=True)
class Explanation:
    """The first divergence, explained."""

    name: str
    inputs: str
    """Which quantities it was computed from, and whether they agreed."""
    usual_causes: str
    leads_to: str = "this usually means"
    """What stands before the causes: of a cause that was tried, other words."""

    def for_json(self) -> dict[str, str]:
        """The fields of format 1; `tried` where the cause was."""
        fields = {"name": self.name, "inputs": self.inputs, "usual_causes": self.usual_causes}
        return fields if self.leads_to == Explanation.leads_to else {**fields, "tried": self.leads_to}


# The first pattern that a name matches counts. Each cause was seen to diverge just there (parity_tests/test_mutants.py)
# or follows from what the quantity is made of.
_CAUSES = (
    (
        r"ids",
        "ids off by one (R counts from 1, PAD = 1); another order of the vocabulary (R's sort() follows the locale)",
    ),
    (
        r"init\..*",
        "another seed; modules built in another order (R builds by kind: wpe, wte, every MH, scale1, scale2, "
        "scale3, every FFN, ln_f); another initial distribution; the PAD row not zero",
    ),
    (
        r"act\.embedding",
        "ids off by one; positions counted from 1; the position embedding left out; dropout in eval mode",
    ),
    (
        r"act\.block\d+\.scale1",
        "LayerNorms exchanged (scale1 is before attention, scale2 before FFN); another eps than 1e-5; the "
        "norm after the branch in place of before it",
    ),
    (
        r"act\.block\d+\.attn_weights",
        "mask turned round or off by one; scores not divided by sqrt(d_k); softmax along the wrong axis; "
        "query and key exchanged; heads split in another order",
    ),
    (
        r"act\.block\d+\.attn",
        "heads merged in another order; the output projection left out or transposed; dropout in eval mode",
    ),
    (
        r"act\.block\d+\.scale2",
        "LayerNorms exchanged; the residual after attention left out; another eps than 1e-5",
    ),
    (
        r"act\.block\d+\.ffn",
        "GELU by tanh (R's is exact); ReLU for GELU; another width than 4 n_embd; dropout in eval mode",
    ),
    (
        r"act\.block\d+\.output",
        "a residual connection left out",
    ),
    (
        r"act\.scale3",
        "the final norm left out, or taken per block",
    ),
    (
        r"act\.logits",
        "the output layer tied to wte, or with a bias",
    ),
    (
        r"loss",
        "a sum for the mean; targets not shifted by one; PAD left out of the mean",
    ),
    (
        r"grad\.wte\.weight",
        "the wrong padding row: in R the row without gradient is row 1 (R id 2), not PAD's",
    ),
    (
        r"grad\..*",
        "an operation outside of the graph (detach, in-place); a gradient summed over steps (zero_grad left out)",
    ),
    (
        r"grad_norm",
        "the norm of one tensor at a time in place of all together",
    ),
    (
        r"step1\..*",
        "the optimizer: learning rate, weight decay (0.01, on every parameter), eps, betas; Adam in place of "
        "AdamW; PyTorch's AdamW, which rounds otherwise than R's",
    ),
    (
        r"(train_|step_)?loss(es|1)?",
        "dropout in another place or order; another shuffling; clipping; the optimizer's state",
    ),
    (
        r"valid_loss",
        "dropout left on in validation; batches weighted by their size",
    ),
    (
        r"(step\d+|final)\..*",
        "what adds up over steps: the optimizer's roundings, clipping, dropout's order",
    ),
    (
        r"generated",
        "the temperature; the crop to block_size; another draw than multinomial; another seed",
    ),
)


def explain(comparison: Comparison) -> Explanation | None:
    """The first divergence with its inputs and usual causes; None where all agrees."""
    first = comparison.first_divergence
    if first is None:
        return None
    lines = {line.name: line for line in comparison.lines}
    cause = next((cause for pattern, cause in _CAUSES if re.fullmatch(pattern, first.name)), "not a known pattern")
    return Explanation(first.name, _inputs(first.name, lines), cause)


def _inputs(name: str, lines: dict[str, Line]) -> str:
    inputs = [known for known in _inputs_of(name, lines) if known in lines]
    if not inputs:
        return "it is the first thing computed, or its inputs were not compared"
    told = [f"{i} agreed" if lines[i].agrees else f"{i} did NOT agree" for i in inputs]
    return "its inputs: " + ", ".join(told)


def _inputs_of(name: str, lines: dict[str, Line]) -> list[str]:
    """The named quantities that `name` is computed from."""
    in_block = re.fullmatch(r"act\.block(\d+)\.(\w+)", name)
    if in_block:
        j, part = int(in_block[1]), in_block[2]
        before = f"act.block{j - 1}.output" if j > 1 else "act.embedding"
        block = f"act.block{j}."
        has_attention = f"{block}attn" in lines
        parts = {
            "scale1": [before],
            "attn_weights": [f"{block}scale1"],
            "attn": [f"{block}attn_weights", f"{block}scale1"],
            "scale2": [before, f"{block}attn"] if has_attention else [before],
            "ffn": [f"{block}scale2"],
            "output": [before, *([f"{block}attn"] if has_attention else []), f"{block}ffn"],
        }
        return parts.get(part, [])
    if name.startswith("step1."):
        return [name.replace("step1.", "init."), name.replace("step1.", "grad."), "grad_norm"]
    blocks = [n for n in lines if re.fullmatch(r"act\.block\d+\.output", n)]
    whole = {
        "act.embedding": ["ids", "init.wte.weight", "init.wpe.weight"],
        "act.scale3": blocks[-1:],
        "act.logits": ["act.scale3"],
        "loss": ["act.logits"],
        "grad_norm": [n for n in lines if n.startswith("grad.")][-1:],
        "losses": ["loss", "grad_norm"],
    }
    if name.startswith("grad."):
        return ["loss", "act.logits"]
    return whole.get(name, [])
