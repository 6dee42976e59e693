"""The small pure modules under the machine: ids, memory, targets, dates, counts, JSON and headers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.codecs import http_date, json_text
from agcore.codecs.header_fields import DOWN, UP, field_value, first, media_type, passing
from agcore.codecs.json_splice import parse as members_of
from agcore.codecs.request_target import RequestTarget, parse
from agcore.codecs.sse import Decoder, encode
from agcore.conversation.usage import Usage, count
from agcore.dialects import DIALECTS
from agcore.ingress.routes import match
from agcore.machines.ids import Ids
from agcore.protocol.fault import Fault, invalid
from agcore.protocol.http import Origin
from agcore.protocol.inputs import Sent, Stage, UpstreamFailed
from agcore.routing.retry import is_free_reattempt
from agcore.state.shared import LocalState
from agcore.upstream.request import host_header
from tests.support.dialogues import ANTHROPIC, CHAT, DIALOGUES, GEMINI

NEVER_UP = (b"authorization", b"x-api-key", b"x-goog-api-key", b"cookie", b"origin", b"x-forwarded-for", b"forwarded",
            b"x-stainless-lang", b"openai-organization", b"openai-project", b"accept-encoding", b"host", b"via",
            b"content-length", b"transfer-encoding", b"connection")  # fmt: skip
NEVER_DOWN = (b"set-cookie", b"openai-organization", b"anthropic-organization-id", b"server", b"alt-svc",
              b"content-length", b"transfer-encoding", b"connection", b"content-encoding")  # fmt: skip


# Ids.


def test_ids_are_the_same_for_one_secret_and_differ_otherwise() -> None:
    one, same, other = Ids(bytes(32)), Ids(bytes(32)), Ids(b"\1" * 32)
    minted = [one.mint("req_") for _ in range(100)]
    assert minted == [same.mint("req_") for _ in range(100)]
    assert len({*minted, *(other.mint("req_") for _ in range(100))}) == 200
    assert all(len(each) == 28 and int(each[4:], 16) >= 0 for each in minted)


def test_a_digest_depends_on_the_secret_and_is_no_id() -> None:
    assert Ids(bytes(32)).digest(b"k") == Ids(bytes(32)).digest(b"k") != Ids(b"\1" * 32).digest(b"k")
    assert Ids(bytes(32)).digest((1).to_bytes(8, "big"))[:12].hex() not in Ids(bytes(32)).mint("")


@pytest.mark.parametrize("size", [0, 31, 33])
def test_the_secret_has_32_bytes(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Ids(bytes(size))


# Memory and keys.


@given(st.lists(st.integers(0, 60), max_size=20))
def test_the_ledger_never_promises_more_memory_than_there_is(sizes: list[int]) -> None:
    ledger, held = LocalState(Ids(bytes(32)), max_buffered=100), 0
    for size in sizes:
        fits = held + size <= 100
        assert ledger.reserve(size) == fits
        held += size if fits else 0
        assert ledger.buffered == held
    ledger.release(held)
    assert ledger.buffered == 0


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("sent", Sent)
@pytest.mark.parametrize("reused", [True, False])
@pytest.mark.parametrize("taken", [True, False])
def test_only_a_stale_connection_is_replaced_for_free_and_once(
    stage: Stage, sent: Sent, reused: bool, taken: bool
) -> None:
    failed = UpstreamFailed(1, stage, sent, reused, "closed")
    stale = reused and not taken and stage in (Stage.SEND, Stage.HEAD)
    assert is_free_reattempt(failed, already_taken=taken, repeatable=True) == stale
    # What must not happen twice is repeated only where nothing of it can have arrived.
    assert is_free_reattempt(failed, already_taken=taken, repeatable=False) == (stale and sent is Sent.NONE)


# Request targets.


@pytest.mark.parametrize(
    ("raw", "path", "query", "key"),
    [
        (b"/", "/", (), None),
        (b"//", "/", (), None),
        (b"*", "*", (), None),
        (b"/v1/models/", "/v1/models", (), None),
        (b"/v1/v1/models", "/v1/models", (), None),
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


# Dates.


@given(st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)))
def test_an_http_date_is_read(moment: datetime) -> None:
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    assert http_date.parse(format_datetime(moment, usegmt=True)) == moment.timestamp()


def test_a_leap_second_is_the_one_before() -> None:
    assert http_date.parse("Sat, 31 Dec 2016 23:59:60 GMT") == http_date.parse("Sat, 31 Dec 2016 23:59:59 GMT")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "Sun, 06 Nov 1994 08:49:37 PST",
        "Sun, 06 Now 1994 08:49:37 GMT",
        "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, xx Nov 1994 08:49:37 GMT",
        f"Sun, 06 Nov {10**30} 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ],
)
def test_what_is_no_imf_fixdate_is_none(text: str) -> None:
    assert http_date.parse(text) is None


@given(
    st.text(max_size=40)
    | st.lists(st.sampled_from(["Sun,", "06", "Nov", "1994", "08", ":", "49", "37", "GMT", "9999999999999"])).map(
        " ".join
    )
)
def test_any_text_is_a_date_or_none(text: str) -> None:
    assert isinstance(http_date.parse(text), float | None)


# Counts and usage.


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, 7),
        (7.0, 7),
        ("7", 7),
        (-7, 0),
        (True, 0),
        (None, 0),
        ("x", 0),
        ("٣", 0),
        ("9" * 30, 0),
        (1e300, 0),
        (float("nan"), 0),
        (float("inf"), 0),
        ([7], 0),
    ],
)
def test_only_sensible_counts_count(value: object, number: int) -> None:
    assert count({"a": {"b": value}}, "a", "b") == number
    assert count(value, "a") == 0


def test_all_input_is_the_sum_of_its_parts() -> None:
    assert Usage(fresh=1, cache_read=2, cache_write=4, output=8).input == 7


@pytest.mark.parametrize(
    ("dialect", "answer", "usage"),
    [
        (
            "openai",
            {
                "usage": {
                    "prompt_tokens": 100,
                    "completion_tokens": 9,
                    "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
                    "completion_tokens_details": {"reasoning_tokens": 4},
                }
            },
            Usage(fresh=10, cache_read=60, cache_write=30, output=9, reasoning=4),
        ),
        ("openai", {"usage": {"prompt_tokens": 5, "total_tokens": 7}}, Usage(fresh=5, output=2)),
        ("openai", {"usage": {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9}}}, Usage(cache_read=9)),
        (
            "openai_responses",
            {
                "usage": {
                    "input_tokens": 100,
                    "output_tokens": 9,
                    "input_tokens_details": {"cached_tokens": 60},
                    "output_tokens_details": {"reasoning_tokens": 4},
                }
            },
            Usage(fresh=40, cache_read=60, output=9, reasoning=4),
        ),
        (
            "anthropic",
            {
                "usage": {
                    "input_tokens": 10,
                    "cache_read_input_tokens": 60,
                    "cache_creation_input_tokens": 30,
                    "output_tokens": 9,
                    "output_tokens_details": {"thinking_tokens": 4},
                }
            },
            Usage(fresh=10, cache_read=60, cache_write=30, output=9, reasoning=4),
        ),
        (
            "gemini",
            {
                "usageMetadata": {
                    "promptTokenCount": "100",
                    "cachedContentTokenCount": 60,
                    "toolUsePromptTokenCount": 3,
                    "candidatesTokenCount": 5,
                    "thoughtsTokenCount": 4,
                }
            },
            Usage(fresh=43, cache_read=60, output=9, reasoning=4),
        ),
    ],
)
def test_each_vendors_counts_become_disjoint_parts(dialect: str, answer: dict[str, object], usage: Usage) -> None:
    assert DIALECTS[dialect].read_usage(answer) == usage


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_answer_without_usage_has_none(dialect: str) -> None:
    assert DIALECTS[dialect].read_usage({"usage": 5, "usageMetadata": []}) is None


def test_what_a_message_ends_with_overrides_what_it_started_with() -> None:
    tap = DIALECTS["anthropic"].StreamTap(shown_model=None, hide_usage=False)
    assert tap.usage is None
    for event in (
        b'{"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":1}}}',
        b'{"type":"message_delta","delta":{},"usage":{"output_tokens":9,"input_tokens":null}}',
    ):
        (frame,) = Decoder().feed(encode(event))
        tap.read(frame)
    assert tap.usage == Usage(fresh=5, output=9)


# JSON.


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(), st.lists, max_leaves=9))
def test_json_comes_back_as_it_was(value: object) -> None:
    assert json_text.decode(json_text.encode(value)) == value


@given(st.text(st.characters(categories=["Cs", "L"]), max_size=5))
def test_half_a_surrogate_pair_survives(text: str) -> None:
    wire = json.dumps({"a": text}).encode()
    assert json_text.decode(json_text.encode(json_text.decode(wire))) == json_text.decode(wire)


@given(st.binary(max_size=30))
def test_any_bytes_are_json_or_a_value_error(data: bytes) -> None:
    try:
        json_text.decode(data)
    except ValueError:
        return
    json.loads(data)


def test_what_is_nested_too_deeply_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        json_text.decode(b"[" * 100_000 + b"]" * 100_000)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="nested too deeply"):
        json_text.encode(deep)
    while deep:
        deep = deep[0]  # type: ignore[assignment] # taken apart by hand: the collector would recurse


# Headers.


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_text_becomes_a_legal_field_value(text: str) -> None:
    value = field_value(text)
    assert value.strip() == value
    assert value.isascii()
    assert value.decode().isprintable()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_credential_and_no_trace_of_the_client_goes_up(dialect: str) -> None:
    assert passing(tuple((name, b"x") for name in NEVER_UP), UP[dialect]) == ()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_cookie_and_no_organisation_comes_down(dialect: str) -> None:
    assert passing(tuple((name, b"x") for name in NEVER_DOWN), DOWN[dialect]) == ()


def test_fields_pass_by_name_or_by_prefix_in_order() -> None:
    fields = ((b"x-codex-b", b"1"), (b"x-other", b"2"), (b"openai-beta", b"3"), (b"x-codex-a", b"4"))
    assert passing(fields, UP["openai"]) == (fields[0], fields[2], fields[3])
    assert (first(fields, b"openai-beta"), first(fields, b"none")) == (b"3", None)
    assert (media_type(((b"content-type", b" Text/HTML ; x"),)), media_type(())) == (b"text/html", b"")


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


# Faults and dialects.


def test_a_fault_of_the_client_is_a_400_unless_said_otherwise() -> None:
    assert (invalid("m").status, invalid("m", status=415, param="p").param) == (400, "p")


def test_dialects_have_their_own_counters_or_none() -> None:
    target = parse(b"/v1beta/models/m:countTokens")
    assert isinstance(target, RequestTarget)
    found = match("POST", target, ())
    counts = {
        name: dialect.count_target(b"/p", found, "m")  # type: ignore[arg-type] # the path matches
        for name, dialect in DIALECTS.items()
    }
    assert counts == {
        "openai": None,
        "openai_completions": None,
        "openai_responses": b"/p/responses/input_tokens",
        "anthropic": b"/p/v1/messages/count_tokens",
        "gemini": b"/p/v1beta/models/m:countTokens",
    }


def test_a_request_that_names_its_model_right_needs_no_edit() -> None:
    for dialogue in (CHAT, ANTHROPIC, GEMINI):
        dialect = DIALECTS[dialogue.dialect]
        target = parse(dialogue.target("m", stream=False).encode())
        assert isinstance(target, RequestTarget)
        found = match("POST", target, ())
        members = members_of(dialogue.request("m", stream=False))
        ask = dialect.read_ask(members, found, target)  # type: ignore[arg-type] # the path matches
        assert not isinstance(ask, Fault)
        assert dialect.edits(members, ask, "m") == ({}, False)
    assert len(DIALOGUES) == len(DIALECTS)
