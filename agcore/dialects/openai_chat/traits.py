"""OpenAI Chat Completions (docs/wire/openai-chat.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from agcore.codecs import json_text
from agcore.codecs.json_splice import Members
from agcore.codecs.request_target import RequestTarget
from agcore.codecs.sse import Frame, encode
from agcore.conversation.usage import Usage, count
from agcore.dialects import base
from agcore.dialects.base import Meaning, RequestSummary, ask_of_body, edited, model_edit
from agcore.dialects.openai import errors as openai_error
from agcore.dialects.openai_chat.chunk_repair import Mender
from agcore.ingress.routes import MatchedRoute
from agcore.protocol.fault import Fault

NAME: Final = "openai"
FAMILY: Final = openai_error.FAMILY
KEEPALIVE: Final = b": keepalive\n\n"
MODEL_MEMBER: Final = "model"

parse_error = openai_error.parse_error
render_error = openai_error.render_error


def read_ask(members: Members, match: MatchedRoute, target: RequestTarget) -> RequestSummary | Fault:
    """Model and stream, from the body."""
    return ask_of_body(members)


def generate_target(prefix: bytes, match: MatchedRoute, model: str, ask: RequestSummary) -> bytes:
    """`PREFIX/chat/completions`."""
    return prefix + b"/chat/completions"


def count_target(prefix: bytes, match: MatchedRoute, model: str) -> bytes | None:
    """None: Chat has no token counter."""
    return None


def edits(members: Members, ask: RequestSummary, model: str) -> tuple[dict[str, bytes | None], bool]:
    """Name the upstream's model; ask a stream for its usage, which is hidden again unless the client asked too."""
    changes = model_edit(members, model)
    if not ask.stream:
        return changes, False
    options = members.value("stream_options")
    options = options if isinstance(options, dict) else {}
    if options.get("include_usage") is True:
        return changes, False
    changes["stream_options"] = msgspec.json.encode({**options, "include_usage": True})
    return changes, True


def read_usage(answer: Mapping[str, object]) -> Usage | None:
    """Usage; cached and written tokens are taken out of the prompt's (docs/wire/answers.md#usage)."""
    usage = answer.get("usage")
    if not isinstance(usage, dict):
        return None
    prompt = count(usage, "prompt_tokens")
    # DeepSeek counts its cache hits under a name of its own, Moonshot beside the details.
    read = (
        count(usage, "prompt_tokens_details", "cached_tokens")
        or count(usage, "prompt_cache_hit_tokens")
        or count(usage, "cached_tokens")
    )
    write = count(usage, "prompt_tokens_details", "cache_write_tokens")
    return Usage(
        fresh=max(prompt - read - write, 0),
        cache_read=read,
        cache_write=write,
        output=count(usage, "completion_tokens") or max(count(usage, "total_tokens") - prompt, 0),
        reasoning=count(usage, "completion_tokens_details", "reasoning_tokens"),
    )


class StreamTap:
    """Watches chunks, of Chat and of legacy Completions: they differ only inside `choices`."""

    def __init__(self, *, shown_model: str | None, hide_usage: bool) -> None:
        self.usage: Usage | None = None
        self.finished = False
        self.fault: Fault | None = None
        self._shown_model = None if shown_model is None else msgspec.json.encode(shown_model)
        self._hide_usage = hide_usage
        self._mender = Mender()
        self._content = False
        self._done = False

    def read(self, frame: Frame) -> tuple[Meaning, bytes]:
        """See `base.StreamTap`. Frames without data that are more than comments are dropped: SDKs choke on them."""
        data = frame.data
        if data is None or not data.strip():
            return Meaning.LIFECYCLE, frame.raw if base.is_comment(frame) else b""
        if data.strip() == b"[DONE]":
            if not self._content:
                self.fault = base.EMPTY
                return Meaning.ERROR, b""
            self.finished = self._done = True
            return Meaning.TERMINAL, self._late_usage() + frame.raw
        try:
            chunk = json_text.decode(data)
        except ValueError:
            chunk = None
        if not isinstance(chunk, dict):
            self.fault = base.NOT_JSON
            return Meaning.ERROR, b""
        if chunk.get("error"):
            self.fault = parse_error(status_in_stream(chunk["error"]), chunk)
            return Meaning.ERROR, b""
        if chunk.get("usage"):
            self.usage = read_usage(chunk) or self.usage
        meaning = Meaning.CONTENT if self._has_content(chunk.get("choices")) else Meaning.LIFECYCLE
        return meaning, self._edited(frame, chunk)

    def closing(self) -> bytes:
        """`[DONE]`, where the upstream left it out."""
        return b"" if self._done else self._late_usage() + b"data: [DONE]\n\n"

    def error(self, fault: Fault, request_id: str) -> bytes:
        """An error frame, after which nothing follows."""
        return openai_error.stream_error(fault, request_id)

    def _has_content(self, choices: object) -> bool:
        found = False
        for choice in choices if isinstance(choices, list) else ():
            if not isinstance(choice, dict):
                continue
            if choice.get("finish_reason") is not None:
                self.finished = found = True
            delta = choice.get("delta")
            if choice.get("text") or (
                isinstance(delta, dict) and any(value for name, value in delta.items() if name != "role")
            ):
                found = True
        self._content = self._content or found
        return found

    def _edited(self, frame: Frame, chunk: dict[str, object]) -> bytes:
        changes: dict[str, bytes | None] = {}
        if self._shown_model is not None and "model" in chunk:
            changes["model"] = self._shown_model
        if self._hide_usage and "usage" in chunk:
            if chunk["usage"] and not chunk.get("choices"):
                return b""
            changes["usage"] = None
            del chunk["usage"]
        mended = self._mender.mend(chunk)
        if not changes and not mended and frame.id is None:
            return frame.raw
        assert frame.data is not None
        data = json_text.encode(chunk) if mended else frame.data
        # An `id:` line would make a later keepalive comment look like an event to OpenAI's SDKs.
        return encode(edited(data, chunk, changes) if changes else data, event=frame.event)

    def _late_usage(self) -> bytes:
        chunk = self._mender.usage_chunk()
        if chunk is None:
            return b""
        if self._shown_model is not None:
            chunk["model"] = json_text.decode(self._shown_model)
        return encode(json_text.encode(chunk))


def status_in_stream(error: object) -> int:
    """The HTTP status that an error inside a 200 answer would have had, by what it says of itself; 502 if nothing."""
    if isinstance(error, Mapping):
        code, kind = error.get("code"), error.get("type")
        for hint in (code, error.get("status")):
            if isinstance(hint, int) and 400 <= hint <= 599:
                return hint
        words = f"{code} {kind}"
        if "rate_limit" in words or "insufficient_quota" in words:
            return 429
        if "overloaded" in words or "capacity" in words:
            return 503
        if "invalid_request" in words:
            return 400
    return 502
