"""Asks Bedrock's control plane for its models, again every few minutes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from runtime.apis.inference.sense import making_sense
from runtime.errors import StackError, Unavailable, UpstreamError
from runtime.http.client import HttpClient
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Outgoing
from runtime.provider import ListedModel
from runtime.providers.inference.bedrock.config import BedrockConfig
from runtime.providers.inference.bedrock.models import Known, known_of, named_of
from runtime.sse import Json

_LIMITS = Timeouts(connect_s=3, read_s=10)
_MOST_PAGES = 20


class BedrockModels:
    """place: where the control plane is, or the list of the host that chats are asked at. by_openai: whether the list
    is one of OpenAI's protocol. has_credentials: raises Unavailable where there are none.
    """

    def __init__(
        self,
        config: BedrockConfig,
        http: HttpClient,
        *,
        place: Callable[[], Awaitable[str]],
        has_credentials: Callable[[], Awaitable[None]],
        provider_id: str,
    ) -> None:
        self._config = config
        self._http = http
        self._place = place
        self._has_credentials = has_credentials
        self._provider_id = provider_id
        self._by_openai = config.protocol == "mantle"
        self._is_asked = False
        self.known = Known()

    async def list_models(self) -> list[ListedModel]:
        """Those that the config allows; none where nothing says who calls."""
        allowed = self._config.allowed_models
        if not self._is_asked or self._config.refresh_models:
            try:
                await self._has_credentials()
                self.known = await self._ask()
                self._is_asked = True
            except StackError as error:
                if allowed is None and not isinstance(error, Unavailable):
                    raise
                if not self._is_asked:
                    self.known = named_of(allowed or ())
        return [model for model in self.known.models if allowed is None or model.provider_model_id in allowed]

    async def _ask(self) -> Known:
        place = await self._place()
        if self._by_openai:
            listed = await self._get(f"{place}/models")
            with making_sense(self._provider_id):
                return named_of([entry["id"] for entry in listed["data"]])
        summaries = await self._get(f"{place}/foundation-models")
        profiles: list[Any] = []
        token = ""
        for _ in range(_MOST_PAGES):
            more = f"&nextToken={quote(token, safe='')}" if token else ""
            page = await self._get(f"{place}/inference-profiles?maxResults=1000{more}")
            with making_sense(self._provider_id):
                profiles += page["inferenceProfileSummaries"]
                token = page.get("nextToken") or ""
            if not token:
                break
        with making_sense(self._provider_id):
            return known_of(summaries["modelSummaries"], profiles)

    async def _get(self, url: str) -> Json:
        try:
            return (await self._http.reply(Outgoing(method="GET", url=url, timeouts=_LIMITS))).value()
        except UpstreamError as error:
            if error.upstream_status == 403:
                error.hint = f"{error.hint or 'it may not list models'}; with `allowed_models` no list is needed"
            raise
