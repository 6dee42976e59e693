"""Requests for upstreams."""

from __future__ import annotations

import pytest

from agcore.protocol.http import Origin
from agcore.upstream.request import host_header


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (Origin("https", "a.example", 443), b"a.example"),
        (Origin("http", "a.example", 443), b"a.example:443"),
        (Origin("http", "a.example", 80), b"a.example"),
        (Origin("https", "::1", 8443), b"[::1]:8443"),
    ],
)
def test_the_host_field_names_no_default_port(origin: Origin, host: bytes) -> None:
    assert host_header(origin) == host
