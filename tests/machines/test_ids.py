"""Ids: the same for one secret, and nothing that gives the secret away."""

from __future__ import annotations

import pytest

from agcore.machines.ids import Ids


def test_ids_are_the_same_for_one_secret_and_differ_otherwise() -> None:
    one, same, other = Ids(bytes(32)), Ids(bytes(32)), Ids(b"\1" * 32)
    minted = [one.mint("req_") for _ in range(100)]
    assert minted == [same.mint("req_") for _ in range(100)]
    assert len({*minted, *(other.mint("req_") for _ in range(100))}) == 200
    assert all(len(each) == 28 and int(each[4:], 16) >= 0 for each in minted)


def test_a_digest_depends_on_the_secret_and_is_no_id() -> None:
    assert Ids(bytes(32)).digest(b"k") == Ids(bytes(32)).digest(b"k") != Ids(b"\1" * 32).digest(b"k")
    assert Ids(bytes(32)).digest((1).to_bytes(8, "big"))[:12].hex() not in Ids(bytes(32)).mint("")


@pytest.mark.parametrize("size", [0, 31, 33])
def test_the_secret_has_32_bytes(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Ids(bytes(size))
