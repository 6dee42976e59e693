"""The demo provider's replies in the shape of Gemini's `generateContent`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agcore.demo.wire import PACE, Json, Reply, Step, pieces, words


def _gemini_chunk(reply: Reply, parts: list[Json], spent: tuple[int, int], *, count: int, last: bool) -> Json:
    """A `GenerateContentResponse`; `spent` is one candidate's tokens so far, of thoughts and of the rest."""
    thoughts, rest = spent[0] * count, spent[1] * count
    end = {"finishReason": "MAX_TOKENS" if reply.cut else "STOP"} if last else {}
    usage = {
        "promptTokenCount": reply.prompt_tokens,
        "candidatesTokenCount": rest,
        "thoughtsTokenCount": thoughts,
        "totalTokenCount": reply.prompt_tokens + thoughts + rest,
    }
    candidates = [{"index": index, "content": {"role": "model", "parts": parts}, **end} for index in range(count)]
    identity = {"modelVersion": reply.model, "responseId": reply.seed[:24]}
    return {"candidates": candidates, "usageMetadata": usage, **identity}


def _gemini_parts(reply: Reply, thoughts: Iterable[str], said: Iterable[str]) -> list[Json]:
    parts: list[Json] = [{"text": piece, "thought": True} for piece in thoughts]
    parts += [{"text": piece} for piece in said]
    if reply.call:
        call = {"id": reply.seed[:16], "name": reply.call.name, "args": reply.call.arguments}
        parts.append({"functionCall": call, "thoughtSignature": reply.seed})
    return parts or [{"text": ""}]


def gemini(reply: Reply, *, count: int) -> Json:
    """A `GenerateContentResponse` with `count` equal candidates."""
    parts = _gemini_parts(reply, filter(None, [reply.reasoning]), filter(None, [reply.text]))
    spent = (reply.reasoning_tokens, reply.output_tokens - reply.reasoning_tokens)
    return _gemini_chunk(reply, parts, spent, count=count, last=True)


def gemini_events(reply: Reply, *, count: int) -> Iterator[Step]:
    """Yield the responses of a Gemini stream: incremental parts, cumulative usage, the reason on the last."""
    parts = _gemini_parts(reply, pieces(reply.reasoning), pieces(reply.text))
    thoughts = rest = 0
    for number, part in enumerate(parts, 1):
        if part.get("thought"):
            thoughts += len(words(part["text"]))
        elif reply.call and "functionCall" in part:
            rest += reply.call.tokens
        else:
            rest += len(words(part["text"]))
        yield PACE, _gemini_chunk(reply, [part], (thoughts, rest), count=count, last=number == len(parts))
