"""A whole answer told as the stream that was asked for, in one dialect (docs/wire/streams.md#answers-of-another-kind).

Some providers ignore `"stream": true`. What they answer is read and written as a translation would do it, from the
dialect to itself; ids stay, and signatures leave as they came.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from agcore.codecs import json_text
from agcore.conversation.losses import Losses
from agcore.conversation.signature_carrier import carrier
from agcore.conversation.values import Delta, Invalid, ThinkingEnded, ToolStarted
from agcore.conversion.translated_stream import ClientStream
from agcore.dialects import DIALECTS
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage


def synthesize_stream(
    dialect: str,
    answer: dict[str, object],
    *,
    request: bytes,
    signer: str,
    id: str,
    model: str,
    created: int,
    show_usage: bool,
) -> tuple[bytes, Usage | None] | Fault:
    """The stream that says the same as `answer`, and what that consumed.

    Args:
        dialect: The one that client and upstream speak.
        answer: What the upstream answered.
        request: The body that it was asked with.
        signer: Whose signatures the answer holds.
        id: For an answer that has none of its dialect's, without a prefix.
        model: The name to show.
        created: Seconds since the epoch.
        show_usage: Whether a Chat client asked for usage.
    """
    try:
        decoded = json_text.decode(request)
        assert isinstance(decoded, dict)
        conversation = DIALECTS[dialect].client.parse_request(decoded, model=model, stream=True, losses=Losses())
    except Invalid:
        # The upstream understood what this program does not, so nobody here can tell the answer anew.
        message = "the upstream answered a stream request with a whole JSON answer"
        return Fault(status=502, message=message, code="upstream_invalid_answer")
    deltas = DIALECTS[dialect].upstream.read_answer(answer, signer=signer)
    if isinstance(deltas, Fault):
        return deltas
    given, prefix = answer.get("id"), DIALECTS[dialect].traits.answer_id_prefix
    if isinstance(given, str) and given.startswith(prefix):
        id = given.removeprefix(prefix)
    conversation = msgspec.structs.replace(conversation, include_usage=show_usage)
    writer = DIALECTS[dialect].client.writer(id=id, model=model, created=created, conversation=conversation)
    stream = ClientStream(writer, framing="sse")
    out = stream.write(deltas)
    return _native(out + stream.close(), deltas), stream.usage


def _native(stream: bytes, deltas: Iterable[Delta]) -> bytes:
    """The stream with signatures instead of their carriers: they go back to where they came from."""
    for delta in deltas:
        if isinstance(delta, ThinkingEnded | ToolStarted) and delta.signature is not None:
            spelled = json_text.encode(delta.signature.data)[1:-1]
            stream = stream.replace(carrier(delta.signature).encode("ascii"), spelled)
    return stream
