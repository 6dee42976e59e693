"""The store of responses: whose they are, what goes first when there is no room, and that there always is a bound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agcore.state.responses import ITEM_OVERHEAD, MAX_PINS, OVERHEAD, Entry, Kept, Pin, Pinned, ResponseStore, size_of

PIN = Pinned(client=None, pins=(Pin("a", key="", model="m", asked="alias"),))


def kept(client: str | None = None, *, size: int = 2, items: tuple[str, ...] = ()) -> Kept:
    return Kept(client=client, input=b"[]", response=b"{" + b" " * (size - 2) + b"}", items=items)


def test_a_response_is_found_by_the_client_that_made_it_alone() -> None:
    store = ResponseStore()
    for client in ("alice", None):
        store.put(f"of {client}", kept(client, items=(f"item of {client}",)))
    for client, other in (("alice", None), (None, "alice"), ("alice", "bob")):
        assert store.find(f"of {client}", client=client) == kept(client, items=(f"item of {client}",))
        assert store.find(f"of {client}", client=other) is None
        assert store.find_item(f"item of {client}", client=client) == kept(client, items=(f"item of {client}",))
        assert store.find_item(f"item of {client}", client=other) is None
        assert store.is_foreign(f"of {client}", client=other)
        assert not store.is_foreign(f"of {client}", client=client)
        store.remove(f"of {client}", client=other)
    assert len(store) == 2


def test_what_was_never_stored_is_nobodys() -> None:
    store = ResponseStore()
    assert store.find("resp_1", client=None) is None
    assert store.find_item("msg_1", client=None) is None
    assert not store.is_foreign("resp_1", client="alice")
    store.remove("resp_1", client=None)
    assert (len(store), store.size) == (0, 0)


def test_a_removed_response_takes_its_items_along() -> None:
    store = ResponseStore()
    store.put("resp_1", kept(items=("msg_1",)))
    store.remove("resp_1", client=None)
    assert (len(store), store.size) == (0, 0)
    assert store.find("resp_1", client=None) is None
    assert store.find_item("msg_1", client=None) is None


def test_the_response_that_was_used_least_recently_goes_first() -> None:
    store = ResponseStore(max_entries=3)
    for id in "abc":
        store.put(id, kept(items=(f"item {id}",)))
    assert store.find("a", client=None) is not None
    assert store.find_item("item b", client=None) is not None
    store.put("d", PIN)
    assert [id for id in "abcd" if store.find(id, client=None)] == ["a", "b", "d"]
    assert store.find_item("item c", client=None) is None


def test_a_look_by_another_client_is_no_use() -> None:
    store = ResponseStore(max_entries=2)
    store.put("a", kept("alice"))
    store.put("b", kept("alice"))
    assert store.find("a", client="bob") is None
    store.put("c", kept("alice"))
    assert store.find("a", client="alice") is None
    assert store.find("b", client="alice") is not None


def test_many_small_responses_go_for_a_large_one() -> None:
    store = ResponseStore(max_bytes=10 * (OVERHEAD + 4))
    for number in range(10):
        store.put(str(number), kept())
    assert len(store) == 10
    store.put("large", kept(size=4 * (OVERHEAD + 4)))
    assert [id for id in map(str, range(10)) if store.find(id, client=None)] == [str(id) for id in range(5, 10)]


def test_a_response_that_is_larger_than_the_store_is_not_kept_and_costs_no_other_its_place() -> None:
    store = ResponseStore(max_bytes=10_000)
    store.put("small", kept())
    store.put("huge", kept(size=10_000))
    assert store.find("huge", client=None) is None
    assert store.find("small", client=None) is not None


def test_an_id_that_comes_again_replaces_what_it_stood_for() -> None:
    store = ResponseStore()
    store.put("resp_1", kept(items=("old",)))
    store.put("resp_1", kept(size=100, items=("new",)))
    assert store.size == OVERHEAD + 2 + 100 + ITEM_OVERHEAD
    assert store.find_item("old", client=None) is None
    assert store.find_item("new", client=None) is not None


def test_an_id_that_two_clients_have_is_two_responses() -> None:
    store = ResponseStore()
    store.put("resp_1", kept("alice", items=("msg_1",)))
    store.put("resp_1", kept("bob", size=100, items=("msg_1",)))
    assert store.find("resp_1", client="alice") == store.find_item("msg_1", client="alice")
    assert store.find("resp_1", client="alice") == kept("alice", items=("msg_1",))
    store.remove("resp_1", client="alice")
    assert store.is_foreign("resp_1", client="alice")
    assert store.find("resp_1", client="bob") == store.find_item("msg_1", client="bob")
    assert store.size == OVERHEAD + 2 + 100 + ITEM_OVERHEAD


def test_an_id_that_several_providers_gave_is_pinned_to_each_with_the_latest_first() -> None:
    store = ResponseStore()
    for provider, key in (("a", "1"), ("b", "2"), ("a", "3")):
        store.put("resp_1", Pinned(None, (Pin(provider, key, "m", "m"),)))
    assert store.find("resp_1", client=None) == Pinned(None, (Pin("a", "3", "m", "m"), Pin("b", "2", "m", "m")))
    assert store.size == 2 * OVERHEAD
    for number in range(MAX_PINS):
        store.put("resp_1", Pinned(None, (Pin(f"p{number}", "", "m", "m"),)))
    entry = store.find("resp_1", client=None)
    assert isinstance(entry, Pinned)
    assert [pin.provider for pin in entry.pins] == [f"p{number}" for number in reversed(range(MAX_PINS))]


def test_an_item_that_two_responses_claim_outlives_the_first_of_them() -> None:
    store = ResponseStore()
    store.put("a", kept(items=("item",)))
    store.put("b", kept(size=3, items=("item",)))
    store.remove("a", client=None)
    assert store.find_item("item", client=None) == kept(size=3, items=("item",))


IDS = st.sampled_from("abcdefgh")
CLIENTS = st.sampled_from([None, "alice", "bob"])
ENTRIES = st.one_of(
    st.builds(Pinned, client=CLIENTS, pins=st.tuples(st.builds(Pin, st.just("a"), key=IDS, model=IDS, asked=IDS))),
    st.builds(kept, CLIENTS, size=st.integers(2, 3000), items=st.lists(IDS, max_size=3, unique=True).map(tuple)),
)
STEPS = st.one_of(
    st.tuples(st.just("put"), IDS, ENTRIES),
    st.tuples(st.just("find"), IDS, CLIENTS),
    st.tuples(st.just("find_item"), IDS, CLIENTS),
    st.tuples(st.just("remove"), IDS, CLIENTS),
)


@given(st.lists(STEPS, max_size=60), st.integers(1, 5), st.integers(600, 6000))
def test_the_bounds_hold_and_the_books_agree_after_any_sequence(
    steps: list[tuple[str, str, Entry | str | None]], max_entries: int, max_bytes: int
) -> None:
    store = ResponseStore(max_entries=max_entries, max_bytes=max_bytes)
    put: dict[tuple[str | None, str], Entry] = {}
    for step, id, argument in steps:
        if isinstance(argument, Kept | Pinned):
            store.put(id, argument)
            put[argument.client, id] = argument
        elif step == "find":
            found = store.find(id, client=argument)
            assert found is None or found == put[argument, id]
        elif step == "find_item":
            holder = store.find_item(id, client=argument)
            assert holder is None or (id in holder.items and holder.client == argument)
        else:
            store.remove(id, client=argument)
            assert store.find(id, client=argument) is None
        assert len(store) <= max_entries
        assert store.size <= max_bytes
        held = [entry for (client, id), entry in put.items() if store.find(id, client=client) is not None]
        assert len(held) == len(store)
        assert sum(map(size_of, held)) == store.size
