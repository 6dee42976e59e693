"""Manners, translation: what public bug reports of gateways came to here.

The ids are those of the faults. Rows stand under the comment with their id, one a fault or several.
"""

from __future__ import annotations

from typing import Final

from tests.requirements import base

ROWS: Final[tuple[base.Requirement, ...]] = (
    # T1
    # T2
    # T3
    # T4
    # T5
    # T6
    base.row(
        "manners.T6",
        "docs/wire/messages-and-media.md",
        "Neighbouring texts of one answer are one text; what stood between texts, or another message, sets them apart.",
        "conversion/test_joined_texts.py::test_an_answer_of_the_history_is_one_text_for_a_chat_upstream",
        "conversion/test_joined_texts.py::test_an_answer_of_the_history_is_one_part_for_a_responses_upstream",
        "conversion/test_joined_texts.py::test_thoughts_in_pieces_are_one_and_two_thoughts_are_two",
    ),
    # T7
    # T9
    # T10
    # T11
    # T12
    # T13
    # T14
    # T15
)
