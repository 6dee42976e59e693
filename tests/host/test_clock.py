"""The clock: seconds since the epoch that never run backward."""

from __future__ import annotations

from agcore_host.clock import Clock


class Times:
    def __init__(self) -> None:
        self.wall = 1_000_000.0
        self.monotonic = 50.0

    def clock(self) -> Clock:
        return Clock(lambda: self.wall, monotonic=lambda: self.monotonic)

    def pass_by(self, *, wall: float, monotonic: float) -> None:
        self.wall += wall
        self.monotonic += monotonic


def test_time_passes_with_the_monotonic_clock() -> None:
    times = Times()
    clock = times.clock()
    times.pass_by(wall=0.5, monotonic=1.25)
    assert clock.now() == 1_000_001.25


def test_a_wall_clock_set_back_changes_nothing() -> None:
    times = Times()
    clock = times.clock()
    times.pass_by(wall=-3600, monotonic=2)
    assert clock.now() == 1_000_002


def test_a_wall_clock_a_little_ahead_changes_nothing() -> None:
    times = Times()
    clock = times.clock()
    times.pass_by(wall=1, monotonic=0)
    assert clock.now() == 1_000_000


def test_a_wall_clock_far_ahead_is_followed() -> None:
    times = Times()
    clock = times.clock()
    times.pass_by(wall=3600, monotonic=1)
    assert clock.now() == 1_003_600
    times.pass_by(wall=-3600, monotonic=1)
    assert clock.now() == 1_003_601
