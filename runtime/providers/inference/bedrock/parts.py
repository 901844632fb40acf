"""Parts of a message's content as blocks of Converse: text, images, documents and audio.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html (read November 2026)
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from runtime.documents.images import image_type
from runtime.errors import RequestError
from runtime.http.data_addresses import is_data_address, read_data_address
from runtime.providers.inference._openai_compatible.outgoing_fields import refusal
from runtime.sse import Json

_MOST_BYTES = 25 * 1024**2
_IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_BUCKET = "s3://"
_OWN = ("cachePoint", "guardContent", "searchResult", "image", "document", "video", "audio")
"""Bedrock's blocks that may be a part as they are: `{"type": "cachePoint", "cachePoint": {"type": "default"}}`."""


def blocks_of(content: Any, provider_id: str) -> Iterator[Json]:
    """Without blank text, which Bedrock refuses. content: a text, parts or nothing. Raises RequestError for what
    Converse does not take, TooLarge.
    """
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or ()
    for part in parts:
        block = _block(part, provider_id)
        if block.get("text", "-").strip():
            yield block
        if (cached := part.get("cache_control")) is not None:  # as at Anthropic, and so at other vendors' doors to it
            ttl = {"ttl": cached["ttl"]} if isinstance(cached, dict) and cached.get("ttl") else {}
            yield {"cachePoint": {"type": "default", **ttl}}


def _block(part: Json, provider_id: str) -> Json:
    kind = part["type"]
    if kind in ("text", "refusal"):
        return {"text": part[kind]}
    if kind == "image_url":
        given = part["image_url"]
        return {"image": _image(given if isinstance(given, str) else given["url"], provider_id)}
    if kind == "file":
        return {"document": _document(part["file"], provider_id)}
    if kind == "input_audio":
        audio = part["input_audio"]
        return {"audio": {"format": audio["format"], "source": {"bytes": audio["data"]}}}
    if kind in _OWN and isinstance(part.get(kind), dict):
        return {kind: part[kind]}
    raise refusal("messages[].content", provider_id, f"takes no parts of the type `{kind}`")


def _image(address: str, provider_id: str) -> Json:
    if address.startswith(_BUCKET):
        kind = address.rpartition(".")[2].lower().replace("jpg", "jpeg")
        if kind not in _IMAGES.values():
            raise refusal("messages[].content[].image_url.url", provider_id, "tells an image in S3 by its name's end")
        return {"format": kind, "source": {"s3Location": {"uri": address}}}
    if not is_data_address(address):
        why = "does not fetch images: only a `data:` or `s3:` URL can be sent"
        raise refusal("messages[].content[].image_url.url", provider_id, why)
    data = _read(address, "An image")
    found = image_type(data[:16])
    if found not in _IMAGES:
        why = f"takes PNG, JPEG, GIF and WebP, and an image is {found or 'none of them'}"
        raise refusal("messages[].content[].image_url.url", provider_id, why)
    return {"format": _IMAGES[found], "source": {"bytes": b64encode(data).decode()}}


def _document(file: Json, provider_id: str) -> Json:
    name, given = str(file.get("filename") or "document"), file.get("file_data")
    if not given:
        raise refusal("messages[].content[].file.file_id", provider_id, "has no files: send it as `file_data`")
    stem, _, end = name.rpartition(".") if "." in name else (name, "", "")
    if given.startswith(_BUCKET):
        end = given.rpartition(".")[2]
        source: Json = {"s3Location": {"uri": given}}
    elif is_data_address(given):
        kind = given[len("data:") :].partition(",")[0].partition(";")[0].strip().lower()
        end, source = _DOCUMENTS.get(kind, end), {"bytes": b64encode(_read(given, "A file")).decode()}
    else:
        source = {"bytes": given}
    if (end := end.lower()) not in _DOCUMENTS.values():
        why = f"takes files of the kinds {', '.join(_DOCUMENTS.values())}"
        raise refusal("messages[].content[].file", provider_id, why)
    return {"format": end, "name": _neutral(stem), "source": source}


def _neutral(name: str) -> str:
    """A name with what Bedrock allows in one: letters, digits, single spaces, hyphens and brackets."""
    return " ".join(re.sub(r"[^a-zA-Z0-9\s\-()\[\]]", " ", name).split())[:190] or "document"


def _read(address: str, what: str) -> bytes:
    try:
        return read_data_address(address, limit_bytes=_MOST_BYTES).content
    except RequestError as error:
        raise error.saying(f"{what} cannot be read: {error.message}", param="messages") from None
