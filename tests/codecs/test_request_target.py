"""Request targets taken apart: path, query, and the credential that is kept out of both."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.codecs.request_target import RequestTarget, parse
from agcore.protocol.fault import Fault


@pytest.mark.parametrize(
    ("raw", "path", "query", "key"),
    [
        (b"/", "/", (), None),
        (b"//", "/", (), None),
        (b"*", "*", (), None),
        (b"/v1/models/", "/v1/models", (), None),
        (b"/v1/v1/models", "/v1/v1/models", (), None),
        (b"/v1/v1", "/v1/v1", (), None),
        (b"http://localhost:8045/v1/models?a=1", "/v1/models", (("a", "1"),), None),
        (b"HTTPS://h", "/", (), None),
        (b"/a%20b/%C3%A9", "/a b/é", (), None),
        (b"/v1beta/models/m%3Acount", "/v1beta/models/m:count", (), None),
        (b"/x?a=1&b=&c&=d&a=2&&e=f%3Dg+h", "/x", (("a", "1"), ("b", ""), ("c", ""), ("a", "2"), ("e", "f=g h")), None),
        (b"/x?key=s%2B1&a=b", "/x", (("a", "b"),), "s+1"),
        (b"/x?k%65y=s", "/x", (), "s"),
        (b"/x?", "/x", (), None),
        (b"/a+b", "/a+b", (), None),
        (b"/100%", "/100%", (), None),
    ],
)
def test_a_target_is_taken_apart(raw: bytes, path: str, query: tuple[tuple[str, str], ...], key: str | None) -> None:
    found = parse(raw)
    assert isinstance(found, RequestTarget)
    assert (found.path, found.query, found.key) == (path, query, key)


@pytest.mark.parametrize(
    "raw", [b"", b"x", b"example.com:443", b"file:///x", b"/\xff", b"/%0a", b"/?a=%00", b"/?%80=1", b"/?key=a&k%65y=b"]
)
def test_a_bad_target_is_a_fault(raw: bytes) -> None:
    found = parse(raw)
    assert isinstance(found, Fault)
    assert found.status == 400


@pytest.mark.parametrize(
    ("raw", "left"),
    [
        (b"/mcp", b""),
        (b"/mcp?", b""),
        (b"/mcp?a=%20b+c&a&=x&&b=1=2", b"a=%20b+c&a&=x&&b=1=2"),
        (b"/mcp?key=secret", b""),
        (b"/mcp?a=1&k%65y=secret&b=2", b"a=1&b=2"),
        (b"http://host/mcp?a=1&key=secret", b"a=1"),
    ],
)
def test_the_query_as_it_came_has_no_credential(raw: bytes, left: bytes) -> None:
    found = parse(raw)
    assert isinstance(found, RequestTarget)
    assert found.raw_query == left


def test_the_first_value_of_a_parameter_counts() -> None:
    found = parse(b"/?b=0&a=1&a=2")
    assert isinstance(found, RequestTarget)
    assert (found.first("a"), found.first("c")) == ("1", None)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_target_or_a_fault(raw: bytes) -> None:
    for each in (raw, b"/" + raw, b"/?" + raw):
        found = parse(each)
        if isinstance(found, RequestTarget):
            assert found.path.isprintable()
            assert found.path == "/" or not found.path.endswith("/")
            assert not any(name == "key" for name, _ in found.query)
