"""Has documents read by a Docling Serve: one request that waits, or a task that is asked for until it has ended."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import quote

from runtime.errors import UpstreamError, UpstreamRejected, UpstreamTimeout
from runtime.http.auth import NamedHeader
from runtime.http.forms import form_request
from runtime.http.timeouts import Timeouts
from runtime.http.transport import Exchange, Outgoing
from runtime.provider import ProviderContext
from runtime.providers.file_processors._remote.adapter import RemoteFileProcessor, form_fields, form_file
from runtime.providers.file_processors._service.incoming import Incoming
from runtime.providers.file_processors._service.options import Options
from runtime.providers.file_processors.docling_serve.config import DoclingServeConfig

_SMALL_BYTES = 1024 * 1024
_SERVER_WAIT_S, _PAUSE_S = 5, 0.2
"""How long it holds a question about a task, and the pause after an answer that came at once."""
_UNDER_WAY = ("pending", "started")


class DoclingServeFileProcessor(RemoteFileProcessor):
    def __init__(self, config: DoclingServeConfig, context: ProviderContext) -> None:
        super().__init__(DoclingServe(config, context), config, context)


class DoclingServe:
    """The server. Raises UpstreamError if it answers what it should not, UpstreamTimeout if it takes too long."""

    reader = "runtime.providers.file_processors._readers.docling:read_answer"

    def __init__(self, config: DoclingServeConfig, context: ProviderContext) -> None:
        self._provider_id = context.provider_id
        self._base_url = config.base_url.rstrip("/").removesuffix("/v1") + "/v1"
        self._mode, self._do_ocr, self._limit_s = config.mode, config.do_ocr, config.conversion_timeout_s
        timeouts = Timeouts(read_s=config.conversion_timeout_s)
        self._http = context.http.with_auth(
            NamedHeader("x-api-key", context.keys), address=self._base_url, timeouts=timeouts
        )

    async def answer(self, document: Incoming, options: Options) -> Exchange:
        fields: dict[str, Any] = {
            "to_formats": "json",
            "image_export_mode": "placeholder",
            "do_ocr": self._do_ocr,
            "page_range": [options.pages[0][0], options.pages[-1][1]] if options.pages else None,
            **options.others,
        }
        waits = self._mode == "sync" or (self._mode == "auto" and document.size_bytes <= _SMALL_BYTES)
        path = "/convert/file" if waits else "/convert/file/async"
        request = form_request(self._base_url + path, form_fields(fields), [form_file(document)])
        if waits:
            return await self._converted(request)
        task = self._task(await self._http.value(request))
        await self._ended(task)
        return await self._converted(self._get(f"/result/{quote(task, safe='')}"))

    async def _converted(self, request: Outgoing) -> Exchange:
        """The answer with a document. A conversion that broke down has none, which is a 404."""
        try:
            return await self._http.send(request)
        except UpstreamRejected as error:
            if error.status != 404:
                raise
            raise UpstreamError(error.message, provider_id=self._provider_id, upstream_status=404) from error

    async def _ended(self, task: str) -> None:
        """Wait until a task has ended. Raises UpstreamError if it broke down."""
        deadline = time.monotonic() + self._limit_s
        while time.monotonic() < deadline:
            found = await self._http.value(self._get(f"/status/poll/{quote(task, safe='')}?wait={_SERVER_WAIT_S}"))
            status = found.get("task_status") if isinstance(found, dict) else None
            if status == "failure":
                why = found.get("error_message") or "its log says why"
                raise UpstreamError(
                    f"`{self._provider_id}` failed on the document: {why}", provider_id=self._provider_id
                )
            if status not in _UNDER_WAY:
                return
            await asyncio.sleep(_PAUSE_S)
        raise UpstreamTimeout(
            f"`{self._provider_id}` has not read the document within {self._limit_s:g} s",
            provider_id=self._provider_id,
            hint="raise `conversion_timeout_s` in its config",
        )

    def _task(self, answer: Any) -> str:
        task = answer.get("task_id") if isinstance(answer, dict) else None
        if not isinstance(task, str) or not task:
            raise UpstreamError(f"`{self._provider_id}` answered without a `task_id`", provider_id=self._provider_id)
        return task

    def _get(self, path: str) -> Outgoing:
        return Outgoing(method="GET", url=self._base_url + path)
