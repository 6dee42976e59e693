"""Whether a whole message is an answer, by the rule that a stream of it is judged by."""

from __future__ import annotations

from agcore.dialects.anthropic import errors
from agcore.dialects.shared.no_answer import no_answer
from agcore.protocol.fault import Fault


def judge(answer: dict[str, object]) -> Fault | None:
    """See `base.PassThrough.judge`. A message may end, or be refused, without having said anything."""
    error = answer.get("error")
    if answer.get("type") == "error" or error:
        return errors.parse_error(errors.status_in_stream(error), answer)
    content = answer.get("content")
    answers = isinstance(content, list) and (content or answer.get("stop_reason") is not None)
    return None if answers else no_answer(answer)
