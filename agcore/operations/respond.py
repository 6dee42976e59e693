"""Generation by `/v1/responses`, which may go on from an earlier response.

What an earlier response left behind is looked up once, when the request is read. If a provider holds it, the request
goes there and nowhere else; if it is held here, its items are put before the new ones, and the upstream, of whatever
dialect, gets the whole conversation. Every answer is remembered in turn, unless the request says `"store": false`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from agcore.codecs import json_text
from agcore.codecs.json_splice import BodyError, Members, parse
from agcore.conversion.passthrough import PassThroughStream
from agcore.dialects.base import RequestSummary
from agcore.dialects.openai_responses.stream_tap import StreamTap
from agcore.dialects.openai_responses.traits import NAME
from agcore.machines.upstream_call import UpstreamCall
from agcore.operations.generate import Generate
from agcore.protocol.fault import Fault
from agcore.routing.candidates import Candidate
from agcore.state.responses import Entry, Kept, Pinned

if TYPE_CHECKING:
    from agcore.conversion.translation import Translation
    from agcore.machines.operation import ExchangeParts
    from agcore.machines.services import GatewayServices


class Respond(Generate):
    """`Generate`, with a memory."""

    _earlier: Entry | None = None
    _previous: str | None = None
    _stores = True
    _remembered = False
    _key = ""
    _sent: Members

    def __init__(self, parts: ExchangeParts) -> None:
        super().__init__(parts)
        self._store = self.services.ledger.responses
        self._client = self.request.client

    def read_ask(self, members: Members) -> RequestSummary | Fault:
        """What the request asks for, and where it goes on. Another client's response is not found."""
        self._stores = members.raw("store") != b"false"
        previous = members.value("previous_response_id")
        if isinstance(previous, str):
            if self._store.is_foreign(previous, client=self._client):
                return _not_found(previous)
            self._previous = previous
            self._earlier = self._store.find(previous, client=self._client)
        return super().read_ask(members)

    def find_candidates(self, model: str) -> tuple[Candidate, ...] | Fault:
        """Where the earlier response is held, whatever the model's name resolves to; else as for any request."""
        earlier = self._earlier
        if not isinstance(earlier, Pinned):
            return super().find_candidates(model)
        assert self._previous is not None
        found = self.resolve(model)
        if isinstance(found, Fault):
            return found
        candidate = pinned_candidate(earlier, self.services)
        if candidate is None:
            return _not_found(self._previous)
        names = [target.model for target in found.targets if target.provider.name == earlier.provider]
        return (msgspec.structs.replace(candidate, model=names[0]) if names else candidate,)

    def expanded(self, members: Members, *, now: float) -> Members | None:
        """The conversation as a whole, as far as it is held here."""
        changes = self._expansion(members)
        if not changes:
            return members
        expanded = members.edited(changes)
        return parse(expanded) if self.memory.reserve(len(expanded), now=now) else None

    def _expansion(self, members: Members) -> dict[str, bytes | None]:
        """The changes that put earlier items in place of their ids."""
        earlier = self._earlier
        if not isinstance(earlier, Kept) and b"item_reference" not in members.body:
            return {}
        try:
            items = json_text.decode(items_of(members))
            if not isinstance(items, list):
                return {}  # for whoever reads it to say what is wrong
            items = [self._dereferenced(item) for item in items]
            if isinstance(earlier, Kept):
                past, response = json_text.decode(earlier.input), json_text.decode(earlier.response)
                assert isinstance(past, list)
                assert isinstance(response, dict)
                return {"input": _encoded([*past, *response["output"], *items]), "previous_response_id": None}
            return {"input": _encoded(items)}
        except (ValueError, RecursionError):
            raise BodyError("`input` is nested too deeply") from None

    def _dereferenced(self, item: object) -> object:
        if not isinstance(item, dict) or item.get("type") != "item_reference" or not isinstance(item.get("id"), str):
            return item
        held = self._store.find_item(item["id"], client=self._client)
        response = json_text.decode(held.response) if held is not None else {}
        output = response.get("output") if isinstance(response, dict) else None
        return next((each for each in output or () if each.get("id") == item["id"]), item)

    def _translate(self, members: Members, candidate: Candidate) -> Translation | Fault:
        translation = super()._translate(members, candidate)
        if not isinstance(translation, Fault):
            # The response repeats the request as the client wrote it.
            echo = translation.conversation.echo
            assert isinstance(echo, dict)
            told = {**echo, "store": self._stores, "previous_response_id": self._previous}
            translation.conversation = msgspec.structs.replace(translation.conversation, echo=told)
        return translation

    def answered(self, body: bytes) -> None:
        """Remember an answer that was not streamed."""
        if not self._stores:
            return
        with suppress(ValueError):  # nested too deeply: an answer that cannot be remembered is still an answer
            response = json_text.decode(body)
            assert isinstance(response, dict)
            self._remember(response, body)

    def discard_answer(self) -> None:
        """Forget what was answered so far, but for a response that announced itself: it exists."""
        super().discard_answer()
        self._remembered = False

    def call_begun(self, call: UpstreamCall, *, now: float) -> None:
        """A response belongs to the account of the key that it was made with."""
        self._key = call.key.id
        super().call_begun(call, now=now)

    def call_data(self, call: UpstreamCall, data: bytes, *, now: float) -> None:
        """Pass a piece on, and remember what it completes."""
        super().call_data(call, data, now=now)
        self._remember_sound_stream()

    def call_end(self, call: UpstreamCall, *, now: float) -> None:
        """End the answer, and remember what that completes."""
        super().call_end(call, now=now)
        self._remember_sound_stream()

    def call_failed(self, call: UpstreamCall, fault: Fault, *, now: float) -> None:
        """A complete answer is remembered, whatever becomes of its connection."""
        super().call_failed(call, fault, now=now)
        self._remember_stream()

    def _remember_sound_stream(self) -> None:
        """Remember a stream, unless it was rejected: another attempt may take its place."""
        if self._stream is None or self._stream.fault is None:
            self._remember_stream()

    def _remember_stream(self) -> None:
        if self._remembered or not self._stores or self._stream is None:
            return
        if isinstance(self._stream, PassThroughStream):
            tap = self._stream.tap
            assert isinstance(tap, StreamTap)
            if tap.response is not None:
                self._remember(tap.response, b"")
            return
        from agcore.dialects.openai_responses.answer_writer import ResponseWriter  # loaded by the translation

        writer = self._stream.writer
        assert isinstance(writer, ResponseWriter)
        if writer.response is not None:
            with suppress(ValueError):
                self._remember(writer.response, json_text.encode(writer.response))

    def _remember(self, response: Mapping[str, object], body: bytes) -> None:
        id = response.get("id")
        if not isinstance(id, str) or not id:
            return
        self._remembered = True
        entry: Entry
        if self._translation is None:
            assert self.candidate is not None
            entry = Pinned(
                client=self._client,
                provider=self.candidate.provider.name,
                key=self._key,
                model=self.candidate.model,
                asked=self.ask.model,
            )
        else:
            output = response["output"]
            assert isinstance(output, list)
            items = tuple(item["id"] for item in output)
            entry = Kept(client=self._client, input=items_of(self._members), response=body, items=items)
        self._store.put(id, entry)


def items_of(members: Members) -> bytes:
    """A request's `input` as the text of a JSON array: what is said in short is one message of the user's."""
    raw = members.raw("input")
    if raw is None or raw in (b"null", b'""'):
        return b"[]"
    if not raw.startswith(b'"'):
        return raw
    return b'[{"type":"message","role":"user","content":[{"type":"input_text","text":' + raw + b"}]}]"


def pinned_candidate(pin: Pinned, services: GatewayServices) -> Candidate | None:
    """Where a pinned response is held; None where its key is gone, or its provider speaks no Responses any more."""
    for provider in services.config.providers:
        endpoint = provider.endpoints.get(NAME)
        if provider.name == pin.provider and endpoint is not None:
            if all(key.id != pin.key for key in services.ledger.pool.keys(provider)):
                return None
            return Candidate(provider=provider, endpoint=endpoint, model=pin.model, key=pin.key)
    return None


def _encoded(items: list[object]) -> bytes:
    """Items as JSON that any parser takes: half a character, which upstreams do write, is a question mark."""
    try:
        return msgspec.json.encode(items)
    except UnicodeEncodeError:
        import json  # rarely needed, and not free to import

        return json.dumps(items, ensure_ascii=False).encode("utf-8", "replace")


def _not_found(id: str) -> Fault:
    """The error after which clients send the whole conversation, by its code (docs/wire/openai-responses.md#state)."""
    return Fault(
        status=400,
        message=f"Previous response with id '{id}' not found.",
        code="previous_response_not_found",
        param="previous_response_id",
    )
