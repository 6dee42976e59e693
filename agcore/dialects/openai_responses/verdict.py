"""Whether a whole response is an answer, by the rule that a stream of it is judged by."""

from __future__ import annotations

from typing import Final

from agcore.dialects.openai_responses import errors
from agcore.dialects.shared.no_answer import no_answer
from agcore.protocol.fault import Fault

_RUNNING: Final = ("queued", "in_progress")
"""In the background: there is an answer once it is fetched."""


def judge(answer: dict[str, object]) -> Fault | None:
    """See `base.PassThrough.judge`. What failed with something to show is the dialect's own answer."""
    output, status, error = answer.get("output"), answer.get("status"), answer.get("error")
    if isinstance(output, list) and (output or not (error or status == "failed")):
        return None
    if error or status == "failed":
        fault = errors.parse_error(errors.status_in_stream(error), error)
        return fault if fault.message else no_answer(answer)
    return None if status in _RUNNING else no_answer(answer)
