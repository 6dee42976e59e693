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
        {"max_tokens": 9, "metadata": {"user_id": CLAUDE_CODE}, "messages": said("a", "b", "c")},
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


SESSIONS = [b"session_id", b"session-id", b"conversation_id", b"x-session-id", b"x-claude-code-session-id"]


@pytest.mark.parametrize("name", SESSIONS)
def test_the_same_words_in_two_sessions_are_two_conversations(name: bytes) -> None:
    this = world()
    first = key(this, RESPONSES, {"input": "a"}, headers=((name, b"one"),))
    assert key(this, RESPONSES, {"input": "a"}, headers=((name, b"two"),)) != first
    assert key(this, RESPONSES, {"input": "a"}, headers=((name, b"one"),)) == first


THREADS: list[tuple[bytes, Headers]] = [
    (b"x-claude-code-agent-id", ((b"x-claude-code-session-id", b"one"),)),
    (b"thread-id", ((b"session-id", b"one"),)),
    (b"thread_id", ()),
]


@pytest.mark.parametrize(("name", "session"), THREADS)
def test_a_thread_of_a_session_is_a_conversation_whatever_it_says(name: bytes, session: Headers) -> None:
    this = world()
    first = key(this, ANTHROPIC, {"max_tokens": 9, "messages": said("a")}, headers=(*session, (name, b"x")))
    other = key(this, ANTHROPIC, {"max_tokens": 9, "messages": said("a")}, headers=(*session, (name, b"y")))
    compacted = {"max_tokens": 9, "messages": said("what was said so far")}
    assert key(this, ANTHROPIC, compacted, headers=(*session, (name, b"x"))) == first != other


def test_the_same_name_of_a_thread_in_two_sessions_is_two_threads() -> None:
    this = world()
    sessions = [((b"x-claude-code-session-id", one), (b"x-claude-code-agent-id", b"x")) for one in (b"1", b"2")]
    keys = [key(this, ANTHROPIC, {"max_tokens": 9, "messages": said("a")}, headers=each) for each in sessions]
    assert keys[0] != keys[1]


FANS: dict[str, Any] = {
    "subagents of one session": lambda n: (
        {},
        ((b"x-claude-code-session-id", b"one"), (b"x-claude-code-agent-id", b"%d" % n)),
        "the same task",
    ),
    "threads of one session": lambda n: ({}, ((b"session-id", b"one"), (b"thread-id", b"%d" % n)), "the same task"),
    "a session by its header": lambda n: ({}, ((b"x-claude-code-session-id", b"one"),), f"task {n}"),
    "a session in the metadata": lambda n: ({"metadata": {"user_id": CLAUDE_CODE}}, (), f"task {n}"),
    "nothing that names anything": lambda n: ({}, (), f"task {n}"),
}


@pytest.mark.parametrize("fan", FANS.values(), ids=FANS)
def test_what_fans_out_of_one_session_uses_all_keys(fan: Any) -> None:
    """48 conversations of two turns over four keys: each turn at its conversation's key, no key with more than half."""
    four = provider(ANTHROPIC, keys=tuple(f"key-{number}-of-four" for number in range(4)))
    this = Gateway(config(providers=(four,)), secret=SECRET, now=EPOCH)
    used = []
    for turns in (("{}",), ("{}", "done", "go on")):
        keys = []
        for number in range(48):
            members, headers, task = fan(number)
            body = {"max_tokens": 9, **members, "messages": said(*(text.format(task) for text in turns))}
            keys.append(key(this, ANTHROPIC, body, headers=headers))
        used.append(keys)
    assert used[0] == used[1]
    assert max(used[0].count(each) for each in set(used[0])) == 12


def test_the_billing_line_of_claude_code_is_no_part_of_a_conversation() -> None:
    this = world()
    keys = set()
    for turn in range(3):
        line = {"type": "text", "text": f"x-anthropic-billing-header: cc_version=2.1.197; cch={turn};"}
        body = {"max_tokens": 9, "system": [line, {"type": "text", "text": "s"}], "messages": said("a")}
        keys.add(key(this, ANTHROPIC, body, headers=((b"x-claude-code-session-id", b"one"),)))
    assert len(keys) == 1


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
    assert key(this, CHAT, {"messages": said("a title for a")}, headers=session, model="small") == small


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
