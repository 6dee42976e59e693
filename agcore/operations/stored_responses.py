"""Responses that were answered before: read again, listed by their input, deleted.

What is held here is answered from here. What a provider holds is asked from that provider, and from no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

import msgspec

from agcore.codecs import json_text
from agcore.codecs.request_target import RequestTarget
from agcore.config.values import Limits
from agcore.conversation.losses import Losses
from agcore.conversion.base import Conversion, Outgoing
from agcore.conversion.passthrough import PassThrough
from agcore.dialects.base import RequestSummary
from agcore.machines.operation import ExchangeParts, Operation
from agcore.machines.request_body import BodyPolicy
from agcore.machines.upstream_call import UpstreamCall
from agcore.operations.asking import JSON, Asking
from agcore.operations.endpoints import not_asked, own_dialect
from agcore.operations.forward import Forward
from agcore.operations.remember import pinned_candidate
from agcore.operations.task import Task
from agcore.operations.tasks import read_generation
from agcore.protocol.fault import Fault, invalid
from agcore.protocol.report import Usage
from agcore.protocol.state import Store
from agcore.routing.candidates import Candidate
from agcore.state.responses import Kept, Missing, Pin, Pinned

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 100
"""Items of a page, as OpenAI documents them."""


class Stored(msgspec.Struct, frozen=True):
    """A row for each request about a stored response. Called with the parts of an exchange, it makes the operation."""

    shown: Callable[[str, Kept, RequestTarget], bytes | Fault]
    """The answer to a GET of the response of an id that is held here."""
    body: BodyPolicy = BodyPolicy.DISCARD
    json_body: bool = False
    metered: bool = False

    def max_body(self, limits: Limits) -> int:
        """Returns the bytes that a JSON body may have."""
        return limits.max_json

    def __call__(self, parts: ExchangeParts) -> Operation:
        """The operation of one exchange."""
        return StoredResponse(parts, self)


class StoredResponse(Forward):
    """`GET` and `DELETE /v1/responses/{id}`, and what stands under it."""

    def __init__(self, parts: ExchangeParts, stored: Stored) -> None:
        super().__init__(parts, HELD)
        self._stored = stored

    def run(self, body: bytes, *, now: float) -> None:
        """Answer from the store, or ask the provider that has it."""
        request, outside, id = self.request, self.services.outside, self.request.match.name
        entry = self.parts.environment.load(Store.RESPONSES, (id,), client=request.client, now=now)[id]
        holders = self._holders(entry) if isinstance(entry, Pinned) else []
        if isinstance(entry, Missing) or (not holders and not isinstance(entry, Kept)):
            return self.client.fail(Fault(status=404, message=f"Response with id '{id}' not found."), now=now)
        if request.target.first("stream") == "true":
            return self.client.fail(invalid("a stored response is not streamed", param="stream"), now=now)
        if not isinstance(entry, Kept):
            pin, candidate = holders[0]
            self.asking = msgspec.structs.replace(self.asking, summary=RequestSummary(model=pin.asked))
            return self.ask((candidate,), now=now)
        if request.head.method == "DELETE":
            outside.forget_response(id, client=request.client)
            gone = {"id": id, "object": "response.deleted", "deleted": True}
            return self.client.answer(200, msgspec.json.encode(gone), now=now)
        shown = self._stored.shown(id, entry, request.target)
        if isinstance(shown, Fault):
            return self.client.fail(shown, now=now)
        return self.client.answer(200, shown, now=now)

    def _holders(self, entry: Pinned) -> list[tuple[Pin, Candidate]]:
        """Those who hold the response and can still be asked, the latest first."""
        dialect = self.dialect.traits.name
        found = [(pin, pinned_candidate(pin, self.services, dialect=dialect)) for pin in entry.pins]
        return [(pin, candidate) for pin, candidate in found if candidate is not None]


def ask_holder(asking: Asking, candidate: Candidate, candidates: object, now: float) -> Conversion:
    """Returns the same request, without a body, for the provider that holds the response."""
    request = asking.request
    suffix = request.match.route.path.partition("{name}")[2]
    path = candidate.endpoint.prefix + f"/responses/{quote(request.match.name, safe='')}{suffix}".encode("ascii")
    query = request.target.raw_query
    headers = asking.headers(candidate, (b"accept", JSON), translated=False)
    return PassThrough(
        Outgoing(path + b"?" + query if query else path, headers, method=request.head.method),
        asking.upstream(candidate),
        shown_model=asking.shown_model(candidate),
        losses=Losses(),
        read_usage=consumed_before,
    )


def consumed_before(answer: Mapping[str, object]) -> Usage | None:
    """Nothing: what the answer tells was consumed, and accounted for, when it was made."""
    return None


def forget(asking: Asking, call: UpstreamCall, conversion: Conversion) -> None:
    """Forgets a response that its provider has deleted."""
    if asking.request.head.method == "DELETE":
        asking.services.outside.forget_response(asking.request.match.name, client=asking.request.client)


HELD: Final = Task(
    read=read_generation, endpoint=own_dialect, unserved=not_asked, convert=ask_holder, kept=forget, metered=False
)
"""Responses that a provider holds."""


def whole(id: str, entry: Kept, target: RequestTarget) -> bytes | Fault:
    """The response."""
    return entry.response


def input_items(id: str, entry: Kept, target: RequestTarget) -> bytes | Fault:
    """A page of the items, the newest first unless the query says otherwise."""
    limit = _limit(target)
    if limit is None:
        return invalid(f"`limit` must be a number from 1 to {MAX_LIMIT}", param="limit")
    decoded = json_text.decode(entry.input)
    assert isinstance(decoded, list)
    # An id that an item lacks is made from its place: history only grows at its end.
    items = [{"id": f"msg_{id}_in{place}", **item} for place, item in enumerate(decoded)]
    if target.first("order") != "asc":
        items.reverse()
    after = target.first("after")
    if after is not None:
        start = next((place for place, item in enumerate(items, 1) if item["id"] == after), None)
        if start is None:
            return invalid(f"there is no item {after!r}", param="after")
        items = items[start:]
    page = items[:limit]
    listed = {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": len(items) > limit,
    }
    return json_text.encode(listed)


def complete(id: str, entry: Kept, target: RequestTarget) -> bytes | Fault:
    """Returns the refusal of a cancellation: a response that is held here was complete when it was kept."""
    return invalid("only a response in the background can be cancelled, and this one is complete")


STORED: Final = Stored(whole)
"""`/v1/responses/{id}`."""

INPUT_ITEMS: Final = Stored(input_items)
"""`/v1/responses/{id}/input_items`."""

CANCEL: Final = Stored(complete)
"""`POST /v1/responses/{id}/cancel`: for what a provider answers in the background."""


def _limit(target: RequestTarget) -> int | None:
    text = target.first("limit")
    if text is None:
        return DEFAULT_LIMIT
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= MAX_LIMIT else None
