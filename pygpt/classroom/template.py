"""The starting file that students get: the contract, and empty bodies."""

from string import Template

from pygpt.output.messages import say

_SENTENCES = {
    "about": say("My port of the course's R code (exercises 2 and 3) to Python."),
    "rows": say(
        "Rows and ids: R counts ids from 1, and <PAD> is id 1. The models take rows, which count from 0: row = id - 1."
    ),
    "shapes": say(
        "x is an int64 tensor (batch, k) of rows with 1 <= k <= block_size; the result is a tensor "
        "(batch, k, nvoc) of logits."
    ),
    "command": say("Check it with:  python cli.py grade check this_file.py"),
    "names": say(
        "Only if your modules do not have R's names (wpe, wte, MH, scale1, scale2, FFN, scale3, ln_f) and `grade` asks:"
    ),
    "map": say(
        "R's name -> yours. {{j}} stands for a block's number; several names are stacked; docs/grading.md says more."
    ),
    "gpt": say("Exercise 2: h' = h + MHA(LN(h)), then h' + FFN(LN(h'))."),
    "noattn": say("Exercise 3: the same without attention; Head is taken and not used."),
    "encoder": say('Characters -> R\'s ids, from 1; Vocabulary[0] is "<PAD>".'),
    "decoder": say("R's ids, from 1 -> characters."),
    "loss": say("Mean cross entropy: logits (batch, k, nvoc) and rows y (batch, k) -> a scalar tensor."),
    "optimizer": say("AdamW as in R, for all of the model's parameters."),
    "step": say("One step: gradients from zero, loss, backward, gradients clipped to norm 1, the optimizer's step."),
    "generate": say(
        "Rows idx (1, n) -> (1, n + max_new_tokens), drawn in eval mode from softmax(logits / temperature)."
    ),
}
_TEMPLATE = Template('''"""$about

$rows
$shapes
$command
"""

import torch
from torch import nn

# $names
# $map
# weight_map = {"MH.{j}.in_proj_weight": ["blocks.{j}.q.weight", "blocks.{j}.k.weight", "blocks.{j}.v.weight"]}


class GPT(nn.Module):
    """$gpt"""

    def __init__(self, block_size, n_embd, N_Layers, nvoc, Head, p0=0.1):
        super().__init__()
        raise NotImplementedError

    def forward(self, x):
        raise NotImplementedError


class GPT_NoAttn(nn.Module):
    """$noattn"""

    def __init__(self, block_size, n_embd, N_Layers, nvoc, Head, p0=0.1):
        super().__init__()
        raise NotImplementedError

    def forward(self, x):
        raise NotImplementedError


def Encoder(File_chars, Vocabulary):
    """$encoder"""
    raise NotImplementedError


def Decoder(File_indices, Vocabulary):
    """$decoder"""
    raise NotImplementedError


def loss(logits, y):
    """$loss"""
    raise NotImplementedError


def make_optimizer(model, lr):
    """$optimizer"""
    raise NotImplementedError


def train_step(model, optimizer, x, y):
    """$step"""
    raise NotImplementedError


def generate(model, idx, max_new_tokens, temperature, block_size):
    """$generate"""
    raise NotImplementedError
''')


def template(lang: str) -> str:
    """The file, with its comments in a language."""
    return _TEMPLATE.substitute({name: sentence.render(lang) for name, sentence in _SENTENCES.items()})
