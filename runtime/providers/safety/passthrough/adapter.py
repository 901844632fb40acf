"""Asks another server: `POST /moderations`, with the last message as its one input."""

from __future__ import annotations

from contextlib import suppress

from runtime.apis.providers.protocol import ProviderHealth
from runtime.apis.safety.assessing import Assessment, AssessRequest
from runtime.errors import RequestError, UpstreamError
from runtime.http.auth import Bearer
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Outgoing, json_request
from runtime.provider import LeadsBack, ProviderContext, healthy, unhealthy
from runtime.providers._vendors.passthrough.headers import ForwardedHeaders
from runtime.providers.safety._message_content import read_content, write_content
from runtime.providers.safety.passthrough.config import PassthroughSafetyConfig
from runtime.providers.safety.passthrough.result import assessment_of

_CHECK = Timeouts(connect_s=1, read_s=2, total_s=2)


class PassthroughSafety:
    """The shield's provider id is the server's name for a model or a shield; its `params` are sent beside it."""

    def __init__(self, config: PassthroughSafetyConfig, context: ProviderContext) -> None:
        self._provider_id = context.provider_id
        self._url = config.base_url.rstrip("/")
        self._keys = context.keys
        auth = ForwardedHeaders(Bearer(self._keys), config.forward_headers)
        timeouts = Timeouts(read_s=config.timeout_s, total_s=config.timeout_s)
        self._http = context.http.with_auth(auth, address=self._url, timeouts=timeouts)
        self._check_upstream = context.check_upstream
        self._loop: LeadsBack | None = None

    async def start(self) -> None:
        """Raises LeadsBack for an address of this server, which would ask itself without end."""
        with suppress(UpstreamError):  # it may come up later
            await self.check_health()

    async def assess(self, request: AssessRequest) -> Assessment:
        """Raises RequestError for content that is neither text nor an image, and UpstreamError."""
        if self._loop is not None:
            raise self._loop.for_another()
        said = read_content(request.messages[-1])
        if said.is_empty:
            return Assessment(flagged=False)
        if said.unread:
            raise RequestError(
                f"`{self._provider_id}` cannot look at the part of type `{said.unread[0]}`",
                hint="moderations take parts of type `text` and `image_url`",
                param="messages",
            )
        asked = {"model": request.shield_id, "input": write_content(said.text, said.images)}
        body = {**request.told(), **asked}
        answer = await self._http.reply(json_request(f"{self._url}/moderations", body), objects="results")
        return assessment_of(answer.value(), provider_id=self._provider_id)

    async def check_health(self) -> ProviderHealth:
        """Whether it answers; it need not list models. Raises UpstreamError, and LeadsBack as long as the address leads
        back to this server.
        """
        exchange = await self._http.exchange(Outgoing(method="GET", url=f"{self._url}/models", timeouts=_CHECK))
        await exchange.close()
        self._loop = None
        try:
            self._check_upstream(exchange.headers)
        except LeadsBack as error:
            self._loop = error
            raise
        if exchange.status >= 500:
            return unhealthy(f"it answers with status {exchange.status}")
        if exchange.status in (401, 403) and self._keys.configured() is not None:
            return unhealthy("it refuses the configured key")
        return healthy()
