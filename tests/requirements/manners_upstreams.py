"""Manners, upstreams and steering: what public bug reports of gateways came to here.

The ids are those of the faults. Rows stand under the comment with their id, one a fault or several.
"""

from __future__ import annotations

from typing import Final

from tests.requirements import base

ROWS: Final[tuple[base.Requirement, ...]] = (
    # T17
    # T18
    base.row(
        "manners.T18",
        "docs/wire/gemini.md",
        "A tool result in which Google would look up a reference, or round a number, goes to Gemini as text.",
        "dialects/gemini/test_request_writer.py::test_results_are_objects",
    ),
    # T19
    # T20
    # T21
    # T22
    # T23
    # T24
    # T25
    base.row(
        "manners.T25",
        "docs/wire/gemini.md",
        "What another vendor signed comes back from a Gemini client that keeps only calls, each at its own place.",
        "dialects/gemini/test_answer.py::test_what_led_to_a_call_returns_to_its_place",
        "dialects/gemini/test_answer.py::test_an_answer_without_a_call_keeps_its_signature_on_a_thought",
    ),
    # T26
    # T27
    # T28
    # T29
)
