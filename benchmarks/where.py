"""Where a training step's time goes, by torch.profiler: shares of the processor's time by kind of operation."""

from collections.abc import Iterator

from torch.profiler import ProfilerActivity, profile

from benchmarks.training import engine, on, plain_loop
from pygpt.settings import TrainingSettings

KINDS = {
    "products": ("mm", "addmm", "_linear_pointwise", "mkldnn_linear"),
    "products of attention": ("bmm", "baddbmm"),
    "dropout masks": ("bernoulli_",),
    "GELU": ("gelu", "gelu_backward"),
    "copies": ("copy_", "cat", "fill_", "zero_"),
    "LayerNorm": ("native_layer_norm", "native_layer_norm_backward"),
    "softmax, cross entropy": (
        "_softmax", "_softmax_backward_data", "_log_softmax", "_log_softmax_backward_data", "masked_fill", "where",
    ),
    "AdamW, clipping": ("_fused_adamw_", "_foreach_norm", "linalg_vector_norm", "Optimizer.step#AdamW.step"),
}  # fmt: skip
REST = "all else, Python included"


def where(steps: int = 10) -> dict[str, dict[str, float]]:
    """Of each loop, on one thread: the share of each kind, in percent."""
    loops = {
        "plain loop": plain_loop(),
        "engine r": engine(TrainingSettings(threads=1)),
        "engine fast, float32": engine(TrainingSettings(engine="fast", bf16=False, compile=False, threads=1)),
        "engine fast, bf16": engine(TrainingSettings(engine="fast", bf16=True, compile=False, threads=1)),
    }
    return {name: _shares(on(1, loop), steps) for name, loop in loops.items()}


def _shares(loop: Iterator[object], steps: int) -> dict[str, float]:
    for _ in range(3):
        next(loop)
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        for _ in range(steps):
            next(loop)
    kind_of = {operation: kind for kind, operations in KINDS.items() for operation in operations}
    times = dict.fromkeys([*KINDS, REST], 0.0)
    for event in profiled.key_averages():
        times[kind_of.get(event.key.split("::")[-1], REST)] += event.self_cpu_time_total
    return {kind: round(100 * time / sum(times.values()), 1) for kind, time in times.items()}
