"""Keys of conversations, so that all of one can go to one credential and use the vendor's prompt cache.

A client that names its conversation is believed: by the header of a thread (Codex) or of a subagent (Claude Code), or
by `prompt_cache_key` (OpenAI). A session is more than a conversation: one that fans out would sit on one credential.
So a session (a header, or `metadata.user_id`) counts together with what the conversation began with: the texts of the
system prompt and of everything up to the first message of the user's. They are the same in every later request, which
only adds at the end. What stands around them is not: clients move their cache marks along with the newest messages, and
Claude Code's billing line changes with each request (docs/wire/clients.md). Without a session the beginning alone
counts.

A conversation's key is a hash over that, the model that is asked for and the client key's name. A cache holds for one
model, so what an agent asks a smaller one in between moves nothing; and no client shares another one's conversation.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2s
from typing import Final

import msgspec

from agcore.codecs.header_fields import firsts
from agcore.codecs.json_splice import Members
from agcore.dialects import DIALECTS
from agcore.protocol.http import Headers

_THREAD_HEADERS: Final = (b"x-claude-code-agent-id", b"thread-id", b"thread_id")
"""Headers that name one conversation of a session: a subagent's of Claude Code, a thread of Codex."""
_SESSION_HEADERS: Final = (
    b"session_id",
    b"session-id",
    b"conversation_id",
    b"x-session-id",
    b"x-claude-code-session-id",
)
_NAMES: Final = frozenset(_THREAD_HEADERS + _SESSION_HEADERS)
_BILLING: Final = "x-anthropic-billing-header:"
_TRAITS: Final = [dialect.traits for dialect in DIALECTS.values()]
_HISTORIES: Final = tuple(dict.fromkeys(each.history_member for each in _TRAITS if each.history_member is not None))
_PROMPTS: Final = tuple(dict.fromkeys(name for each in _TRAITS for name in each.prompt_members))


class _Metadata(msgspec.Struct):
    user_id: str | None = None


class _Part(msgspec.Struct):
    text: str | None = None


class _Message(msgspec.Struct):
    role: str | None = None
    content: str | list[_Part] | None = None
    parts: list[_Part] | None = None


_METADATA: Final = msgspec.json.Decoder(_Metadata)
_MESSAGE: Final = msgspec.json.Decoder(_Message)
_PROMPT: Final = msgspec.json.Decoder(str | list[_Part] | _Message)
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])


def conversation_key(client: str | None, headers: Headers, members: Members, *, model: str) -> bytes | None:
    """The key of the conversation that a request belongs to; None where nothing tells conversations apart.

    Args:
        client: The name of the client key that was shown.
        headers: Of the request.
        members: Of its body.
        model: The name that it asks for.
    """
    named = firsts(headers, _NAMES)
    told = _conversation(named, members) or [*_session(named, members), *_begun(members)]
    if not told:
        return None
    hashed = blake2s(digest_size=16, person=b"agcorest")
    for part in ((client or "").encode(), model.encode("utf-8", "replace"), *told):
        hashed.update(len(part).to_bytes(8, "big") + part)
    return hashed.digest()


def _conversation(named: Mapping[bytes, bytes], members: Members) -> list[bytes]:
    """What names this very conversation; nothing where it has no name."""
    for name in _THREAD_HEADERS:
        if named.get(name):
            return [b"thread", named[name], *_session_header(named)]
    key = members.raw("prompt_cache_key")
    return [b"key", key] if key is not None and key.startswith(b'"') else []


def _session(named: Mapping[bytes, bytes], members: Members) -> list[bytes]:
    """What names the session that the conversation is one of; nothing where it has no name."""
    session = _session_header(named)
    metadata = None if session else members.raw("metadata")
    if metadata is None:
        return session
    try:
        user = _METADATA.decode(metadata).user_id
    except msgspec.DecodeError:
        return []
    return [b"user", user.encode("utf-8", "replace")] if user else []


def _session_header(named: Mapping[bytes, bytes]) -> list[bytes]:
    for name in _SESSION_HEADERS:
        if named.get(name):
            return [b"session", named[name]]
    return []


def _begun(members: Members) -> list[bytes]:
    """The texts that the conversation begins with; nothing where there is no history."""
    said = [_prompt(raw) for name in _PROMPTS if (raw := members.raw(name)) is not None]
    for name in _HISTORIES:
        history = members.raw(name)
        if history is None:
            continue
        try:
            messages = _LIST.decode(history)
        except msgspec.DecodeError:
            return [*said, history]  # a text by itself
        for raw in messages:
            try:
                message = _MESSAGE.decode(raw)
            except msgspec.DecodeError:
                said.append(bytes(raw))
                continue
            said.append(_texts(message) or bytes(raw))
            if message.role in ("user", None):
                break
        return said or [b""]  # an empty history is one, too
    return []


def _prompt(raw: bytes) -> bytes:
    try:
        return _texts(_PROMPT.decode(raw)) or raw
    except msgspec.DecodeError:
        return raw


def _texts(said: str | list[_Part] | _Message | None) -> bytes:
    if isinstance(said, _Message):
        return _texts(said.content) + _texts(said.parts)
    if not said:
        return b""
    if not isinstance(said, str):
        texts = [part.text for part in said if part.text is not None]
        said = "\n".join([text for text in texts if not text.startswith(_BILLING)])
    return said.encode("utf-8", "replace")
