"""What clients send, and when they lose patience."""

from __future__ import annotations

import msgspec

from agcore import Headers
from agcore_sim.dialogues import Dialogue


class ClientRequest(msgspec.Struct, frozen=True):
    """One request of a client, whole."""

    method: str
    target: str
    headers: Headers = ()
    """Without `host`; `content-type` is JSON unless it is here."""
    body: bytes = b""
    stream: bool = False
    """Whether it asks for a stream, as the client means it."""
    patience: float | None = None
    """The seconds after which the client hangs up, or None where it waits for ever."""


def request(
    dialogue: Dialogue, model: str, *, stream: bool = False, headers: Headers = (), patience: float | None = None
) -> ClientRequest:
    """Give the request of a dialogue, for `model`.

    Args:
        dialogue: The client's dialect, and what is asked in it.
        model: The name that the client knows the model by.
        stream: Whether a stream is asked for.
        headers: Further header fields, such as a client key.
        patience: The seconds after which the client hangs up.

    """
    return ClientRequest(
        method="POST",
        target=dialogue.target(model, stream=stream),
        headers=headers,
        body=dialogue.request(model, stream=stream),
        stream=stream,
        patience=patience,
    )
