"""What agcore promises, sentence by sentence, and the tests that hold it to them.

A requirement is a sentence that a document, a decision, a docstring or an RFC says of agcore. `tests/test_requirements.py`
fails where a test that is named here does not exist, where a source does not, and where a sentence has no test.
"""

from __future__ import annotations

from typing import Final

from tests.requirements import (
    contract,
    manners_gateway,
    manners_people,
    manners_readers,
    manners_translation,
    manners_upstreams,
    routing,
    translation,
)
from tests.requirements.base import Requirement

REQUIREMENTS: Final[tuple[Requirement, ...]] = (
    *routing.NAMES,
    *routing.SELECTION,
    *routing.FAILOVER,
    *routing.CALLS,
    *routing.FAN_OUT,
    *translation.ANSWERS,
    *translation.TRANSLATION,
    *translation.SSE,
    *contract.CONTRACT,
    *contract.SECRETS,
    *contract.HTTP,
    *contract.MCP,
    *contract.LIBRARY,
    *contract.FRONTENDS,
    *contract.REPLAY,
    *contract.EVENTS,
    *manners_translation.ROWS,
    *manners_upstreams.ROWS,
    *manners_gateway.ROWS,
    *manners_people.ROWS,
    *manners_readers.ROWS,
)
