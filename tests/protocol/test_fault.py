"""Faults."""

from __future__ import annotations

from agcore.protocol.fault import invalid


def test_a_fault_of_the_client_is_a_400_unless_said_otherwise() -> None:
    assert (invalid("m").status, invalid("m", status=415, param="p").param) == (400, "p")
