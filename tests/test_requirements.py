"""The manifest of requirements is complete: every sentence has its source and its tests, and all of them exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.mutants import MUTANTS, Mutant
from tests.requirements import REQUIREMENTS
from tests.requirements.base import Requirement

TESTS = Path(__file__).parent


@cache
def names(file: str) -> frozenset[str]:
    """The tests that a file has, in classes or not."""
    tree = ast.parse((TESTS / file).read_text("utf-8"))
    functions = (each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(each.name for each in functions if each.name.startswith("test_"))


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda each: each.id)
def test_a_requirement_is_said_somewhere_and_held_by_tests_that_exist(requirement: Requirement) -> None:
    assert requirement.tests, "no test holds it"
    for test in requirement.tests:
        file, _, name = test.partition("::")
        assert (TESTS / file).exists(), file
        assert name in names(file), test
    assert re.fullmatch(r"RFC \d+", requirement.source) or (TESTS.parent / requirement.source).exists()
    assert re.fullmatch(r"[A-Z`].*\.", requirement.sentence)


def test_requirements_are_told_apart_by_their_ids_and_sentences() -> None:
    assert len({each.id for each in REQUIREMENTS}) == len(REQUIREMENTS) >= 60
    assert len({each.sentence for each in REQUIREMENTS}) == len(REQUIREMENTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda each: each.rule)
def test_a_mutant_breaks_a_rule_that_is_listed_in_a_line_that_is_there(mutant: Mutant) -> None:
    assert mutant.rule in {each.id for each in REQUIREMENTS}
    assert (TESTS.parent / mutant.file).read_text("utf-8").count(mutant.old) == 1
