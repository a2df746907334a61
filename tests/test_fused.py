"""Engine fast trains as engine r does, within rounding: the same masks in the same order, fewer operations."""

import pytest
import torch

from pygpt import corpus, training
from pygpt.determinism import reproducible
from pygpt.models import build_model
from pygpt.output.messages import say
from pygpt.settings import MODELS, ModelName, ModelSettings, TrainingSettings
from pygpt.training import Step

ROWS = torch.randint(1, 66, (500,), generator=torch.Generator().manual_seed(0))
WINDOWS = corpus.windows(ROWS, 16, say("rows"))


def losses(model: ModelName, threads: int, **settings: object) -> list[float]:
    shape = ModelSettings(model=model, block_size=16, n_embd=32)
    given = TrainingSettings(batch_size=16, max_steps=20, **settings)  # type: ignore[arg-type]
    with reproducible(threads):
        return [
            e.loss for e in training.fit(training.start(shape, given), WINDOWS, WINDOWS, given) if isinstance(e, Step)
        ]


@pytest.mark.parametrize(("bf16", "tolerance"), [(False, 2e-5), (True, 5e-3)])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("model", MODELS)
def test_engine_fast_loses_as_engine_r(model: ModelName, threads: int, bf16: bool, tolerance: float) -> None:
    of_r = losses(model, 1)
    assert losses(model, threads, engine="fast", bf16=bf16) == pytest.approx(of_r, abs=tolerance)
    assert losses(model, 1, seed=43) != pytest.approx(of_r, abs=5e-3)  # what other masks and weights do


@pytest.mark.parametrize("p", [0.0, 0.2, 0.5])
def test_a_step_has_the_gradients_of_pytorchs_own_modules(p: float) -> None:
    settings = ModelSettings(block_size=8, n_embd=12, n_head=3, dropout=p)
    x, gradients = ROWS[:24].view(3, 8), []
    for fused in (False, True):
        torch.manual_seed(1)
        model = build_model(settings, fused=fused)
        model(x).square().sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    torch.testing.assert_close(*gradients, atol=1e-4, rtol=1e-4)
