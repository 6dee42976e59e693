"""A frontend without IO: a gateway that is asked and answered in simulated time.

`World` plays everybody but the gateway: the clients, the upstreams, the network and the clock. `Story` is one exchange,
told step by step, for whoever wants to say each input himself.
"""

from __future__ import annotations

from agcore_sim.clients import ClientRequest, request
from agcore_sim.dialogues import ANTHROPIC, CHAT, COMPLETIONS, DIALOGUES, GEMINI, GEMINI_ARRAY, RESPONSES, Dialogue
from agcore_sim.faults import Act
from agcore_sim.story import EPOCH, SECRET, Story
from agcore_sim.upstreams import Asked, Script, Served, Upstreams
from agcore_sim.world import World

__all__ = [
    "ANTHROPIC",
    "CHAT",
    "COMPLETIONS",
    "DIALOGUES",
    "EPOCH",
    "GEMINI",
    "GEMINI_ARRAY",
    "RESPONSES",
    "SECRET",
    "Act",
    "Asked",
    "ClientRequest",
    "Dialogue",
    "Script",
    "Served",
    "Story",
    "Upstreams",
    "World",
    "request",
]
