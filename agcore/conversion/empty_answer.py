"""The answer to a request that wants none, but to fill its vendor's prompt cache, which nobody else lets be filled so.

`max_tokens: 0` does that at Anthropic's, `generate: false` or a `prewarm` at OpenAI's. They are documented requests, so
that refusing one would break who sends it before a conversation begins. Nobody is asked: other vendors refuse a limit
of 0, and a limit of 1 would be paid for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agcore.codecs import json_text
from agcore.conversation.assemble import assemble
from agcore.conversation.losses import Losses
from agcore.conversation.values import Consumed, Delta, Finished, Invalid, Started, Stop
from agcore.conversion.base import STREAM_HEADERS, WholeAnswer
from agcore.conversion.translated_stream import ClientStream
from agcore.dialects import DIALECTS
from agcore.protocol.fault import Fault, invalid
from agcore.protocol.report import Usage

_STOPS: Final[Mapping[str, Stop]] = {"anthropic": Stop.LENGTH}
"""Why such an answer ends, where it is not simply complete."""


def empty_answer(dialect: str, body: bytes, *, model: str, stream: bool, framing: str, id: str) -> WholeAnswer | Fault:
    """An answer without content that its limit ended, whole or as a stream; a fault where the request is none.

    Args:
        dialect: The client's.
        body: Its request.
        model: The name to show.
        stream: Whether a stream is wanted.
        framing: How the client reads a stream.
        id: The answer's, without a dialect's prefix.
    """
    client = DIALECTS[dialect].client
    nothing: tuple[Delta, ...] = (Started(), Consumed(Usage()), Finished(_STOPS.get(dialect, Stop.END)))
    try:
        decoded = json_text.decode(body)
        assert isinstance(decoded, dict)
        conversation = client.parse_request(decoded, model=model, stream=stream, losses=Losses())
    except Invalid as error:
        return invalid(str(error), param=error.param)
    if not stream:
        answer = client.render_answer(assemble(nothing), id=id, model=model, created=0, conversation=conversation)
        return WholeAnswer(json_text.encode(answer), local=True)
    shown = ClientStream(client.writer(id=id, model=model, created=0, conversation=conversation), framing=framing)
    told = shown.write(nothing)
    (_, content_type), *headers = STREAM_HEADERS[framing]
    return WholeAnswer(told + shown.close(), content_type, tuple(headers), local=True)
