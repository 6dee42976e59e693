"""What a vendor's web search is told, from one dialect's words into another's."""

from __future__ import annotations

from typing import Any

import pytest

from agcore.conversation.losses import Losses
from agcore.conversation.values import HostedTool
from agcore.dialects.shared.web_search import anthropic_tool, chat_options, note_untold, responses_tool, terms_of

PLACE = {"city": "Berlin", "country": "DE"}
CHAT = {"search_context_size": "low", "user_location": {"type": "approximate", "approximate": PLACE}}
RESPONSES = {
    "type": "web_search",
    "search_context_size": "low",
    "user_location": {"type": "approximate", **PLACE},
    "filters": {"allowed_domains": ["a.com"]},
}
ANTHROPIC = {
    "type": "web_search_20250305",
    "name": "web_search",
    "user_location": {"type": "approximate", **PLACE},
    "allowed_domains": ["a.com"],
}


def terms(value: Any) -> Any:
    return terms_of(HostedTool("any", "web_search", value), Losses())


def test_every_dialect_is_told_in_its_own_words() -> None:
    losses = Losses()
    assert responses_tool(terms(CHAT), losses) == {name: RESPONSES[name] for name in RESPONSES if name != "filters"}
    assert responses_tool(terms(ANTHROPIC), losses) == {
        name: RESPONSES[name] for name in RESPONSES if name != "search_context_size"
    }
    assert not len(losses)
    assert anthropic_tool(terms(RESPONSES), losses) == ANTHROPIC
    assert chat_options(terms(RESPONSES), losses) == CHAT
    assert [(loss.path, loss.weight) for loss in losses] == [
        ("tools.web_search.search_context_size", "note"),
        ("tools.web_search.allowed_domains", "warn"),
    ]


def test_what_a_search_cannot_be_told_is_a_loss() -> None:
    losses = Losses()
    asked = terms({"blocked_domains": ["b.com"], "max_uses": 3})
    assert responses_tool(asked, losses) == {"type": "web_search"}
    assert [loss.path for loss in losses] == ["tools.web_search.blocked_domains", "tools.web_search.max_uses"]
    assert anthropic_tool(asked, Losses())["blocked_domains"] == ["b.com"]


@pytest.mark.parametrize(
    "value",
    [None, [], {}, {"user_location": None, "filters": 1, "search_context_size": 2, "allowed_domains": "a.com"}],
)
def test_a_search_that_is_told_nothing_is_a_plain_one(value: object) -> None:
    assert responses_tool(terms(value), Losses()) == {"type": "web_search"}


def test_googles_search_is_told_nothing_which_is_said() -> None:
    losses = Losses()
    note_untold(terms({**ANTHROPIC, "max_uses": 3}), losses)
    assert [loss.path for loss in losses] == [
        "tools.web_search.user_location",
        "tools.web_search.allowed_domains",
        "tools.web_search.max_uses",
    ]


def test_a_term_that_nobody_knows_is_told_of() -> None:
    losses = Losses()
    terms_of(HostedTool("anthropic", "web_search", {**ANTHROPIC, "use_cache": False}), losses)
    assert [loss.path for loss in losses] == ["tools.web_search.use_cache"]
