"""Running statistics of a batch norm that a port keeps by hand: what parts them from R's, by arithmetic."""

from torch import Tensor


def of_running(name: str, start: Tensor, expected: Tensor, actual: Tensor, numbers: set[int]) -> str | None:
    """The cause, where one explains every element of `running_mean` or `running_var` after a step.

    R's is start + m * (statistic - start) with its momentum m, and a variance over n - 1.

    Args:
        numbers: how many values a statistic may be of: the batch's rows, or rows times places.
    """
    moved, own = (expected - start).double(), (actual - start).double()
    if name.endswith("running_var") and bool((own != 0).all()):
        for n in sorted(numbers):
            for m in (0.1, 0.01, 0.2, 0.9):
                # the statistic that each side has put in
                r, ours = moved / m + start, own / m + start
                for factor, said in ((n / (n - 1), "over n"), ((n - 1) / n, "over n - 1 twice")):
                    if _equal(r, ours * factor):
                        return f"the running variance is {said}: R's (as PyTorch's) is over n - 1, with n = {n} here"
    if bool((own.abs() > 1e-9).any()):
        share = float((own * moved).sum() / (own * own).sum())
        if share > 0 and _equal(moved, own * share) and abs(share - 1) > 1e-4:
            times = f"{1 / share:.4g}"
            return f"the momentum: the port's step is {times} times R's. R's (0.1) is the share of the new value"
    return None


def _equal(a: Tensor, b: Tensor) -> bool:
    return bool(((a - b).abs() <= 2e-5 * (a.abs() + 1e-3)).all())
