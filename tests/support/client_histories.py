"""Hypothesis strategies for what clients ask: one history told as steps, spelled in each client's dialect."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
from hypothesis import strategies as st

from agcore.conversation.signature_carrier import carrier
from agcore.conversation.values import Signature
from agcore.dialects.gemini.carriers import google_carrier

PNG = "iVBORw0KGgoAAAA/+8=="
TEXTS = st.one_of(st.text("ab \n", min_size=1, max_size=5), st.text(min_size=1, max_size=8), st.just(" "))
NAMES = ("get", "a.b/c", "a_b_c", "mcp__" + "x" * 85, "1st", "größe")
_ARGUMENTS = st.sampled_from(["{}", '{"city":"Rome"}', '{"a":{"b":[1.5,null]}}'])


class System(msgspec.Struct, frozen=True):
    """Instructions, anywhere."""

    text: str


class Said(msgspec.Struct, frozen=True):
    """The user says something, perhaps with a picture."""

    text: str
    picture: bool = False


class Call(msgspec.Struct, frozen=True):
    """A call and what its tool gave."""

    id: str
    name: str
    arguments: str
    result: str
    failed: bool
    picture: bool
    signature: Signature | None


class Answered(msgspec.Struct, frozen=True):
    """The model thinks, says something and calls tools, whose results come at once."""

    thought: str
    signature: Signature | None
    text: str
    calls: tuple[Call, ...] = ()


Step = System | Said | Answered

_OF_THOUGHTS = st.sampled_from(
    [
        None,
        Signature("anthropic", "thinking", "RXFRQg=="),
        Signature("anthropic", "redacted", "cmVkYWN0"),
        Signature("openai", "reasoning", "gAAAAAB", id="rs_1"),
        Signature("openai", "reasoning", "gAAAAAC"),
        Signature("gemini", "text", "dGV4dA=="),
        Signature("stranger", "thinking", "eHh4"),
    ]
)


@st.composite
def _calls(draw: st.DrawFn, first: int) -> tuple[Call, ...]:
    """Parallel calls, the first of which may be signed by Gemini."""
    made: list[Call] = []
    for at in range(draw(st.integers(0, 3))):
        id = draw(st.sampled_from([f"call_{first + at}", f"call.{first + at}", f"{'x' * 60}{first + at}", "again"]))
        signature = None
        if at == 0 and draw(st.booleans()):
            signature = Signature("gemini", "call", "Y2FsbA==", id=draw(st.sampled_from(["", id])))
        call = Call(
            id=id,
            name=draw(st.sampled_from(NAMES)),
            arguments=draw(_ARGUMENTS),
            result=draw(st.sampled_from(["", "18 C", '{"celsius":18}', " ", '{"error":"x"}'])),
            failed=draw(st.booleans()),
            picture=draw(st.booleans()),
            signature=signature,
        )
        if call.id not in {each.id for each in made}:
            made.append(call)
    return tuple(made)


@st.composite
def answers(draw: st.DrawFn, first: int = 0) -> Answered:
    """One more answer of the model; `first` numbers its calls."""
    calls = draw(_calls(first))
    text = draw(TEXTS) if not calls or draw(st.booleans()) else ""
    return Answered(draw(st.sampled_from(["", "hm"])), draw(_OF_THOUGHTS), text, calls)


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """A legal history that waits for the model: it ends in the user's words or in results."""
    steps: list[Step] = [System(draw(TEXTS)) for _ in range(draw(st.integers(0, 2)))]
    calls = 0
    for _ in range(draw(st.integers(0, 4))):
        steps.append(draw(st.builds(Said, TEXTS, st.booleans())))
        if draw(st.integers(0, 3)) == 0:
            steps.append(System(draw(TEXTS)))
        for _ in range(draw(st.integers(0, 2))):
            steps.append(draw(answers(calls)))
            calls += 3
    if not isinstance(steps[-1] if steps else None, Answered) or not steps[-1].calls:  # type: ignore[union-attr]
        steps.append(Said(draw(TEXTS)))
    return steps


class Options(msgspec.Struct, frozen=True):
    """What is asked for besides."""

    choice: str = ""
    """`auto`, `none`, `required`, a tool's name, or empty for nothing."""
    effort: str = ""
    max_output: int | None = None
    temperature: float | None = None
    stop: bool = False
    serial: bool = False


PLAIN = Options()
OPTIONS = st.builds(
    Options,
    choice=st.sampled_from(["", "auto", "none", "required", "get", "a.b/c"]),
    effort=st.sampled_from(["", "low", "high"]),
    max_output=st.sampled_from([None, 16, 500, 5000]),
    temperature=st.sampled_from([None, 0, 0.5, 2]),
    stop=st.booleans(),
    serial=st.booleans(),
)

_SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}}
HISTORY = {"openai_chat": "messages", "openai_responses": "input", "anthropic": "messages", "gemini": "contents"}
"""client dialect -> the member that holds its history."""


def spelled(dialect: str, steps: list[Step], options: Options = PLAIN) -> dict[str, Any]:
    """The request of a client of `dialect`."""
    return {
        "openai_chat": _chat,
        "openai_responses": _responses,
        "anthropic": _anthropic,
        "gemini": _gemini,
    }[dialect](steps, options)


def _set(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None and value != []}


# Chat Completions.


def _chat(steps: list[Step], options: Options) -> dict[str, Any]:
    messages: list[dict[str, Any]] = []
    for step in steps:
        if isinstance(step, System):
            messages.append({"role": "system", "content": step.text})
        elif isinstance(step, Said):
            picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
            parts = [{"type": "text", "text": step.text}, picture]
            messages.append({"role": "user", "content": parts if step.picture else step.text})
        else:
            messages += _chat_answer(step)
    tools = [{"type": "function", "function": {"name": name, "parameters": _SCHEMA}} for name in NAMES]
    choice: Any = options.choice or None
    if choice in NAMES:
        choice = {"type": "function", "function": {"name": choice}}
    return _set(
        model="m",
        messages=messages,
        tools=tools,
        tool_choice=choice,
        reasoning_effort=options.effort or None,
        max_completion_tokens=options.max_output,
        temperature=options.temperature,
        top_p=options.temperature and 0.5,
        stop=["x", " "] if options.stop else None,
        parallel_tool_calls=False if options.serial else None,
    )


def _chat_answer(step: Answered) -> list[dict[str, Any]]:
    message: dict[str, Any] = {"role": "assistant", "content": step.text or None}
    if step.thought:
        message["reasoning_content"] = step.thought
    if step.signature is not None:
        message["reasoning_details"] = [
            {"type": "reasoning.text", "text": step.thought, "signature": carrier(step.signature)}
        ]
    calls = []
    for call in step.calls:
        spoken: dict[str, Any] = {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        if call.signature is not None:
            spoken["extra_content"] = {"google": {"thought_signature": carrier(call.signature)}}
        calls.append(spoken)
    if calls:
        message["tool_calls"] = calls
    results = [{"role": "tool", "tool_call_id": call.id, "content": call.result} for call in reversed(step.calls)]
    return [message, *results]


# Responses.


def _responses(steps: list[Step], options: Options) -> dict[str, Any]:
    items: list[dict[str, Any]] = []
    for step in steps:
        if isinstance(step, System):
            items.append({"role": "developer", "content": step.text})
        elif isinstance(step, Said):
            picture = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"}
            parts = [{"type": "input_text", "text": step.text}, picture]
            items.append({"role": "user", "content": parts if step.picture else step.text})
        else:
            items += _responses_answer(step)
    tools = [{"type": "function", "name": name, "parameters": _SCHEMA, "strict": False} for name in NAMES]
    choice: Any = options.choice or None
    if choice in NAMES:
        choice = {"type": "function", "name": choice}
    return _set(
        model="m",
        input=items,
        tools=tools,
        tool_choice=choice,
        reasoning={"effort": options.effort, "summary": "auto"} if options.effort else None,
        max_output_tokens=options.max_output,
        temperature=options.temperature,
        parallel_tool_calls=False if options.serial else None,
        store=False,
    )


def _responses_answer(step: Answered) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if step.thought or step.signature is not None:
        summary = [{"type": "summary_text", "text": step.thought}] if step.thought else []
        encrypted = None if step.signature is None else carrier(step.signature)
        items.append({"type": "reasoning", "id": "rs_gw", "summary": summary, "encrypted_content": encrypted})
    if step.text:
        content = [{"type": "output_text", "text": step.text, "annotations": []}]
        items.append({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content})
    for call in step.calls:
        if call.signature is not None:
            items.append(
                {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": carrier(call.signature)}
            )
        items.append(
            {"type": "function_call", "id": "fc_1", "call_id": call.id, "name": call.name, "arguments": call.arguments}
        )
    for call in step.calls:
        picture = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"}
        rich = [{"type": "input_text", "text": call.result or "x"}, picture]
        output = rich if call.picture else call.result
        items.append({"type": "function_call_output", "call_id": call.id, "output": output})
    return items


# Anthropic Messages.


def _anthropic(steps: list[Step], options: Options) -> dict[str, Any]:
    system: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = []
    for step in steps:
        if isinstance(step, System):
            block = {"type": "text", "text": step.text}
            if messages:
                messages.append({"role": "system", "content": [block]})
            else:
                system.append(block)
        elif isinstance(step, Said):
            content: list[dict[str, Any]] = [{"type": "text", "text": step.text}]
            if step.picture:
                source = {"type": "base64", "media_type": "image/png", "data": PNG}
                content.append({"type": "image", "source": source})
            messages.append({"role": "user", "content": content})
        else:
            messages += _anthropic_answer(step)
    choice: dict[str, Any] | None = None
    if options.choice in NAMES:
        choice = {"type": "tool", "name": options.choice}
    elif options.choice:
        choice = {"type": {"required": "any"}.get(options.choice, options.choice)}
    if options.serial and choice is not None and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = True
    budget = {"low": 1024, "high": 4096}.get(options.effort)
    return _set(
        model="m",
        max_tokens=max(options.max_output or 1000, (budget or 0) + 1),
        system=system,
        messages=messages,
        tools=[{"name": name, "input_schema": _SCHEMA} for name in NAMES],
        tool_choice=choice,
        thinking=budget and {"type": "enabled", "budget_tokens": budget},
        temperature=None if options.temperature is None else min(options.temperature, 1),
        stop_sequences=["x"] if options.stop else None,
    )


def _anthropic_answer(step: Answered) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    if step.signature is not None and step.signature.kind == "redacted":
        content.append({"type": "redacted_thinking", "data": carrier(step.signature)})
    elif step.thought or step.signature is not None:
        signature = "" if step.signature is None else carrier(step.signature)
        content.append({"type": "thinking", "thinking": step.thought, "signature": signature})
    if step.text:
        content.append({"type": "text", "text": step.text})
    for call in step.calls:
        if call.signature is not None:
            content.append({"type": "thinking", "thinking": "", "signature": carrier(call.signature)})
        content.append({"type": "tool_use", "id": call.id, "name": call.name, "input": json.loads(call.arguments)})
    results: list[dict[str, Any]] = []
    for call in step.calls:
        source = {"type": "base64", "media_type": "image/png", "data": PNG}
        rich = [{"type": "text", "text": call.result or "x"}, {"type": "image", "source": source}]
        said: Any = rich if call.picture else call.result
        results.append({"type": "tool_result", "tool_use_id": call.id, "content": said, "is_error": call.failed})
    messages = [{"role": "assistant", "content": content}]
    return [*messages, {"role": "user", "content": results}] if results else messages


# Gemini.


def _gemini(steps: list[Step], options: Options) -> dict[str, Any]:
    instruction: list[dict[str, Any]] = []
    contents: list[dict[str, Any]] = []
    for step in steps:
        if isinstance(step, System):
            instruction.append({"text": step.text})
        elif isinstance(step, Said):
            parts: list[dict[str, Any]] = [{"text": step.text}]
            if step.picture:
                data = base64.urlsafe_b64encode(base64.b64decode(PNG)).decode()
                parts.append({"inlineData": {"mime_type": "image/png", "data": data}})
            contents.append({"role": "user", "parts": parts})
        else:
            contents += _gemini_answer(step)
    calling: dict[str, Any] | None = None
    if options.choice in NAMES:
        calling = {"mode": "ANY", "allowedFunctionNames": [options.choice]}
    elif options.choice:
        calling = {"mode": {"required": "ANY"}.get(options.choice, options.choice.upper())}
    budget = {"low": 1024, "high": 4096}.get(options.effort)
    return _set(
        contents=contents,
        systemInstruction={"parts": instruction} if instruction else None,
        tools=[{"functionDeclarations": [{"name": name, "parametersJsonSchema": _SCHEMA} for name in NAMES]}],
        toolConfig=calling and {"functionCallingConfig": calling},
        generationConfig=_set(
            maxOutputTokens=options.max_output,
            temperature=options.temperature,
            stopSequences=["x"] if options.stop else None,
            thinkingConfig=budget and {"thinkingBudget": budget, "includeThoughts": True},
        ),
    )


def _gemini_answer(step: Answered) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    if step.thought:
        parts.append({"text": step.thought, "thought": True})
    if step.text:
        parts.append({"text": step.text})
    if step.signature is not None:
        parts.append({"text": "", "thoughtSignature": google_carrier(step.signature)})
    for call in step.calls:
        part: dict[str, Any] = {"functionCall": {"id": call.id, "name": call.name, "args": json.loads(call.arguments)}}
        if call.signature is not None:
            part["thoughtSignature"] = google_carrier(call.signature)
        parts.append(part)
    contents = [{"role": "model", "parts": parts}]
    results = []
    for call in step.calls:
        response = {"error" if call.failed else "output": call.result}
        result: dict[str, Any] = {"id": call.id, "name": call.name, "response": response}
        if call.picture:
            result["parts"] = [{"inlineData": {"mimeType": "image/png", "data": PNG}}]
        results.append({"functionResponse": result})
    return [*contents, {"role": "user", "parts": results}] if results else contents
