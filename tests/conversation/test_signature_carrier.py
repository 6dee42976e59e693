"""Carriers: signatures that travel through a foreign client and come back."""

from __future__ import annotations

import base64
import re
from typing import get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.conversation.signature_carrier import PREFIX, carrier, opened
from agcore.conversation.values import Signature
from agcore.dialects.gemini.carriers import google_carrier, google_opened

KINDS = get_args(get_type_hints(Signature)["kind"])
SIGNATURES = st.builds(
    Signature,
    signer=st.from_regex(r"[a-z0-9_.-]{0,12}", fullmatch=True),
    kind=st.sampled_from(KINDS),
    data=st.text(),
    id=st.text(max_size=20),
)
SIGNED = Signature("anthropic", "thinking", "EqQB+/==", "")


@given(SIGNATURES)
def test_a_carrier_brings_its_signature_back(signature: Signature) -> None:
    text = carrier(signature)
    assert re.fullmatch(r"gw1\.[A-Za-z0-9_.-]*", text)
    assert opened(text) == signature


@given(SIGNATURES)
def test_a_carrier_survives_google_clients_which_decode_and_encode_it(signature: Signature) -> None:
    text = google_carrier(signature)
    raw = base64.b64decode(text, validate=True)
    assert opened(raw.decode()) == signature
    for spelled in (text, text.rstrip("="), base64.urlsafe_b64encode(raw).decode()):
        assert google_opened(spelled) == signature


def test_google_carriers_are_read_in_both_alphabets() -> None:
    # Signers are plain words; only here does a carrier hold bytes whose base64 differs between the alphabets.
    raw = next(
        text.encode()
        for extra in range(1000)
        if b"+" in base64.b64encode((text := carrier(Signature(f"~~>{extra}", "call", "?>"))).encode())
    )
    standard, url_safe = base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()
    assert standard != url_safe
    assert google_opened(standard) == google_opened(url_safe) == opened(raw.decode()) is not None


def test_a_carrier_is_told_apart_at_its_beginning() -> None:
    assert carrier(SIGNED).startswith(PREFIX)
    assert google_carrier(SIGNED).startswith("Z3cxL")


@pytest.mark.parametrize(
    "junk",
    [
        "",
        "EqQBCkYIBxgC",
        "gw1.",
        "gw1..",
        "gw1.anthropic",
        "gw1.anthropic.",
        "gw1.anthropic.!!!",
        "gw1.anthropic.é",
        "gw1.anthropic." + base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        "gw1.anthropic." + base64.urlsafe_b64encode(b'["thinking","",7]').decode(),
        "gw1.anthropic." + base64.urlsafe_b64encode(b'["thinking",""]').decode(),
        "gw1.anthropic." + base64.urlsafe_b64encode(b'["spell","","data"]').decode(),
        "gw2" + carrier(SIGNED)[3:],
        carrier(SIGNED)[:-4],
    ],
)
def test_what_is_no_carrier_holds_no_signature(junk: str) -> None:
    assert opened(junk) is None
    assert google_opened(junk) is None
    assert google_opened(base64.b64encode(junk.encode()).decode()) is None


@given(st.text())
def test_any_text_at_all_is_read_without_a_fuss(text: str) -> None:
    for found in (opened(text), opened(PREFIX + text), google_opened(text)):
        assert found is None or isinstance(found, Signature)


def test_a_signature_that_unicode_cannot_carry_is_lost_quietly() -> None:
    assert opened(carrier(Signature("gemini", "call", "\ud83d"))) is None
