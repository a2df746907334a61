"""OpenMP's threads sleep where others compute, and only there."""

import os

import pytest

from pygpt.waiting import sleep_where_others_compute

POLICY = "OMP_WAIT_POLICY"


@pytest.mark.parametrize(
    ("load", "given", "then"),
    [(0.4, None, None), (0.6, None, "passive"), (3.0, "active", "active"), (0.4, "passive", "passive")],
)
def test_threads_sleep_where_half_of_the_cores_are_taken(
    load: float, given: str | None, then: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    cores = os.cpu_count() or 1
    monkeypatch.setattr(os, "getloadavg", lambda: (load * cores, 0.0, 0.0), raising=False)
    monkeypatch.delenv(POLICY, raising=False)
    if given:
        monkeypatch.setenv(POLICY, given)
    sleep_where_others_compute()
    assert os.environ.get(POLICY) == then
    monkeypatch.delenv(POLICY, raising=False)


def test_without_a_load_to_ask_for_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "getloadavg", raising=False)
    monkeypatch.delenv(POLICY, raising=False)
    sleep_where_others_compute()
    assert POLICY not in os.environ
