"""OpenAI's transcriptions: forms of clients read, answers to them written (docs/wire/openai-media.md#transcriptions).

What OpenAI would refuse raises `conversation.values.Invalid`, which names the field. What a recording is, its bytes
say. What Gemini cannot do is a loss, or a 400 where the answer would be of another kind.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final, cast, get_args

from agcore.codecs import audio_header, json_text
from agcore.codecs.multipart import Form, FormFile
from agcore.codecs.sse import encode
from agcore.conversation.losses import Losses
from agcore.conversation.subtitles import srt, vtt
from agcore.conversation.transcripts import TIMED, Format, Segment, Shown, Transcript, TranscriptRequest
from agcore.conversation.values import Invalid
from agcore.dialects.openai.errors import stream_error
from agcore.dialects.openai.fields import wrong
from agcore.dialects.tasks import WrittenAnswer
from agcore.protocol.fault import Fault

MAX_HINTS: Final = 64 * 1024
"""Characters of all that a client says of its recording."""

_SINGLE: Final = ("model", "language", "prompt", "response_format", "temperature", "stream", "chunking_strategy")
_LISTS: Final = ("timestamp_granularities", "include", "languages", "keywords")
_SPEAKERS: Final = ("known_speaker_names", "known_speaker_references")

_FIELD: Final = re.compile(r"(\w+)(?:\[[^\]]*\])*")
"""Lists come as `name[]`, objects as `name[member]`."""
_LANGUAGE: Final = re.compile(r"[A-Za-z]+(?:[ _-][A-Za-z0-9]+){0,3}")
_LONGEST_LANGUAGE: Final = 40
_TRUTH: Final = {"true": True, "false": False, "1": True, "0": False}
_SHOWN: Final = 64
"""Characters of a wrong value that an error message shows."""


def read_request(body: Form, *, path: str, model: str, losses: Losses) -> TranscriptRequest:
    """A client's `/v1/audio/transcriptions` or `/v1/audio/translations`; see `tasks.ClientTask`.

    Raises `Invalid` for a recording in a format that nobody knows, too. How large it may be is not checked.
    """
    translate = path.endswith("/translations")
    single, lists = _sorted(body, losses)
    file = _recording(body, losses)
    header = audio_header.read_header(file.data)
    if header is None:
        what = "a recording" if file.data else "a recording that is not empty"
        raise Invalid(f"`file` must be {what}: {audio_header.FORMATS}", param="file")
    kind, temperature = _format(single.get("response_format", "")), _temperature(single.get("temperature", ""))
    for value in lists["include"]:
        _choice("include", value, ("logprobs",))
        losses.add("include", "Gemini tells no probabilities of tokens")
    for value in lists["timestamp_granularities"]:
        _choice("timestamp_granularities", value, ("word", "segment"))
    request = TranscriptRequest(
        audio=file.data,
        header=header,
        shown=_shown(kind, lists["timestamp_granularities"], losses, translate=translate, temperature=temperature),
        stream=_stream(single.get("stream", ""), kind, losses, translate=translate),
        language=_language("language", single.get("language", "")),
        languages=tuple(_language("languages", value) for value in lists["languages"]),
        prompt=single.get("prompt", ""),
        keywords=tuple(lists["keywords"]),
        temperature=temperature,
    )
    if len(request.prompt) + sum(map(len, (*request.keywords, *request.languages))) > MAX_HINTS:
        raise Invalid(
            f"`prompt`, `keywords` and `languages` have more than {MAX_HINTS} characters together", param="prompt"
        )
    return request


def _sorted(form: Form, losses: Losses) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The plain fields that have a value: those that stand once, and those that are lists."""
    single: dict[str, str] = {}
    lists: dict[str, list[str]] = {name: [] for name in _LISTS}
    for given, value in form.fields:
        match = _FIELD.fullmatch(given)
        name = given if match is None else match[1]
        if not value:
            continue
        if name in lists:
            lists[name].append(value)
        elif name == "file":
            raise Invalid("`file` must be a file of the form, with a file name", param="file")
        elif name == "chunking_strategy":
            losses.add(name, "Gemini hears a recording as a whole", weight="note")
        elif name in _SPEAKERS:
            losses.add(name, "speakers are not told apart")
        elif name not in _SINGLE:
            losses.add(given[:_SHOWN], "not a field of transcriptions that is known")
        elif name in single:
            raise Invalid(f"The field `{name}` stands in the form twice", param=name)
        else:
            single[name] = value
    return single, lists


def _recording(form: Form, losses: Losses) -> FormFile:
    files = [file for file in form.files if file.name == "file"]
    if len(files) != 1:
        what = "stands in the form twice; one recording is heard at a time" if files else "is required"
        raise Invalid(f"`file` {what}", param="file")
    for file in form.files:
        if file.name in (*_SINGLE, *_LISTS):
            raise Invalid(f"`{file.name}` is a plain field of the form, not a file", param=file.name)
        if file.name != "file":
            losses.add(file.name[:_SHOWN], "not a file of a transcription that is known")
    return files[0]


def _choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise wrong(name, f"one of {', '.join(f'`{choice}`' for choice in choices)}; it is {value[:_SHOWN]!r}")
    return value


def _format(value: str) -> Format:
    if value == "diarized_json":
        message = "`response_format` is `diarized_json`, but this model does not tell speakers apart"
        raise Invalid(message, param="response_format")
    return cast("Format", _choice("response_format", value, get_args(Format))) if value else "json"


def _temperature(value: str) -> float | None:
    if not value:
        return None
    try:
        temperature = float(value)
    except ValueError:
        temperature = math.nan
    if not 0 <= temperature <= 1:
        raise wrong("temperature", f"a number between 0 and 1; it is {value[:_SHOWN]!r}")
    return temperature


def _shown(
    kind: Format, granularities: list[str], losses: Losses, *, translate: bool, temperature: float | None
) -> Shown:
    if kind in TIMED:
        losses.add("response_format", "Gemini estimates times", action=f"{kind} with estimated times", weight="note")
    elif granularities:
        losses.add("timestamp_granularities", "only `verbose_json` shows times", weight="note")
    verbose = kind == "verbose_json"
    words = verbose and "word" in granularities
    if verbose and not words:
        why = "Gemini tells no tokens and no probabilities"
        losses.add("segments", why, action="with neutral values", weight="note")
    return Shown(
        format=kind,
        translated=translate,
        segments=not words or "segment" in granularities,
        words=words,
        temperature=temperature or 0.0,
    )


def _stream(value: str, kind: Format, losses: Losses, *, translate: bool) -> bool:
    if value and value.lower() not in _TRUTH:
        raise wrong("stream", f"`true` or `false`; it is {value[:_SHOWN]!r}")
    if not _TRUTH.get(value.lower(), False):
        return False
    if translate or kind in TIMED:
        # As with `whisper-1`, which ignores the field.
        what = "a translation is" if translate else f"`{kind}` is"
        losses.add("stream", f"{what} answered as a whole", action="answered as a whole")
        return False
    return True


def _language(name: str, value: str) -> str:
    if value and (len(value) > _LONGEST_LANGUAGE or _LANGUAGE.fullmatch(value) is None):
        raise wrong(name, f"an ISO 639 code such as `en`; it is {value[:_SHOWN]!r}")
    return value


# Answers


def write_answer(answer: Transcript, request: TranscriptRequest, *, model: str, created: int) -> WrittenAnswer:
    """The answer to a request that is not streamed."""
    shown = request.shown
    if shown.format == "text":
        return _plain(answer.text + "\n")
    if shown.format == "srt":
        return _plain(srt(answer.segments))
    if shown.format == "vtt":
        return _plain(vtt(answer.segments))
    body = _verbose(answer, shown) if shown.format == "verbose_json" else _json(answer, shown)
    return WrittenAnswer(json_text.encode(body))


def _plain(text: str) -> WrittenAnswer:
    """Text in UTF-8; the halves of characters that a model cut in two become question marks."""
    return WrittenAnswer(text.encode(errors="replace"), b"text/plain; charset=utf-8")


def _json(transcript: Transcript, shown: Shown) -> dict[str, object]:
    # A translation has nothing but its text.
    usage = None if shown.translated else _usage(transcript)
    return {"text": transcript.text} if usage is None else {"text": transcript.text, "usage": usage}


def _verbose(transcript: Transcript, shown: Shown) -> dict[str, object]:
    body: dict[str, object] = {
        "task": "translate" if shown.translated else "transcribe",
        "language": "english" if shown.translated else transcript.language or "unknown",
        "duration": transcript.duration,
        "text": transcript.text,
    }
    if shown.segments:
        body["segments"] = [_segment(number, each, shown) for number, each in enumerate(transcript.segments)]
    if shown.words:
        body["words"] = [{"word": each.text, "start": each.start, "end": each.end} for each in transcript.words]
    if not shown.translated:
        body["usage"] = {"type": "duration", "seconds": transcript.duration}
    return body


def _segment(number: int, segment: Segment, shown: Shown) -> dict[str, object]:
    """With what OpenAI's clients insist on: Whisper's inner values, which say here that nothing is amiss."""
    return {
        "id": number,
        "seek": 0,
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "tokens": [],
        "temperature": shown.temperature,
        "avg_logprob": 0.0,
        "compression_ratio": 1.0,
        "no_speech_prob": 0.0,
    }


def _usage(transcript: Transcript) -> dict[str, object] | None:
    """The `usage` of an answer, in tokens; None where they are not known."""
    usage = transcript.usage
    if usage is None:
        return None
    return {
        "type": "tokens",
        "input_tokens": usage.input,
        "input_token_details": {
            "text_tokens": max(usage.input - transcript.audio_input, 0),
            "audio_tokens": transcript.audio_input,
        },
        "output_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
    }


class StreamWriter:
    """Writes a client's stream; see `tasks.TranscriptWriter`."""

    def feed(self, text: str) -> bytes:
        """A delta for what was said."""
        return _event({"type": "transcript.text.delta", "delta": text})

    def end(self, transcript: Transcript) -> bytes:
        """The whole text, and what it took."""
        usage = _usage(transcript)
        event: dict[str, object] = {"type": "transcript.text.done", "text": transcript.text}
        return _event(event if usage is None else {**event, "usage": usage})

    def error(self, fault: Fault, request_id: str) -> bytes:
        """An `error` event."""
        return b"event: error\n" + stream_error(fault, request_id)


def _event(event: Mapping[str, object]) -> bytes:
    return encode(json_text.encode(event), event=str(event["type"]))
