"""Applies a guardrail to the last message of a conversation: `POST /guardrail/{id}/version/{version}/apply`."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from runtime.apis._request import Registered
from runtime.apis.providers.protocol import ProviderHealth
from runtime.apis.safety.assessing import Assessment, AssessRequest
from runtime.errors import RequestError, StackError, UpstreamError
from runtime.http.timeouts import Timeouts
from runtime.http.transport import json_request
from runtime.parsing.settings import checked_settings
from runtime.provider import ProviderContext, healthy, unhealthy
from runtime.providers._vendors.aws.addresses import address_of
from runtime.providers._vendors.aws.auth import AwsSignature
from runtime.providers._vendors.aws.identity import AwsIdentity
from runtime.providers.safety._last_message import told
from runtime.providers.safety._message_content import read_content
from runtime.providers.safety.bedrock.asking import content_blocks
from runtime.providers.safety.bedrock.assessments import assessment, not_looked_at
from runtime.providers.safety.bedrock.config import BedrockParams, BedrockSafetyConfig

_LIMITS = Timeouts(connect_s=10.0, read_s=60.0, total_s=120.0)
_ARN = r"arn:aws(-[^:]+)?:bedrock:[a-z0-9-]{1,20}:[0-9]{12}:guardrail/[a-z0-9]+"
_is_guardrail = re.compile(rf"[a-z0-9]+|{_ARN}").fullmatch


class BedrockSafety:
    """A shield's provider id is a guardrail's id or ARN.

    Raises RequestError for content that no guardrail looks at and for wrong `params`, Unavailable without credentials
    or a region, and what `HttpClient` raises.
    """

    def __init__(self, config: BedrockSafetyConfig, context: ProviderContext) -> None:
        self._provider_id = context.provider_id
        self._url = config.endpoint_url
        self._identity = AwsIdentity(config, context.http, provider_id=context.provider_id)
        self._http = context.http.with_auth(
            AwsSignature(self._identity, "bedrock"), address=self._url or "", timeouts=_LIMITS
        )

    async def check_registration(self, resource: Registered) -> None:
        checked_settings(resource.facts.get("params") or {}, BedrockParams)
        if not _is_guardrail(resource.provider_resource_id):
            raise RequestError(
                f"`{resource.provider_resource_id}` is no id of a guardrail of Bedrock",
                hint="`aws bedrock list-guardrails` lists ids such as `abc123def456`, and ARNs",
                param="provider_shield_id",
            )

    async def check_health(self) -> ProviderHealth:
        """Whether there are credentials and a region; Bedrock is not asked, which would cost money."""
        try:
            await self._identity.credentials()
            await self._identity.region()
        except StackError as error:
            return unhealthy(error.words)
        return healthy()

    async def assess(self, request: AssessRequest) -> Assessment:
        message = request.messages[-1]
        version = told(request, BedrockParams).guardrailVersion
        asked = read_content(message)
        blocks = content_blocks(asked)
        if not blocks:
            return Assessment(flagged=False)  # there is nothing to look at
        place = self._url or address_of("bedrock-runtime", await self._identity.region(), self._identity.env)
        guardrail = quote(request.shield_id, safe="")
        url = f"{place.rstrip('/')}/guardrail/{guardrail}/version/{version}/apply"
        source = "OUTPUT" if message["role"] == "assistant" else "INPUT"
        answer = await self._http.value(json_request(url, {"source": source, "content": blocks, "outputScope": "FULL"}))
        return self._read(answer, looked_at=["text"] * bool(asked.text) + ["image"] * bool(asked.images))

    def _read(self, answer: Any, *, looked_at: list[str]) -> Assessment:
        """Raises UpstreamError for an answer that does not say whether it has looked and what it has found."""
        if not isinstance(answer, dict) or answer.get("action") not in ("NONE", "GUARDRAIL_INTERVENED"):
            raise UpstreamError(f"`{self._provider_id}` answered without an `action`", provider_id=self._provider_id)
        found = assessment(answer, looked_at)
        if not found.flagged and (unseen := not_looked_at(answer)):
            raise UpstreamError(
                f"`{self._provider_id}` has looked at {unseen}",
                provider_id=self._provider_id,
                hint="which policies has the guardrail, and do they look at this?",
            )
        return found
