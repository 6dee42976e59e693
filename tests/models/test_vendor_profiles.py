"""Vendor profiles: every row is well-formed and has a source, and rows add up from the general to the special."""

from __future__ import annotations

import msgspec
import pytest

from agcore.config.presets import PRESETS
from agcore.models.known import profile
from agcore.models.vendor_hosts import VENDOR_OF_HOST, VENDOR_OF_PORT, vendor_at_host
from agcore.models.vendor_profile import VENDOR_CHOICES, VendorProfile
from agcore.models.vendor_profiles import ROWS, VendorRow, short_name, vendor_profile


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.vendors} {row.models} {row.dialects}")
def test_a_row_is_well_formed_and_says_where_it_is_from(row: VendorRow) -> None:
    assert row.source
    assert row.members
    assert all(pattern == pattern.lower() for pattern in row.models)
    checked = msgspec.convert(dict(row.members), VendorProfile, strict=True)
    assert isinstance(checked, VendorProfile)
    assert set(row.members) <= set(VendorProfile.__struct_fields__) - {"vendor"}


def test_choices_name_members() -> None:
    assert set(VENDOR_CHOICES) <= set(VendorProfile.__struct_fields__)


def test_later_rows_override_single_members_of_earlier_ones() -> None:
    devstral = vendor_profile("lmstudio", "mistralai/Devstral-Small-2-24B-GGUF", "openai_chat")
    assert (devstral.vendor, devstral.alternates, devstral.prefill) == ("lmstudio", True, "continues")
    assert vendor_profile("mistral", "devstral-latest", "openai_chat").prefill == "prefix_member"


def test_a_name_that_is_too_long_to_be_one_gets_the_default() -> None:
    assert vendor_profile("mistral", "mistral" * 50, "openai_chat") == VendorProfile(vendor="mistral")


def test_rows_match_what_stands_behind_the_last_slash() -> None:
    assert short_name("C:\\models\\Qwen3.5-9B.gguf") == "qwen3.5-9b.gguf"
    assert short_name("moonshotai/Kimi-K2.6") == "kimi-k2.6"
    assert short_name("accounts/fireworks/models/kimi-k2p6") == "kimi-k2.6"


def test_a_profile_carries_the_manners_of_who_serves_it() -> None:
    assert profile("sonar-pro", vendor="perplexity", dialect="openai_chat").upstream.alternates
    assert not profile("sonar-pro", vendor="perplexity", dialect="openai_chat").tools
    assert profile("some-model").upstream == VendorProfile()


def test_hosts_are_known_with_all_that_is_under_them() -> None:
    assert vendor_at_host("API.mistral.ai") == "mistral"
    assert vendor_at_host("my.openai.azure.com") == "azure"
    assert vendor_at_host("example.com") == ""
    assert vendor_at_host("localhost") == ""


def test_most_vendors_are_presets() -> None:
    vendors = {*VENDOR_OF_HOST.values(), *VENDOR_OF_PORT.values()}
    assert vendors - set(PRESETS) <= {"azure", "dashscope", "minimax", "sambanova", "deepinfra"}
