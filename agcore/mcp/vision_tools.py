"""The eight vision tools, as a literal table: what each is given, and what the model is told to do with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec


class Parameter(msgspec.Struct, frozen=True):
    """One argument of a tool; all are strings."""

    name: str
    kind: Literal["image", "video", "text"]
    what: str
    """One line for models."""
    required: bool = True
    choices: tuple[str, ...] = ()
    label: str = ""
    """Words by which the model is told of the picture."""


class Tool(msgspec.Struct, frozen=True):
    """One tool."""

    name: str
    title: str
    what: str
    """For the models that choose it."""
    task: str
    """For the model that looks at the pictures."""
    parameters: tuple[Parameter, ...]

    @property
    def sources(self) -> tuple[Parameter, ...]:
        """The arguments that are pictures or videos."""
        return tuple(each for each in self.parameters if each.kind != "text")


_WHERE: Final = "an https URL, a data: URI, or the absolute path of a file that the server may read"
_IMAGE: Final = Parameter("image_source", "image", f"The picture: {_WHERE}.")
_VIDEO: Final = Parameter("video_source", "video", f"The video: {_WHERE}.")


def _prompt(what: str) -> Parameter:
    return Parameter("prompt", "text", what, label="Request")


TOOLS: Final[Mapping[str, Tool]] = {
    tool.name: tool
    for tool in (
        Tool(
            "ui_to_artifact",
            "UI to artifact",
            "Turn a screenshot or mock-up of a user interface into front-end code, a prompt that would recreate it, "
            "a design specification, or a description.",
            "The picture shows a user interface. Produce exactly one artifact from it, of the type named below. "
            "`code`: complete front-end code that reproduces layout, styles and texts, in the stack that the request "
            "names, else one HTML file. `prompt`: a prompt from which a code model could recreate it. `spec`: a design "
            "specification with layout, spacing, colours, typography, components and their states. `description`: what "
            "is there and how it is arranged, in prose. Invent nothing that the picture does not show.",
            (
                _IMAGE,
                Parameter(
                    "output_type",
                    "text",
                    "What to produce.",
                    choices=("code", "prompt", "spec", "description"),
                    label="Artifact type",
                ),
                _prompt("What to produce in detail: framework, scope, style."),
            ),
        ),
        Tool(
            "extract_text_from_screenshot",
            "Extract text from a screenshot",
            "Read the text in a screenshot: code, terminal output, documents, forms.",
            "Transcribe the text of the picture exactly, in reading order, with its line breaks and indentation. Put "
            "code and terminal output in fenced blocks. Correct nothing; mark what cannot be read as [illegible].",
            (
                _IMAGE,
                _prompt("What to extract, and how to format it."),
                Parameter(
                    "language_hint",
                    "text",
                    "The programming or human language of the text, if known.",
                    required=False,
                    label="Language of the text",
                ),
            ),
        ),
        Tool(
            "diagnose_error_screenshot",
            "Diagnose an error from a screenshot",
            "Find out from a screenshot of an error (a dialog, a stack trace, a log) the cause and a fix.",
            "The picture shows an error. Quote its decisive message, name the most likely cause and the evidence for "
            "it in the picture, and give steps to fix it, the most promising one first. Say what is uncertain.",
            (
                _IMAGE,
                _prompt("What to find out about the error."),
                Parameter(
                    "context",
                    "text",
                    "When it happens: what was done, with which versions.",
                    required=False,
                    label="Circumstances",
                ),
            ),
        ),
        Tool(
            "understand_technical_diagram",
            "Understand a technical diagram",
            "Explain a technical diagram: architecture, flow chart, UML, entity relations, sequence, network.",
            "The picture is a technical diagram. Say what kind it is and what it is about, list its elements and how "
            "they are connected, in which direction and with which labels, and then answer the request.",
            (
                _IMAGE,
                _prompt("What to find out about the diagram."),
                Parameter(
                    "diagram_type",
                    "text",
                    "The kind of diagram, if known: architecture, flowchart, uml, er, sequence.",
                    required=False,
                    label="Kind of diagram",
                ),
            ),
        ),
        Tool(
            "analyze_data_visualization",
            "Analyse a data visualisation",
            "Read charts and dashboards: values, trends, outliers, and what follows from them.",
            "The picture is a data visualisation. Name its axes, units and series, read its values as exactly as they "
            "can be read (say where they are estimates), then give trends, outliers and what follows from them.",
            (
                _IMAGE,
                _prompt("What to find out about the data."),
                Parameter(
                    "analysis_focus",
                    "text",
                    "What matters most: trends, anomalies, comparisons, metrics.",
                    required=False,
                    label="Focus",
                ),
            ),
        ),
        Tool(
            "ui_diff_check",
            "Compare two screenshots",
            "Compare a screenshot of the expected user interface with one of the actual result, and list differences.",
            "Compare the two user interfaces. List each difference in layout, spacing, size, colour, typography, text "
            "and missing or additional elements, with its place, what was expected and what is there, the gravest one "
            "first. Say so if there is none.",
            (
                Parameter("expected_image_source", "image", f"What it should look like: {_WHERE}.", label="Expected"),
                Parameter("actual_image_source", "image", f"What it does look like: {_WHERE}.", label="Actual"),
                _prompt("What to compare, and what to leave aside."),
            ),
        ),
        Tool(
            "analyze_image",
            "Analyse an image",
            "Answer any question about a picture. Use it where none of the more special tools fits.",
            "Look at the picture closely and answer the request from what it shows.",
            (_IMAGE, _prompt("What to find out about the picture.")),
        ),
        Tool(
            "analyze_video",
            "Analyse a video",
            "Answer any question about a short video (MP4, QuickTime, WebM or AVI, up to 8 MB).",
            "Watch the video and answer the request from what it shows, with times where they matter.",
            (_VIDEO, _prompt("What to find out about the video.")),
        ),
    )
}
"""By name."""


class BadArguments(ValueError):
    """Arguments that do not fit a tool; the text says what is wrong, for the model that made them."""


def listing() -> list[dict[str, Any]]:
    """Returns what `tools/list` shows."""
    return [
        {
            "name": tool.name,
            "title": tool.title,
            "description": tool.what,
            "inputSchema": {
                "type": "object",
                "properties": {each.name: _schema(each) for each in tool.parameters},
                "required": [each.name for each in tool.parameters if each.required],
                "additionalProperties": False,
            },
            "annotations": {"title": tool.title, "readOnlyHint": True, "openWorldHint": True},
        }
        for tool in TOOLS.values()
    ]


def checked(tool: Tool, arguments: object) -> dict[str, str]:
    """The arguments that were given, by name, in the order of the tool. Raises BadArguments."""
    if not isinstance(arguments, dict):
        raise BadArguments("`arguments` must be an object")
    names = [each.name for each in tool.parameters]
    for name in arguments:
        if name not in names:
            raise BadArguments(f"{tool.name} has no argument `{name[:100]}`; it takes {', '.join(names)}")
    given: dict[str, str] = {}
    for each in tool.parameters:
        value = arguments.get(each.name)
        if value is None or value == "":
            if each.required:
                raise BadArguments(f"`{each.name}` is required")
        elif not isinstance(value, str):
            raise BadArguments(f"`{each.name}` must be a string")
        elif each.choices and value not in each.choices:
            raise BadArguments(f"`{each.name}` must be one of {', '.join(each.choices)}")
        else:
            given[each.name] = value
    return given


def instruction(tool: Tool, given: Mapping[str, str]) -> str:
    """Returns the words for the model, beside the pictures."""
    told = [
        f"{each.label}: {given[each.name]}" for each in tool.parameters if each.kind == "text" and each.name in given
    ]
    return "\n\n".join([tool.task, *told])


def _schema(parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "description": parameter.what}
    if parameter.choices:
        schema["enum"] = list(parameter.choices)
    return schema
