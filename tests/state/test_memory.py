"""The bound of memory that all exchanges share."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agcore.machines.ids import Ids
from agcore.state.shared import LocalState


@given(st.lists(st.integers(0, 60), max_size=20))
def test_the_ledger_never_promises_more_memory_than_there_is(sizes: list[int]) -> None:
    ledger, held = LocalState(Ids(bytes(32)), max_buffered=100), 0
    for size in sizes:
        fits = held + size <= 100
        assert ledger.reserve(size) == fits
        held += size if fits else 0
        assert ledger.buffered == held
    ledger.release(held)
    assert ledger.buffered == 0
