"""Keys of conversations, so that all of one can go to one credential and use the vendor's prompt cache.

A client that names its conversation is believed: by `prompt_cache_key` (OpenAI), `metadata.user_id` (Claude Code puts
its session there) or a session header (Codex). Otherwise a conversation is what it began with: the texts of the system
prompt and of everything up to the first message of the user's. They are the same in every later request, which only
adds at the end. What stands around them is not: clients move their cache marks along with the newest messages.

A conversation's key is a hash over that, the model that is asked for and the client key's name. A cache holds for one
model, so what an agent asks a smaller one in between moves nothing; and no client shares another one's conversation.
"""

from __future__ import annotations

from hashlib import blake2s
from typing import Final

import msgspec

from agcore.codecs.header_fields import first
from agcore.codecs.json_splice import Members
from agcore.dialects import DIALECTS
from agcore.protocol.http import Headers

_SESSION_HEADERS: Final = (
    b"session_id",
    b"session-id",
    b"conversation_id",
    b"x-session-id",
    b"x-claude-code-session-id",
)
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
    beginning = _named(headers, members) or _begun(members)
    if beginning is None:
        return None
    told = blake2s(digest_size=16, person=b"agcorest")
    for part in ((client or "").encode(), model.encode("utf-8", "replace"), beginning):
        told.update(len(part).to_bytes(8, "big") + part)
    return told.digest()


def _named(headers: Headers, members: Members) -> bytes | None:
    for name in _SESSION_HEADERS:
        value = first(headers, name)
        if value:
            return b"session " + value
    key = members.raw("prompt_cache_key")
    if key is not None and key.startswith(b'"'):
        return b"key " + key
    metadata = members.raw("metadata")
    if metadata is not None:
        try:
            user = _METADATA.decode(metadata).user_id
        except msgspec.DecodeError:
            user = None
        if user:
            return b"user " + user.encode("utf-8", "replace")
    return None


def _begun(members: Members) -> bytes | None:
    said = [_prompt(raw) for name in _PROMPTS if (raw := members.raw(name)) is not None]
    for name in _HISTORIES:
        history = members.raw(name)
        if history is None:
            continue
        try:
            messages = _LIST.decode(history)
        except msgspec.DecodeError:
            return b"\0".join([*said, history])  # a text by itself
        for raw in messages:
            try:
                message = _MESSAGE.decode(raw)
            except msgspec.DecodeError:
                said.append(bytes(raw))
                continue
            said.append(_texts(message) or bytes(raw))
            if message.role in ("user", None):
                break
        return b"\0".join(said)
    return None


def _prompt(raw: bytes) -> bytes:
    try:
        return _texts(_PROMPT.decode(raw)) or raw
    except msgspec.DecodeError:
        return raw


def _texts(said: str | list[_Part] | _Message | None) -> bytes:
    if isinstance(said, _Message):
        return _texts(said.content) + _texts(said.parts)
    texts = [said] if isinstance(said, str) else [part.text for part in said or () if part.text is not None]
    return "\n".join(texts).encode("utf-8", "replace")
