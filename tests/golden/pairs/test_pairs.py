"""Every client dialect to every upstream dialect, topic by topic, as text that people can read and review.

A file shows the client's request, the request that leaves for the upstream, what was lost on the way, the upstream's
stream and the client's. The topic `reasoning` goes on: the client replays what it got, as its SDK would, and sends the
tool's result. Each client stream is also read by the client's own grammar, which knows nothing of its writer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from agcore.config.values import dialect_name
from agcore.conversion.translation import ModelTarget, Translation, translate
from agcore.dialects import DIALECTS
from agcore.models.known import profile
from agcore.protocol.fault import Fault
from tests.golden.pairs.material import OWN, REQUESTS, STREAMS, TOPICS, Json
from tests.support import grammar_anthropic, grammar_gemini, grammar_openai_chat, grammar_openai_responses

UPSTREAMS = [name for name, dialect in DIALECTS.items() if dialect.translatable]

FOLDER: Final = Path(__file__).parent
MODELS: Final = {
    "openai_chat": "mistral-small-latest",
    "openai_responses": "gpt-5.5",
    "anthropic": "claude-sonnet-4-6",
    "gemini": "gemini-3-flash",
}
PAIRS: Final = [
    (client, upstream, topic)
    for client in DIALECTS
    for upstream in UPSTREAMS
    for topic in (*TOPICS, *OWN.get(client, {}))
    if topic in REQUESTS[client] or topic not in TOPICS
]


def folder(client: str, upstream: str) -> str:
    """Where the files of a pair are."""
    return f"{dialect_name(client)}-to-{dialect_name(upstream)}"


def asked(client: str, upstream: str, request: Json) -> Translation:
    model = MODELS[upstream]
    target = ModelTarget(upstream, model, profile(model, dialect=upstream), dialect_name(upstream))
    body = json.dumps(request).encode()
    translation = translate(client, body, model="m", stream=True, target=target)
    assert not isinstance(translation, Fault), translation
    return translation


def upstream_bytes(upstream: str, events: list[Json]) -> bytes:
    frames = [json.dumps(event, separators=(",", ":")) for event in events]
    if upstream == "openai_chat":
        return "".join(f"data: {frame}\n\n" for frame in [*frames, "[DONE]"]).encode()
    if upstream == "gemini":
        return "".join(f"data: {frame}\r\n\r\n" for frame in frames).encode()
    pairs = zip(events, frames, strict=True)
    return "".join(f"event: {event['type']}\ndata: {frame}\n\n" for event, frame in pairs).encode()


def answered(translation: Translation, stream: bytes) -> bytes:
    """The client's stream, the upstream's arriving in pieces that break inside frames."""
    turned = translation.stream(id="0123456789abcdef", model="m", created=1, framing="sse")
    out = b"".join(turned.feed(stream[at : at + 100]).data for at in range(0, len(stream), 100))
    out += turned.end().data
    assert turned.fault is None
    assert turned.terminal
    return out


# What a client makes of a stream


def replayed(client: str, request: Json, stream: bytes) -> list[Json] | None:
    """Read a client's stream by its grammar: what its SDK would send back; None where it keeps no history."""
    if client == "anthropic":
        return [{"role": "assistant", "content": grammar_anthropic.message(stream)["content"]}]
    if client == "openai_responses":
        return [*grammar_openai_responses.check(stream)["output"]]
    if client == "gemini":
        parts = grammar_gemini.folded(grammar_gemini.check_stream(stream))[0]
        return [{"role": "model", "parts": parts}]
    usage = bool(request.get("stream_options"))
    if client == "openai_completions":
        grammar_openai_chat.check(stream, include_usage=usage, kind="text_completion")
        return None
    chunks = grammar_openai_chat.check(stream, include_usage=usage)
    return [joined([chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]])]


def joined(deltas: list[Json]) -> Json:
    """Deltas of Chat added up as OpenAI's SDK does: texts grow, entries of lists meet by their index."""
    message: Json = {}
    for delta in deltas:
        _add(message, delta)
    for entry in message.get("tool_calls", []):
        del entry["index"]
    return message


def _add(whole: Json, more: Json) -> None:
    for name, value in more.items():
        if name not in whole or name in ("index", "type"):
            whole[name] = [] if isinstance(value, list) else {} if isinstance(value, dict) else value
            if isinstance(value, str | int | None):
                continue
        if isinstance(value, str):
            whole[name] += value
        elif isinstance(value, dict):
            _add(whole[name], value)
        else:
            for entry in value:
                found = next((known for known in whole[name] if known["index"] == entry["index"]), None)
                if found is None:
                    whole[name].append(found := {})
                _add(found, entry)


def gone_on(client: str, request: Json, answer: list[Json]) -> Json:
    """The client's next request: its history, what it was told, and the tool's result."""
    if client == "anthropic":
        (call,) = [block for block in answer[0]["content"] if block["type"] == "tool_use"]
        result: Json = {"type": "tool_result", "tool_use_id": call["id"], "content": "14 degrees"}
        return {**request, "messages": [*request["messages"], *answer, {"role": "user", "content": [result]}]}
    if client == "openai_responses":
        result = {"type": "function_call_output", "call_id": answer[-1]["call_id"], "output": "14 degrees"}
        return {**request, "input": [*request["input"], *answer, result]}
    if client == "gemini":
        (call,) = [part["functionCall"] for part in answer[0]["parts"] if "functionCall" in part]
        response = {"id": call["id"], "name": call["name"], "response": {"output": "14 degrees"}}
        result = {"role": "user", "parts": [{"functionResponse": response}]}
        return {**request, "contents": [*request["contents"], *answer, result]}
    (call,) = answer[0]["tool_calls"]
    result = {"role": "tool", "tool_call_id": call["id"], "content": "14 degrees"}
    return {**request, "messages": [*request["messages"], *answer, result]}


# The text


def shown(value: Json) -> str:
    """A JSON object, a line for each member, and one for each entry of a list of objects."""
    lines = []
    for name, member in value.items():
        if isinstance(member, list) and all(isinstance(entry, dict) for entry in member):
            lines.append(f"  {name}:")
            lines += [f"    {compact(entry)}" for entry in member]
        else:
            lines.append(f"  {name}: {compact(member)}")
    return "\n".join(lines)


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def request_text(translation: Translation, request: Json) -> str:
    lost = [f"  {loss.weight}: {loss.path}: {loss.why} ({loss.action})" for loss in translation.losses]
    refusal = translation.refusal(on_loss="warn")
    sections = [
        ("client asks", shown(request)),
        (
            "upstream is asked",
            shown(json.loads(translation.body)) if refusal is None else f"  refused: {refusal.message}",
        ),
        ("lost", "\n".join(lost) or "  nothing"),
    ]
    return "".join(f"--- {title}\n{text}\n\n" for title, text in sections)


def told(client: str, upstream: str, topic: str) -> str:
    request = REQUESTS[client][topic] if topic in TOPICS else OWN[client][topic]
    translation = asked(client, upstream, request)
    text = request_text(translation, request)
    if translation.refusal(on_loss="warn") is not None:
        return text.rstrip("\n") + "\n"
    stream = upstream_bytes(upstream, STREAMS[upstream][topic if topic in TOPICS else "text"])
    out = answered(translation, stream)
    answer = replayed(client, request, out)
    for title, frames in (("upstream answers", stream), ("client hears", out)):
        text += f"--- {title}\n{frames.decode()}".replace("\r\n", "\n")
    if topic == "reasoning":
        assert answer is not None
        further = gone_on(client, request, answer)
        text += request_text(asked(client, upstream, further), further)
    return text.rstrip("\n") + "\n"


@pytest.mark.parametrize(("client", "upstream", "topic"), PAIRS)
def test_a_pair_translates_as_it_did(client: str, upstream: str, topic: str, request: pytest.FixtureRequest) -> None:
    text = told(client, upstream, topic)
    path = FOLDER / folder(client, upstream) / f"{topic}.txt"
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode())
    assert path.is_file(), f"{path.name} is missing: write it with `make golden`"
    known = path.read_bytes().decode()
    assert text == known, (
        f"{path.parent.name}/{path.name} differs: if it is meant, run `make golden` and review the diff"
    )


def test_every_golden_file_has_its_pair() -> None:
    files = {(path.parent.name, path.stem) for path in FOLDER.glob("*/*.txt")}
    assert files == {(folder(client, upstream), topic) for client, upstream, topic in PAIRS}


def test_the_material_has_every_topic() -> None:
    assert set(REQUESTS) == set(DIALECTS)
    assert set(STREAMS) == set(UPSTREAMS)
    assert all(tuple(streams) == TOPICS for streams in STREAMS.values())
    assert all(tuple(topics) == TOPICS for client, topics in REQUESTS.items() if client != "openai_completions")
