"""What clients ask and what upstreams answer, literally, topic by topic: what the golden files of pairs are made from.

`REQUESTS[client][topic]` is a request body; `STREAMS[upstream][topic]` are the events of an answer to it. Legacy
Completions has no tools, no pictures and no reasoning to ask for.
"""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]

TOPICS: Final = ("text", "tools", "reasoning", "media", "links", "structured", "settings", "everything", "length")

PIXEL: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
PAPER: Final = "JVBERi0xLjQK"
SCHEMA: Final = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "people": {"type": "integer", "minimum": 0}},
    "required": ["city", "people"],
    "additionalProperties": False,
}
CITY: Final = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}


# What clients ask

_CHAT_TOOLS: Final = [
    {"type": "function", "function": {"name": "weather", "description": "Weather now", "parameters": CITY}},
    {"type": "function", "function": {"name": "time"}},
]
_CHAT: Final[dict[str, Json]] = {
    "text": {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi."},
            {"role": "assistant", "content": "Hello."},
            {"role": "system", "content": "Answer in French from now on."},
            {"role": "user", "content": [{"type": "text", "text": "How"}, {"type": "text", "text": " are you?"}]},
        ],
        "stream_options": {"include_usage": True},
    },
    "tools": {
        "messages": [
            {"role": "user", "content": "Weather and time in Oslo?"},
            {
                "role": "assistant",
                "content": "I look.",
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
                    },
                    {"id": "call_2", "type": "function", "function": {"name": "time", "arguments": "{}"}},
                ],
            },
            {"role": "tool", "tool_call_id": "call_2", "content": "no clock"},
            {"role": "tool", "tool_call_id": "call_1", "content": "14 degrees"},
            {"role": "user", "content": "Try again."},
        ],
        "tools": _CHAT_TOOLS,
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "parallel_tool_calls": False,
    },
    "reasoning": {
        "messages": [{"role": "user", "content": "Weather in Oslo?"}],
        "tools": _CHAT_TOOLS,
        "reasoning": {"effort": "high"},
    },
    "media": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "low"}},
                    {
                        "type": "file",
                        "file": {"filename": "paper.pdf", "file_data": f"data:application/pdf;base64,{PAPER}"},
                    },
                    {"type": "text", "text": "What is this?"},
                ],
            }
        ]
    },
    "links": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
                    {"type": "text", "text": "What is this?"},
                ],
            }
        ]
    },
    "structured": {
        "messages": [{"role": "user", "content": "A city."}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA, "strict": True}},
    },
    "settings": {
        "messages": [{"role": "user", "content": "Go."}],
        "max_completion_tokens": 500,
        "temperature": 1.5,
        "top_p": 0.9,
        "stop": ["END", "STOP"],
        "seed": 7,
        "presence_penalty": 0.5,
        "frequency_penalty": 0.25,
        "logit_bias": {"50256": -100},
        "user": "user-1",
        "metadata": {"task": "t1"},
        "service_tier": "priority",
        "prompt_cache_key": "k1",
        "verbosity": "low",
    },
    "everything": {
        "messages": [{"role": "user", "content": "Weather in Oslo?"}],
        "tools": _CHAT_TOOLS,
        "tool_choice": "required",
        "reasoning_effort": "medium",
        "stream_options": {"include_usage": True},
    },
    "length": {"messages": [{"role": "user", "content": "Tell a story."}], "max_tokens": 64},
}

_COMPLETIONS: Final[dict[str, Json]] = {
    "text": {"prompt": "Once upon a time", "stream_options": {"include_usage": True}},
    "settings": {
        "prompt": "Once upon",
        "max_tokens": 500,
        "temperature": 1.5,
        "top_p": 0.9,
        "stop": ["END"],
        "seed": 7,
        "presence_penalty": 0.5,
        "user": "user-1",
    },
    "everything": {"prompt": "Weather in Oslo?", "max_tokens": 500, "echo": True},
    "length": {"prompt": "Tell a story."},
}

_RESPONSES_TOOLS: Final = [
    {"type": "function", "name": "weather", "description": "Weather now", "parameters": CITY, "strict": False},
    {"type": "function", "name": "time", "parameters": None, "strict": None},
]
_RESPONSES: Final[dict[str, Json]] = {
    "text": {
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": "Hi."},
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": "Hello.", "annotations": []}],
            },
            {"role": "developer", "content": "Answer in French from now on."},
            {
                "role": "user",
                "content": [{"type": "input_text", "text": "How"}, {"type": "input_text", "text": " are you?"}],
            },
        ],
    },
    "tools": {
        "input": [
            {"role": "user", "content": "Weather and time in Oslo?"},
            {"role": "assistant", "content": "I look."},
            {
                "type": "function_call",
                "id": "fc_1",
                "call_id": "call_1",
                "name": "weather",
                "arguments": '{"city": "Oslo"}',
            },
            {"type": "function_call", "id": "fc_2", "call_id": "call_2", "name": "time", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_2", "output": "no clock"},
            {
                "type": "function_call_output",
                "call_id": "call_1",
                "output": [{"type": "input_text", "text": "14 degrees"}],
            },
            {"role": "user", "content": "Try again."},
        ],
        "tools": _RESPONSES_TOOLS,
        "tool_choice": {"type": "function", "name": "weather"},
        "parallel_tool_calls": False,
    },
    "reasoning": {
        "input": [{"role": "user", "content": "Weather in Oslo?"}],
        "tools": _RESPONSES_TOOLS,
        "reasoning": {"effort": "high", "summary": "auto"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
    },
    "media": {
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "low"},
                    {
                        "type": "input_file",
                        "filename": "paper.pdf",
                        "file_data": f"data:application/pdf;base64,{PAPER}",
                    },
                    {"type": "input_text", "text": "What is this?"},
                ],
            }
        ]
    },
    "links": {
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_image", "image_url": "https://example.com/cat.png", "detail": "high"},
                    {"type": "input_file", "file_url": "https://example.com/paper.pdf"},
                ],
            }
        ]
    },
    "structured": {
        "input": "A city.",
        "text": {"format": {"type": "json_schema", "name": "city", "schema": SCHEMA, "strict": True}},
    },
    "settings": {
        "input": "Go.",
        "max_output_tokens": 500,
        "temperature": 1.5,
        "top_p": 0.9,
        "user": "user-1",
        "metadata": {"task": "t1"},
        "service_tier": "priority",
        "prompt_cache_key": "k1",
        "text": {"verbosity": "low"},
        "truncation": "auto",
    },
    "everything": {
        "input": "Weather in Oslo?",
        "tools": _RESPONSES_TOOLS,
        "tool_choice": "required",
        "reasoning": {"effort": "medium"},
    },
    "length": {"input": "Tell a story.", "max_output_tokens": 64},
}

_MESSAGES_TOOLS: Final = [
    {"name": "weather", "description": "Weather now", "input_schema": CITY},
    {"name": "time", "input_schema": {"type": "object", "properties": {}}, "cache_control": {"type": "ephemeral"}},
]
_MESSAGES: Final[dict[str, Json]] = {
    "text": {
        "max_tokens": 1000,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": "Hi."},
            {"role": "assistant", "content": [{"type": "text", "text": "Hello."}]},
            {"role": "user", "content": [{"type": "text", "text": "How"}, {"type": "text", "text": " are you?"}]},
            {"role": "system", "content": "Answer in French from now on."},
        ],
    },
    "tools": {
        "max_tokens": 1000,
        "messages": [
            {"role": "user", "content": "Weather and time in Oslo?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "I look."},
                    {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}},
                    {"type": "tool_use", "id": "toolu_2", "name": "time", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_2", "content": "no clock", "is_error": True},
                    {
                        "type": "tool_result",
                        "tool_use_id": "toolu_1",
                        "content": [{"type": "text", "text": "14 degrees"}],
                    },
                    {"type": "text", "text": "Try again."},
                ],
            },
        ],
        "tools": _MESSAGES_TOOLS,
        "tool_choice": {"type": "tool", "name": "weather", "disable_parallel_tool_use": True},
    },
    "reasoning": {
        "max_tokens": 4000,
        "messages": [{"role": "user", "content": "Weather in Oslo?"}],
        "tools": _MESSAGES_TOOLS,
        "thinking": {"type": "enabled", "budget_tokens": 2000},
    },
    "media": {
        "max_tokens": 1000,
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
                    {
                        "type": "document",
                        "title": "paper.pdf",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": PAPER},
                    },
                    {
                        "type": "document",
                        "title": "Notes",
                        "source": {"type": "text", "media_type": "text/plain", "data": "A note."},
                    },
                    {"type": "text", "text": "What is this?"},
                ],
            }
        ],
    },
    "links": {
        "max_tokens": 1000,
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
                    {"type": "document", "source": {"type": "url", "url": "https://example.com/paper.pdf"}},
                ],
            }
        ],
    },
    "structured": {
        "max_tokens": 1000,
        "messages": [{"role": "user", "content": "A city."}],
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    },
    "settings": {
        "max_tokens": 500,
        "messages": [{"role": "user", "content": "Go."}],
        "temperature": 0.7,
        "top_p": 0.9,
        "top_k": 40,
        "stop_sequences": ["END", "STOP"],
        "metadata": {"user_id": "user-1"},
        "service_tier": "standard_only",
    },
    "everything": {
        "max_tokens": 4000,
        "messages": [{"role": "user", "content": "Weather in Oslo?"}],
        "tools": _MESSAGES_TOOLS,
        "tool_choice": {"type": "any"},
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "medium"},
    },
    "length": {"max_tokens": 64, "messages": [{"role": "user", "content": "Tell a story."}]},
}

_GEMINI_TOOLS: Final = [
    {
        "functionDeclarations": [
            {
                "name": "weather",
                "description": "Weather now",
                "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]},
            },
            {"name": "time"},
        ]
    }
]
_GEMINI: Final[dict[str, Json]] = {
    "text": {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Hi."}]},
            {"role": "model", "parts": [{"text": "Hello."}]},
            {"role": "user", "parts": [{"text": "How"}, {"text": " are you?"}]},
        ],
    },
    "tools": {
        "contents": [
            {"role": "user", "parts": [{"text": "Weather and time in Oslo?"}]},
            {
                "role": "model",
                "parts": [
                    {"text": "I look."},
                    {"functionCall": {"name": "weather", "args": {"city": "Oslo"}}},
                    {"functionCall": {"name": "time", "args": {}}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"name": "time", "response": {"error": "no clock"}}},
                    {"functionResponse": {"name": "weather", "response": {"output": "14 degrees"}}},
                    {"text": "Try again."},
                ],
            },
        ],
        "tools": _GEMINI_TOOLS,
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]}},
    },
    "reasoning": {
        "contents": [{"role": "user", "parts": [{"text": "Weather in Oslo?"}]}],
        "tools": _GEMINI_TOOLS,
        "generationConfig": {"thinkingConfig": {"thinkingBudget": 2000, "includeThoughts": True}},
    },
    "media": {
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"inlineData": {"mimeType": "image/png", "data": PIXEL}},
                    {"inlineData": {"mimeType": "application/pdf", "data": PAPER, "displayName": "paper.pdf"}},
                    {"text": "What is this?"},
                ],
            }
        ]
    },
    "links": {
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"fileData": {"mimeType": "image/png", "fileUri": "https://example.com/cat.png"}},
                    {"fileData": {"mimeType": "application/pdf", "fileUri": "https://example.com/paper.pdf"}},
                ],
            }
        ]
    },
    "structured": {
        "contents": [{"role": "user", "parts": [{"text": "A city."}]}],
        "generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
    },
    "settings": {
        "contents": [{"role": "user", "parts": [{"text": "Go."}]}],
        "generationConfig": {
            "maxOutputTokens": 500,
            "temperature": 1.5,
            "topP": 0.9,
            "topK": 40,
            "stopSequences": ["END", "STOP"],
            "seed": 7,
            "presencePenalty": 0.5,
            "frequencyPenalty": 0.25,
        },
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        "labels": {"task": "t1"},
        "serviceTier": "priority",
    },
    "everything": {
        "contents": [{"role": "user", "parts": [{"text": "Weather in Oslo?"}]}],
        "tools": _GEMINI_TOOLS,
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        "generationConfig": {"thinkingConfig": {"thinkingLevel": "MEDIUM"}},
    },
    "length": {
        "contents": [{"role": "user", "parts": [{"text": "Tell a story."}]}],
        "generationConfig": {"maxOutputTokens": 64},
    },
}

OWN: Final[dict[str, dict[str, Json]]] = {
    "openai_chat": {
        "mixed": {
            "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "What is here?"},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
                    ],
                },
                {
                    "role": "assistant",
                    "content": [
                        {"type": "text", "text": "I look."},
                        {"type": "tool_use", "id": "toolu_1", "name": "ls", "input": {"path": "."}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "a.py"}]}
                    ],
                },
                {"role": "user", "content": "Go on.", "cache_control": {"type": "ephemeral"}},
            ],
            "tools": [{"name": "ls", "description": "Lists files", "input_schema": {"type": "object"}}],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
            "stop_sequences": ["END"],
        },
    },
    "anthropic": {
        "mixed": {
            "max_tokens": 500,
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "What is here?"},
                        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
                    ],
                },
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {"id": "call_1", "type": "function", "function": {"name": "ls", "arguments": '{"path": "."}'}}
                    ],
                },
                {"role": "tool", "tool_call_id": "call_1", "content": "a.py"},
            ],
            "tools": [{"type": "function", "function": {"name": "ls", "parameters": {"type": "object"}}}],
            "tool_choice": "required",
        },
        "steered": {
            "max_tokens": 500,
            "messages": [
                {"role": "user", "content": "Go."},
                {"role": "system", "content": "Shown once.", "clear_at": "next_user_message"},
                {"role": "assistant", "content": "Gone."},
                {"role": "user", "content": "Go on."},
                {
                    "role": "system",
                    "output_config": {"effort": "low"},
                    "content": [
                        {
                            "type": "tool_addition",
                            "tool": {
                                "type": "tool_definition",
                                "definition": {"name": "time", "input_schema": {"type": "object"}},
                            },
                        },
                        {"type": "tool_removal", "tool": {"type": "tool_reference", "name": "weather"}},
                    ],
                },
            ],
            "tools": [{"name": "weather", "input_schema": CITY}],
        },
        "hosted": {
            "max_tokens": 500,
            "messages": [
                {"role": "user", "content": "Go."},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "text", "text": "I look."},
                        {
                            "type": "mcp_tool_use",
                            "id": "mcptoolu_1",
                            "name": "get",
                            "server_name": "db",
                            "input": {"k": 1},
                        },
                        {
                            "type": "mcp_tool_result",
                            "tool_use_id": "mcptoolu_1",
                            "content": [{"type": "text", "text": "9"}],
                        },
                        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
                        {
                            "type": "web_search_tool_result",
                            "tool_use_id": "srvtoolu_1",
                            "content": [
                                {
                                    "type": "web_search_result",
                                    "title": "A page",
                                    "url": "https://a.example",
                                    "encrypted_content": "sealed",
                                }
                            ],
                        },
                        {"type": "server_tool_use", "id": "srvtoolu_2", "name": "bash_code_execution", "input": {}},
                        {
                            "type": "bash_code_execution_tool_result",
                            "tool_use_id": "srvtoolu_2",
                            "content": {
                                "type": "bash_code_execution_tool_result_error",
                                "error_code": "unavailable",
                            },
                        },
                        {"type": "text", "text": "So."},
                    ],
                },
                {"role": "user", "content": [{"type": "container_upload", "file_id": "file_1"}]},
            ],
        },
    },
    "gemini": {
        "hosted": {
            "systemInstruction": {"parts": {"text": "Be brief."}},
            "contents": [
                {"parts": {"text": "Compute."}},
                {
                    "role": "model",
                    "parts": [
                        {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
                        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
                        {"toolCall": {"id": "t1", "toolType": "GOOGLE_SEARCH_WEB", "args": {"q": "x"}}},
                        {"toolResponse": {"id": "t1", "toolType": "GOOGLE_SEARCH_WEB", "response": {"found": 1}}},
                        {"text": "So."},
                    ],
                },
                {"parts": {"text": "Go on."}},
            ],
        },
    },
    "openai_responses": {
        "compaction": {
            "input": [
                {
                    "type": "compaction",
                    "id": "cmp_1",
                    "encrypted_content": "gw1.compaction.WyJzdW1tYXJ5IiwiV2UgbWV0LiJd",
                },
                *_RESPONSES["tools"]["input"],
                {"type": "configuration_update", "reasoning": {"effort": "high"}},
                {"type": "compaction_trigger"},
            ],
            "tools": _RESPONSES_TOOLS,
            "text": {"verbosity": "low"},
            "store": False,
        },
        "items": {
            "input": [
                {"role": "user", "content": "Go."},
                {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "db", "tools": [{"name": "get"}]},
                {
                    "type": "mcp_approval_request",
                    "id": "mcpr_1",
                    "server_label": "db",
                    "name": "get",
                    "arguments": "{}",
                },
                {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True},
                {
                    "type": "mcp_call",
                    "id": "mcp_1",
                    "server_label": "db",
                    "name": "get",
                    "output": "MCP",
                    "error": None,
                },
                {"type": "web_search_call", "id": "ws_1", "action": {"type": "search", "query": "q"}},
                {
                    "type": "file_search_call",
                    "id": "fs_1",
                    "queries": ["q"],
                    "results": [{"filename": "a", "text": "F"}],
                },
                {
                    "type": "code_interpreter_call",
                    "id": "ci_1",
                    "code": "1+1",
                    "outputs": [{"type": "logs", "logs": "2"}],
                },
                {
                    "type": "agent_message",
                    "author": "a",
                    "recipient": "b",
                    "content": [{"type": "input_text", "text": "A"}],
                },
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Done."}]},
                {"type": "tool_search_call", "call_id": "c1", "execution": "client", "arguments": {"query": "sql"}},
                {
                    "type": "tool_search_output",
                    "call_id": "c1",
                    "execution": "client",
                    "tools": [
                        {
                            "type": "namespace",
                            "name": "mcp__sql",
                            "description": "SQL",
                            "tools": [{"type": "function", "name": "run", "parameters": CITY, "defer_loading": True}],
                        }
                    ],
                },
                {"type": "computer_call", "call_id": "c2", "id": "cu_1", "actions": [{"type": "screenshot"}]},
                {
                    "type": "computer_call_output",
                    "call_id": "c2",
                    "output": {"type": "computer_screenshot", "image_url": f"data:image/png;base64,{PIXEL}"},
                },
                {"role": "user", "content": "Go on."},
            ],
            "tools": [{"type": "tool_search", "execution": "client", "parameters": CITY}, {"type": "computer"}],
        },
    },
}
"""Topics of one dialect's clients: `OWN[client][topic]`; upstreams answer them as they answer `text`."""

REQUESTS: Final[dict[str, dict[str, Json]]] = {
    "openai_chat": _CHAT,
    "openai_completions": _COMPLETIONS,
    "openai_responses": _RESPONSES,
    "anthropic": _MESSAGES,
    "gemini": _GEMINI,
}


# What upstreams answer


def _chunk(delta: Json, finish: str | None = None, **more: Any) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "up",
        "choices": [choice],
        **more,
    }


_CHAT_USAGE: Final[Json] = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "up",
    "choices": [],
    "usage": {
        "prompt_tokens": 20,
        "completion_tokens": 9,
        "total_tokens": 29,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 3},
    },
}
_CHAT_FIRST: Final = _chunk({"role": "assistant", "content": ""})


def _chat_call(index: int, id: str, name: str, *arguments: str) -> list[Json]:
    named = {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}
    more = [{"index": index, "function": {"arguments": piece}} for piece in arguments]
    return [_chunk({"tool_calls": [call]}) for call in (named, *more)]


_CHAT_CALL: Final = _chat_call(0, "call_9", "weather", '{"city":', ' "Oslo"}')
_CHAT_SAYS: Final = [
    _CHAT_FIRST,
    _chunk({"content": "Hello"}),
    _chunk({"content": ", world."}),
    _chunk({}, "stop"),
    _CHAT_USAGE,
]
_CHAT_STREAMS: Final[dict[str, list[Json]]] = {
    "text": _CHAT_SAYS,
    "tools": [
        _CHAT_FIRST,
        *_CHAT_CALL,
        *_chat_call(1, "call_10", "time", "{}"),
        _chunk({}, "tool_calls"),
        _CHAT_USAGE,
    ],
    "reasoning": [
        _CHAT_FIRST,
        _chunk({"reasoning_content": "They ask"}),
        _chunk({"reasoning_content": " for Oslo."}),
        *_CHAT_CALL,
        _chunk({}, "tool_calls"),
        _CHAT_USAGE,
    ],
    "media": _CHAT_SAYS,
    "links": _CHAT_SAYS,
    "structured": [
        _CHAT_FIRST,
        _chunk({"content": '{"city":"Oslo",'}),
        _chunk({"content": '"people":700000}'}),
        _chunk({}, "stop"),
        _CHAT_USAGE,
    ],
    "settings": _CHAT_SAYS,
    "everything": [
        _CHAT_FIRST,
        _chunk({"reasoning_content": "They ask for Oslo."}),
        _chunk({"content": "I look."}),
        *_CHAT_CALL,
        _chunk({}, "tool_calls"),
        _CHAT_USAGE,
    ],
    "length": [_CHAT_FIRST, _chunk({"content": "Once upon"}), _chunk({}, "length"), _CHAT_USAGE],
}

_RESPONSES_USAGE: Final = {
    "input_tokens": 20,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 29,
}


def _responses(*items: Json, status: str = "completed") -> list[Json]:
    """The events of a response with these items, each text and each list of arguments in two pieces."""
    shell = {"id": "resp_1", "object": "response", "created_at": 1, "model": "up", "error": None}
    begun = {**shell, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    events = [{"type": "response.created", "response": begun}, {"type": "response.in_progress", "response": begun}]
    for index, item in enumerate(items):
        events += _item_events(index, item)
    details = {"reason": "max_output_tokens"} if status == "incomplete" else None
    ended = {**shell, "status": status, "output": list(items), "usage": _RESPONSES_USAGE, "incomplete_details": details}
    events.append({"type": f"response.{status}", "response": ended})
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def _item_events(index: int, item: Json) -> list[Json]:
    at = {"item_id": item["id"], "output_index": index}
    begun: Json = {"id": item["id"], "type": item["type"]}
    events: list[Json] = []
    if item["type"] == "message":
        begun |= {"role": "assistant", "status": "in_progress", "content": []}
        part = {"content_index": 0, **at}
        text = item["content"][0]["text"]
        empty = {"type": "output_text", "text": "", "annotations": []}
        events.append({"type": "response.content_part.added", "part": empty, **part})
        events += [{"type": "response.output_text.delta", "delta": piece, **part} for piece in _halves(text)]
        events.append({"type": "response.output_text.done", "text": text, **part})
        events.append({"type": "response.content_part.done", "part": item["content"][0], **part})
    elif item["type"] == "reasoning":
        begun["summary"] = []
        part = {"summary_index": 0, **at}
        text = item["summary"][0]["text"]
        name = "response.reasoning_summary_"
        events.append({"type": f"{name}part.added", "part": {"type": "summary_text", "text": ""}, **part})
        events += [{"type": f"{name}text.delta", "delta": piece, **part} for piece in _halves(text)]
        events.append({"type": f"{name}text.done", "text": text, **part})
        events.append({"type": f"{name}part.done", "part": item["summary"][0], **part})
    else:
        begun |= {"call_id": item["call_id"], "name": item["name"], "arguments": "", "status": "in_progress"}
        name = "response.function_call_arguments"
        events += [{"type": f"{name}.delta", "delta": piece, **at} for piece in _halves(item["arguments"])]
        events.append({"type": f"{name}.done", "arguments": item["arguments"], **at})
    first = {"type": "response.output_item.added", "output_index": index, "item": begun}
    return [first, *events, {"type": "response.output_item.done", "output_index": index, "item": item}]


def _halves(text: str) -> list[str]:
    middle = len(text) // 2
    return [piece for piece in (text[:middle], text[middle:]) if piece]


def _message(text: str, status: str = "completed") -> Json:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"id": "msg_9", "type": "message", "role": "assistant", "status": status, "content": content}


def _function_call(id: str, call: str, name: str, arguments: str) -> Json:
    done = {"name": name, "arguments": arguments, "status": "completed"}
    return {"id": id, "type": "function_call", "call_id": call, **done}


_RESPONSES_CALL: Final = _function_call("fc_9", "call_9", "weather", '{"city": "Oslo"}')
_RESPONSES_THINKS: Final = {
    "id": "rs_9",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "They ask for Oslo."}],
    "encrypted_content": "gAAAAsealed",
}
_RESPONSES_STREAMS: Final[dict[str, list[Json]]] = {
    "text": _responses(_message("Hello, world.")),
    "tools": _responses(_RESPONSES_CALL, _function_call("fc_10", "call_10", "time", "{}")),
    "reasoning": _responses(_RESPONSES_THINKS, _RESPONSES_CALL),
    "media": _responses(_message("Hello, world.")),
    "links": _responses(_message("Hello, world.")),
    "structured": _responses(_message('{"city":"Oslo","people":700000}')),
    "settings": _responses(_message("Hello, world.")),
    "everything": _responses(_RESPONSES_THINKS, _message("I look."), _RESPONSES_CALL),
    "length": _responses(_message("Once upon", "incomplete"), status="incomplete"),
}

_MESSAGES_START: Final[Json] = {
    "type": "message_start",
    "message": {
        "id": "msg_9",
        "type": "message",
        "role": "assistant",
        "model": "up",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 16,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 4,
            "output_tokens": 1,
        },
    },
}


def _messages(stop: str, *blocks: tuple[Json, list[Json]], sequence: str | None = None) -> list[Json]:
    """The events of a message with these blocks, each given as its start and its deltas."""
    events = [_MESSAGES_START]
    for index, (start, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    ending = {"stop_reason": stop, "stop_sequence": sequence}
    return [
        *events,
        {"type": "message_delta", "delta": ending, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ]


def _text(*pieces: str) -> tuple[Json, list[Json]]:
    return {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces]


def _tool_use(id: str, name: str, *pieces: str) -> tuple[Json, list[Json]]:
    start = {"type": "tool_use", "id": id, "name": name, "input": {}}
    return start, [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces)]


_MESSAGES_THINK: Final[tuple[Json, list[Json]]] = (
    {"type": "thinking", "thinking": "", "signature": ""},
    [
        {"type": "thinking_delta", "thinking": "They ask"},
        {"type": "thinking_delta", "thinking": " for Oslo."},
        {"type": "signature_delta", "signature": "EsealedByAnthropic"},
    ],
)
_MESSAGES_CALL: Final = _tool_use("toolu_9", "weather", '{"city":', ' "Oslo"}')
_MESSAGES_STREAMS: Final[dict[str, list[Json]]] = {
    "text": _messages("end_turn", _text("Hello", ", world.")),
    "tools": _messages("tool_use", _MESSAGES_CALL, _tool_use("toolu_10", "time")),
    "reasoning": _messages("tool_use", _MESSAGES_THINK, _MESSAGES_CALL),
    "media": _messages("end_turn", _text("Hello", ", world.")),
    "links": _messages("end_turn", _text("Hello", ", world.")),
    "structured": _messages("end_turn", _text('{"city":"Oslo",', '"people":700000}')),
    "settings": _messages("stop_sequence", _text("Hello", ", world."), sequence="END"),
    "everything": _messages("tool_use", _MESSAGES_THINK, _text("I look."), _MESSAGES_CALL),
    "length": _messages("max_tokens", _text("Once upon")),
}

_GEMINI_USAGE: Final = {
    "promptTokenCount": 20,
    "cachedContentTokenCount": 4,
    "candidatesTokenCount": 6,
    "thoughtsTokenCount": 3,
    "totalTokenCount": 29,
}


def _gemini(*pieces: Json, finish: str = "STOP") -> list[Json]:
    """Chunks of one part each; the last one has the finish reason."""
    out: list[Json] = []
    for number, part in enumerate(pieces, 1):
        candidate: Json = {"content": {"role": "model", "parts": [part]}, "index": 0}
        if number == len(pieces):
            candidate["finishReason"] = finish
        out.append(
            {"candidates": [candidate], "usageMetadata": _GEMINI_USAGE, "modelVersion": "up", "responseId": "r1"}
        )
    return out


_GEMINI_CALL: Final = {
    "functionCall": {"name": "weather", "args": {"city": "Oslo"}},
    "thoughtSignature": "c2VhbGVkIGJ5IEdvb2dsZQ==",
}
_GEMINI_THINKS: Final = ({"text": "They ask", "thought": True}, {"text": " for Oslo.", "thought": True})
_GEMINI_STREAMS: Final[dict[str, list[Json]]] = {
    "text": _gemini({"text": "Hello"}, {"text": ", world."}),
    "tools": _gemini(_GEMINI_CALL, {"functionCall": {"name": "time", "args": {}}}),
    "reasoning": _gemini(*_GEMINI_THINKS, _GEMINI_CALL),
    "media": _gemini({"text": "Hello"}, {"text": ", world."}),
    "links": _gemini({"text": "Hello"}, {"text": ", world."}),
    "structured": _gemini({"text": '{"city":"Oslo",'}, {"text": '"people":700000}'}),
    "settings": _gemini({"text": "Hello"}, {"text": ", world."}),
    "everything": _gemini(*_GEMINI_THINKS, {"text": "I look."}, _GEMINI_CALL),
    "length": _gemini({"text": "Once upon"}, finish="MAX_TOKENS"),
}

STREAMS: Final[dict[str, dict[str, list[Json]]]] = {
    "openai_chat": _CHAT_STREAMS,
    "openai_responses": _RESPONSES_STREAMS,
    "anthropic": _MESSAGES_STREAMS,
    "gemini": _GEMINI_STREAMS,
}
