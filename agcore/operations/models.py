"""Model lists, single models, and how a name resolves: answered from the configuration alone."""

from __future__ import annotations

from collections.abc import Sequence

from agcore import model_lists
from agcore.catalog import ListedModel
from agcore.fault import Fault, invalid
from agcore.json_members import parse
from agcore.operations.base import Operation, resolve
from agcore.target import Target


class ListModels(Operation):
    """The models that the caller may use, in the shape that the request asks for."""

    def begin(self, *, now: float) -> None:
        """Answer; the body, if there is one, is of no interest."""
        match, identity = self.request.match, self.request.identity
        assert match is not None
        models = self.services.catalog.ids(allowed=identity.models if identity is not None else ())
        try:
            body = _list(match.dialect, models, self.request.target)
        except ValueError as error:
            return self.exchange.fail(invalid(str(error)), now=now)
        return self.exchange.answer(200, body, now=now)


class GetModel(Operation):
    """One model; it exists when its name resolves."""

    def begin(self, *, now: float) -> None:
        """Answer with the model or a 404 that lists the near names."""
        match, identity = self.request.match, self.request.identity
        assert match is not None
        found = resolve(self.request, self.services, match.model)
        if isinstance(found, Fault):
            return self.exchange.fail(found, now=now)
        listed = self.services.catalog.listed(match.model, allowed=identity.models if identity is not None else ())
        assert listed is not None
        render = {"gemini": model_lists.gemini_model, "anthropic": model_lists.anthropic_model}
        return self.exchange.answer(200, render.get(match.dialect, model_lists.openai_model)(listed), now=now)


class Detect(Operation):
    """How a model name resolves, and what the model behind it can do."""

    def run(self, body: bytes, *, now: float) -> None:
        """Answer for the `model` of the body."""
        model = parse(body).value("model")
        if not isinstance(model, str) or not model:
            fault = invalid("`model` is required and must be a non-empty string", param="model")
            return self.exchange.fail(fault, now=now)
        found = resolve(self.request, self.services, model.removeprefix("models/"))
        if isinstance(found, Fault):
            return self.exchange.fail(found, now=now)
        profile = self.services.catalog.profile(found.targets[0].model)
        return self.exchange.answer(200, model_lists.detect(found, profile), now=now)


def _list(dialect: str, models: Sequence[ListedModel], target: Target) -> bytes:
    if dialect == "gemini":
        size = _whole(target, "pageSize", default=0)
        return model_lists.gemini_list(models, page_size=size, page_token=target.first("pageToken") or "")
    if dialect == "anthropic":
        return model_lists.anthropic_list(
            models,
            limit=_whole(target, "limit", default=model_lists.ANTHROPIC_LIMIT),
            before_id=target.first("before_id"),
            after_id=target.first("after_id"),
        )
    return model_lists.codex_catalogue(models) if dialect == "codex" else model_lists.openai_list(models)


def _whole(target: Target, name: str, *, default: int) -> int:
    text = target.first(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"{name}: expected a whole number, found {text!r}")
    return int(text)
