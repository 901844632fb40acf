"""Sends the parts of a caller's provider data that the config names on as headers."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.context import current
from runtime.errors import RequestError
from runtime.http.auth import Bearer
from runtime.http.transport import Key, Outgoing

_ADDRESS = "passthrough_url"


class ForwardedHeaders:
    """Headers from the caller's provider data, then the key, if there is one. headers: field -> header."""

    def __init__(self, key: Bearer, headers: Mapping[str, str]) -> None:
        self._key = key
        self._headers = headers
        fields = ", ".join(f"`{field}`" for field in headers)
        self.hint = f"{key.hint}, or {fields}" if fields else key.hint

    async def apply(self, request: Outgoing) -> Outgoing:
        """Raises RequestError for a value that is not valid in a header, and as `Bearer` does."""
        data = current().provider_data
        _check_address(data.get(_ADDRESS), request.url)
        found = {
            header.lower(): _text(field, data[field]) for field, header in self._headers.items() if data.get(field)
        }
        brought = Key(value=found["authorization"], is_callers=True) if "authorization" in found else None
        return await self._key.apply(request.with_headers(found, key=brought))


def _check_address(wanted: object, url: str) -> None:
    """In llama-stack a caller may choose the server, which would make this one call any address for a stranger."""
    if wanted and not (isinstance(wanted, str) and url.startswith(wanted.rstrip("/"))):
        raise RequestError(
            f"`{_ADDRESS}` in X-LlamaStack-Provider-Data cannot be honoured: callers do not choose the server",
            hint="ask for `base_url` in this provider's config, or for another provider",
            param=_ADDRESS,
        )


def _text(field: str, value: object) -> str:
    text = value if isinstance(value, str) else str(value) if isinstance(value, int) else ""
    if not text or not text.isascii() or not text.isprintable():
        raise RequestError(f"`{field}` in X-LlamaStack-Provider-Data is not valid in a header", param=field)
    return text
