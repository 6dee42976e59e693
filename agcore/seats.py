"""Which conversation a request belongs to, so that all of it can go to one key and use the vendor's prompt cache.

A client that names its conversation is believed: by `prompt_cache_key` (OpenAI), `metadata.user_id` (Claude Code puts
its session there) or a session header (Codex). Otherwise a conversation is what it began with: the system prompt and
everything up to the first message of the user's. Both are the same in every later request, which only adds at the end.

A seat is a hash over that and over the client key's name: nobody shares another one's.
"""

from __future__ import annotations

from hashlib import blake2s
from typing import Final

import msgspec

from agcore.headers import first
from agcore.json_members import Members
from agcore.request import Request

_SESSION_HEADERS: Final = (b"session_id", b"session-id", b"conversation_id", b"x-session-id")
_HISTORIES: Final = ("messages", "input", "contents")
_PROMPTS: Final = ("system", "instructions", "systemInstruction", "system_instruction")


class _Metadata(msgspec.Struct):
    user_id: str | None = None


class _Message(msgspec.Struct):
    role: str | None = None


_METADATA: Final = msgspec.json.Decoder(_Metadata)
_MESSAGE: Final = msgspec.json.Decoder(_Message)
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])


def seat_of(request: Request, members: Members) -> bytes | None:
    """The seat of a request with this body; None where nothing tells conversations apart."""
    beginning = _named(request, members) or _begun(members)
    if beginning is None:
        return None
    client = (request.client or "").encode()
    return blake2s(len(client).to_bytes(4, "big") + client + beginning, digest_size=16, person=b"agcorest").digest()


def _named(request: Request, members: Members) -> bytes | None:
    for name in _SESSION_HEADERS:
        value = first(request.head.headers, name)
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
    parts = [raw for name in _PROMPTS if (raw := members.raw(name)) is not None]
    for name in _HISTORIES:
        history = members.raw(name)
        if history is None:
            continue
        try:
            messages = _LIST.decode(history)
        except msgspec.DecodeError:
            return b"\0".join([*parts, history])  # a text by itself
        for message in messages:
            parts.append(bytes(message))
            try:
                role = _MESSAGE.decode(message).role
            except msgspec.DecodeError:
                continue
            if role in ("user", None):
                break
        return b"\0".join(parts)
    return None
