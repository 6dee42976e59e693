"""What is asked again, and what must not be."""

from __future__ import annotations

import pytest

from agcore.protocol.fault import FailureKind, Fault
from agcore.protocol.inputs import Sent, Stage, UpstreamFailed
from agcore.routing.retry import classify, is_free_reattempt


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


def test_a_vendor_that_answers_everything_with_400_is_known_by_its_code() -> None:
    assert classify(Fault(status=400, message="no", code="model_not_found")) is FailureKind.NOT_FOUND
    assert classify(Fault(status=400, message="no", code="other")) is FailureKind.INVALID_REQUEST
