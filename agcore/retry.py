"""Whether a failed attempt is made again, decided from facts alone."""

from __future__ import annotations

from agcore.inputs import Sent, Stage, UpstreamFailed


def is_free_reattempt(failed: UpstreamFailed, *, already_taken: bool, repeatable: bool) -> bool:
    """Whether this failure only says that a pooled connection had gone stale.

    An upstream may close an idle connection at the very moment it is used again (RFC 9112 section 9.3.1). When no byte
    of an answer came, the request is repeated once, and it does not count as an attempt. What must not happen twice
    (`repeatable` false) is repeated only when nothing of it was sent.
    """
    stale = failed.reused and failed.stage in (Stage.SEND, Stage.HEAD)
    return stale and not already_taken and (repeatable or failed.sent is Sent.NONE)
