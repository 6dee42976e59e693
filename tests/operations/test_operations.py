"""What every operation is: a short class, or a row that says what one class does."""

from __future__ import annotations

import inspect

import pytest

from agcore.operations import OPERATIONS, operation
from agcore.operations.base import BaseOperation
from agcore.operations.forward import Forward
from agcore.operations.stored_responses import Stored
from agcore.operations.task import Task
from agcore.operations.upload import Upload

SETTINGS = {"body", "json_body", "metered"}
"""What a class says of the requests that its operations take."""


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_a_task_or_a_class_whose_parents_are_soon_told(name: str) -> None:
    kind = operation(name)
    if isinstance(kind, Task | Stored):
        return
    assert isinstance(kind, type)
    assert issubclass(kind, BaseOperation)
    assert len(kind.__mro__[:-1]) <= 3


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_an_attempt_changes_belongs_to_no_class(name: str) -> None:
    found = operation(name)
    kinds = (Forward, Upload) if isinstance(found, Task | Stored) else (found,)
    for kind in kinds:
        assert isinstance(kind, type)
        held = {
            each
            for parent in kind.__mro__[:-1]
            for each, value in vars(parent).items()
            if not each.startswith("__")
            and not inspect.isroutine(value)
            and not isinstance(value, property | classmethod)
        }
        assert held <= SETTINGS
