"""Where Vertex AI is asked: the project and the location of a request, and the addresses that follow from them.

https://cloud.google.com/vertex-ai/docs/general/googleapi-access-methods (read November 2026)
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from runtime.context import current, warn
from runtime.errors import RequestError, Unavailable
from runtime.http.keys import ProviderKeys
from runtime.providers._vendors.google.identity import GoogleIdentity
from runtime.providers.inference._openai_compatible.reranking import in_path
from runtime.providers.inference.vertexai.config import LOCATION, PROJECT, VertexAIConfig

CALLERS_TOKEN = "vertex_access_token"  # noqa: S105  # the name of a field
_PROJECT, _LOCATION = "vertex_project", "vertex_location"
_GLOBAL = "global"
_OF_SEVERAL_REGIONS = ("us", "eu")
_RANKING = "https://discoveryengine.googleapis.com/v1"


@dataclass(frozen=True, kw_only=True)
class Place:
    """root: the address of a project's location. ranking: that of the Ranking API."""

    root: str
    ranking: str

    @property
    def openai(self) -> str:
        """Where OpenAI's clients ask for models of the Model Garden."""
        return f"{self.root}/endpoints/openapi"

    def of_google(self, model: str, method: str) -> str:
        """Where a method of a model of Google's is."""
        return f"{self.root}/publishers/google/models/{in_path(model, safe='')}:{method}"

    def deployed(self, endpoint: str) -> str:
        """Where a model that a user has deployed is asked. endpoint: `endpoints/ID`."""
        return f"{self.root}/{in_path(endpoint)}"


class Places:
    """keys: which say whether a caller has brought a token. base_url: with its version path; None for Google's own of
    each location.
    """

    def __init__(
        self,
        config: VertexAIConfig,
        identity: GoogleIdentity,
        keys: ProviderKeys,
        *,
        base_url: str | None,
        provider_id: str,
    ) -> None:
        self._project = config.project
        self._location = config.location or _GLOBAL
        self._ranking = (config.ranking_url or base_url or _RANKING).rstrip("/")
        self._identity = identity
        self._keys = keys
        self._base_url = base_url
        self._provider_id = provider_id

    async def of_request(self) -> Place:
        """That of the request being served: a caller whose own token is sent may name its project and location. Raises
        Unavailable where no project is known, RequestError for names that are none, AuthenticationError for a token
        that is none.
        """
        brought = {name: value for name, value in current().provider_data.items() if isinstance(value, str) and value}
        project = location = None
        if (key := self._keys.get()) is not None and key.is_callers:
            project, location = _checked(brought, _PROJECT, PROJECT), _checked(brought, _LOCATION, LOCATION)
        elif named := [name for name in (_PROJECT, _LOCATION) if name in brought]:
            warn(f"`{named[0]}` has no effect without `{CALLERS_TOKEN}`: our own token is for our own project")
        project, location = project or await self._own_project(), location or self._location
        base_url = self._base_url or f"https://{_host(location)}/v1"
        ranking = f"{self._ranking}/projects/{project}/locations/global/rankingConfigs/default_ranking_config:rank"
        return Place(root=f"{base_url}/projects/{project}/locations/{location}", ranking=ranking)

    async def _own_project(self) -> str:
        if self._project is None:
            found = await self._identity.project()
            if found is None or not re.fullmatch(PROJECT, found):
                raise Unavailable(
                    f"provider `{self._provider_id}` does not know its project", hint="set `project` in its config"
                )
            self._project = found
        return self._project


def _host(location: str) -> str:
    if location == _GLOBAL:
        return "aiplatform.googleapis.com"
    if location in _OF_SEVERAL_REGIONS:
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{location}-aiplatform.googleapis.com"


def _checked(brought: dict[str, str], name: str, pattern: str) -> str | None:
    """It becomes a part of an address, to which the caller's token goes."""
    value = brought.get(name)
    if value is not None and not re.fullmatch(pattern, value):
        raise RequestError(f"`{name}` in X-LlamaStack-Provider-Data is no such name", code="invalid_value")
    return value
