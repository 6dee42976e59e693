"""Successes that hold no answer: what they are instead (docs/wire/answers.md#successes-without-an-answer).

Some vendors tell of every failure with status 200, in members of their own. What a failure means is known by numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from agcore.dialects.shared.error_words import unwrapped
from agcore.protocol.fault import Fault

_MINIMAX: Final[Mapping[int, int]] = {
    1001: 504,
    1002: 429,
    1004: 401,
    1008: 402,
    1026: 400,
    1027: 400,
    1039: 429,
    1041: 429,
    1042: 400,
    2013: 400,
    2049: 401,
    2056: 429,
}
"""`base_resp.status_code` -> status (<https://platform.minimax.io/docs/api-reference/errorcode>)."""
_BAIDU: Final[Mapping[int, int]] = {
    4: 429,
    6: 403,
    17: 429,
    18: 429,
    19: 429,
    110: 401,
    111: 401,
    336003: 400,
    336100: 503,
    336103: 400,
    336501: 429,
    336502: 429,
}
"""`error_code` -> status (<https://cloud.baidu.com/doc/WENXINWORKSHOP/s/tlmyncueh>)."""


def no_answer(answer: Mapping[str, object]) -> Fault:
    """The fault of a success without an answer, in the words that it has instead; a 502 unless they name a status."""
    told = unwrapped(answer)
    words = told.get("message")
    shown = f": {words}" if isinstance(words, str) else ""
    message = f"the upstream answered with success, but without an answer{shown}"
    return Fault(status=_status(answer, told), message=message, code="upstream_invalid_answer")


def told_failure(event: Mapping[str, object]) -> Fault | None:
    """The fault of a stream's event that has nothing of its dialect, but words; None where it has no words either."""
    base = event.get("base_resp")
    if isinstance(base, Mapping) and not base.get("status_code"):
        return None
    return no_answer(event) if unwrapped(event).get("message") else None


def needs(*names: str) -> Callable[[dict[str, object]], Fault | None]:
    """Returns a judgement of answers that hold one of some members; an empty list or text holds nothing."""

    def judge(answer: dict[str, object]) -> Fault | None:
        return None if any(answer.get(name) not in (None, "", []) for name in names) else no_answer(answer)

    return judge


def _status(answer: Mapping[str, object], told: Mapping[str, object]) -> int:
    base = answer.get("base_resp")
    number, baidu = base.get("status_code") if isinstance(base, Mapping) else None, answer.get("error_code")
    if isinstance(number, int):
        return _MINIMAX.get(number, 502)
    if isinstance(baidu, int):
        return _BAIDU.get(baidu, 502)
    for named in (told.get("code"), told.get("status"), answer.get("statusCode")):
        if isinstance(named, int) and 400 <= named <= 599:
            return named
    return 502
