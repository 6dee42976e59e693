"""Responses that were answered before: read again, listed by their input, deleted.

What is held here is answered from here. What a provider holds is asked from that provider, and from no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final
from urllib.parse import quote

import msgspec

from agcore.codecs import json_text
from agcore.codecs.request_target import RequestTarget
from agcore.dialects.base import RequestSummary
from agcore.machines.request_body import BodyPolicy
from agcore.machines.upstream_call import UpstreamCall
from agcore.operations.pass_through import PassThrough
from agcore.operations.respond import pinned_candidate
from agcore.protocol.fault import Fault, invalid
from agcore.protocol.http import Headers
from agcore.protocol.report import Usage
from agcore.routing.candidates import Candidate
from agcore.state.responses import Kept
from agcore.upstream.request import UpstreamPlan

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 100
"""Items of a page, as OpenAI documents them."""


class StoredResponse(PassThrough):
    """`GET` and `DELETE /v1/responses/{id}`, and what stands under it."""

    body: ClassVar[BodyPolicy] = BodyPolicy.DISCARD
    json_body: ClassVar[bool] = False
    metered: ClassVar[bool] = False
    suffix: ClassVar[bytes] = b""
    """What follows the id in the path."""

    def run(self, body: bytes, *, now: float) -> None:
        """Answer from the store, or ask the provider that has it."""
        self._id = self.request.match.name
        store, client = self.services.ledger.responses, self.request.client
        entry = store.find(self._id, client=client)
        candidate = None
        if entry is not None and not isinstance(entry, Kept):
            candidate = pinned_candidate(entry, self.services)
        if entry is None or (candidate is None and not isinstance(entry, Kept)):
            return self.client.fail(Fault(status=404, message=f"Response with id '{self._id}' not found."), now=now)
        if self.request.target.first("stream") == "true":
            return self.client.fail(invalid("a stored response is not streamed", param="stream"), now=now)
        if candidate is not None:
            assert not isinstance(entry, Kept)
            self.candidate, self.ask = candidate, RequestSummary(model=entry.asked)
            return self._ask_holder(candidate, now)
        assert isinstance(entry, Kept)
        if self.request.head.method == "DELETE":
            store.remove(self._id, client=client)
            gone = {"id": self._id, "object": "response.deleted", "deleted": True}
            return self.client.answer(200, msgspec.json.encode(gone), now=now)
        shown = self.shown(entry)
        if isinstance(shown, Fault):
            return self.client.fail(shown, now=now)
        return self.client.answer(200, shown, now=now)

    def shown(self, entry: Kept) -> bytes | Fault:
        """The answer to a GET."""
        return entry.response

    def _ask_holder(self, candidate: Candidate, now: float) -> None:
        self.calls.start((candidate,), to=self, now=now)

    def call_plan(self, call: UpstreamCall, candidate: Candidate, *, now: float) -> UpstreamPlan:
        """The same request, without a body."""
        return UpstreamPlan(
            target=self.upstream_target(candidate), method=self.request.head.method, headers=self.headers_up()
        )

    def upstream_target(self, candidate: Candidate) -> bytes:
        """The same path and query at the provider."""
        path = candidate.endpoint.prefix + b"/responses/" + quote(self._id, safe="").encode("ascii") + self.suffix
        query = self.request.target.raw_query
        return path + b"?" + query if query else path

    def content_fields(self) -> Headers:
        """There is no body to describe."""
        return ((b"accept", b"application/json"),)

    def call_end(self, call: UpstreamCall, *, now: float) -> None:
        """Pass the provider's answer on; what it deleted is nowhere any more."""
        if call.plan.method == "DELETE":
            self.services.ledger.responses.remove(self._id, client=self.request.client)
        super().call_end(call, now=now)

    def read_usage(self, answer: Mapping[str, object]) -> Usage | None:
        """Nothing: what the answer tells was consumed, and accounted for, when it was made."""
        return None


class InputItems(StoredResponse):
    """`GET /v1/responses/{id}/input_items`."""

    suffix = b"/input_items"

    def shown(self, entry: Kept) -> bytes | Fault:
        """A page of the items, the newest first unless the query says otherwise."""
        target = self.request.target
        limit = _limit(target)
        if limit is None:
            return invalid(f"`limit` must be a number from 1 to {MAX_LIMIT}", param="limit")
        decoded = json_text.decode(entry.input)
        assert isinstance(decoded, list)
        # An id that an item lacks is made from its place: history only grows at its end.
        items = [{"id": f"msg_{self._id}_in{place}", **item} for place, item in enumerate(decoded)]
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


class CancelResponse(StoredResponse):
    """`POST /v1/responses/{id}/cancel`: for what a provider answers in the background."""

    suffix = b"/cancel"

    def shown(self, entry: Kept) -> bytes | Fault:
        """What is held here was complete when it was answered."""
        return invalid("only a response in the background can be cancelled, and this one is complete")


def _limit(target: RequestTarget) -> int | None:
    text = target.first("limit")
    if text is None:
        return DEFAULT_LIMIT
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= MAX_LIMIT else None
