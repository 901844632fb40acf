"""Has documents read by Unstructured's Partition API, in one request."""

from __future__ import annotations

from runtime.http.auth import NamedHeader
from runtime.http.forms import form_request
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Exchange
from runtime.provider import ProviderContext
from runtime.providers.file_processors._remote.adapter import RemoteFileProcessor, form_fields, form_file
from runtime.providers.file_processors._service.incoming import Incoming
from runtime.providers.file_processors._service.options import Options
from runtime.providers.file_processors.unstructured_api.config import UnstructuredApiConfig

_PATH = "/general/v0/general"


class UnstructuredFileProcessor(RemoteFileProcessor):
    def __init__(self, config: UnstructuredApiConfig, context: ProviderContext) -> None:
        super().__init__(PartitionApi(config, context), config, context)


class PartitionApi:
    """The server."""

    reader = "runtime.providers.file_processors._readers.unstructured:read_answer"

    def __init__(self, config: UnstructuredApiConfig, context: ProviderContext) -> None:
        self._url = config.base_url.rstrip("/").removesuffix(_PATH) + _PATH
        self._fields = {
            "strategy": config.strategy,
            "languages": config.languages,
            "output_format": "application/json",
        }
        self._http = context.http.with_auth(
            NamedHeader("unstructured-api-key", context.keys, required=True),
            address=self._url,
            timeouts=Timeouts(read_s=config.conversion_timeout_s),
        )

    async def answer(self, document: Incoming, options: Options) -> Exchange:
        fields = form_fields({**self._fields, **options.others})
        return await self._http.send(form_request(self._url, fields, [form_file(document)]))
