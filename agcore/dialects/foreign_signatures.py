"""Signatures that an upstream does not take, taken out of a request that otherwise passes as it is.

A client that was served by one vendor and is now served by another of the same dialect echoes carriers
(conversation/signature_carrier) inside its history. A vendor refuses signatures that it did not make, so they go; one
that it did make, and that travelled as a carrier, becomes native again. Requests without carriers, which are nearly
all, cost one search.

An upstream may also refuse what it did sign: another account signed it, a key was rotated, a client changed a byte.
Then `unsigned` takes out all signatures, and the request is asked once more.
"""

from __future__ import annotations

import re
from functools import cache

from agcore.codecs import json_text
from agcore.codecs.json_splice import Members, parse
from agcore.conversation.losses import Losses
from agcore.dialects import DIALECTS, task_registry
from agcore.dialects.shared.natives import MARKS, Natives
from agcore.protocol.fault import Fault


def is_refusal(dialect: str, fault: Fault) -> bool:
    """Whether a 400 of an upstream is about a signature in the request."""
    refusals = _refusals(dialect)
    return refusals is not None and refusals.search(f"{fault.code} {fault.message}") is not None


@cache
def _refusals(dialect: str) -> re.Pattern[str] | None:
    rules = task_registry.signatures().get(dialect)
    return None if rules is None else re.compile("|".join(rules.REFUSALS), re.IGNORECASE | re.DOTALL)


def unsigned(dialect: str, body: bytes, *, losses: Losses) -> bytes | None:
    """A request without signatures, nor what cannot be said without them; None where it has none that can be read."""
    members, name, rules = parse(body), DIALECTS[dialect].traits.history_member, task_registry.signatures()[dialect]
    assert name is not None
    try:
        history = _listed(members.value(name))
        if history is None:
            return None
        cleaned = rules.unsigned(history)
        if cleaned == history:
            return None
        changes = {name: json_text.encode(cleaned), **rules.consequences(members, history, losses)}
    except ValueError:  # a number out of range, or too deep a nesting: the upstream's refusal is the answer
        return None
    losses.add(name, "the upstream refused a signature that it had made")
    return members.edited(changes)


def _listed(history: object) -> list[object] | None:
    """A history as a list: Google takes one content in place of a list of one. None for what is no history."""
    return history if isinstance(history, list) else [history] if isinstance(history, dict) else None


def edits(dialect: str, members: Members, *, signer: str, losses: Losses) -> dict[str, bytes | None]:
    """The member of the request to replace, where its history holds carriers; nothing otherwise."""
    name, rules = DIALECTS[dialect].traits.history_member, task_registry.signatures().get(dialect)
    if name is None or rules is None or not any(mark in members.body for mark in MARKS):
        return {}
    history = _listed(members.value(name))
    if history is None:
        return {}
    natives = Natives(signer, losses)
    cleaned = rules.localized(history, natives)
    return {name: json_text.encode(cleaned)} if natives.found else {}
