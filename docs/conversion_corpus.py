"""The corpus behind docs/conversions.md: features of requests, and how each client dialect asks for them.

`FEATURES` maps a feature's name to the members that ask for it, by client dialect; a dialect without an entry has no
such feature. The members replace those of `BASE[dialect]`. Where a feature is a detail of another one, `BESIDE` names
that other feature: the detail counts as carried only if it makes a difference there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Members = Mapping[str, Any]

BASE: Final[Mapping[str, Members]] = {
    "openai_chat": {"messages": [{"role": "user", "content": "Hi."}]},
    "openai_completions": {"prompt": "Hi.", "max_tokens": 100},
    "openai_responses": {"input": [{"role": "user", "content": "Hi."}]},
    "anthropic": {"max_tokens": 4000, "messages": [{"role": "user", "content": "Hi."}]},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "Hi."}]}]},
}

_PNG: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
_PDF: Final = "JVBERi0xLjQK"
_WAV: Final = "UklGRg=="
_MP4: Final = "AAAAGGZ0eXA="
_TXT: Final = "QSBub3RlLg=="
_SCHEMA: Final = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_CLOSED: Final = {**_SCHEMA, "additionalProperties": False}


def _chat(*parts: Members) -> Members:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "Look."}, *parts]}]}


def _responses(*parts: Members) -> Members:
    return {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Look."}, *parts]}]}


def _anthropic(*blocks: Members) -> Members:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "Look."}, *blocks]}]}


def _gemini(*parts: Members) -> Members:
    return {"contents": [{"role": "user", "parts": [{"text": "Look."}, *parts]}]}


def _config(**members: object) -> Members:
    return {"generationConfig": members}


def _chat_tools(*more: Members, **members: object) -> Members:
    function = {"name": "weather", "description": "Weather", "parameters": _SCHEMA}
    return {"tools": [{"type": "function", "function": function}, *more], **members}


def _responses_tools(*more: Members, **members: object) -> Members:
    function = {"name": "weather", "description": "Weather", "parameters": _SCHEMA, "strict": False}
    return {"tools": [{"type": "function", **function}, *more], **members}


def _anthropic_tools(*more: Members, **members: object) -> Members:
    return {"tools": [{"name": "weather", "description": "Weather", "input_schema": _SCHEMA}, *more], **members}


def _gemini_tools(*more: Members, **members: object) -> Members:
    function = {"name": "weather", "description": "Weather", "parametersJsonSchema": _SCHEMA}
    return {"tools": [{"functionDeclarations": [function]}, *more], **members}


def _calling(**members: object) -> Members:
    return {"toolConfig": {"functionCallingConfig": members}}


_CHAT_CALL: Final = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
_RESPONSES_CALL: Final = {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"}
_ANTHROPIC_CALL: Final = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}
_GEMINI_CALL: Final = {"functionCall": {"name": "weather", "args": {}}}


def _anthropic_result(**members: object) -> Members:
    """A tool call and its result."""
    result = {"type": "tool_result", "tool_use_id": "toolu_1", **members}
    return _anthropic_tools(
        messages=[
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": [_ANTHROPIC_CALL]},
            {"role": "user", "content": [result]},
        ]
    )


_ANTHROPIC_IMAGE: Final = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": _PNG}}

FEATURES: Final[Mapping[str, Mapping[str, Members]]] = {
    # What is said
    "system prompt": {
        "openai_chat": {"messages": [{"role": "system", "content": "Be brief."}, *BASE["openai_chat"]["messages"]]},
        "openai_responses": {"instructions": "Be brief."},
        "anthropic": {"system": "Be brief."},
        "gemini": {"systemInstruction": {"parts": [{"text": "Be brief."}]}},
    },
    "system message in mid-conversation": {
        "openai_chat": {
            "messages": [
                *BASE["openai_chat"]["messages"],
                {"role": "developer", "content": "In French."},
                {"role": "user", "content": "Go."},
            ]
        },
        "openai_responses": {
            "input": [
                *BASE["openai_responses"]["input"],
                {"role": "developer", "content": "In French."},
                {"role": "user", "content": "Go."},
            ]
        },
        "anthropic": {
            "messages": [
                *BASE["anthropic"]["messages"],
                {"role": "assistant", "content": "Hello."},
                {"role": "user", "content": "Go."},
                {"role": "system", "content": "In French."},
            ]
        },
    },
    "name of a message's author": {
        "openai_chat": {"messages": [{"role": "user", "name": "Ada", "content": "Hi."}]},
    },
    "answer begun by the client": {
        "openai_chat": {"messages": [*BASE["openai_chat"]["messages"], {"role": "assistant", "content": "Well,"}]},
        "openai_responses": {"input": [*BASE["openai_responses"]["input"], {"role": "assistant", "content": "Well,"}]},
        "anthropic": {"messages": [*BASE["anthropic"]["messages"], {"role": "assistant", "content": "Well,"}]},
        "gemini": {"contents": [*BASE["gemini"]["contents"], {"role": "model", "parts": [{"text": "Well,"}]}]},
    },
    "image as data": {
        "openai_chat": _chat({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PNG}"}}),
        "openai_responses": _responses({"type": "input_image", "image_url": f"data:image/png;base64,{_PNG}"}),
        "anthropic": _anthropic(_ANTHROPIC_IMAGE),
        "gemini": _gemini({"inlineData": {"mimeType": "image/png", "data": _PNG}}),
    },
    "image by address": {
        "openai_chat": _chat({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}),
        "openai_responses": _responses({"type": "input_image", "image_url": "https://example.com/a.png"}),
        "anthropic": _anthropic({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}),
        "gemini": _gemini({"fileData": {"mimeType": "image/png", "fileUri": "https://example.com/a.png"}}),
    },
    "image by the vendor's file id": {
        "openai_responses": _responses({"type": "input_image", "file_id": "file-1"}),
        "anthropic": _anthropic({"type": "image", "source": {"type": "file", "file_id": "file_1"}}),
        "gemini": _gemini(
            {
                "fileData": {
                    "mimeType": "image/png",
                    "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/f1",
                }
            }
        ),
    },
    "image's level of detail": {
        "openai_chat": _chat(
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PNG}", "detail": "low"}}
        ),
        "openai_responses": _responses(
            {"type": "input_image", "image_url": f"data:image/png;base64,{_PNG}", "detail": "low"}
        ),
        "gemini": {
            **_gemini({"inlineData": {"mimeType": "image/png", "data": _PNG}}),
            **_config(mediaResolution="MEDIA_RESOLUTION_LOW"),
        },
    },
    "PDF as data": {
        "openai_chat": _chat(
            {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{_PDF}"}}
        ),
        "openai_responses": _responses(
            {"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{_PDF}"}
        ),
        "anthropic": _anthropic(
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": _PDF}}
        ),
        "gemini": _gemini({"inlineData": {"mimeType": "application/pdf", "data": _PDF}}),
    },
    "PDF by address": {
        "openai_responses": _responses({"type": "input_file", "file_url": "https://example.com/a.pdf"}),
        "anthropic": _anthropic({"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}),
        "gemini": _gemini({"fileData": {"mimeType": "application/pdf", "fileUri": "https://example.com/a.pdf"}}),
    },
    "document by the vendor's file id": {
        "openai_chat": _chat({"type": "file", "file": {"file_id": "file-1"}}),
        "openai_responses": _responses({"type": "input_file", "file_id": "file-1"}),
        "anthropic": _anthropic({"type": "document", "source": {"type": "file", "file_id": "file_1"}}),
    },
    "text document": {
        "anthropic": _anthropic(
            {
                "type": "document",
                "title": "N",
                "source": {"type": "text", "media_type": "text/plain", "data": "A note."},
            }
        ),
        "gemini": _gemini({"inlineData": {"mimeType": "text/plain", "data": _TXT}}),
    },
    "audio": {
        "openai_chat": _chat({"type": "input_audio", "input_audio": {"format": "wav", "data": _WAV}}),
        "gemini": _gemini({"inlineData": {"mimeType": "audio/wav", "data": _WAV}}),
    },
    "video": {
        "gemini": _gemini({"inlineData": {"mimeType": "video/mp4", "data": _MP4}}),
    },
    "citations of documents": {
        "anthropic": _anthropic(
            {
                "type": "document",
                "citations": {"enabled": True},
                "source": {"type": "base64", "media_type": "application/pdf", "data": _PDF},
            }
        ),
    },
    "cache markers": {
        "openai_chat": _chat({"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}),
        "anthropic": _anthropic({"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}),
    },
    "cache marker of the whole request": {
        "openai_chat": {"cache_control": {"type": "ephemeral"}},
        "openai_responses": {"cache_control": {"type": "ephemeral"}},
        "anthropic": {"cache_control": {"type": "ephemeral"}},
    },
    "cache marker of a message": {
        "openai_chat": {"messages": [{"role": "user", "content": "Hi.", "cache_control": {"type": "ephemeral"}}]},
        "openai_responses": {"input": [{"role": "user", "content": "Hi.", "cache_control": {"type": "ephemeral"}}]},
    },
    "cached contents": {"gemini": {"cachedContent": "cachedContents/c1"}},
    "conversation kept by the vendor": {
        "openai_responses": {"conversation": "conv_1"},
        "anthropic": {"thread": {"id": "thread_1"}},
    },
    # Tools
    "tools": {
        "openai_chat": _chat_tools(),
        "openai_responses": _responses_tools(),
        "anthropic": _anthropic_tools(),
        "gemini": _gemini_tools(),
    },
    "strict tools": {
        "openai_chat": {
            "tools": [{"type": "function", "function": {"name": "weather", "parameters": _CLOSED, "strict": True}}]
        },
        "openai_responses": {"tools": [{"type": "function", "name": "weather", "parameters": _CLOSED, "strict": True}]},
        "anthropic": {"tools": [{"name": "weather", "input_schema": _CLOSED, "strict": True}]},
    },
    "custom tools (free text)": {
        "openai_chat": _chat_tools({"type": "custom", "custom": {"name": "sql"}}),
        "openai_responses": _responses_tools({"type": "custom", "name": "sql"}),
    },
    "custom tools with a grammar": {
        "openai_chat": _chat_tools(
            {
                "type": "custom",
                "custom": {
                    "name": "sql",
                    "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: WORD"}},
                },
            }
        ),
        "openai_responses": _responses_tools(
            {
                "type": "custom",
                "name": "sql",
                "format": {"type": "grammar", "syntax": "lark", "definition": "start: WORD"},
            }
        ),
    },
    "tool namespaces": {
        "openai_responses": {
            "tools": [
                {
                    "type": "namespace",
                    "name": "geo",
                    "description": "Places",
                    "tools": [{"type": "function", "name": "weather", "parameters": _SCHEMA}],
                }
            ]
        },
    },
    "tools with a schema of the vendor's": {
        "openai_responses": {"tools": [{"type": "local_shell"}]},
        "anthropic": {"tools": [{"type": "bash_20250124", "name": "bash"}]},
        "gemini": {"tools": [{"computerUse": {"environment": "ENVIRONMENT_BROWSER"}}]},
    },
    "hosted web search": {
        "openai_chat": {"web_search_options": {}},
        "openai_responses": {"tools": [{"type": "web_search"}]},
        "anthropic": {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        "gemini": {"tools": [{"googleSearch": {}}]},
    },
    "hosted web search beside tools": {
        "openai_chat": _chat_tools(web_search_options={}),
        "openai_responses": _responses_tools({"type": "web_search"}),
        "anthropic": _anthropic_tools({"type": "web_search_20250305", "name": "web_search"}),
        "gemini": _gemini_tools({"googleSearch": {}}),
    },
    "hosted code execution": {
        "openai_responses": {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]},
        "anthropic": {"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]},
        "gemini": {"tools": [{"codeExecution": {}}]},
    },
    "hosted file search": {
        "openai_responses": {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]},
    },
    "MCP servers called by the vendor": {
        "openai_responses": {"tools": [{"type": "mcp", "server_label": "m", "server_url": "https://example.com/mcp"}]},
        "anthropic": {"mcp_servers": [{"type": "url", "name": "m", "url": "https://example.com/mcp"}]},
    },
    "tool choice: none": {
        "openai_chat": _chat_tools(tool_choice="none"),
        "openai_responses": _responses_tools(tool_choice="none"),
        "anthropic": _anthropic_tools(tool_choice={"type": "none"}),
        "gemini": _gemini_tools(**_calling(mode="NONE")),
    },
    "tool choice: any": {
        "openai_chat": _chat_tools(tool_choice="required"),
        "openai_responses": _responses_tools(tool_choice="required"),
        "anthropic": _anthropic_tools(tool_choice={"type": "any"}),
        "gemini": _gemini_tools(**_calling(mode="ANY")),
    },
    "tool choice: one": {
        "openai_chat": _chat_tools(tool_choice={"type": "function", "function": {"name": "weather"}}),
        "openai_responses": _responses_tools(tool_choice={"type": "function", "name": "weather"}),
        "anthropic": _anthropic_tools(tool_choice={"type": "tool", "name": "weather"}),
        "gemini": _gemini_tools(**_calling(mode="ANY", allowedFunctionNames=["weather"])),
    },
    "tool choice: some": {
        "openai_chat": _chat_tools(
            {"type": "function", "function": {"name": "time"}},
            {"type": "function", "function": {"name": "news"}},
            tool_choice={
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [
                        {"type": "function", "function": {"name": "weather"}},
                        {"type": "function", "function": {"name": "time"}},
                    ],
                },
            },
        ),
        "openai_responses": _responses_tools(
            {"type": "function", "name": "time", "parameters": None},
            {"type": "function", "name": "news", "parameters": None},
            tool_choice={
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "weather"}, {"type": "function", "name": "time"}],
            },
        ),
        "gemini": {
            "tools": [{"functionDeclarations": [{"name": "weather"}, {"name": "time"}, {"name": "news"}]}],
            **_calling(mode="ANY", allowedFunctionNames=["weather", "time"]),
        },
    },
    "no parallel calls": {
        "openai_chat": _chat_tools(parallel_tool_calls=False),
        "openai_responses": _responses_tools(parallel_tool_calls=False),
        "anthropic": _anthropic_tools(tool_choice={"type": "auto", "disable_parallel_tool_use": True}),
    },
    "failed tool result": {
        "anthropic": _anthropic_result(content="no clock", is_error=True),
        "gemini": _gemini_tools(
            contents=[
                *BASE["gemini"]["contents"],
                {"role": "model", "parts": [_GEMINI_CALL]},
                {
                    "role": "user",
                    "parts": [{"functionResponse": {"name": "weather", "response": {"error": "no clock"}}}],
                },
            ]
        ),
    },
    "tool result with an image": {
        "anthropic": _anthropic_result(content=[{"type": "text", "text": "A map."}, _ANTHROPIC_IMAGE]),
        "openai_responses": _responses_tools(
            input=[
                *BASE["openai_responses"]["input"],
                _RESPONSES_CALL,
                {
                    "type": "function_call_output",
                    "call_id": "call_1",
                    "output": [{"type": "input_image", "image_url": f"data:image/png;base64,{_PNG}"}],
                },
            ]
        ),
    },
    "tool call without a result": {
        "openai_chat": _chat_tools(
            messages=[
                *BASE["openai_chat"]["messages"],
                {"role": "assistant", "content": None, "tool_calls": [_CHAT_CALL]},
                {"role": "user", "content": "Never mind."},
            ]
        ),
        "openai_responses": _responses_tools(
            input=[
                *BASE["openai_responses"]["input"],
                _RESPONSES_CALL,
                {"role": "user", "content": "Never mind."},
            ]
        ),
        "anthropic": _anthropic_tools(
            messages=[
                *BASE["anthropic"]["messages"],
                {"role": "assistant", "content": [_ANTHROPIC_CALL]},
                {"role": "user", "content": "Never mind."},
            ]
        ),
        "gemini": _gemini_tools(
            contents=[
                *BASE["gemini"]["contents"],
                {"role": "model", "parts": [_GEMINI_CALL]},
                {"role": "user", "parts": [{"text": "Never mind."}]},
            ]
        ),
    },
    # Reasoning and form of the answer
    "reasoning: effort": {
        "openai_chat": {"reasoning_effort": "high"},
        "openai_responses": {"reasoning": {"effort": "high"}},
        "anthropic": {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
        "gemini": _config(thinkingConfig={"thinkingLevel": "HIGH"}),
    },
    "reasoning: the least": {
        "openai_chat": {"reasoning_effort": "minimal"},
        "openai_responses": {"reasoning": {"effort": "minimal"}},
        "anthropic": {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
        "gemini": _config(thinkingConfig={"thinkingLevel": "MINIMAL"}),
    },
    "reasoning: off": {
        "openai_chat": {"reasoning_effort": "none"},
        "openai_responses": {"reasoning": {"effort": "none"}},
        "anthropic": {"thinking": {"type": "disabled"}},
        "gemini": _config(thinkingConfig={"thinkingBudget": 0}),
    },
    "reasoning: a budget of tokens": {
        "openai_chat": {"reasoning": {"max_tokens": 2000}},
        "anthropic": {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        "gemini": _config(thinkingConfig={"thinkingBudget": 2000}),
    },
    "reasoning to be shown": {
        "openai_responses": {"reasoning": {"effort": "high", "summary": "auto"}},
        "anthropic": {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "high"}},
        "gemini": _config(thinkingConfig={"thinkingLevel": "HIGH", "includeThoughts": True}),
    },
    "structured output: any JSON": {
        "openai_chat": {"response_format": {"type": "json_object"}},
        "openai_responses": {"text": {"format": {"type": "json_object"}}},
        "gemini": _config(responseMimeType="application/json"),
    },
    "structured output: a schema": {
        "openai_chat": {"response_format": {"type": "json_schema", "json_schema": {"name": "c", "schema": _CLOSED}}},
        "openai_responses": {"text": {"format": {"type": "json_schema", "name": "c", "schema": _CLOSED}}},
        "anthropic": {"output_config": {"format": {"type": "json_schema", "schema": _CLOSED}}},
        "gemini": _config(responseMimeType="application/json", responseJsonSchema=_CLOSED),
    },
    "answers in sound": {
        "openai_chat": {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}},
        "gemini": _config(responseModalities=["AUDIO"]),
    },
    "answers in pictures": {
        "openai_chat": {"modalities": ["text", "image"]},
        "openai_responses": {"tools": [{"type": "image_generation"}]},
        "gemini": _config(responseModalities=["TEXT", "IMAGE"]),
    },
    # Sampling and limits
    "limit of output": {
        "openai_chat": {"max_completion_tokens": 500},
        "openai_completions": {"max_tokens": 500},
        "openai_responses": {"max_output_tokens": 500},
        "anthropic": {"max_tokens": 500},
        "gemini": _config(maxOutputTokens=500),
    },
    "temperature": {
        "openai_chat": {"temperature": 0.5},
        "openai_completions": {"temperature": 0.5},
        "openai_responses": {"temperature": 0.5},
        "anthropic": {"temperature": 0.5},
        "gemini": _config(temperature=0.5),
    },
    "temperature above 1": {
        "openai_chat": {"temperature": 1.5},
        "openai_completions": {"temperature": 1.5},
        "openai_responses": {"temperature": 1.5},
        "gemini": _config(temperature=1.5),
    },
    "top_p": {
        "openai_chat": {"top_p": 0.9},
        "openai_completions": {"top_p": 0.9},
        "openai_responses": {"top_p": 0.9},
        "anthropic": {"top_p": 0.9},
        "gemini": _config(topP=0.9),
    },
    "top_k": {
        "openai_chat": {"top_k": 40},
        "anthropic": {"top_k": 40},
        "gemini": _config(topK=40),
    },
    "stop sequences": {
        "openai_chat": {"stop": ["END"]},
        "openai_completions": {"stop": ["END"]},
        "anthropic": {"stop_sequences": ["END"]},
        "gemini": _config(stopSequences=["END"]),
    },
    "more than 4 stop sequences": {
        "anthropic": {"stop_sequences": ["A", "B", "C", "D", "E"]},
        "gemini": _config(stopSequences=["A", "B", "C", "D", "E"]),
    },
    "seed": {
        "openai_chat": {"seed": 7},
        "openai_completions": {"seed": 7},
        "gemini": _config(seed=7),
    },
    "penalties": {
        "openai_chat": {"presence_penalty": 0.5, "frequency_penalty": 0.5},
        "openai_completions": {"presence_penalty": 0.5, "frequency_penalty": 0.5},
        "gemini": _config(presencePenalty=0.5, frequencyPenalty=0.5),
    },
    "logit bias": {
        "openai_chat": {"logit_bias": {"50256": -100}},
        "openai_completions": {"logit_bias": {"50256": -100}},
    },
    "log probabilities": {
        "openai_chat": {"logprobs": True, "top_logprobs": 3},
        "openai_completions": {"logprobs": 3},
        "openai_responses": {"top_logprobs": 3},
        "gemini": _config(responseLogprobs=True, logprobs=3),
    },
    "several answers": {
        "openai_chat": {"n": 2},
        "openai_completions": {"n": 2},
        "gemini": _config(candidateCount=2),
    },
    "best of several answers": {"openai_completions": {"best_of": 3}},
    "text after the gap": {"openai_completions": {"suffix": " the end."}},
    "verbosity": {
        "openai_chat": {"verbosity": "low"},
        "openai_responses": {"text": {"verbosity": "low"}},
    },
    "prediction": {"openai_chat": {"prediction": {"type": "content", "content": "x"}}},
    "truncation by the vendor": {"openai_responses": {"truncation": "auto"}},
    "answer in the background": {"openai_responses": {"background": True}},
    # Labels
    "user": {
        "openai_chat": {"user": "u1"},
        "openai_completions": {"user": "u1"},
        "openai_responses": {"user": "u1"},
        "anthropic": {"metadata": {"user_id": "u1"}},
    },
    "metadata": {
        "openai_chat": {"metadata": {"task": "t1"}},
        "openai_responses": {"metadata": {"task": "t1"}},
        "gemini": {"labels": {"task": "t1"}},
    },
    "cache key": {
        "openai_chat": {"prompt_cache_key": "k1"},
        "openai_responses": {"prompt_cache_key": "k1"},
    },
    "service tier": {
        "openai_chat": {"service_tier": "priority"},
        "openai_responses": {"service_tier": "priority"},
        "anthropic": {"service_tier": "standard_only"},
        "gemini": {"serviceTier": "priority"},
    },
    "safety settings": {
        "gemini": {"safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]},
    },
}

BESIDE: Final[Mapping[str, str]] = {
    "image's level of detail": "image as data",
    "tool choice: none": "tools",
    "tool choice: any": "tools",
    "no parallel calls": "tools",
    "hosted web search beside tools": "tools",
    "custom tools (free text)": "tools",
}
