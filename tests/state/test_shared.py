"""The state port as one gateway holds it: every query is answered at once."""

from __future__ import annotations

import msgspec
import pytest

from agcore.conversation.signed import Signed
from agcore.conversation.values import Signature
from agcore.protocol.state import Acquire, Denied, Granted, Load, Loaded, Save, Settle, Store
from agcore.state.responses import Entry, Kept, Pin, Pinned
from agcore.state.shared import LocalState

NOW = 1_790_000_000.0


def state() -> LocalState:
    return LocalState(fraction=lambda: 0.5, mint=str, max_buffered=0)


@pytest.mark.parametrize(
    "entry", [Kept("bob", b"[]", b"{}", ("msg_1",)), Pinned("bob", (Pin("p", "k", "m", "alias"),))]
)
def test_a_response_that_was_saved_is_loaded_by_its_client_only(entry: Entry) -> None:
    this = state()
    value = msgspec.json.encode(entry)
    assert this.ask(Save(Store.RESPONSES, "bob", "resp_1", value, ttl=60), now=NOW) is None
    assert this.ask(Load(7, Store.RESPONSES, "bob", "resp_1"), now=NOW) == Loaded(7, value)
    assert this.ask(Load(8, Store.RESPONSES, None, "resp_1"), now=NOW) == Loaded(8, None, foreign=True)
    assert this.ask(Load(9, Store.RESPONSES, None, "resp_2"), now=NOW) == Loaded(9, None)
    assert this.responses.find("resp_1", client="bob") == entry


def test_an_item_is_loaded_with_the_response_that_holds_it_and_saved_with_no_other() -> None:
    this = state()
    value = msgspec.json.encode(Kept("bob", b"[]", b"{}", ("msg_1",)))
    this.ask(Save(Store.RESPONSES, "bob", "resp_1", value, ttl=60), now=NOW)
    assert this.ask(Load(1, Store.ITEMS, "bob", "msg_1"), now=NOW) == Loaded(1, value)
    assert this.ask(Load(2, Store.ITEMS, None, "msg_1"), now=NOW) == Loaded(2, None)
    with pytest.raises(ValueError, match="saved with its response"):
        this.ask(Save(Store.ITEMS, "bob", "msg_2", value, ttl=60), now=NOW)


def test_a_signature_that_was_saved_is_loaded_by_its_client_only() -> None:
    this = state()
    value = msgspec.json.encode(Signed(signature=Signature("google", "call", "c2ln")))
    assert this.ask(Save(Store.SIGNATURES, None, "call_1", value, ttl=60), now=NOW) is None
    assert this.ask(Load(1, Store.SIGNATURES, None, "call_1"), now=NOW) == Loaded(1, value)
    assert this.ask(Load(2, Store.SIGNATURES, "bob", "call_1"), now=NOW) == Loaded(2, None)


def test_what_is_no_entry_is_not_kept() -> None:
    this = state()
    with pytest.raises(ValueError, match="object"):
        this.ask(Save(Store.RESPONSES, None, "resp_1", b"7", ttl=60), now=NOW)


def test_limits_are_granted_until_they_are_reached() -> None:
    this = state()
    assert this.ask(Acquire(1, "bob", rpm=2, tpm=600), now=NOW) == Granted(1)
    assert this.ask(Settle("bob", 659), now=NOW) is None
    assert this.ask(Acquire(2, "bob", rpm=2, tpm=600), now=NOW) == Denied(2, 6.0, "600 tokens per minute")
    assert this.ask(Acquire(3, "bob", rpm=2, tpm=600), now=NOW + 6) == Granted(3)
