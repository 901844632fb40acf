"""Has rails check the last message of a conversation, without an answer of a model: `POST /v1/guardrail/checks`.

Which rails run is told by the role of what is sent: those for input on a user's message, those for output on an
assistant's. What tools and developers say is sent as a user's: of other roles the service checks nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runtime.apis._request import Registered
from runtime.apis.safety.assessing import Assessment, AssessRequest
from runtime.context import warn
from runtime.errors import UpstreamError
from runtime.http.auth import NoAuth
from runtime.http.timeouts import Timeouts
from runtime.http.transport import json_request
from runtime.parsing.settings import checked_settings
from runtime.provider import ProviderContext
from runtime.providers.safety._last_message import text_to_judge, told
from runtime.providers.safety._user_message import USER_MESSAGE
from runtime.providers.safety.nvidia.config import NvidiaParams, NvidiaSafetyConfig

_CHECKS = "/v1/guardrail/checks"
_LIMITS = Timeouts(connect_s=10.0, read_s=120.0, total_s=120.0)
"""Rails may ask several models, one after the other."""
_BLOCKED = "blocked"
_STATUSES = ("success", _BLOCKED)


class NvidiaSafety:
    """A shield's provider id is the model that rails ask which check by a prompt, such as `self check input`.

    Raises RequestError for parts that are not text and for wrong `params`, and what `HttpClient` raises.
    """

    def __init__(self, config: NvidiaSafetyConfig, context: ProviderContext) -> None:
        url = config.guardrails_service_url.rstrip("/")
        self._url = url if url.endswith("/checks") else url.removesuffix("/v1") + _CHECKS
        self._config_id = config.config_id
        self._provider_id = context.provider_id
        self._http = context.http.with_auth(NoAuth(), address=url, timeouts=_LIMITS)

    async def check_registration(self, resource: Registered) -> None:
        checked_settings(resource.facts.get("params") or {}, NvidiaParams)

    async def assess(self, request: AssessRequest) -> Assessment:
        """Raises UpstreamError for an answer that does not say whether it is harmful, too."""
        params = told(request, NvidiaParams)
        text = text_to_judge(request)
        if not text.strip():
            return Assessment(flagged=False)  # there is nothing to look at
        messages = [_said(request.messages[-1], text)]
        if params.conversation:
            messages = [*_before(request), *messages]
        body: dict[str, Any] = {"model": request.shield_id, "messages": messages, "stream": False}
        if config_id := params.config_id or self._config_id:
            body["guardrails"] = {"config_id": config_id}
        answer = await self._http.value(json_request(self._url, body))
        status = answer.get("status") if isinstance(answer, dict) else None
        if status not in _STATUSES:
            raise UpstreamError(
                f"`{self._provider_id}` answered with no `status` that says whether it is harmful",
                provider_id=self._provider_id,
            )
        return self._read(status, dict(_rails(answer)))

    def _read(self, status: str, rails: Mapping[str, str]) -> Assessment:
        """rails: the status of each."""
        blocked = [name for name, found in rails.items() if found == _BLOCKED]
        if not rails:
            warn(f"`{self._provider_id}` does not say that any of its rails has looked at this")
        if status != _BLOCKED and not blocked:
            return Assessment(flagged=False, **_categories(rails))
        return Assessment(
            flagged=True,
            user_message=USER_MESSAGE,
            metadata={"violation_type": blocked[0] if blocked else "unknown", "rails_status": dict(rails)},
            **_categories(rails),
        )


def _categories(rails: Mapping[str, str]) -> dict[str, Any]:
    """Each rail is a category by its own name: which of OpenAI's it checks is not said."""
    return {
        "categories": {name: status == _BLOCKED for name, status in rails.items()},
        "category_scores": {name: float(status == _BLOCKED) for name, status in rails.items()},
        "category_applied_input_types": {name: ["text"] for name in rails},
    }


def _said(message: Mapping[str, Any], text: str) -> dict[str, str]:
    return {"role": "assistant" if message["role"] == "assistant" else "user", "content": text}


def _before(request: AssessRequest) -> Iterator[dict[str, str]]:
    """What users and assistants said before, as far as it is text."""
    for number, message in enumerate(request.messages[:-1], start=1):
        if message["role"] in ("user", "assistant"):
            text = text_to_judge(request.model_copy(update={"messages": request.messages[:number]}))
            if text.strip():
                yield _said(message, text)


def _rails(answer: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The name and the status of each rail, which some versions give as a word and some in an object."""
    given = answer.get("rails_status")
    for name, found in given.items() if isinstance(given, dict) else ():
        status = found.get("status") if isinstance(found, dict) else found
        yield name, str(status)
