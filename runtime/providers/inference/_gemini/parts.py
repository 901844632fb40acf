"""Parts of a message as Gemini has them: text, media in base64, and media at an address.

https://ai.google.dev/api/caching#Part (read November 2026)
"""

from __future__ import annotations

from mimetypes import guess_type
from typing import Any
from urllib.parse import urlsplit

from runtime.http.data_addresses import in_base64, is_data_address
from runtime.providers.inference._openai_compatible.outgoing_fields import refusal
from runtime.sse import Json

_CONTENT = "messages[].content[]"
_ADDRESSES = ("https", "http", "gs")
_VIDEOS_BY_PAGE = ("www.youtube.com", "youtube.com", "youtu.be")
"""Pages whose address stands for the video on it; it has no type of content."""


def parts_of(content: Any, provider_id: str) -> list[Json]:
    """content: a text, or OpenAI's parts. Raises RequestError for a part that Gemini does not have."""
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [{"text": content}]
    return [_part(part, provider_id) for part in content]


def text_of(parts: list[Json]) -> str:
    return "".join(part.get("text", "") for part in parts)


def media_of(parts: list[Json]) -> list[Json]:
    """Those that are no text."""
    return [part for part in parts if "text" not in part]


def _part(part: Json, provider_id: str) -> Json:
    kind = part["type"]
    given = part.get(kind)
    match kind:
        case "text" | "refusal":
            return {"text": given}
        case "image_url" | "video_url":
            address = given.get("url") if isinstance(given, dict) else given
            return _at(address, f"{_CONTENT}.{kind}.url", provider_id)
        case "input_audio" if isinstance(given, dict):
            return _inline(f"audio/{given['format']}", given["data"])
        case "file" if isinstance(given, dict):
            return _file(given, provider_id)
    raise refusal(_CONTENT, provider_id, f"has no parts of the type `{kind}`")


def _file(given: Json, provider_id: str) -> Json:
    field, data = f"{_CONTENT}.file", given.get("file_data")
    if data is None:
        return _at(given.get("file_id"), f"{field}.file_id", provider_id)
    if is_data_address(data):
        return _at(data, f"{field}.file_data", provider_id)
    return _inline(guess_type(given.get("filename") or "")[0] or "application/pdf", data)


def _at(address: Any, field: str, provider_id: str) -> Json:
    if isinstance(address, str) and is_data_address(address):
        head, comma, data = in_base64(address).partition(",")
        said = head[len("data:") :].partition(";")[0].lower()
        if comma and said:
            return _inline(said, data)
        raise refusal(field, provider_id, "needs to know what a `data:` address has, as in `data:image/png;base64,`")
    try:
        place = urlsplit(address) if isinstance(address, str) else None
    except ValueError:
        place = None
    if place is None or place.scheme.lower() not in _ADDRESSES:
        raise refusal(
            field, provider_id, "takes an address (`https:`, `gs:` or `data:`) here, such as its own of files"
        )
    kind = None if place.netloc.lower() in _VIDEOS_BY_PAGE else guess_type(place.path)[0]
    return {"fileData": {"fileUri": address, **({"mimeType": kind} if kind else {})}}


def _inline(kind: str, data: str) -> Json:
    return {"inlineData": {"mimeType": kind, "data": data}}
