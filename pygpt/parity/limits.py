"""How far a quantity may be from the recording: not at all where the kernels are the same, else what is stated here.

Other kernels add in another order, and training carries that on. The stated limits are two times and more what
was seen with AVX2 and with no vector kernels in place of AVX-512 (ATEN_CPU_CAPABILITY=avx2, =default);
those of weights grow with the learning rate, as Adam's steps do.
"""

from torch import Tensor, cat

from pygpt.parity.compare import Limit

EXACT = Limit()
# In order: the first prefix that a name begins with counts. Weights: times the learning rate.
_STATED = (
    ("init.", Limit(3e-6)),  # normal draws: log and cos without vector kernels
    ("act.", Limit(2e-6, 2e-6)),
    ("losses", Limit(2e-6)),
    ("loss", Limit(1e-6)),
    ("grad.", Limit(1e-7, 1e-5)),
    ("grad_norm", Limit(0, 2e-6)),
    ("train_loss1", Limit(1e-6)),
    ("step_losses", Limit(2e-6)),
    ("train_loss", Limit(1e-6)),
    ("valid_loss", Limit(1e-6)),
)
_STATED_WEIGHTS = (("step1.", 5e-4), ("step", 5e-2), ("final.", 5e-2))


def limit_of(name: str, exact: bool, lr: float) -> Limit:
    """The limit of a quantity of a recording; zero for generated ids in any case."""
    if exact:
        return EXACT
    stated = next((limit for prefix, limit in _STATED if name.startswith(prefix)), None)
    if stated is not None:
        return stated
    return next((Limit(share * lr) for prefix, share in _STATED_WEIGHTS if name.startswith(prefix)), EXACT)


def judged(name: str, tensor: Tensor, exact: bool) -> Tensor:
    """The part that is compared: where kernels differ, a trained `in_proj_bias` loses its key third.

    The gradient of that third is zero but for rounding (a shift of all keys leaves the softmax as it is), and Adam
    blows the rounding up to steps of the learning rate.
    """
    trained = name.startswith(("step", "final.")) and name.endswith("in_proj_bias")
    if exact or not trained or tensor.dim() != 1 or len(tensor) % 3:
        return tensor
    query, _, value = tensor.tensor_split(3)
    return cat([query, value])
