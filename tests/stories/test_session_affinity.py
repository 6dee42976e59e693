"""Session affinity: the requests of one conversation go to one key, and nobody else's are taken for them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from agcore import Gateway
from agcore.config.values import ClientKey, ModelRule, Proxy, Secret
from agcore.protocol.http import Headers
from agcore_sim.dialogues import ANTHROPIC, CHAT, GEMINI, RESPONSES, Dialogue
from agcore_sim.story import EPOCH, SECRET, Story
from tests.support.dialogues import config, provider

ALICE: Headers = ((b"authorization", b"Bearer sk-alice-0123456789abcdef"),)
BOB: Headers = ((b"authorization", b"Bearer sk-bob-0123456789abcdefgh"),)
KEYS = Proxy(
    keys=(
        ClientKey("alice", Secret("sk-alice-0123456789abcdef")),
        ClientKey("bob", Secret("sk-bob-0123456789abcdefgh")),
    )
)
SERVERS = {
    dialogue.dialect: provider(dialogue, keys=tuple(f"key-{number}-of-twenty" for number in range(20)))
    for dialogue in (CHAT, RESPONSES, ANTHROPIC, GEMINI)
}


def world(proxy: Proxy | None = None) -> Gateway:
    """Twenty keys for each vendor: that two requests meet at the same one by chance would need twenty in between."""
    return Gateway(config(providers=tuple(SERVERS.values()), proxy=proxy), secret=SECRET, now=EPOCH)


def key(gateway: Gateway, dialogue: Dialogue, body: dict[str, Any], *, headers: Headers = (), model: str = "") -> str:
    """The label of the key that such a request is answered with."""
    story = Story(gateway)
    model = model or dialogue.model
    body = {**body, "model": model} if dialogue is not GEMINI else body
    story.open("POST", dialogue.target(model, stream=False), headers=headers, body=json.dumps(body).encode())
    story.upstream_answers(200, dialogue.answer)
    return str(story.row["key"])


def said(*texts: str) -> list[dict[str, Any]]:
    """Turns of a conversation as Chat and Messages have them."""
    return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(texts)]


MARK = {"cache_control": {"type": "ephemeral"}}
CLAUDE_CODE = json.dumps({"device_id": "d", "account_uuid": "", "session_id": "0b5e7e0c"})

GROWING: list[tuple[Dialogue, dict[str, Any], dict[str, Any]]] = [
    (CHAT, {"messages": said("a")}, {"messages": said("a", "b", "c")}),
    (
        CHAT,
        {"messages": [{"role": "system", "content": "s"}, *said("a")]},
        {"messages": [{"role": "system", "content": "s"}, *said("a", "b", "c", "d", "e")]},
    ),
    (CHAT, {"messages": said("a"), "prompt_cache_key": "k"}, {"messages": said("z"), "prompt_cache_key": "k"}),
    (
        ANTHROPIC,
        {"max_tokens": 9, "system": "s", "messages": said("a")},
        {"max_tokens": 99, "system": "s", "messages": said("a", "b", "c")},
    ),
    (
        ANTHROPIC,
        {"max_tokens": 9, "metadata": {"user_id": CLAUDE_CODE}, "messages": said("a")},
        {"max_tokens": 9, "metadata": {"user_id": CLAUDE_CODE}, "messages": said("compacted")},
    ),
    (
        ANTHROPIC,
        {
            "max_tokens": 9,
            "system": [{"type": "text", "text": "s", **MARK}],
            "messages": [{"role": "user", "content": [{"type": "text", "text": "a", **MARK}]}],
        },
        {
            "max_tokens": 9,
            "system": [{"type": "text", "text": "s"}],
            "messages": [*said("a", "b"), {"role": "user", "content": [{"type": "text", "text": "c", **MARK}]}],
        },
    ),
    (RESPONSES, {"instructions": "s", "input": said("a")}, {"instructions": "s", "input": said("a", "b", "c")}),
    (
        RESPONSES,
        {"input": said("a"), "prompt_cache_key": "k"},
        {"input": [{"type": "compaction", "encrypted_content": "x"}], "prompt_cache_key": "k"},
    ),
    (
        GEMINI,
        {"systemInstruction": {"parts": [{"text": "s"}]}, "contents": [{"role": "user", "parts": [{"text": "a"}]}]},
        {
            "systemInstruction": {"parts": [{"text": "s"}]},
            "contents": [
                {"role": "user", "parts": [{"text": "a"}]},
                {"role": "model", "parts": [{"text": "b"}]},
                {"role": "user", "parts": [{"text": "c"}]},
            ],
        },
    ),
]


@pytest.mark.parametrize(("dialogue", "earlier", "later"), GROWING)
def test_a_conversation_keeps_its_key_as_it_grows(
    dialogue: Dialogue, earlier: dict[str, Any], later: dict[str, Any]
) -> None:
    this = world()
    first = key(this, dialogue, earlier)
    others = [key(this, dialogue, {**OTHERS[dialogue.dialect](number), "max_tokens": 9}) for number in range(5)]
    assert first not in others
    assert key(this, dialogue, later) == first


OTHERS: dict[str, Any] = {
    "openai": lambda number: {"messages": said(f"other {number}")},
    "anthropic": lambda number: {"messages": said(f"other {number}")},
    "openai_responses": lambda number: {"input": f"other {number}"},
    "gemini": lambda number: {"contents": [{"parts": [{"text": f"other {number}"}]}]},
}


@pytest.mark.parametrize(
    "name", [b"session_id", b"session-id", b"conversation_id", b"x-session-id", b"x-claude-code-session-id"]
)
def test_a_session_header_names_a_conversation(name: bytes) -> None:
    this = world()
    first = key(this, RESPONSES, {"input": "a"}, headers=((name, b"one"),))
    assert key(this, RESPONSES, {"input": "b"}, headers=((name, b"two"),)) != first
    assert key(this, RESPONSES, {"input": "c"}, headers=((name, b"one"),)) == first


def test_the_same_words_of_two_client_keys_are_two_conversations() -> None:
    this = world(KEYS)
    body = {"messages": said("hello"), "prompt_cache_key": "same"}
    alices, bobs = (key(this, CHAT, body, headers=who) for who in (ALICE, BOB))
    assert alices != bobs
    for _ in range(3):
        assert [key(this, CHAT, body, headers=who) for who in (ALICE, BOB)] == [alices, bobs]


def test_what_an_agent_asks_another_model_in_between_does_not_move_its_conversation() -> None:
    """Claude Code asks a small model for titles, by the same session, and that model may be somebody else's."""
    setup = config(providers=tuple(SERVERS.values()))
    rules = (ModelRule("small", ((("openai", "up-small"),),)), *setup.models)
    this = Gateway(msgspec.structs.replace(setup, models=rules), secret=SECRET, now=EPOCH)
    session: Headers = ((b"x-claude-code-session-id", b"one"),)
    first = key(this, CHAT, {"messages": said("a")}, headers=session)
    small = key(this, CHAT, {"messages": said("a title for a")}, headers=session, model="small")
    assert key(this, CHAT, {"messages": said("a", "b", "c")}, headers=session) == first
    assert key(this, CHAT, {"messages": said("another title")}, headers=session, model="small") == small


@pytest.mark.parametrize(
    "body",
    [
        {"messages": "no list"},
        {"messages": [7, "x", {"role": 3}, {"role": "user", "content": 5}]},
        {"messages": [], "metadata": 3, "prompt_cache_key": 9},
        {"messages": said("a"), "system": [{"text": 3}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]},
    ],
)
def test_what_is_no_history_is_served_all_the_same(body: dict[str, Any]) -> None:
    this = world()
    assert key(this, CHAT, body) == key(this, CHAT, body)
