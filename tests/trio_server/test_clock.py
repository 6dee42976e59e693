"""The clock: an epoch anchor on trio's time."""

from __future__ import annotations

import math

import pytest
import trio

from agcore_trio.clock import Clock
from tests.trio_server.toys import EPOCH


async def test_it_moves_with_trio(autojump_clock):
    clock = Clock(wall=lambda: EPOCH)
    assert clock.now() == pytest.approx(EPOCH)
    await trio.sleep(12.5)
    assert clock.now() == pytest.approx(EPOCH + 12.5)


async def test_it_follows_a_wall_clock_that_is_far_ahead_as_after_sleep(autojump_clock):
    wall = EPOCH
    clock = Clock(wall=lambda: wall)
    wall = EPOCH + 3600
    assert clock.now() == EPOCH + 3600
    await trio.sleep(1)
    assert clock.now() == pytest.approx(EPOCH + 3601)


async def test_it_does_not_follow_small_steps_or_steps_back(autojump_clock):
    walls = iter([EPOCH, EPOCH + 0.9, EPOCH - 3600])
    clock = Clock(wall=lambda: next(walls))
    for _ in range(2):
        assert clock.now() == pytest.approx(EPOCH, abs=1e-5)


async def test_a_deadline_that_has_come_is_not_early_by_the_clock_itself(autojump_clock):
    clock = Clock(wall=lambda: EPOCH + 1 / 3)
    for delay in (0.1, 1 / 3, 7.7, 1e-3, 86400.123):
        deadline = clock.now() + delay
        await trio.sleep_until(clock.to_monotonic(deadline))
        assert deadline <= clock.now() < deadline + 1e-4


async def test_no_deadline_is_never(autojump_clock):
    assert Clock().to_monotonic(None) == math.inf


async def test_a_date_is_as_http_wants_it_and_moves_with_the_seconds():
    wall = 784_111_777.0
    clock = Clock(wall=lambda: wall)
    assert clock.date() == b"Sun, 06 Nov 1994 08:49:37 GMT"
    wall += 0.9
    assert clock.date() is clock.date()
    wall += 0.1
    assert clock.date() == b"Sun, 06 Nov 1994 08:49:38 GMT"
    wall = 0
    assert clock.date() == b"Thu, 01 Jan 1970 00:00:00 GMT"
