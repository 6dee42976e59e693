"""A memory around a task whose requests may go on from an earlier response, as those of Responses do.

What an earlier response left behind is looked up once, when a request is read. If a provider holds it, the request goes
there and nowhere else; if it is held here, its items are put before the new ones, and the upstream, of whatever
dialect, gets the whole conversation. Every answer is remembered in turn, unless the request says `"store": false`.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeGuard

import msgspec

from agcore.codecs import json_text
from agcore.codecs.json_splice import BodyError, Members
from agcore.conversion.base import Conversion
from agcore.machines.environment import Environment
from agcore.machines.services import GatewayServices
from agcore.machines.upstream_call import UpstreamCall
from agcore.operations.asking import Asking, Earlier
from agcore.operations.task import Memory, Task
from agcore.protocol.fault import Fault
from agcore.protocol.state import Store
from agcore.routing.candidates import Candidate
from agcore.state.responses import Entry, Kept, Missing, Pin, Pinned

if TYPE_CHECKING:
    from agcore.conversion.translation import Translation


def remember(task: Task, *, stores: bool = True) -> Task:
    """The task with a memory of responses; it adds to the memory where it `stores`."""
    memory = Memory(partial(recall, stores=stores), bind, expanded)
    return msgspec.structs.replace(task, memory=memory, kept=keep)


def recall(asking: Asking, environment: Environment, now: float, *, stores: bool) -> Earlier | Fault:
    """Returns the response that a request follows, or a fault.

    Not found is another client's response, and any whose holder is away: clients send the whole conversation then.
    """
    members, client = asking.members, asking.request.client
    stores = stores and members.raw("store") != b"false"
    previous = members.value("previous_response_id")
    if not isinstance(previous, str):
        return Earlier(stores=stores)
    found = environment.load(Store.RESPONSES, (previous,), client=client, now=now)[previous]
    if not isinstance(found, Missing):
        return Earlier(previous, found, stores)
    return Earlier(previous, None, stores) if found is Missing.NOTHING else not_found(previous)


def bind(asking: Asking) -> tuple[Candidate, ...] | Fault | None:
    """The candidate where the earlier response is held; None where anybody may be asked.

    The model that is named decides among several holders. If none of them serves it, the response is not found: what
    another model said cannot be gone on from, and clients send the whole conversation then.
    """
    earlier = asking.earlier
    if not isinstance(earlier.entry, Pinned):
        return None
    assert earlier.previous is not None
    found = asking.resolve()
    if isinstance(found, Fault):
        return found
    for pin in earlier.entry.pins:
        model = next((target.model for target in found.targets if target.provider.name == pin.provider), None)
        candidate = pinned_candidate(pin, asking.services, dialect=asking.dialect.traits.name)
        if model is not None and candidate is not None:
            return (msgspec.structs.replace(candidate, model=model),)
    return not_found(earlier.previous)


def expanded(asking: Asking, environment: Environment, now: float) -> bytes | None:
    """The request with the conversation as a whole, as far as it is held here; None where it refers to nothing."""
    earlier, members = asking.earlier.entry, asking.members
    if not isinstance(earlier, Kept) and b"item_reference" not in members.body:
        return None
    try:
        items = json_text.decode(items_of(members))
        if not isinstance(items, list):
            return None  # for whoever reads it to say what is wrong
        references = [item["id"] for item in items if _is_reference(item)]
        if references:
            held = environment.load(Store.ITEMS, references, client=asking.request.client, now=now)
            items = [_dereferenced(item, held[item["id"]]) if _is_reference(item) else item for item in items]
        if not isinstance(earlier, Kept):
            return members.edited({"input": json_text.encode(items)})
        past, response = json_text.decode(earlier.input), json_text.decode(earlier.response)
        assert isinstance(past, list)
        if past and past[-1].get("type") == "compaction_trigger":
            past = []  # its answer stands for all that came before it
        assert isinstance(response, dict)
        whole = json_text.encode([*past, *response["output"], *items])
        return members.edited({"input": whole, "previous_response_id": None})
    except (ValueError, RecursionError):
        raise BodyError("`input` is nested too deeply") from None


def keep(asking: Asking, call: UpstreamCall, conversion: Conversion) -> None:
    """Remember a response: here, or that the account of the key that it was made with has it."""
    if not asking.earlier.stores:
        return
    response = conversion.response
    id = None if response is None else response.get("id")
    if not isinstance(id, str) or not id:
        return
    client = asking.request.client
    entry: Entry
    if not conversion.translated:
        candidate = call.candidate
        pin = Pin(candidate.provider.name, call.key.id, candidate.model, asking.summary.model)
        entry = Pinned(client, (pin,))
    else:
        assert response is not None
        output = response["output"]
        assert isinstance(output, list)
        with suppress(ValueError):  # nested too deeply: an answer that cannot be remembered is still an answer
            entry = Kept(
                client=client,
                input=items_of(asking.members),
                response=json_text.encode(response),
                items=tuple(item["id"] for item in output),
            )
            asking.services.outside.keep_response(id, entry)
        return
    asking.services.outside.keep_response(id, entry)


def echoed(translation: Translation, earlier: Earlier) -> None:
    """Have the response repeat the request as the client wrote it, in a dialect whose responses do."""
    echo = translation.conversation.echo
    if isinstance(echo, dict):
        told = {**echo, "store": earlier.stores, "previous_response_id": earlier.previous}
        translation.conversation = msgspec.structs.replace(translation.conversation, echo=told)


def items_of(members: Members) -> bytes:
    """A request's `input` as the text of a JSON array: what is said in short is one message of the user's."""
    raw = members.raw("input")
    if raw is None or raw in (b"null", b'""'):
        return b"[]"
    if not raw.startswith(b'"'):
        return raw
    return b'[{"type":"message","role":"user","content":[{"type":"input_text","text":' + raw + b"}]}]"


def pinned_candidate(pin: Pin, services: GatewayServices, *, dialect: str) -> Candidate | None:
    """Returns the candidate that holds a pinned response; None if its key or its endpoint for `dialect` is gone."""
    for provider in services.config.providers:
        endpoint = provider.endpoints.get(dialect)
        if provider.name == pin.provider and endpoint is not None:
            if all(key.id != pin.key for key in services.outside.keys(provider)):
                return None
            return Candidate(provider=provider, endpoint=endpoint, model=pin.model, key=pin.key)
    return None


def _is_reference(item: object) -> TypeGuard[dict[str, str]]:
    return isinstance(item, dict) and item.get("type") == "item_reference" and isinstance(item.get("id"), str)


def _dereferenced(item: dict[str, str], held: Entry | Missing) -> object:
    response = json_text.decode(held.response) if isinstance(held, Kept) else {}
    output = response.get("output") if isinstance(response, dict) else None
    return next((each for each in output or () if each.get("id") == item["id"]), item)


def not_found(id: str) -> Fault:
    """The error after which clients send the whole conversation: its code is what they look for."""
    return Fault(
        status=400,
        message=f"Previous response with id '{id}' not found.",
        code="previous_response_not_found",
        param="previous_response_id",
    )
