"""Lists that providers sent, as they are kept."""

from __future__ import annotations

from agcore.state.provider_models import MAX_LISTS, ProviderLists
from agcore_sim.dialogues import CHAT
from agcore_sim.story import EPOCH
from tests.support.dialogues import provider


def test_only_so_many_lists_are_kept() -> None:
    lists = ProviderLists()
    providers = [provider(CHAT, name=f"p{index}") for index in range(MAX_LISTS + 1)]
    for each in providers:
        lists.store(each, ("a",), now=EPOCH)
    assert [lists.ids(each, now=EPOCH) for each in providers] == [(), *((("a",),) * MAX_LISTS)]
