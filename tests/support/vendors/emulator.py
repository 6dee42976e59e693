"""A strict vendor as a server on this machine: `with Emulator(BY_NAME["deepseek"]) as vendor: vendor.upstream.port`.

It answers by its script (`script.py`) what its rules let through, streamed or whole as asked, and refuses the rest in
the vendor's words. What is beside the script (lists of models, counts, titles) gets the demo provider's answer.
"""

from __future__ import annotations

import hashlib
import re
import threading
from types import TracebackType
from typing import Final

from msgspec import DecodeError, json

from agcore.demo import anthropic_answers, gemini_answers, openai_answers, wire
from agcore.demo.wire import Call, DemoAnswer, Reply, Wire
from tests.support.upstreams import Answer, Recorded, Upstream, demo_answer
from tests.support.vendors import google_door, script
from tests.support.vendors.rule import Json, Rule, Sent, broken
from tests.support.vendors.table import Vendor

_PATHS: Final = (
    (re.compile(r"/chat/completions$"), Wire.CHAT),
    (re.compile(r"/responses$"), Wire.RESPONSES),
    (re.compile(r"/messages$"), Wire.MESSAGES),
    (re.compile(r"/models/([^/]+):(?:streamG|g)enerateContent$"), Wire.GEMINI),
)
_THOUGHT: Final = "I read the note first."


class Emulator:
    """A vendor that holds to its rules."""

    def __init__(self, vendor: Vendor) -> None:
        self.vendor: Final = vendor
        self.upstream: Final = Upstream(self._answer)
        self.refused: list[str] = []
        """The ids of the rules that requests broke, in the order in which they came."""
        self.steps: list[str] = []
        """What was answered: `call NAME` or `text`."""
        self._lock = threading.Lock()

    def __enter__(self) -> Emulator:
        self.upstream.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.upstream.__exit__(kind, error, tb)

    def _answer(self, request: Recorded) -> Answer:
        path = request.target.decode().partition("?")[0]
        found = next(((match, door) for pattern, door in _PATHS if (match := pattern.search(path))), None)
        if found is None or request.method != "POST":
            return _beside(request)
        match, door = found
        try:
            body = json.decode(request.body, type=dict)
        except DecodeError:
            return _error(door, 400, "The body is no JSON object: is it compressed?")
        if door is Wire.GEMINI:
            body = google_door.spelled(body)
        if door not in self.vendor.doors:
            return _error(door, 404, f"{self.vendor.name} has no such door: {path}")
        betas = frozenset(request.fields.get(b"anthropic-beta", b"").decode().replace(" ", "").split(","))
        if rule := broken(self.vendor.doors[door], Sent(body, betas)):
            with self._lock:
                self.refused.append(rule.id)
            return refusal(door, rule)
        said = script.said(door, body, request.body)
        if said is None:
            return _beside(request)
        with self._lock:
            self.steps.append(f"call {said.name}" if isinstance(said, Call) else "text")
        thinks = self.vendor.thinks or door is Wire.GEMINI or script.asks_for_thoughts(body)
        reply = Reply(
            seed=hashlib.blake2s(request.body).hexdigest(),
            model=str(body.get("model") or match[1]),
            prompt_tokens=9,
            reasoning=_THOUGHT if thinks and isinstance(said, Call) else "",
            text=said if isinstance(said, str) else "",
            call=said if isinstance(said, Call) else None,
        )
        return self._with_own_ids(_spoken(door, body, reply, streamed="stream" in path), reply)

    def _with_own_ids(self, answer: DemoAnswer, reply: Reply) -> Answer:
        """Ids as this vendor writes them, where others are refused."""
        own = {"mistral": reply.seed[:9], "kimi": f"functions.{reply.call.name if reply.call else ''}:0"}.get(
            self.vendor.name
        )
        pieces = [chunk.data for chunk in answer.chunks]
        if own is not None:
            pieces = [piece.replace(f"call_{reply.seed[:20]}0".encode(), own.encode()) for piece in pieces]
        headers = tuple(field for field in answer.headers if field[0] != b"content-length")
        return Answer(status=answer.status, headers=headers, pieces=tuple(pieces))


def _beside(request: Recorded) -> Answer:
    """The demo provider's answer, at whatever path the vendor has its dialect."""
    target = re.sub(rb"^/anthropic", b"", request.target)
    return demo_answer(Recorded(request.method, target, request.headers, request.body))


def _spoken(door: Wire, body: Json, reply: Reply, *, streamed: bool) -> DemoAnswer:
    stream = streamed or bool(body.get("stream"))
    if door is Wire.CHAT:
        usage = bool((body.get("stream_options") or {}).get("include_usage"))
        if stream:
            return wire.data_stream(openai_answers.chat_events([reply], include_usage=usage), ())
        return wire.whole(200, openai_answers.chat([reply]))
    if door is Wire.RESPONSES:
        if reply.call and reply.call.name == script.SEARCH and not _is_function(body):
            return _searching(body, reply)
        if stream:
            return wire.named_stream(openai_answers.responses_events(reply, body, encrypted=True), ())
        return wire.whole(200, openai_answers.responses(reply, body, encrypted=True))
    if door is Wire.MESSAGES:
        if stream:
            return wire.named_stream(anthropic_answers.messages_events(reply), ())
        return wire.whole(200, anthropic_answers.messages(reply))
    if stream:
        return wire.gemini_stream(gemini_answers.gemini_events(reply, count=1), sse=True)
    return wire.whole(200, gemini_answers.gemini(reply, count=1))


def _is_function(body: Json) -> bool:
    """Whether the search for tools is offered as a function, and not as OpenAI's own kind of tool."""
    return any(tool.get("name") == script.SEARCH for tool in body["tools"])


def _searching(body: Json, reply: Reply) -> DemoAnswer:
    """A streamed answer that searches for tools in OpenAI's own way."""
    assert reply.call is not None
    item: Json = {"type": "tool_search_call", "id": f"tsc_{reply.seed[:32]}", "call_id": f"call_{reply.seed[:24]}"}
    item |= {"execution": "client", "arguments": reply.call.arguments, "status": "completed"}
    ended = openai_answers.responses(Reply(seed=reply.seed, model=reply.model, prompt_tokens=9), body, encrypted=False)
    events: list[Json] = [
        {"type": "response.created", "response": {**ended, "status": "in_progress", "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "status": "in_progress"}},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": {**ended, "output": [item]}},
    ]
    return wire.named_stream(((0.0, {**event, "sequence_number": at}) for at, event in enumerate(events)), ())


def refusal(door: Wire, rule: Rule) -> Answer:
    """Returns a rule's answer."""
    return _error(door, rule.status, rule.words)


def _error(door: Wire, status: int, words: str) -> Answer:
    if door is Wire.MESSAGES:
        body: Json = {"type": "error", "error": {"type": "invalid_request_error", "message": words}}
    elif door is Wire.GEMINI:
        body = {"error": {"code": status, "message": words, "status": "INVALID_ARGUMENT"}}
    else:
        body = {"error": {"message": words, "type": "invalid_request_error", "param": None, "code": None}}
    return Answer(status=status, pieces=(json.encode(body),))
