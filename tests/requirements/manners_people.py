"""Manners, state and people: what public bug reports of gateways came to here.

The ids are those of the faults. Rows stand under the comment with their id, one a fault or several.
"""

from __future__ import annotations

from typing import Final

from tests.requirements import base

ROWS: Final[tuple[base.Requirement, ...]] = (
    # S1
    # S2
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
