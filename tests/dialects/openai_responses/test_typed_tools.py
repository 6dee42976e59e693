from __future__ import annotations

import json
from typing import Any

import pytest

from agcore.conversation.losses import Losses
from agcore.conversation.values import Image, Invalid, Source, Text, Tool
from agcore.dialects.openai_responses.typed_tools import arguments_of, call_of, function_of, output_of
from tests.support.deltas import too_deep


def output(item: dict[str, Any], name: str, losses: Losses | None = None) -> tuple[Any, bool]:
    return output_of(item, name, "input[0]", Losses() if losses is None else losses)


def function(**tool: Any) -> Tool:
    found = function_of(tool)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "tool_search"},
        {"type": "tool_search", "execution": "server"},
        {"type": "shell", "environment": {"type": "container_auto"}},
        {"type": "web_search"},
    ],
)
def test_what_the_vendor_runs_is_no_function(tool: dict[str, Any]) -> None:
    assert function_of(tool) is None


def test_a_search_without_words_of_the_clients_is_documented_all_the_same() -> None:
    tool = function(type="tool_search", execution="client", description="", parameters={})
    assert tool.description
    assert "query" in tool.parameters["properties"]


def test_a_screen_is_described_as_far_as_it_is_known() -> None:
    plain = function(type="computer")
    known = function(type="computer_use_preview", display_width=8, display_height=6, environment="mac")
    assert (plain.name, plain.typed) == ("computer", "computer")
    assert (known.name, known.typed) == ("computer", "computer_use_preview")
    assert known.description == f"{plain.description} The screen has 8 by 6 pixels. It is of the kind mac."
    assert function(type="computer_use_preview").description == plain.description


@pytest.mark.parametrize(
    ("item", "name", "arguments"),
    [
        ({"arguments": {"query": "a"}}, "tool_search", {"query": "a"}),
        ({"arguments": '{"query":"a"}'}, "tool_search", {"query": "a"}),
        ({"arguments": None}, "tool_search", {}),
        ({"action": {"type": "wait"}, "actions": []}, "computer", {"action": {"type": "wait"}}),
        ({"actions": [{"type": "wait"}]}, "computer", {"actions": [{"type": "wait"}]}),
        ({}, "computer", {"action": {}}),
        ({"action": "ls"}, "shell", {}),
    ],
)
def test_a_typed_call_of_a_history_has_arguments(item: dict[str, Any], name: str, arguments: Any) -> None:
    assert json.loads(arguments_of(item, name)) == arguments


def test_arguments_that_are_nested_too_deeply_are_refused() -> None:
    with pytest.raises(Invalid):
        arguments_of({"arguments": {"a": too_deep()}}, "tool_search")


class TestOutputs:
    def test_found_tools_are_told_by_the_names_they_are_called_by(self) -> None:
        tools = [
            {"type": "function", "name": "a", "description": "A."},
            {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "b"}, 5]},
            {"type": "web_search"},
        ]
        told = "These tools can be called now:\n- a: A.\n- n__b\n- web_search"
        assert output({"tools": tools}, "tool_search") == ([Text(told)], False)
        assert output({"tools": []}, "tool_search") == ([Text("No tools were found.")], False)
        assert output({"status": "failed"}, "tool_search") == ([Text("No tools were found.")], True)

    def test_a_screenshot_is_a_picture(self) -> None:
        losses = Losses()
        url = {"type": "computer_screenshot", "image_url": "https://e.com/a.png"}
        checked = {"output": url, "acknowledged_safety_checks": [{"id": "s"}]}
        assert output(checked, "computer", losses) == ([Image(Source(url="https://e.com/a.png"))], False)
        assert [(loss.path, loss.weight) for loss in losses] == [("input[0].acknowledged_safety_checks", "note")]
        assert output({"output": {"file_id": "file-1"}}, "computer") == ([Image(Source(file_id="file-1"))], False)
        assert output({"output": "no screen"}, "computer") == ([Text("no screen")], False)
        assert output({"output": {}}, "computer") == ([], False)
        with pytest.raises(Invalid) as caught:
            output({"output": {"image_url": "data:x"}}, "computer")
        assert caught.value.param == "input[0].output.image_url"

    def test_a_patch_says_how_it_went(self) -> None:
        assert output({"status": "completed"}, "apply_patch") == ([Text("Done.")], False)
        assert output({"output": ""}, "shell") == ([], False)


class TestCalls:
    @pytest.mark.parametrize(
        ("arguments", "kind"),
        [
            ('{"operation": 7}', "apply_patch"),
            ('{"operation": {"type": "delete_file"}}', "apply_patch"),
            ("[]", "tool_search"),
            ("{", "tool_search"),
            ("{}", "computer"),
            ('{"actions": []}', "computer"),
            ('{"actions": {}}', "computer"),
            ('{"actions": [5]}', "computer"),
            ('{"actions": [{"type": []}]}', "computer"),
            ('{"actions": [{"type": "fly"}]}', "computer"),
            ('{"actions": [{"type": "click", "x": 1}]}', "computer"),
            ('{"actions": [{"type": "wait"}, {"type": "wait"}]}', "computer_use_preview"),
        ],
    )
    def test_arguments_that_do_not_fit_are_none(self, arguments: str, kind: str) -> None:
        assert call_of(arguments, kind) is None

    def test_actions_say_what_the_documentation_demands(self) -> None:
        said = {
            "actions": [{"type": "double_click", "x": 1, "y": 2}, {"type": "scroll", "x": 1, "y": 2, "scroll_y": 9}]
        }
        assert call_of(json.dumps(said), "computer") == {
            "actions": [
                {"type": "double_click", "x": 1, "y": 2, "keys": None},
                {"type": "scroll", "x": 1, "y": 2, "scroll_x": 0, "scroll_y": 9},
            ],
            "pending_safety_checks": [],
        }

    def test_one_action_is_taken_for_several_and_the_other_way_round(self) -> None:
        wait = {"type": "wait"}
        assert call_of(json.dumps({"action": wait}), "computer") == {"actions": [wait], "pending_safety_checks": []}
        assert call_of(json.dumps({"actions": [wait]}), "computer_use_preview") == {
            "action": wait,
            "pending_safety_checks": [],
        }
