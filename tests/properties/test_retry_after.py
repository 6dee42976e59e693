"""Whatever a vendor writes with a refusal, the wait that is read of it is credible."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from agcore.protocol.fault import Fault, Vendor
from agcore.protocol.http import Headers
from agcore.routing.failure_signals import is_capacity, is_quota, scope_is_key
from agcore.routing.retry_after import LONGEST, stated_retry_after
from tests.routing.test_retry_after import NAMES, NOW, TEXTS, VALUES

ERRORS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8)

FIELD_NAMES = st.sampled_from(
    [
        b"retry-after", b"retry-after-ms", b"x-ratelimit-reset", b"x-ratelimit-remaining", b"ratelimit-reset",
        b"anthropic-ratelimit-unified-reset", b"anthropic-ratelimit-tokens-reset", b"x-ratelimit-reset-tokens",
    ]
)  # fmt: skip

HEADERS = st.lists(
    st.tuples(FIELD_NAMES | st.binary(), st.binary() | TEXTS.map(lambda text: text.encode("utf-8", "replace")))
).map(tuple)


@given(ERRORS, HEADERS, st.text() | TEXTS, st.sampled_from([400, 402, 429, 503, 529]), st.floats(0, 1e11))
@example({"details": [{"metadata": {"quotaResetTimeStamp": "0001-01-01T00:00:00+23:59"}}]}, (), "", 429, NOW)
@example({"code": 10**400, "retry_after": -(10**400)}, (), "", 429, NOW)
def test_whatever_a_peer_writes_gives_a_credible_wait_or_none(
    error: dict[str, object], headers: Headers, message: str, status: int, now: float
) -> None:
    fault = Fault(status=status, message=message, vendor=Vendor(dialect="openai", error=error))
    wait = stated_retry_after(fault, headers, now=now)
    assert wait is None or 0 <= wait <= LONGEST
    assert is_quota(fault) or not scope_is_key(fault)
    assert is_capacity(fault) in (True, False)
