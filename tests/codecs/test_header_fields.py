"""Header fields: which pass, in which order, and what text becomes in one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.codecs.header_fields import field_value, first, media_type, passing
from agcore.dialects import DIALECTS

NEVER_UP = (b"authorization", b"x-api-key", b"x-goog-api-key", b"cookie", b"origin", b"x-forwarded-for", b"forwarded",
            b"x-stainless-lang", b"openai-organization", b"openai-project", b"accept-encoding", b"host", b"via",
            b"content-length", b"transfer-encoding", b"connection")  # fmt: skip

NEVER_DOWN = (b"set-cookie", b"openai-organization", b"anthropic-organization-id", b"server", b"alt-svc",
              b"content-length", b"transfer-encoding", b"connection", b"content-encoding")  # fmt: skip


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_text_becomes_a_legal_field_value(text: str) -> None:
    value = field_value(text)
    assert value.strip() == value
    assert value.isascii()
    assert value.decode().isprintable()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_credential_and_no_trace_of_the_client_goes_up(dialect: str) -> None:
    assert passing(tuple((name, b"x") for name in NEVER_UP), DIALECTS[dialect].traits.headers_up) == ()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_cookie_and_no_organisation_comes_down(dialect: str) -> None:
    assert passing(tuple((name, b"x") for name in NEVER_DOWN), DIALECTS[dialect].traits.headers_down) == ()


def test_fields_pass_by_name_or_by_prefix_in_order() -> None:
    fields = ((b"x-codex-b", b"1"), (b"x-other", b"2"), (b"openai-beta", b"3"), (b"x-codex-a", b"4"))
    assert passing(fields, DIALECTS["openai_chat"].traits.headers_up) == (fields[0], fields[2], fields[3])
    assert (first(fields, b"openai-beta"), first(fields, b"none")) == (b"3", None)
    assert (media_type(((b"content-type", b" Text/HTML ; x"),)), media_type(())) == (b"text/html", b"")
