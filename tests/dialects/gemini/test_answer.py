"""Gemini answers, read from Google and written for its clients."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from typing import Any, Final

import pytest

from agcore.codecs.sse import Decoder
from agcore.conversation.assemble import assemble
from agcore.conversation.losses import Losses
from agcore.conversation.signature_carrier import carrier
from agcore.conversation.values import (
    Cited,
    Consumed,
    Conversation,
    Delta,
    Finished,
    ImageMade,
    Part,
    Reasoning,
    Signature,
    Source,
    Started,
    Stop,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ThinkingEnded,
    ToolArguments,
    ToolCall,
    ToolEnded,
    ToolStarted,
    Turn,
)
from agcore.dialects.gemini.answer_reader import ResponseReader, read_answer
from agcore.dialects.gemini.answer_writer import ResponseWriter, render_answer
from agcore.dialects.gemini.carriers import call_opened, google_opened
from agcore.dialects.gemini.request_reader import parse_request
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage
from tests.support.deltas import too_deep
from tests.support.grammar_gemini import check_stream, chunks, folded

ASKED = Conversation(model="m", turns=(Turn("user", (Text("hi"),)),), reasoning=Reasoning(visible=True))
QUIET = Conversation(model="m", turns=(Turn("user", (Text("hi"),)),))
SIGNED = Signature("anthropic", "thinking", "Ep1")


def read(*chunks: object, cut: int = 1 << 20) -> tuple[list[Delta], Fault | None]:
    raw = b"".join(b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n" for chunk in chunks)
    reader, decoder = ResponseReader(signer="gemini"), Decoder()
    out: list[Delta] = []
    for start in range(0, len(raw), cut):
        for frame in decoder.feed(raw[start : start + cut]):
            out += reader.feed(frame)
    out += reader.end()
    return out, reader.fault


def write(said: Iterable[Delta], conversation: Conversation = ASKED) -> bytes:
    writer = ResponseWriter(id="r1", model="shown", created=1, conversation=conversation)
    return b"".join([*(writer.feed(delta) for delta in said), writer.end()])


def candidate(*parts: dict[str, Any], index: int = 0, **more: Any) -> dict[str, Any]:
    return {"index": index, "content": {"role": "model", "parts": list(parts)}, **more}


def chunk(*candidates: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"candidates": list(candidates), "responseId": "up", "modelVersion": "g", **more}


STREAM = (
    chunk(candidate({"text": "hm", "thought": True}), usageMetadata={"promptTokenCount": 10, "totalTokenCount": 10}),
    chunk(candidate({"text": "Hé "}, {"text": "there"})),
    chunk(
        candidate(
            {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "c2ln"},
            {"functionCall": {"id": "g1", "name": "f"}},
        )
    ),
    chunk(
        candidate({"text": "", "thoughtSignature": "ZW5k"}, finishReason="STOP"),
        usageMetadata={
            "promptTokenCount": 10,
            "cachedContentTokenCount": 4,
            "candidatesTokenCount": 3,
            "thoughtsTokenCount": 2,
        },
    ),
)
SAID: list[Delta] = [
    Started("up"),
    ThinkingDelta("hm"),
    Consumed(Usage(fresh=10)),
    ThinkingEnded(),
    TextDelta("Hé "),
    TextDelta("there"),
    ToolStarted(0, "", "f", signature=Signature("gemini", "call", "c2ln")),
    ToolArguments(0, '{"a":1}'),
    ToolEnded(0),
    ToolStarted(1, "g1", "f"),
    ToolArguments(1, "{}"),
    ToolEnded(1),
    ThinkingEnded(Signature("gemini", "text", "ZW5k")),
    Finished(Stop.TOOL_CALLS),
    Consumed(Usage(fresh=6, cache_read=4, output=5, reasoning=2)),
]


def test_a_whole_answer_gives_the_deltas_of_its_stream() -> None:
    parts = [part for each in STREAM for part in each["candidates"][0]["content"]["parts"]]
    whole = chunk(candidate(*parts, finishReason="STOP"), usageMetadata=STREAM[-1]["usageMetadata"])
    assert read_answer(whole, signer="gemini") == [delta for delta in SAID if delta != Consumed(Usage(fresh=10))]
    assert read_answer(list(STREAM), signer="gemini") == SAID


def test_several_candidates_are_several_choices() -> None:
    said, fault = read(
        chunk(candidate({"text": "a"}), candidate({"text": "b"}, index=1)),
        chunk(candidate(finishReason="MAX_TOKENS", index=1), candidate(finishReason="STOP")),
    )
    assert fault is None
    assert [(choice.parts, choice.stop) for choice in assemble(said).choices] == [
        ([Text("a")], Stop.END),
        ([Text("b")], Stop.LENGTH),
    ]


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("STOP", Stop.END),
        ("MAX_TOKENS", Stop.LENGTH),
        ("SAFETY", Stop.FILTER),
        ("OTHER", Stop.END),
        ("NEW_ONE", Stop.END),
    ],
)
def test_finish_reasons_have_neutral_names(reason: str, stop: Stop) -> None:
    assert read(chunk(candidate({"text": "x"}, finishReason=reason)))[0][-1] == Finished(stop)


def test_a_blocked_prompt_is_filtered() -> None:
    answer = {
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9},
    }
    assert read_answer(answer, signer="g") == [Started(), Finished(Stop.FILTER), Consumed(Usage(fresh=9))]


def test_a_malformed_call_is_a_fault_unless_something_was_shown() -> None:
    broken = chunk({"index": 0, "finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": "print(f("})
    said, fault = read(broken)
    assert isinstance(fault, Fault)
    assert fault.status == 502
    assert "print(f(" in fault.message
    assert said == [Started("up")]
    assert read(chunk(candidate({"text": "x"})), broken)[1] is None
    assert isinstance(read_answer(broken, signer="g"), Fault)


def test_an_end_without_a_finish_reason_is_a_fault() -> None:
    said, fault = read(chunk(candidate({"text": "half"})))
    assert fault is not None
    assert not [delta for delta in said if isinstance(delta, Finished)]
    assert read({"usageMetadata": {}})[1] is not None


def test_an_error_frame_is_a_fault_with_its_own_status() -> None:
    said, fault = read(
        chunk(candidate({"text": "half"})), {"error": {"code": 503, "status": "UNAVAILABLE", "message": "busy"}}
    )
    assert said[-1] == TextDelta("half")
    assert fault is not None
    assert (fault.status, fault.message) == (503, "busy")
    assert isinstance(read_answer({"error": {"code": 429, "message": "slow"}}, signer="g"), Fault)


def test_pictures_sources_and_code_are_read() -> None:
    grounding = {"groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}, {"web": {"uri": "https://a"}}]}
    code = {"executableCode": {"language": "PYTHON", "code": "1+1"}}
    said, _ = read(
        chunk(
            candidate(
                {"inlineData": {"mimeType": "image/png", "data": "_-8"}},
                code,
                finishReason="STOP",
                groundingMetadata=grounding,
            )
        )
    )
    assert said == [
        Started("up"),
        ImageMade(Source("image/png", data="/+8=")),
        TextDelta("\n```python\n1+1\n```\n"),
        Cited("https://a", "A"),
        Finished(Stop.END),
    ]


@pytest.mark.parametrize(
    ("segment", "span"),
    [
        ({"startIndex": 3, "endIndex": 10, "text": "h\u00e9llo!"}, (3, 9)),
        ({"startIndex": 3, "endIndex": 10}, (3, 9)),
        ({"startIndex": 1, "endIndex": 8, "text": "h\u00e9llo!"}, (3, 9)),
        ({"startIndex": 1, "endIndex": 8, "text": "elsewhere"}, None),
        ({"startIndex": 1, "endIndex": 99}, None),
        (None, None),
    ],
)
def test_bytes_that_a_source_is_for_become_code_points(segment: object, span: tuple[int, int] | None) -> None:
    grounding = {
        "groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}],
        "groundingSupports": [{"segment": segment, "groundingChunkIndices": [0]}],
    }
    said, _ = read(
        chunk(candidate({"text": "oh h"})),
        chunk(candidate({"text": "\u00e9llo!"}, finishReason="STOP", groundingMetadata=grounding)),
    )
    assert said[-2] == Cited("https://a", "A", span=span)


def test_usage_without_candidate_tokens_is_what_remains_of_the_total() -> None:
    said, _ = read(
        chunk(candidate(finishReason="STOP"), usageMetadata={"promptTokenCount": "10", "totalTokenCount": 14})
    )
    assert said[-1] == Consumed(Usage(fresh=10, output=4))


def test_the_last_chunk_has_the_finish_reason_and_the_usage() -> None:
    found = check_stream(
        write(
            [TextDelta("a"), Finished(Stop.TOOL_CALLS), Consumed(Usage(fresh=6, cache_read=4, output=5, reasoning=2))]
        )
    )
    assert found[-1] == {
        "candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": ""}]}, "finishReason": "STOP"}],
        "usageMetadata": {
            "promptTokenCount": 10,
            "cachedContentTokenCount": 4,
            "candidatesTokenCount": 3,
            "thoughtsTokenCount": 2,
            "totalTokenCount": 15,
        },
        "modelVersion": "shown",
        "responseId": "r1",
    }


@pytest.mark.parametrize(
    ("pieces", "args"),
    [(['{"a":', "1}"], {"a": 1}), ([], {}), (['{"a'], {"_raw": '{"a'}), (["[1]"], {"_raw": "[1]"})],
)
def test_arguments_are_kept_until_they_are_complete(pieces: list[str], args: dict[str, Any]) -> None:
    said: list[Delta] = [ToolStarted(0, "c", "f"), *(ToolArguments(0, piece) for piece in pieces), ToolEnded(0)]
    (first, _) = check_stream(write([*said, Finished(Stop.TOOL_CALLS)]))
    assert first["candidates"][0]["content"]["parts"] == [{"functionCall": {"id": "c", "name": "f", "args": args}}]


def test_calls_leave_in_the_order_in_which_they_began() -> None:
    said = [
        ToolStarted(0, "a", "f"),
        ToolStarted(1, "b", "g"),
        ToolEnded(1),
        ToolArguments(0, "{}"),
        ToolEnded(0),
        Finished(Stop.END),
    ]
    found = check_stream(write(said))
    names = [part["functionCall"]["name"] for each in found[:-1] for part in each["candidates"][0]["content"]["parts"]]
    assert names == ["f", "g"]


def test_an_error_is_the_last_frame() -> None:
    writer = ResponseWriter(id="r", model="m", created=1, conversation=ASKED)
    (frame,) = chunks(writer.error(Fault(status=503, message="busy"), "req"))
    assert frame == {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}


@pytest.mark.parametrize("conversation", [ASKED, QUIET])
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("joined", [False, True])
def test_a_foreign_signature_survives_a_client_that_replays_what_it_got(
    conversation: Conversation, whole: bool, joined: bool
) -> None:
    said: list[Delta] = [ThinkingDelta("They "), ThinkingDelta("ask."), ThinkingEnded(SIGNED)]
    said += [ToolStarted(0, "toolu_1", "f"), ToolEnded(0), Finished(Stop.TOOL_CALLS)]
    if whole:
        answer = render_answer(assemble(said), id="r", model="m", created=1, conversation=conversation)
        contents = [answer["candidates"][0]["content"]]
    else:
        found = chunks(write(said, conversation))
        parts = folded(found)[0]
        replayed = [each["candidates"][0]["content"] for each in found if "content" in each["candidates"][0]]
        contents = [{"role": "model", "parts": parts}] if joined else replayed
    result = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "x"}}}]}
    body = {"contents": [{"parts": [{"text": "hi"}]}, *json.loads(json.dumps(contents)), result]}
    turns = parse_request(body, model="m", stream=False, losses=Losses()).turns
    shown = "They ask." if conversation is ASKED else ""
    assert turns[1].parts == (Thinking(shown, SIGNED), ToolCall("toolu_1", "f", "{}"))


def test_a_carrier_keeps_its_kind_and_id() -> None:
    reasoning = Signature("openai", "reasoning", "gAAA", id="rs_1")
    (first, _) = check_stream(write([ThinkingEnded(reasoning), Finished(Stop.END)], QUIET))
    (part,) = first["candidates"][0]["content"]["parts"]
    assert google_opened(part["thoughtSignature"]) == reasoning
    assert google_opened(carrier(reasoning)) is None


# What is seldom there.


def test_parts_that_are_none_and_what_follows_the_end_of_a_candidate_say_nothing() -> None:
    odd = {
        "content": {"parts": [7, {"text": "hi"}, {"inlineData": {"mimeType": "text/plain", "data": "aGk="}}]},
        "index": 0,
    }
    said, fault = read(chunk(odd), chunk(candidate(finishReason="STOP")), chunk(candidate({"text": "more"})))
    assert fault is None
    assert [delta for delta in said if isinstance(delta, TextDelta | ImageMade)] == [TextDelta("hi")]


def test_what_code_has_printed_and_what_google_cited_are_read() -> None:
    cited = {"citationSources": [{"uri": "https://a.example", "title": "A"}, {"title": "no address"}]}
    answer = candidate(
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "42"}}, finishReason="STOP", citationMetadata=cited
    )
    said, _ = read(chunk(answer))
    assert TextDelta("\n```\n42\n```\n") in said
    assert [(delta.url, delta.title) for delta in said if isinstance(delta, Cited)] == [("https://a.example", "A")]


def test_a_picture_at_an_address_is_shown_as_one_and_an_open_call_is_closed_at_the_end() -> None:
    told = write(
        [
            ImageMade(Source("image/png", url="https://a.example/x.png")),
            ToolArguments(9, "{}"),
            ToolStarted(0, "a", "f"),
            ToolArguments(0, "{}"),
            Finished(Stop.TOOL_CALLS),
        ]
    )
    parts = [part for each in chunks(told) for part in each["candidates"][0].get("content", {}).get("parts", [])]
    assert parts[0] == {"text": "https://a.example/x.png"}
    assert [part["functionCall"]["name"] for part in parts if "functionCall" in part] == ["f"]


def test_arguments_that_are_nested_too_deeply_to_be_written_are_none() -> None:
    said = read_answer(
        chunk(candidate({"functionCall": {"name": "f", "args": too_deep()}}, finishReason="STOP")), signer="up"
    )
    assert not isinstance(said, Fault)
    assert [delta.text for delta in said if isinstance(delta, ToolArguments)] == ["{}"]


# Signatures that lead to a call, whatever stands between (docs/wire/gemini.md#signatures).

SECOND: Final = Signature("anthropic", "redacted", "cmVk")
LOOKED: Final[list[Delta]] = [TextDelta("Let "), TextDelta("me look.")]
THOUGHT: Final[list[Delta]] = [ThinkingDelta("They "), ThinkingDelta("ask."), ThinkingEnded(SIGNED)]


def called(index: int) -> list[Delta]:
    return [ToolStarted(index, f"toolu_{index}", "f"), ToolEnded(index)]


def as_gemini_cli_replays(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without thoughts and empty texts, neighbouring texts joined."""
    kept: list[dict[str, Any]] = []
    for part in parts:
        if part.get("thought") or part.get("text") == "":
            continue
        if "text" in part and kept and "text" in kept[-1]:
            kept[-1] = {"text": kept[-1]["text"] + part["text"]}
        else:
            kept.append(dict(part))
    return kept


def as_the_sdk_replays(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [dict(part) for part in parts]


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("replays", [as_gemini_cli_replays, as_the_sdk_replays])
@pytest.mark.parametrize(
    ("said", "parts"),
    [
        (
            [*THOUGHT, *LOOKED, *called(0)],
            (Thinking("They ask.", SIGNED), Text("Let me look."), ToolCall("toolu_0", "f", "{}")),
        ),
        (
            [*LOOKED, *THOUGHT, *called(0)],
            (Text("Let me look."), Thinking("They ask.", SIGNED), ToolCall("toolu_0", "f", "{}")),
        ),
        (
            [TextDelta("So: "), *THOUGHT, *LOOKED, *called(0), *called(1)],
            (
                Text("So: "),
                Thinking("They ask.", SIGNED),
                Text("Let me look."),
                ToolCall("toolu_0", "f", "{}"),
                ToolCall("toolu_1", "f", "{}"),
            ),
        ),
        (
            [*THOUGHT, ThinkingEnded(SECOND), *LOOKED, *called(0), *called(1)],
            (
                Thinking("They ask.", SIGNED),
                Thinking("", SECOND),
                Text("Let me look."),
                ToolCall("toolu_0", "f", "{}"),
                ToolCall("toolu_1", "f", "{}"),
            ),
        ),
        (
            [ThinkingEnded(SECOND), *LOOKED, *called(0), *THOUGHT, *called(1)],
            (
                Thinking("", SECOND),
                Text("Let me look."),
                ToolCall("toolu_0", "f", "{}"),
                Thinking("They ask.", SIGNED),
                ToolCall("toolu_1", "f", "{}"),
            ),
        ),
    ],
    ids=["before text", "after text", "between texts", "two", "two calls"],
)
@pytest.mark.parametrize("conversation", [ASKED, QUIET])
def test_what_led_to_a_call_returns_to_its_place(
    conversation: Conversation,
    said: list[Delta],
    parts: tuple[Part, ...],
    replays: Callable[[list[dict[str, Any]]], list[dict[str, Any]]],
    whole: bool,
) -> None:
    said = [*said, Finished(Stop.TOOL_CALLS)]
    if whole:
        answer = render_answer(assemble(said), id="r", model="m", created=1, conversation=conversation)
        got = answer["candidates"][0]["content"]["parts"]
    else:
        got = [part for each in chunks(write(said, conversation)) for part in each["candidates"][0]["content"]["parts"]]
    result = {"functionResponse": {"name": "f", "response": {"output": "x"}}}
    contents = [
        {"parts": [{"text": "hi"}]},
        {"role": "model", "parts": json.loads(json.dumps(replays(got)))},
        {"role": "user", "parts": [result] * sum(isinstance(part, ToolCall) for part in parts)},
    ]
    turns = parse_request({"contents": contents}, model="m", stream=False, losses=Losses()).turns
    shown = conversation is ASKED and replays is as_the_sdk_replays
    expected = [Thinking("", each.signature) if isinstance(each, Thinking) and not shown else each for each in parts]
    assert joined_texts(turns[1].parts) == expected


def joined_texts(parts: Iterable[Part]) -> list[Part]:
    joined: list[Part] = []
    for part in parts:
        before = joined[-1] if joined else None
        if isinstance(part, Text) and isinstance(before, Text):
            joined[-1] = Text(before.text + part.text)
        else:
            joined.append(part)
    return joined


def test_an_answer_without_a_call_keeps_its_signature_on_a_thought() -> None:
    answer = render_answer(
        assemble([*THOUGHT, *LOOKED, Finished(Stop.END)]), id="r", model="m", created=1, conversation=QUIET
    )
    thought, text = answer["candidates"][0]["content"]["parts"]
    assert (thought["thought"], google_opened(thought["thoughtSignature"])) == (True, SIGNED)
    assert text == {"text": "Let me look."}


@pytest.mark.parametrize("place", ["~x", "~1234567890", "~"])
def test_a_place_that_is_no_number_is_none(place: str) -> None:
    text = base64.b64encode((carrier(SIGNED) + place + "\nnothing").encode()).decode()
    assert call_opened(text) == [(SIGNED, 0)]


def test_a_call_that_is_signed_itself_brings_its_own_signature() -> None:
    own = Signature("google", "call", "c2ln")
    said = [*THOUGHT, ToolStarted(0, "a", "f", signature=own), ToolEnded(0), Finished(Stop.TOOL_CALLS)]
    answer = render_answer(assemble(said), id="r", model="m", created=1, conversation=QUIET)
    contents = [{"parts": [{"text": "hi"}]}, answer["candidates"][0]["content"]]
    contents.append({"parts": [{"functionResponse": {"name": "f", "response": {}}}]})
    turns = parse_request({"contents": contents}, model="m", stream=False, losses=Losses()).turns
    assert turns[1].parts == (Thinking("", SIGNED), ToolCall("a", "f", "{}", signature=own))


def test_what_is_no_candidate_is_passed_over() -> None:
    deltas, fault = read({"candidates": [7, {"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}]})
    assert fault is None
    assert [delta.text for delta in deltas if isinstance(delta, TextDelta)] == ["a"]


def test_a_call_that_begins_twice_is_told_once() -> None:
    writer = ResponseWriter(id="r", model="m", created=0, conversation=QUIET)
    told = b"".join(writer.feed(each) for each in (Started("r"), ToolStarted(0, "c", "f"), ToolStarted(0, "c", "f")))
    told += b"".join(writer.feed(each) for each in (ToolEnded(0), Finished(Stop.TOOL_CALLS))) + writer.end()
    assert told.count(b"functionCall") == 1
