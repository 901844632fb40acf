"""watsonx.ai's own form of requests and answers. https://cloud.ibm.com/apidocs/watsonx-ai (read November 2026)"""

from __future__ import annotations

from typing import Any

from runtime.apis.inference.protocol import ChatCompletionRequest, EmbeddingsRequest
from runtime.concurrently import concurrently
from runtime.context import current
from runtime.errors import RequestError
from runtime.http.auth import Auth, NamedHeader
from runtime.http.tokens import Token
from runtime.http.transport import Outgoing, host_of
from runtime.provider import ProviderContext
from runtime.providers._vendors.ibm.auth import ExchangedKeys
from runtime.providers._vendors.ibm.exchanges import IAM_URL, PLATFORM_URL, by_api_key, by_platform_key, by_user
from runtime.providers.inference._openai_compatible.adapter import OpenAICompatibleInference
from runtime.providers.inference._openai_compatible.config import OpenAICompatibleConfig
from runtime.providers.inference._openai_compatible.model_list import ListEntry
from runtime.providers.inference._vectors import batches_of
from runtime.providers.inference.watsonx import forms
from runtime.providers.inference.watsonx.config import WatsonxConfig
from runtime.sse import EventStream, Json, Reply

_AT_AMAZON = ".aws.wxai.ibm.com"
"""The end of the hosts of its regions in Amazon's cloud."""
_TEXTS_AT_ONCE, _CALLS_AT_ONCE = 1000, 4
"""A request takes a thousand texts: https://cloud.ibm.com/apidocs/watsonx-ai#text-embeddings"""


class WatsonxInference(OpenAICompatibleInference):
    """Chat, embeddings and reranking at watsonx. Raises as `OpenAICompatibleInference` does, and RequestError where
    nothing says which project is charged.
    """

    def __init__(self, config: WatsonxConfig, context: ProviderContext) -> None:
        self._settings = config
        super().__init__(config, context)

    def auth(self, config: OpenAICompatibleConfig, context: ProviderContext) -> Auth:
        assert isinstance(config, WatsonxConfig)
        if config.zen_api_key is not None:
            return NamedHeader("authorization", context.keys, scheme="ZenApiKey", required=True)
        http = context.http.for_credentials(f"{context.provider_id} (its credentials)")
        password = config.password.get_secret_value() if config.password is not None else None

        async def exchange(key: str) -> Token:
            if config.username is None and host_of(self._base_url).endswith(_AT_AMAZON):
                return await by_platform_key(http, key, url=config.iam_url or PLATFORM_URL)
            if config.username is None:
                return await by_api_key(http, key, iam_url=config.iam_url or IAM_URL)
            if password is not None and key == password.strip():
                return await by_user(http, self._base_url, config.username, password=password)
            return await by_user(http, self._base_url, config.username, key=key)

        return ExchangedKeys(context.keys, exchange)

    def url(self, path: str, model: str) -> str:
        address = super().url(path, model)
        return f"{address}{'&' if '?' in address else '?'}version={self._settings.version}"

    def read_models(self, answer: Any) -> list[ListEntry] | None:
        return forms.models_in(answer)

    async def chat_completion(self, request: ChatCompletionRequest) -> Reply | EventStream:
        answer = await super().chat_completion(request)
        return forms.whole(answer) if isinstance(answer, Reply) else answer.map(forms.events)

    async def vectors(self, request: EmbeddingsRequest, body: Json) -> Reply:
        more = {name: value for name, value in body.items() if name != "input"}

        async def asked(some: list[Any]) -> Json:
            outgoing = self._outgoing(self._path_of("embeddings"), request.model, {**more, "inputs": some})
            return (await self._http.reply(outgoing, objects="results")).value()

        answers = await concurrently(asked, batches_of(request, _TEXTS_AT_ONCE), at_once=_CALLS_AT_ONCE)
        return forms.vectors(request.model, answers)

    def _path_of(self, what: str) -> str:
        path: str = getattr(self._facts, what).path
        return path

    def _outgoing(self, path: str, model: str, body: Json) -> Outgoing:
        made = {name: value for name, value in body.items() if name != "model"}
        made = {"model_id": body["model"], **self._charged(made), **made}
        if path == self._path_of("chat"):
            forms.choose_tools(made, provider_id=self._provider_id)
            if made.pop("stream", False):
                path += "_stream"
        elif path == self._path_of("rerank"):
            forms.ask_for_ranking(made)
        return super()._outgoing(path, model, made)

    def _charged(self, body: Json) -> Json:
        """Who pays: what the request names itself, what the caller names, or what the config does."""
        if body.get("project_id") or body.get("space_id"):
            return {}
        project = current().provider_data.get("watsonx_project_id")
        if isinstance(project, str) and project.strip():
            return {"project_id": project.strip()}
        if self._settings.project_id is not None:
            return {"project_id": self._settings.project_id}
        if self._settings.space_id is not None:
            return {"space_id": self._settings.space_id}
        raise RequestError(
            f"provider `{self._provider_id}` does not know which project is charged",
            hint="set `project_id` or `space_id` in its config, or send `watsonx_project_id` in"
            " X-LlamaStack-Provider-Data",
            param="project_id",
            code="missing_required_parameter",
        )
