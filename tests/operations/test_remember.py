"""Requests that go on from an earlier response, beyond what stories reach."""

from __future__ import annotations

import sys
from typing import cast

import pytest

from agcore.codecs.json_splice import BodyError, parse
from agcore.dialects import DIALECTS
from agcore.dialects.base import PathParts, RequestSummary
from agcore.ingress.request import Routed
from agcore.machines.environment import Environment
from agcore.machines.services import GatewayServices
from agcore.operations.asking import Asking
from agcore.operations.remember import expanded


def test_input_that_is_too_deep_to_be_looked_into_is_refused() -> None:
    nested = b"[" * 500 + b"]" * 500
    members = parse(b'{"input":[{"type":"item_reference"},%b]}' % nested)
    asking = Asking(
        cast("Routed", None),
        cast("GatewayServices", None),
        DIALECTS["openai_responses"],
        PathParts(),
        RequestSummary(model="m"),
        members,
    )

    def deep(frames: int) -> object:
        return deep(frames - 1) if frames else expanded(asking, cast("Environment", None), 0.0)

    with pytest.raises(BodyError, match="nested too deeply"):
        deep(sys.getrecursionlimit() // 2 + 100)
