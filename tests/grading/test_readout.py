import torch

from pygpt.grading.readout import View, worst


def test_a_wrong_view_is_not_hidden_by_one_that_is_right_where_it_counts() -> None:
    logits = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0))
    elsewhere, at_the_end = logits.clone(), logits.clone()
    elsewhere[:, 0] += 10  # as with a wrong mask: exact at the last position
    at_the_end[:, -1] += 0.01
    views = [View(logits, elsewhere, 1.0), View(logits, at_the_end, 1.0)]
    assert worst(views[:1], 1e-4, last_only=True).passed
    assert not worst(views, 1e-4, last_only=True).passed
    assert not worst(views[::-1], 1e-4, last_only=True).passed
    assert not worst(views[:1], 1e-4).passed
