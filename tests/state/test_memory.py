"""The bound of memory that all exchanges share."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agcore.state.memory_budget import MemoryBudget


@given(st.lists(st.integers(0, 60), max_size=20))
def test_the_budget_never_promises_more_memory_than_there_is(sizes: list[int]) -> None:
    budget, held = MemoryBudget(100), 0
    for size in sizes:
        fits = held + size <= 100
        assert budget.reserve(size) == fits
        held += size if fits else 0
        assert budget.held == held
    budget.release(held)
    assert budget.held == 0
