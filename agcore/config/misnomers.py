"""Names that people try, from other programs or by guessing, and which name of ours is meant.

Literal tables. A value without a blank in it is the name that is meant; any other is a sentence about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

KEYS: Final[Mapping[str, Mapping[str, str]]] = {
    "": {
        "server": "proxy",
        "gateway": "proxy",
        "listen": "proxy",
        "general_settings": "proxy",
        "provider": "providers",
        "upstreams": "providers",
        "model_list": "client-side names stand in [models], servers and their keys in [[providers]]",
        "model": "models",
        "aliases": "models",
        "routes": "models",
        "router": "models",
        "timeout": "timeouts",
        "keys": "client keys are [[proxy.keys]], providers' keys stand in [[providers]]",
        "api_key": "a client key is api_key in [proxy], a provider's key stands in [[providers]]",
        "api_keys": "client keys are [[proxy.keys]], providers' keys stand in [[providers]]",
        "mcp_servers": "mcp",
        "mcpservers": "mcp",
    },
    "proxy": {
        "key": "api_key",
        "token": "api_key",
        "master_key": "api_key",
        "password": "api_key",
        "auth": "auth_mode",
        "bind": "host",
        "address": "host",
        "listen": "host",
        "cors": "cors_origins",
        "allowed_origins": "cors_origins",
        "base_url": "public_url",
        "url": "public_url",
        "http_proxy": "proxy_url",
        "https_proxy": "proxy_url",
        "cert": "tls_cert",
        "ssl_cert": "tls_cert",
        "ssl_key": "tls_key",
    },
    "timeouts": {
        "read": "first_byte is the time until an answer begins, idle that between two pieces of a stream",
        "response": "first_byte is the time until an answer begins, idle that between two pieces of a stream",
        "stream": "idle is the time between two pieces of a stream",
        "connection": "connect",
        "timeout": "request",
        "total": "request",
        "shutdown": "drain",
        "graceful": "drain",
    },
    "retry": {"max": "attempts", "retries": "attempts", "max_retries": "attempts", "num_retries": "attempts"},
    "pool": {"file": "state_file", "state": "state_file", "path": "state_file"},
    "record": {"path": "dir", "directory": "dir"},
    "providers[]": {
        "api_key": "keys",
        "apikey": "keys",
        "token": "keys",
        "api_base": "base_url",
        "api_url": "base_url",
        "baseurl": "base_url",
        "url": "base_url",
        "endpoint": "base_url",
        "api_base_url": "base_url",
        "host": "base_url",
        "provider": "preset",
        "vendor": "preset",
        "id": "name",
        "type": "dialect",
        "kind": "dialect",
        "api": "dialect",
        "protocol": "dialect",
        "format": "dialect",
        "model": "models",
        "model_list": "models",
        "proxy": "proxy_url",
        "ca": "ca_file",
        "ca_bundle": "ca_file",
        "timeout": "timeouts are for all providers, in [timeouts]",
        "priority": "the order of [[providers]] is their priority",
    },
    "proxy.keys[]": {
        "api_key": "key",
        "token": "key",
        "id": "name",
        "allowed_models": "models",
        "expiry": "expires",
        "expires_at": "expires",
        "max_parallel_requests": "concurrency",
        "tpm_limit": "tpm",
        "rpm_limit": "rpm",
    },
    "mcp.*": {
        "token": "key",
        "api_key": "key",
        "endpoint": "url",
        "roots": "file_roots",
        "command": "only servers with a URL are served, or builtin ones",
    },
}
"""By the section, as `reading` names its kind, and the name in lower case."""

_OWN_SERVER: Final = 'name = "{name}", dialect = "{dialect}", base_url = "{url}"'

PRESETS: Final[Mapping[str, str]] = {
    "google": "gemini",
    "googleai": "gemini",
    "google-ai-studio": "gemini",
    "aistudio": "gemini",
    "palm": "gemini",
    "claude": "anthropic",
    "claude-code": "anthropic",
    "chatgpt": "openai",
    "gpt": "openai",
    "codex": "openai",
    "grok": "xai",
    "x.ai": "xai",
    "x-ai": "xai",
    "kimi": "moonshot",
    "moonshotai": "moonshot",
    "glm": "zai",
    "z.ai": "zai",
    "z-ai": "zai",
    "zhipu": "zai",
    "zhipuai": "zai",
    "bigmodel": "zai",
    "mistralai": "mistral",
    "codestral": "mistral",
    "pplx": "perplexity",
    "command": "cohere",
    "open-router": "openrouter",
    "togetherai": "together",
    "together_ai": "together",
    "together-ai": "together",
    "fireworksai": "fireworks",
    "fireworks_ai": "fireworks",
    "fireworks-ai": "fireworks",
    "nim": "nvidia",
    "nvidia_nim": "nvidia",
    "hf": "huggingface",
    "hugging-face": "huggingface",
    "lm-studio": "lmstudio",
    "lm_studio": "lmstudio",
    "llama.cpp": "llamacpp",
    "llama-cpp": "llamacpp",
    "llama_cpp": "llamacpp",
    "llama-server": "llamacpp",
    "llama": "for Llama models on this machine the preset is ollama, lmstudio, llamacpp or vllm",
    "local": "the presets for servers on this machine are ollama, lmstudio, llamacpp and vllm",
    "custom": "a server without a preset takes a name, a dialect and a base_url",
    "openai-compatible": 'a server without a preset takes a name, dialect = "openai" and a base_url',
    "openai_compatible": 'a server without a preset takes a name, dialect = "openai" and a base_url',
    # The v1 API takes a bearer token:
    # https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle
    # Responses, too: some models are served there alone (docs/routing.md).
    "azure": 'each Azure resource has an address of its own; write name = "azure", dialect = ["openai", '
    '"openai_responses"], base_url = "https://RESOURCE.openai.azure.com/openai/v1"',
    # With an Amazon Bedrock API key:
    # https://docs.aws.amazon.com/bedrock/latest/userguide/inference-chat-completions.html
    "bedrock": "each region has an address of its own; write "
    + _OWN_SERVER.format(
        name="bedrock", dialect="openai", url="https://bedrock-runtime.REGION.amazonaws.com/openai/v1"
    ),
    # https://cloud.google.com/vertex-ai/generative-ai/docs/start/openai: its tokens last for an hour.
    "vertex": 'with an API key of Google\'s the preset is "gemini"; Vertex AI itself takes tokens of an hour, at '
    + _OWN_SERVER.format(
        name="vertex",
        dialect="openai",
        url="https://aiplatform.googleapis.com/v1/projects/PROJECT/locations/LOCATION/endpoints/openapi",
    ),
    "qwen": "dashscope",
    # https://docs.github.com/en/rest/models/inference
    "github": "GitHub Models has no preset; write "
    + _OWN_SERVER.format(name="github", dialect="openai", url="https://models.github.ai/inference"),
}
"""By the name that somebody gave as `preset`, in lower case."""

_SAME: Final[Mapping[str, str]] = {
    "azure_openai": "azure",
    "azure-openai": "azure",
    "azureopenai": "azure",
    "aws": "bedrock",
    "amazon": "bedrock",
    "aws-bedrock": "bedrock",
    "amazon-bedrock": "bedrock",
    "vertexai": "vertex",
    "vertex_ai": "vertex",
    "vertex-ai": "vertex",
    "gcp": "vertex",
    "google-vertex": "vertex",
    "alibaba": "qwen",
    "aliyun": "qwen",
    "tongyi": "qwen",
    "github-models": "github",
    "copilot": "github",
}

CHOICES: Final[Mapping[str, Mapping[str, str]]] = {
    "a preset": {**PRESETS, **{name: PRESETS[other] for name, other in _SAME.items()}},
    "a dialect": {
        "claude": "anthropic",
        "messages": "anthropic",
        "google": "gemini",
        "chat": "openai",
        "chat_completions": "openai",
        "openai_chat": "openai",
        "openai-compatible": "openai",
        "openai_compatible": "openai",
        "completions": "openai_completions",
        "responses": "openai_responses",
    },
    "an auth mode": {
        "none": "off",
        "disabled": "off",
        "false": "off",
        "open": "off",
        "on": "strict",
        "all": "strict",
        "required": "strict",
        "key": "all_except_health",
    },
    "a way to send the key": {
        "authorization": "bearer",
        "token": "bearer",
        "api_key": "x-api-key",
        "api-key": "bearer",
        "google": "x-goog-api-key",
        "off": "none",
    },
    "a strategy": {
        "roundrobin": "round_robin",
        "random": "round_robin",
        "simple-shuffle": "round_robin",
        "least-busy": "least_busy",
        "session": "sticky",
    },
}
"""By what a value is expected to be, as the schema says it, and the value in lower case."""


def meant(table: Mapping[str, str], name: str) -> str:
    """What to write instead of a name, as a question or a sentence; empty where the table does not know it."""
    found = table.get(name.lower(), "")
    return found if not found or " " in found else f'did you mean "{found}"?'
