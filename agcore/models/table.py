"""The shipped table of known models: literal data, interpreted by `profiles`.

State of November 2026, from the vendors' documentation and the types of their SDKs. A date is given only where the
vendor published one or put it into a model's id; an empty one is unknown. Limits are in tokens; `context` counts input
and output together where the vendor does (OpenAI), and is the input limit where it does that (Google). `unlisted`
models are those their vendor does not serve, mostly no longer: known, since others may, but not advertised.
"""

from __future__ import annotations

from typing import Final, TypeAlias

Row: TypeAlias = tuple[str, str, str, str, int, int, str, str]
"""id, display name, vendor, release date, context window, most output tokens, key of `REASONING`, capability words."""

REASONING: Final[dict[str, tuple[str, tuple[str, ...], int, int]]] = {
    # The first five are what an override of the kind alone gives.
    "none": ("none", (), 0, 0),
    "effort": ("effort", ("low", "medium", "high"), 0, 0),
    "budget": ("budget", ("none",), 1024, 32_768),
    "adaptive": ("adaptive", ("low", "medium", "high"), 0, 0),
    "level": ("level", ("low", "high"), 0, 0),
    "gpt-5": ("effort", ("minimal", "low", "medium", "high"), 0, 0),
    "gpt-5.1": ("effort", ("none", "low", "medium", "high"), 0, 0),
    "gpt-5.2": ("effort", ("none", "low", "medium", "high", "xhigh"), 0, 0),
    "gpt-6": ("effort", ("none", "low", "medium", "high", "xhigh", "max"), 0, 0),
    "gpt-6-always": ("effort", ("low", "medium", "high", "xhigh", "max"), 0, 0),
    "claude-4.5": ("budget", ("none",), 1024, 63_999),
    "claude-4.1": ("budget", ("none",), 1024, 31_999),
    "claude-4.6": ("adaptive", ("none", "low", "medium", "high", "max"), 1024, 127_999),
    "claude-5": ("adaptive", ("none", "low", "medium", "high", "xhigh", "max"), 0, 0),
    "claude-5-always": ("adaptive", ("low", "medium", "high", "xhigh", "max"), 0, 0),
    "gemini-2.5-pro": ("budget", (), 128, 32_768),
    "gemini-2.5-flash": ("budget", ("none",), 1, 24_576),
    "gemini-2.5-lite": ("budget", ("none",), 512, 24_576),
    "gemini-3-flash": ("level", ("minimal", "low", "medium", "high"), 0, 0),
    "gemini-3.1-pro": ("level", ("low", "medium", "high"), 0, 0),
    "deepseek-4": ("effort", ("none", "low", "medium", "high", "max"), 0, 0),
    "kimi-3": ("effort", ("low", "high", "max"), 0, 0),
    "always": ("budget", (), 1024, 32_768),
    "switch": ("effort", ("none", "high"), 0, 0),
}
"""Key -> kind, levels taken (weakest first; `none` among them: it can be switched off), smallest and largest budget.

A largest budget of 0 means that the model takes none."""

_GPT = "chat tools vision pdf structured_output sampling penalties"
_GPT_TEXT = "chat tools structured_output sampling penalties"
_GPT_AUDIO = "chat tools audio_in sampling penalties"
_GPT_REASONING = "chat tools vision pdf structured_output"
_CLAUDE = "chat tools vision pdf structured_output sampling top_k"
_CLAUDE_OLD = "chat tools vision pdf sampling top_k"
_CLAUDE_5 = "chat tools vision pdf structured_output"
_GEMINI = "chat tools vision pdf audio_in structured_output sampling top_k"
_GEMINI_FIXED = "chat tools vision pdf audio_in structured_output"
_GEMINI_IMAGE = "chat vision pdf image_output sampling top_k"
_OPEN = "chat tools structured_output sampling penalties"
_OPEN_VISION = "chat tools vision structured_output sampling penalties"
_GLM = "chat tools structured_output sampling"
_GLM_VISION = "chat tools vision structured_output sampling"
_QWEN = "chat tools structured_output sampling penalties top_k"
_QWEN_VISION = "chat tools vision structured_output sampling penalties top_k"
_SONAR = "chat vision structured_output sampling penalties"
_GROK = "chat tools vision pdf structured_output sampling"

MODELS: Final[tuple[Row, ...]] = (
    # OpenAI
    ("gpt-6-astra", "GPT-6 Astra", "openai", "", 1_050_000, 128_000, "gpt-6-always", _GPT_REASONING),
    ("gpt-6-sol", "GPT-6 Sol", "openai", "", 1_050_000, 128_000, "gpt-6", _GPT_REASONING),
    ("gpt-6-luna", "GPT-6 Luna", "openai", "", 1_050_000, 128_000, "gpt-6", _GPT_REASONING),
    ("gpt-6.1-sol", "GPT-6.1 Sol", "openai", "", 1_050_000, 128_000, "gpt-6-always", _GPT_REASONING),
    ("gpt-6.1-terra", "GPT-6.1 Terra", "openai", "", 1_050_000, 128_000, "gpt-6", _GPT_REASONING),
    ("gpt-5.6-sol", "GPT-5.6 Sol", "openai", "", 1_050_000, 128_000, "gpt-5.2", _GPT_REASONING),
    ("gpt-5.6-terra", "GPT-5.6 Terra", "openai", "", 1_050_000, 128_000, "gpt-5.2", _GPT_REASONING),
    ("gpt-5.6-luna", "GPT-5.6 Luna", "openai", "", 1_050_000, 128_000, "gpt-5.2", _GPT_REASONING),
    ("gpt-5.5", "GPT-5.5", "openai", "2026-04-23", 1_050_000, 128_000, "gpt-5.2", _GPT_REASONING),
    ("gpt-5.4", "GPT-5.4", "openai", "2026-03-05", 1_050_000, 128_000, "gpt-5.2", _GPT_REASONING),
    ("gpt-5.4-mini", "GPT-5.4 mini", "openai", "2026-03-17", 400_000, 128_000, "gpt-5.2", _GPT_REASONING),
    ("gpt-5.4-nano", "GPT-5.4 nano", "openai", "2026-03-17", 400_000, 128_000, "gpt-5.2", _GPT_REASONING),
    ("gpt-5.3-codex", "GPT-5.3 Codex", "openai", "", 400_000, 128_000, "gpt-5.2", _GPT_REASONING),
    ("gpt-5.2", "GPT-5.2", "openai", "2025-12-11", 400_000, 128_000, "gpt-5.2", _GPT_REASONING),
    ("gpt-5.1", "GPT-5.1", "openai", "2025-11-13", 400_000, 128_000, "gpt-5.1", _GPT_REASONING),
    ("gpt-5", "GPT-5", "openai", "2025-08-07", 400_000, 128_000, "gpt-5", _GPT_REASONING),
    ("gpt-5-mini", "GPT-5 mini", "openai", "2025-08-07", 400_000, 128_000, "gpt-5", _GPT_REASONING),
    ("gpt-5-nano", "GPT-5 nano", "openai", "2025-08-07", 400_000, 128_000, "gpt-5", _GPT_REASONING),
    ("gpt-5-codex", "GPT-5 Codex", "openai", "2025-09-23", 400_000, 128_000, "effort", _GPT_REASONING + " unlisted"),
    ("gpt-5-chat-latest", "GPT-5 Chat", "openai", "2025-08-07", 128_000, 16_384, "none", _GPT + " unlisted"),
    ("o3", "o3", "openai", "2025-04-16", 200_000, 100_000, "effort", _GPT_REASONING),
    ("o3-mini", "o3-mini", "openai", "2025-01-31", 200_000, 100_000, "effort", "chat tools structured_output unlisted"),
    ("o4-mini", "o4-mini", "openai", "2025-04-16", 200_000, 100_000, "effort", _GPT_REASONING + " unlisted"),
    ("o1", "o1", "openai", "2024-12-17", 200_000, 100_000, "effort", _GPT_REASONING + " unlisted"),
    ("gpt-4.1", "GPT-4.1", "openai", "2025-04-14", 1_047_576, 32_768, "none", _GPT),
    ("gpt-4.1-mini", "GPT-4.1 mini", "openai", "2025-04-14", 1_047_576, 32_768, "none", _GPT),
    ("gpt-4.1-nano", "GPT-4.1 nano", "openai", "2025-04-14", 1_047_576, 32_768, "none", _GPT + " unlisted"),
    ("gpt-4o", "GPT-4o", "openai", "2024-05-13", 128_000, 16_384, "none", _GPT),
    ("gpt-4o-mini", "GPT-4o mini", "openai", "2024-07-18", 128_000, 16_384, "none", _GPT),
    ("gpt-4-turbo", "GPT-4 Turbo", "openai", "2024-04-09", 128_000, 4_096, "none", _GPT + " unlisted"),
    ("gpt-4", "GPT-4", "openai", "2023-06-13", 8_192, 4_096, "none", _GPT_TEXT + " unlisted"),
    ("gpt-3.5-turbo", "GPT-3.5 Turbo", "openai", "2024-01-25", 16_385, 4_096, "none", _GPT_TEXT + " unlisted"),
    ("gpt-audio", "GPT Audio", "openai", "2025-08-28", 128_000, 16_384, "none", _GPT_AUDIO),
    ("gpt-oss-120b", "gpt-oss 120B", "openai", "2025-08-05", 131_072, 32_768, "effort", _OPEN + " unlisted"),
    ("gpt-image-2.5-sunburst", "GPT Image 2.5 Sunburst", "openai", "2026-09-08", 0, 0, "none", "vision image_output"),
    ("gpt-image-2.5-flare", "GPT Image 2.5 Flare", "openai", "2026-09-08", 0, 0, "none", "vision image_output"),
    ("gpt-image-2", "GPT Image 2", "openai", "2026-04-21", 0, 0, "none", "vision image_output"),
    ("gpt-image-1.5", "GPT Image 1.5", "openai", "2025-12-16", 0, 0, "none", "vision image_output"),
    ("gpt-image-1", "GPT Image 1", "openai", "2025-04-23", 0, 0, "none", "vision image_output unlisted"),
    ("dall-e-3", "DALL-E 3", "openai", "2023-11-06", 0, 0, "none", "image_output unlisted"),
    ("dall-e-2", "DALL-E 2", "openai", "2022-11-03", 0, 0, "none", "image_output unlisted"),
    ("gpt-transcribe", "GPT Transcribe", "openai", "", 16_000, 2_000, "none", "audio_in transcription"),
    ("gpt-4o-transcribe", "GPT-4o Transcribe", "openai", "2025-03-20", 16_000, 2_000, "none", "audio_in transcription"),
    ("gpt-4o-mini-transcribe", "GPT-4o mini Transcribe", "openai", "2025-03-20", 16_000, 2_000, "none",
     "audio_in transcription"),
    ("whisper-1", "Whisper", "openai", "2023-03-01", 0, 0, "none", "audio_in transcription"),
    ("gpt-4o-mini-tts", "GPT-4o mini TTS", "openai", "2025-03-20", 2_000, 0, "none", "speech"),
    ("tts-1", "TTS-1", "openai", "2023-11-06", 0, 0, "none", "speech"),
    ("tts-1-hd", "TTS-1 HD", "openai", "2023-11-06", 0, 0, "none", "speech"),
    ("text-embedding-3-large", "Text Embedding 3 Large", "openai", "2024-01-25", 8_191, 0, "none", "embeddings"),
    ("text-embedding-3-small", "Text Embedding 3 Small", "openai", "2024-01-25", 8_191, 0, "none", "embeddings"),
    ("text-embedding-ada-002", "Text Embedding Ada 002", "openai", "2022-12-15", 8_191, 0, "none", "embeddings"),
    ("omni-moderation-latest", "Omni Moderation", "openai", "2024-09-26", 32_768, 0, "none", "vision"),
    # Anthropic
    ("claude-fable-5-1", "Claude Fable 5.1", "anthropic", "", 1_000_000, 128_000, "claude-5-always", _CLAUDE_5),
    ("claude-fable-5", "Claude Fable 5", "anthropic", "", 1_000_000, 128_000, "claude-5-always", _CLAUDE_5),
    ("claude-mythos-5-1", "Claude Mythos 5.1", "anthropic", "", 1_000_000, 128_000, "claude-5-always", _CLAUDE_5),
    ("claude-opus-5-5", "Claude Opus 5.5", "anthropic", "", 1_000_000, 128_000, "claude-5-always", _CLAUDE_5),
    ("claude-opus-5", "Claude Opus 5", "anthropic", "", 1_000_000, 128_000, "claude-5", _CLAUDE_5),
    ("claude-opus-4-8", "Claude Opus 4.8", "anthropic", "", 1_000_000, 128_000, "claude-5", _CLAUDE_5),
    ("claude-opus-4-7", "Claude Opus 4.7", "anthropic", "2026-04-16", 1_000_000, 128_000, "claude-5-always", _CLAUDE_5),
    ("claude-opus-4-6", "Claude Opus 4.6", "anthropic", "2026-02-05", 1_000_000, 128_000, "claude-4.6", _CLAUDE),
    ("claude-opus-4-5", "Claude Opus 4.5", "anthropic", "2025-11-01", 200_000, 64_000, "claude-4.5", _CLAUDE),
    ("claude-opus-4-1", "Claude Opus 4.1", "anthropic", "2025-08-05", 200_000, 32_000, "claude-4.1",
     _CLAUDE_OLD + " unlisted"),
    ("claude-sonnet-5-5", "Claude Sonnet 5.5", "anthropic", "", 1_000_000, 128_000, "claude-5-always", _CLAUDE_5),
    ("claude-sonnet-5", "Claude Sonnet 5", "anthropic", "", 1_000_000, 128_000, "claude-5", _CLAUDE_5),
    ("claude-sonnet-4-6", "Claude Sonnet 4.6", "anthropic", "", 1_000_000, 128_000, "claude-4.6", _CLAUDE),
    ("claude-sonnet-4-5", "Claude Sonnet 4.5", "anthropic", "2025-09-29", 200_000, 64_000, "claude-4.5", _CLAUDE),
    ("claude-sonnet-4-20250514", "Claude Sonnet 4", "anthropic", "2025-05-14", 200_000, 64_000, "claude-4.5",
     _CLAUDE_OLD + " unlisted"),
    ("claude-haiku-5-5", "Claude Haiku 5.5", "anthropic", "", 1_000_000, 128_000, "claude-5", _CLAUDE_5),
    ("claude-haiku-4-5", "Claude Haiku 4.5", "anthropic", "2025-10-01", 200_000, 64_000, "claude-4.5", _CLAUDE),
    ("claude-3-7-sonnet-20250219", "Claude Sonnet 3.7", "anthropic", "2025-02-19", 200_000, 64_000, "claude-4.5",
     _CLAUDE_OLD + " unlisted"),
    ("claude-3-5-haiku-20241022", "Claude Haiku 3.5", "anthropic", "2024-10-22", 200_000, 8_192, "none",
     _CLAUDE_OLD + " unlisted"),
    ("claude-3-haiku-20240307", "Claude Haiku 3", "anthropic", "2024-03-07", 200_000, 4_096, "none",
     _CLAUDE_OLD + " unlisted"),
    # Google
    ("gemini-3.8-flash", "Gemini 3.8 Flash", "google", "", 1_048_576, 65_536, "gemini-3.1-pro", _GEMINI_FIXED),
    ("gemini-3.7-flash", "Gemini 3.7 Flash", "google", "", 1_048_576, 65_536, "gemini-3.1-pro", _GEMINI_FIXED),
    ("gemini-3.6-flash", "Gemini 3.6 Flash", "google", "", 1_048_576, 65_536, "gemini-3-flash", _GEMINI_FIXED),
    ("gemini-3.5-flash", "Gemini 3.5 Flash", "google", "", 1_048_576, 65_536, "gemini-3-flash", _GEMINI),
    ("gemini-3.5-flash-lite", "Gemini 3.5 Flash-Lite", "google", "", 1_048_576, 65_536, "gemini-3-flash", _GEMINI),
    ("gemini-3.1-pro-preview", "Gemini 3.1 Pro Preview", "google", "", 1_048_576, 65_536, "gemini-3.1-pro", _GEMINI),
    ("gemini-3.1-flash-lite", "Gemini 3.1 Flash-Lite", "google", "", 1_048_576, 65_536, "gemini-3-flash", _GEMINI),
    ("gemini-3-flash", "Gemini 3 Flash", "google", "", 1_048_576, 65_536, "gemini-3-flash", _GEMINI),
    ("gemini-3-flash-preview", "Gemini 3 Flash Preview", "google", "", 1_048_576, 65_536, "gemini-3-flash", _GEMINI),
    ("gemini-3-pro", "Gemini 3 Pro", "google", "2025-11-18", 1_048_576, 65_536, "level", _GEMINI),
    ("gemini-2.5-pro", "Gemini 2.5 Pro", "google", "2025-06-17", 1_048_576, 65_536, "gemini-2.5-pro", _GEMINI),
    ("gemini-2.5-flash", "Gemini 2.5 Flash", "google", "2025-06-17", 1_048_576, 65_536, "gemini-2.5-flash", _GEMINI),
    ("gemini-2.5-flash-lite", "Gemini 2.5 Flash-Lite", "google", "2025-07-22", 1_048_576, 65_536, "gemini-2.5-lite",
     _GEMINI),
    ("gemini-2.0-flash", "Gemini 2.0 Flash", "google", "2025-02-05", 1_048_576, 8_192, "none", _GEMINI + " unlisted"),
    ("gemini-3.1-flash-image", "Gemini 3.1 Flash Image", "google", "", 131_072, 32_768, "none", _GEMINI_IMAGE),
    ("gemini-3-pro-image", "Gemini 3 Pro Image", "google", "", 131_072, 32_768, "none", _GEMINI_IMAGE),
    ("gemini-2.5-flash-image", "Gemini 2.5 Flash Image", "google", "2025-10-02", 65_536, 32_768, "none", _GEMINI_IMAGE),
    ("imagen-4.0-generate-001", "Imagen 4", "google", "2025-08-14", 480, 0, "none", "image_output"),
    ("gemini-embedding-2", "Gemini Embedding 2", "google", "", 8_192, 0, "none", "vision audio_in embeddings"),
    ("gemini-embedding-001", "Gemini Embedding 001", "google", "2025-07-14", 2_048, 0, "none", "embeddings"),
    # z.ai
    ("glm-5.3", "GLM-5.3", "zai", "", 1_000_000, 128_000, "budget", _GLM),
    ("glm-5.3-flash", "GLM-5.3 Flash", "zai", "", 1_000_000, 128_000, "budget", _GLM_VISION),
    ("glm-5.2", "GLM-5.2", "zai", "", 1_000_000, 128_000, "budget", _GLM),
    ("glm-5.1", "GLM-5.1", "zai", "", 200_000, 128_000, "budget", _GLM),
    ("glm-5", "GLM-5", "zai", "", 200_000, 128_000, "budget", _GLM),
    ("glm-5v-turbo", "GLM-5V Turbo", "zai", "", 200_000, 128_000, "budget", _GLM_VISION),
    ("glm-4.7", "GLM-4.7", "zai", "2025-12-22", 200_000, 128_000, "budget", _GLM),
    ("glm-4.7-flash", "GLM-4.7 Flash", "zai", "", 200_000, 128_000, "budget", _GLM),
    ("glm-4.6", "GLM-4.6", "zai", "2025-09-30", 200_000, 128_000, "budget", _GLM),
    ("glm-4.6v", "GLM-4.6V", "zai", "2025-12-08", 128_000, 32_768, "budget", _GLM_VISION),
    ("glm-4.5", "GLM-4.5", "zai", "2025-07-28", 131_072, 98_304, "budget", _GLM),
    ("glm-4.5-air", "GLM-4.5 Air", "zai", "2025-07-28", 131_072, 98_304, "budget", _GLM),
    ("glm-4.5v", "GLM-4.5V", "zai", "2025-08-11", 64_000, 16_384, "budget", _GLM_VISION),
    # DeepSeek
    ("deepseek-v4-pro", "DeepSeek V4 Pro", "deepseek", "", 1_000_000, 384_000, "deepseek-4", _OPEN),
    ("deepseek-v4-flash", "DeepSeek V4 Flash", "deepseek", "", 1_000_000, 384_000, "deepseek-4", _OPEN),
    ("deepseek-chat", "DeepSeek Chat", "deepseek", "", 131_072, 8_192, "none", _OPEN + " unlisted"),
    ("deepseek-reasoner", "DeepSeek Reasoner", "deepseek", "", 131_072, 65_536, "none",
     "chat tools structured_output unlisted"),
    # xAI
    ("grok-4.7", "Grok 4.7", "xai", "", 500_000, 128_000, "effort", _GROK),
    ("grok-4.6", "Grok 4.6", "xai", "", 500_000, 128_000, "effort", _GROK),
    ("grok-4.5", "Grok 4.5", "xai", "", 500_000, 128_000, "effort", _GROK),
    ("grok-4.3", "Grok 4.3", "xai", "", 1_000_000, 30_000, "effort", _GROK),
    ("grok-4.20-reasoning", "Grok 4.20 Reasoning", "xai", "2026-03-09", 1_000_000, 30_000, "none", _GROK),
    ("grok-4.20-non-reasoning", "Grok 4.20", "xai", "2026-03-09", 1_000_000, 30_000, "none", _GROK),
    ("grok-imagine-image-2.0", "Grok Imagine Image 2.0", "xai", "", 8_000, 0, "none", "vision image_output"),
    # Mistral
    ("mistral-large-latest", "Mistral Large", "mistral", "", 262_144, 32_768, "none", _OPEN_VISION),
    ("mistral-medium-latest", "Mistral Medium", "mistral", "", 262_144, 32_768, "switch", _OPEN_VISION),
    ("mistral-small-latest", "Mistral Small", "mistral", "", 262_144, 32_768, "switch", _OPEN_VISION),
    ("codestral-latest", "Codestral", "mistral", "", 128_000, 32_768, "none", _OPEN),
    ("voxtral-small-latest", "Voxtral Small", "mistral", "", 32_768, 8_192, "none", "chat tools audio_in sampling"),
    ("voxtral-mini-latest", "Voxtral Mini Transcribe", "mistral", "", 0, 0, "none", "audio_in transcription"),
    ("mistral-embed", "Mistral Embed", "mistral", "", 8_192, 0, "none", "embeddings"),
    # Moonshot
    ("kimi-k3", "Kimi K3", "moonshot", "", 1_048_576, 131_072, "kimi-3", "chat tools vision structured_output"),
    # Its thinking cannot be switched off (ltmoerdani/opencode-copilot-chat#45).
    ("kimi-k2.7-code", "Kimi K2.7 Code", "moonshot", "", 262_144, 32_768, "always",
     "chat tools vision structured_output"),
    ("kimi-k2.6", "Kimi K2.6", "moonshot", "", 262_144, 32_768, "budget", "chat tools vision structured_output"),
    ("kimi-k2-thinking", "Kimi K2 Thinking", "moonshot", "2025-11-06", 262_144, 32_768, "always", _OPEN + " unlisted"),
    ("kimi-k2-0905-preview", "Kimi K2", "moonshot", "2025-09-05", 262_144, 32_768, "none", _OPEN + " unlisted"),
    # Perplexity
    ("sonar", "Sonar", "perplexity", "", 128_000, 8_192, "none", _SONAR),
    ("sonar-pro", "Sonar Pro", "perplexity", "", 200_000, 8_192, "none", _SONAR),
    ("sonar-reasoning-pro", "Sonar Reasoning Pro", "perplexity", "", 128_000, 8_192, "effort", _SONAR),
    ("sonar-deep-research", "Sonar Deep Research", "perplexity", "", 128_000, 8_192, "effort", _SONAR),
    # MiniMax
    ("MiniMax-M3", "MiniMax M3", "minimax", "", 1_000_000, 131_072, "budget", _OPEN_VISION),
    ("MiniMax-M2.7", "MiniMax M2.7", "minimax", "", 204_800, 131_072, "always", _OPEN),
    # Qwen
    ("qwen3.8-max", "Qwen3.8 Max", "qwen", "", 1_000_000, 131_072, "budget", _QWEN_VISION),
    ("qwen3.8-flash", "Qwen3.8 Flash", "qwen", "", 1_000_000, 131_072, "budget", _QWEN_VISION),
    ("qwen3.7-plus", "Qwen3.7 Plus", "qwen", "", 1_000_000, 65_536, "budget", _QWEN_VISION),
    ("qwen3-max", "Qwen3 Max", "qwen", "2025-09-23", 262_144, 65_536, "none", _QWEN),
    ("qwen3-coder-plus", "Qwen3 Coder Plus", "qwen", "2025-07-22", 1_000_000, 65_536, "none", _QWEN),
    ("qwen-plus", "Qwen Plus", "qwen", "", 1_000_000, 32_768, "budget", _QWEN),
    ("qwen3-vl-plus", "Qwen3 VL Plus", "qwen", "", 262_144, 32_768, "budget", _QWEN_VISION),
)  # fmt: skip

FAMILIES: Final[tuple[tuple[str, str], ...]] = (
    ("gpt-*", "gpt-6-sol"), ("gpt-6*", "gpt-6-sol"), ("gpt-6-astra*", "gpt-6-astra"),
    ("gpt-6.1-sol*", "gpt-6.1-sol"), ("gpt-5.*", "gpt-5.5"), ("gpt-5.4-mini*", "gpt-5.4-mini"),
    ("gpt-5.4-nano*", "gpt-5.4-nano"), ("gpt-5.3*", "gpt-5.3-codex"), ("gpt-5.2*", "gpt-5.2"),
    ("gpt-5.1*", "gpt-5.1"), ("gpt-5.1-codex*", "gpt-5-codex"), ("gpt-5*", "gpt-5"),
    ("gpt-5-codex*", "gpt-5-codex"), ("gpt-5-chat*", "gpt-5-chat-latest"), ("codex-*", "gpt-5-codex"),
    ("o1*", "o1"), ("o3*", "o3"), ("o3-mini*", "o3-mini"), ("o4-mini*", "o4-mini"), ("gpt-4*", "gpt-4"),
    ("gpt-4-turbo*", "gpt-4-turbo"), ("gpt-4.1*", "gpt-4.1"), ("gpt-4o*", "gpt-4o"), ("chatgpt-4o*", "gpt-4o"),
    ("gpt-3.5*", "gpt-3.5-turbo"), ("gpt-4o-audio*", "gpt-audio"), ("gpt-4o-mini-audio*", "gpt-audio"),
    ("gpt-audio*", "gpt-audio"), ("gpt-oss*", "gpt-oss-120b"), ("gpt-image-*", "gpt-image-2"),
    ("chatgpt-image-*", "gpt-image-2"), ("dall-e-*", "dall-e-3"), ("gpt-4o-transcribe*", "gpt-4o-transcribe"),
    ("gpt-4o-mini-transcribe*", "gpt-4o-transcribe"), ("gpt-transcribe*", "gpt-transcribe"),
    ("whisper*", "whisper-1"), ("gpt-4o-mini-tts*", "gpt-4o-mini-tts"), ("tts-1*", "tts-1"),
    ("text-embedding-*", "text-embedding-3-small"), ("omni-moderation-*", "omni-moderation-latest"),
    ("text-moderation-*", "omni-moderation-latest"),
    # An unknown Claude is taken for the newest kind, which refuses what older ones merely ignore.
    ("claude-*", "claude-sonnet-5-5"), ("claude-opus-5*", "claude-opus-5"), ("claude-opus-5-5*", "claude-opus-5-5"),
    ("claude-sonnet-5*", "claude-sonnet-5"), ("claude-sonnet-5-5*", "claude-sonnet-5-5"),
    ("claude-haiku-5*", "claude-haiku-5-5"), ("claude-haiku-4*", "claude-haiku-4-5"),
    ("claude-opus-4-*", "claude-opus-4-8"), ("claude-opus-4-7*", "claude-opus-4-7"),
    ("claude-opus-4-6*", "claude-opus-4-6"), ("claude-opus-4-5*", "claude-opus-4-5"),
    ("claude-opus-4-0*", "claude-opus-4-1"), ("claude-opus-4-1*", "claude-opus-4-1"),
    ("claude-opus-4-20*", "claude-opus-4-1"), ("claude-sonnet-4-*", "claude-sonnet-4-6"),
    ("claude-sonnet-4-5*", "claude-sonnet-4-5"), ("claude-sonnet-4-0*", "claude-sonnet-4-20250514"),
    ("claude-sonnet-4-20*", "claude-sonnet-4-20250514"), ("claude-3-*", "claude-3-haiku-20240307"),
    ("claude-3-5-*", "claude-3-5-haiku-20241022"), ("claude-3-7-*", "claude-3-7-sonnet-20250219"),
    ("claude-2*", "claude-3-haiku-20240307"), ("claude-instant*", "claude-3-haiku-20240307"),
    # Aggregators write a dot where Anthropic writes a dash.
    ("claude-haiku-4.5*", "claude-haiku-4-5"), ("claude-sonnet-4.5*", "claude-sonnet-4-5"),
    ("claude-sonnet-4.6*", "claude-sonnet-4-6"), ("claude-opus-4.5*", "claude-opus-4-5"),
    ("claude-opus-4.6*", "claude-opus-4-6"), ("gemini-*", "gemini-3.8-flash"), ("gemini-3*", "gemini-3-flash"),
    ("gemini-3.6-*", "gemini-3.6-flash"), ("gemini-3.7-*", "gemini-3.7-flash"),
    ("gemini-3.8-*", "gemini-3.8-flash"), ("gemini-3.1-pro*", "gemini-3.1-pro-preview"),
    ("gemini-3-pro*", "gemini-3-pro"), ("gemini-3-pro-image*", "gemini-3-pro-image"),
    ("gemini-3.1-flash-image*", "gemini-3.1-flash-image"),
    ("gemini-3.1-flash-lite-image*", "gemini-3.1-flash-image"), ("gemini-2.5-pro*", "gemini-2.5-pro"),
    ("gemini-2.5-flash*", "gemini-2.5-flash"), ("gemini-2.5-flash-lite*", "gemini-2.5-flash-lite"),
    ("gemini-2.5-flash-image*", "gemini-2.5-flash-image"), ("gemini-2.0-*", "gemini-2.0-flash"),
    ("gemini-1.5-*", "gemini-2.0-flash"), ("gemini-flash-lite-*", "gemini-3.5-flash-lite"),
    ("gemini-nano-banana*", "gemini-3.1-flash-image"), ("nano-banana*", "gemini-3-pro-image"),
    ("gemini-embedding*", "gemini-embedding-001"), ("gemini-embedding-2*", "gemini-embedding-2"),
    ("embedding-*", "gemini-embedding-001"), ("text-embedding-00*", "gemini-embedding-001"),
    ("imagen-*", "imagen-4.0-generate-001"), ("glm-*", "glm-5.1"), ("glm-4*", "glm-4.6"), ("glm-4.5*", "glm-4.5"),
    ("glm-4.5v*", "glm-4.5v"), ("glm-4.6v*", "glm-4.6v"), ("glm-5v*", "glm-5v-turbo"), ("glm-5.2*", "glm-5.2"),
    ("glm-5.3*", "glm-5.3"), ("glm-5.3-flash*", "glm-5.3-flash"), ("deepseek-*", "deepseek-v4-flash"),
    ("deepseek-chat*", "deepseek-chat"), ("deepseek-reasoner*", "deepseek-reasoner"), ("grok-*", "grok-4.5"),
    ("grok-4*", "grok-4.3"), ("grok-4.5*", "grok-4.5"), ("grok-4.6*", "grok-4.6"), ("grok-4.7*", "grok-4.7"),
    ("grok-4.20*", "grok-4.20-reasoning"), ("grok-imagine-image*", "grok-imagine-image-2.0"),
    ("mistral-*", "mistral-large-latest"), ("ministral-*", "mistral-large-latest"),
    ("mistral-medium*", "mistral-medium-latest"), ("mistral-small*", "mistral-small-latest"),
    ("magistral-*", "mistral-small-latest"), ("devstral-*", "codestral-latest"),
    ("codestral-*", "codestral-latest"), ("voxtral-small*", "voxtral-small-latest"),
    ("voxtral-mini*", "voxtral-mini-latest"), ("mistral-embed*", "mistral-embed"),
    ("codestral-embed*", "mistral-embed"), ("kimi-*", "kimi-k3"), ("kimi-k2*", "kimi-k2-0905-preview"),
    ("kimi-k2-thinking*", "kimi-k2-thinking"),
    ("kimi-k2.*", "kimi-k2.6"), ("kimi-k2.5*", "kimi-k2.6"), ("kimi-k2.7*", "kimi-k2.7-code"),
    ("kimi-for-coding*", "kimi-k2.6"),
    ("sonar-*", "sonar-pro"), ("sonar-reasoning*", "sonar-reasoning-pro"),
    ("sonar-deep-research*", "sonar-deep-research"), ("MiniMax-*", "MiniMax-M3"), ("MiniMax-M2*", "MiniMax-M2.7"),
    ("minimax-*", "MiniMax-M3"), ("minimax-m2*", "MiniMax-M2.7"),
    ("moonshot-v1-*", "kimi-k2-0905-preview"), ("qwen*", "qwen-plus"), ("qwen3.*", "qwen3.7-plus"),
    ("qwen3.8*", "qwen3.8-flash"), ("qwen3-max*", "qwen3-max"), ("qwen3-coder*", "qwen3-coder-plus"),
    ("qwen3-vl*", "qwen3-vl-plus"), ("qwen-vl*", "qwen3-vl-plus"),
)  # fmt: skip
"""Glob -> the model whose values its matches take. The glob with the most literal characters wins."""
