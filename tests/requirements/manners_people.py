"""Manners, state and people: what public bug reports of gateways came to here.

The ids are those of the faults. Rows stand under the comment with their id, one a fault or several.
"""

from __future__ import annotations

from typing import Final

from tests.requirements import base

ROWS: Final[tuple[base.Requirement, ...]] = (
    # S1
    base.row(
        "manners.S1",
        "docs/routing.md",
        "A follow-up is answered by a model that it names, or not found.",
        "stories/test_stored_responses.py::test_a_follow_up_at_another_vendors_model_is_not_answered_by_the_old_one",
    ),
    # S2
    base.row(
        "manners.S2",
        "docs/routing.md",
        "Responses of one id at two providers are two responses, and so are those of two clients.",
        "stories/test_stored_responses.py::test_responses_of_one_id_at_two_providers_are_told_apart_by_the_model_that_is_named",
        "state/test_responses.py::test_an_id_that_two_clients_have_is_two_responses",
    ),
    # S3
    base.row(
        "manners.S3",
        "docs/routing.md",
        "A session that fans out is many conversations, which are spread over the keys.",
        "stories/test_session_affinity.py::test_what_fans_out_of_one_session_uses_all_keys",
        "stories/test_session_affinity.py::test_a_thread_of_a_session_is_a_conversation_whatever_it_says",
    ),
    # S5
    # S6
    base.row(
        "manners.S6",
        "docs/routing.md",
        "An allowance is taken by what asks an upstream, and by nothing else.",
        "stories/test_allowances.py::test_what_asks_nobody_takes_no_allowance",
        "state/test_rate_limits.py::test_a_request_that_asked_nobody_gives_back_what_it_took_and_no_more",
    ),
    # N1
    # N2
    # N3
    # N4
    # N5
    # N6
    # N7
    # N8
    # N10
)
