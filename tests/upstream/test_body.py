"""Upstreams' bodies are collected within a bound, and every byte that is held is accounted for."""

from __future__ import annotations

from agcore.upstream.body import CollectedBody


class Budget:
    """Memory for so many bytes."""

    def __init__(self, room: int) -> None:
        self.room = room

    def reserve(self, size: int, *, now: float) -> bool:
        if size > self.room:
            return False
        self.room -= size
        return True

    def release(self, size: int) -> None:
        self.room += size


def test_pieces_become_one_body() -> None:
    body = CollectedBody(Budget(100), limit=10)
    assert body.add(b"one", now=0)
    assert body.add(b", two", now=0)
    assert body.take() == b"one, two"
    assert body.take() == b""


def test_a_body_beyond_its_bound_is_told_of_and_not_held() -> None:
    budget = Budget(100)
    body = CollectedBody(budget, limit=10)
    assert body.add(b"0123456789", now=0)
    assert not body.add(b"x", now=0)
    assert (body.take(), budget.room) == (b"0123456789", 90)


def test_a_taken_body_stays_accounted_for() -> None:
    budget = Budget(100)
    body = CollectedBody(budget, limit=10)
    body.add(b"one", now=0)
    assert (body.take(), budget.room) == (b"one", 97)
    body.release()
    assert budget.room == 100


def test_what_finds_no_room_is_not_held() -> None:
    budget = Budget(4)
    body = CollectedBody(budget, limit=10)
    assert body.add(b"12345", now=0)
    assert (body.take(), budget.room) == (b"", 4)


def test_everything_that_was_held_is_given_back_once() -> None:
    budget = Budget(100)
    body = CollectedBody(budget, limit=10)
    body.add(b"12345", now=0)
    body.add(b"67890x", now=0)
    body.release()
    body.release()
    assert (body.take(), body.size, budget.room) == (b"", 0, 100)
