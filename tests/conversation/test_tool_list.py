"""Lists of tools as upstreams take them."""

from __future__ import annotations

from agcore.conversation.losses import Losses
from agcore.conversation.tool_list import fitted_tools, hosted_names
from agcore.conversation.tool_name_rule import ToolNameRule
from agcore.conversation.tool_names import ToolNames
from agcore.conversation.values import Conversation, HostedTool, Tool, ToolChoice
from agcore.dialects.anthropic.traits import TRAITS


def asked(*tools: Tool, hosted: tuple[HostedTool, ...] = ()) -> Conversation:
    return Conversation(model="m", turns=(), tools=tools, hosted_tools=hosted)


def test_a_name_stands_for_one_tool() -> None:
    losses = Losses()
    got = fitted_tools(asked(Tool("a"), Tool("b"), Tool("a"), Tool("b", "other")), longest_description=0, losses=losses)
    assert got.tools == (Tool("a"), Tool("b"))
    assert [(loss.path, loss.why) for loss in losses] == [("tools[3]", "another tool is called b")]


def test_a_description_is_cut_where_it_is_too_long() -> None:
    losses = Losses()
    got = fitted_tools(asked(Tool("a", "x" * 11), Tool("b", "x" * 10)), longest_description=10, losses=losses)
    assert [tool.description for tool in got.tools] == ["x" * 7 + "...", "x" * 10]
    assert [(loss.path, loss.action) for loss in losses] == [("tools[0].description", "cut")]
    conversation = asked(Tool("a", "x" * 11))
    assert fitted_tools(conversation, longest_description=0, losses=losses) is conversation


def test_a_function_beside_a_hosted_tool_of_its_name_gets_another_one() -> None:
    hosted = (HostedTool("openai_responses", "web_search", {}), HostedTool("anthropic", "x", {"name": "bash"}))
    conversation = asked(Tool("web_search"), Tool("bash"), Tool("f"), hosted=hosted)
    assert hosted_names(conversation) == {"web_search", "x", "bash"}
    rule = TRAITS.tool_names
    assert isinstance(rule, ToolNameRule)
    names = ToolNames(conversation, rule, reserved=hosted_names(conversation))
    there = names.applied(conversation).tools
    assert [tool.name == before.name for tool, before in zip(there, conversation.tools, strict=True)] == [
        False,
        False,
        True,
    ]
    assert [names.original(tool.name) for tool in there] == ["web_search", "bash", "f"]
    chosen = Conversation(model="m", turns=(), tools=conversation.tools, tool_choice=ToolChoice("required", ("bash",)))
    assert names.applied(chosen).tool_choice == ToolChoice("required", (there[1].name,))
