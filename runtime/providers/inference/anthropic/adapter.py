"""Anthropic's API. https://platform.claude.com/docs/en/api/messages,
https://platform.claude.com/docs/en/api/models/list (read November 2026)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from runtime.apis.inference.abilities import Abilities, AbilitiesRequest
from runtime.apis.inference.counting import TokenCount
from runtime.apis.inference.protocol import ChatCompletionRequest
from runtime.apis.inference.sense import making_sense
from runtime.catalog.capabilities import capabilities_of
from runtime.errors import UpstreamError
from runtime.http.transport import Outgoing
from runtime.provider import ListedModel, ProviderContext
from runtime.providers.inference._messages.answers import completion_of
from runtime.providers.inference._messages.models import Model, input_modalities, model_of
from runtime.providers.inference._messages.requests import Asked, asked_of
from runtime.providers.inference._messages.streams import Chunks, Finished, as_event
from runtime.providers.inference._openai_compatible.adapter import OpenAICompatibleInference
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig
from runtime.providers.inference._openai_compatible.model_list import ListEntry
from runtime.providers.inference._openai_compatible.outgoing_fields import apply_rules, given_fields
from runtime.providers.inference._openai_compatible.spec import Chat
from runtime.redaction import redact_text
from runtime.sse import EventStream, Json, Reply

_OF_COUNTED = 64_000
"""The limit of a request of which only the tokens are counted, which goes without."""


class AnthropicInference(OpenAICompatibleInference):
    """Chat at Anthropic. Raises as `OpenAICompatibleInference` does."""

    def __init__(self, config: OpenAICompatibleConfig, context: ProviderContext) -> None:
        self._vendor = context.spec.name
        self._listed: dict[str, Mapping[str, Any]] = {}
        super().__init__(config, context)

    async def chat_completion(self, request: ChatCompletionRequest) -> Reply | EventStream:
        chat = self._has(self._facts.chat, "chat completions")
        asked = self._asked(chat, request)
        outgoing = self._sent(chat.path, request.model, asked.body, asked)
        if request.stream:
            with self._having_messages():
                stream = await self._http.stream(outgoing, ending=Finished(), whole=as_event)
            chunks = Chunks(
                request.model,
                self._provider_id,
                wants_usage=request.wants_usage,
                has_answer_tool=asked.has_answer_tool,
            )
            return stream.through(chunks)
        with self._having_messages():
            answer = (await self._http.reply(outgoing, objects="content")).value()
        has_tool = asked.has_answer_tool
        return Reply.of(completion_of(answer, request.model, self._provider_id, has_answer_tool=has_tool))

    async def count_tokens(self, request: ChatCompletionRequest) -> TokenCount:
        """Counted by the model's own tokenizer, with its tools.
        https://platform.claude.com/docs/en/api/messages/count_tokens
        """
        chat = self._has(self._facts.chat, "chat completions")
        asked = self._asked(chat, request, most_tokens=_OF_COUNTED)
        outgoing = self._sent(f"{chat.path}/count_tokens", request.model, asked.counted, asked)
        answer = (await self._http.reply(outgoing, member="input_tokens")).value()
        with making_sense(self._provider_id):
            return TokenCount(tokens=int(answer["input_tokens"]))

    async def get_abilities(self, request: AbilitiesRequest) -> Abilities:
        is_vendor = self._base_url == self._facts.base_url
        return Abilities(strict_functions=is_vendor and self._model(request.model).schemas)

    async def list_models(self) -> list[ListedModel]:
        found = await super().list_models()
        names = {model.provider_model_id for model in found}
        self._listed = {name: entry for name, entry in self._listed.items() if name in names}
        return found

    def read_models(self, answer: Any) -> list[ListEntry] | None:
        entries = answer.get("data") if isinstance(answer, dict) else None
        named = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
        # Replaced, not changed: a long list is read in a thread.
        self._listed = {**self._listed, **{entry["id"]: entry for entry in named if isinstance(entry.get("id"), str)}}
        found = super().read_models(answer)
        return None if found is None else [self._described(entry) for entry in found]

    def more_models(self, answer: Any) -> str:
        """https://platform.claude.com/docs/en/api/models/list"""
        last = answer.get("last_id") if isinstance(answer, dict) and answer.get("has_more") is True else None
        return urlencode({"after_id": last}) if isinstance(last, str) and last else ""

    def _described(self, entry: ListEntry) -> ListEntry:
        """With what the list says in Anthropic's own words."""
        listed = self._listed.get(entry.name, {})
        most, takes = model_of(entry.name, listed).most_tokens, input_modalities(listed)
        facts = {"max_output_tokens": most, "input_modalities": takes}
        return entry._replace(facts={**entry.facts, **{name: fact for name, fact in facts.items() if fact is not None}})

    def _model(self, name: str) -> Model:
        model = model_of(name, self._listed.get(name, {}))
        most = model.most_tokens or capabilities_of(self._vendor, name).facts.get("max_output_tokens")
        return replace(model, most_tokens=most) if isinstance(most, int) else model

    def _asked(self, chat: Chat, request: ChatCompletionRequest, *, most_tokens: int | None = None) -> Asked:
        """most_tokens: in place of the limit that the request or the config has."""
        body = given_fields(request)
        if most_tokens is not None:
            body |= {"max_tokens": most_tokens, "max_completion_tokens": most_tokens}
        self._limit(body)
        apply_rules(chat.rules, body, provider_id=self._provider_id)
        return asked_of(body, self._model(request.model), self._provider_id)

    @contextmanager
    def _having_messages(self) -> Iterator[None]:
        """Around a request: a server at another address that has no Messages is told from one without the model."""
        try:
            yield
        except UpstreamError as error:
            is_other = self._base_url != self._facts.base_url
            if error.upstream_status == 404 and error.type != "not_found_error" and is_other and error.hint is None:
                url = f"{self._base_url}/messages"
                error.hint = (
                    f"Anthropic's Messages are asked at {redact_text(url)}; a server that has only OpenAI's chat"
                    " completions is of the type `remote::passthrough`"
                )
            raise

    def _sent(self, path: str, model: str, body: Json, asked: Asked) -> Outgoing:
        return self._outgoing(path, model, body).with_headers(asked.headers)
