"""Model lists, single models, and how a name resolves.

All is answered from the configuration, but for lists: to them belongs what the providers list themselves. Whether a
name resolves, and where it goes, never depends on that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from agcore.codecs.globs import is_glob
from agcore.codecs.json_splice import parse
from agcore.config.values import DIALECT_NAMES, Provider
from agcore.dialects import DIALECTS, task_registry
from agcore.machines.request_body import BodyPolicy
from agcore.machines.upstream_call import UpstreamCall
from agcore.models.profiles import Profile
from agcore.operations.base import BaseOperation
from agcore.operations.provider_lists import ListReader, list_candidate
from agcore.protocol.fault import Fault, invalid
from agcore.routing.catalog import Resolution
from agcore.routing.resolution import resolve
from agcore.state.provider_models import AFTER_DELAY

if TYPE_CHECKING:
    from agcore.machines.operation import ExchangeParts

PATIENCE: Final = 2.0
"""Seconds that a client waits for the lists of providers, all together."""


class ListModels(ListReader):
    """The models that the caller may use, in the shape that the request asks for.

    Providers that serve what a glob matches are asked what that is, unless it is known from an earlier request. Whoever
    has not answered after `PATIENCE` is left out, or listed with what was known of it before.
    """

    body: ClassVar[BodyPolicy] = BodyPolicy.DISCARD

    def __init__(self, parts: ExchangeParts) -> None:
        super().__init__(parts)
        providers = self.services.config.providers
        self._open = {each.name: each for each in providers if each.has_credential and any(map(is_glob, each.models))}
        self._late: dict[str, Provider] = {}

    def begin(self, *, now: float) -> None:
        """Answer at once where nobody needs to be asked."""
        outside = self.services.outside
        self._late = {name: each for name, each in self._open.items() if outside.is_list_due(each, now=now)}
        if not self._late:
            self.all_read(now=now)

    def run(self, body: bytes, *, now: float) -> None:
        """Ask; the body, if there is one, is of no interest."""
        self.parts.environment.set_alarm(now + min(PATIENCE, self.services.config.timeouts.request / 2))
        self.read_lists(map(list_candidate, self._late.values()), now=now)

    def list_read(self, call: UpstreamCall, ids: tuple[str, ...] | None, *, now: float) -> None:
        """Keep what there is."""
        provider, outside = call.candidate.provider, self.services.outside
        del self._late[provider.name]
        if ids is None:
            outside.list_failed(provider, now=now)
        else:
            outside.keep_list(provider, ids, now=now)

    def list_failed(self, provider: Provider, call: UpstreamCall, fault: Fault, *, now: float) -> None:
        """Do without."""
        del self._late[provider.name]
        self.services.outside.list_failed(provider, now=now)

    def alarm(self, *, now: float) -> None:
        """Do without those who are late."""
        for provider in self._late.values():
            self.services.outside.list_failed(provider, now=now, pause=AFTER_DELAY)
        self.all_read(now=now)

    def all_read(self, *, now: float) -> None:
        """Answer."""
        match, identity = self.request.match, self.request.identity
        allowed = identity.models if identity is not None else ()
        outside = self.services.outside
        offered = {name: outside.listed_ids(each, now=now) for name, each in self._open.items()}
        models = self.services.catalog.ids(allowed=allowed, dialect=match.dialect, offered=offered)
        try:
            body = task_registry.models()[match.dialect].write_list(models, self.request.target)
        except ValueError as error:
            return self.client.fail(invalid(str(error)), now=now)
        return self.client.answer(200, body, now=now)


class GetModel(BaseOperation):
    """One model; it exists when its name resolves."""

    def begin(self, *, now: float) -> None:
        """Answer with the model or a 404 that lists the near names."""
        match, identity = self.request.match, self.request.identity
        dialect = DIALECTS.get(match.dialect)
        name = match.model if dialect is None else dialect.traits.plain_model(match.model)
        found = self.resolve(name)
        if isinstance(found, Fault):
            return self.client.fail(found, now=now)
        allowed = identity.models if identity is not None else ()
        listed = self.services.catalog.listed(name, allowed=allowed, dialect=match.dialect)
        assert listed is not None
        return self.client.answer(200, task_registry.models()[match.dialect].write_model(listed), now=now)


class Detect(BaseOperation):
    """An operation that answers how a model name resolves, and what the model behind the name can do.

    It resolves as for the clients of `dialect`, where the body has one, else as for those of OpenAI Chat Completions.
    """

    def run(self, body: bytes, *, now: float) -> None:
        """Answer for the `model` of the body."""
        members = parse(body)
        model, dialect = members.value("model"), members.value("dialect")
        if not isinstance(model, str) or not model:
            fault = invalid("`model` is required and must be a non-empty string", param="model")
            return self.client.fail(fault, now=now)
        if dialect is not None and dialect not in DIALECT_NAMES:
            fault = invalid(f"`dialect` must be one of {', '.join(DIALECT_NAMES)}", param="dialect")
            return self.client.fail(fault, now=now)
        found = resolve(
            self.services.catalog,
            model.removeprefix("models/"),
            identity=self.request.identity,
            dialect=self.request.dialect if dialect is None else dialect,
        )
        if isinstance(found, Fault):
            return self.client.fail(found, now=now)
        profile = self.services.catalog.profile(found.targets[0].model)
        return self.client.answer(200, detected(found, profile), now=now)


def detected(resolution: Resolution, profile: Profile) -> bytes:
    """The answer of `Detect`: where a name goes, by which rule, and what answers there.

    The members beside `targets` tell of the first of them.

    Args:
        resolution: Of the name asked about.
        profile: Of the first target's model.
    """
    targets = [
        {
            "step": target.step,
            "provider": target.provider.name,
            "model": target.model,
            "dialects": target.provider.dialect_names,
            "weight": target.provider.weight,
        }
        for target in resolution.targets
    ]
    first = resolution.targets[0]
    dialects = first.provider.dialect_names
    return msgspec.json.encode(
        {
            "model": resolution.requested,
            "provider": first.provider.name,
            "upstream_model": first.model,
            "dialect": dialects[0],
            "dialects": dialects,
            "rule": resolution.rule,
            "targets": targets,
            "capabilities": {
                "chat": profile.chat,
                "tools": profile.tools,
                "vision": profile.vision,
                "pdf": profile.pdf,
                "reasoning": profile.reasoning != "none",
                "reasoning_kind": profile.reasoning,
                "reasoning_efforts": profile.efforts,
                "structured_output": profile.structured_output,
                "sampling": profile.sampling,
                "images": profile.image_output,
                "audio": profile.audio_in or profile.transcription or profile.speech,
                "audio_input": profile.audio_in,
                "transcription": profile.transcription,
                "speech": profile.speech,
                "embeddings": profile.embeddings,
                "context_window": profile.context_window,
                "max_output_tokens": profile.max_output_tokens,
            },
        }
    )
