"""Parts of a message as content blocks: text, images and documents, in base64, at an address or by their id.

https://platform.claude.com/docs/en/build-with-claude/vision,
https://platform.claude.com/docs/en/build-with-claude/pdf-support,
https://platform.claude.com/docs/en/build-with-claude/files (read November 2026)
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from codecs import getincrementaldecoder
from collections.abc import Iterator
from mimetypes import guess_type
from typing import Any
from urllib.parse import urlsplit

from runtime.documents.images import image_type
from runtime.http.data_addresses import in_base64, is_data_address
from runtime.providers.inference._openai_compatible.outgoing_fields import refusal
from runtime.sse import Json

_CONTENT = "messages[].content[]"
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_PDF = "application/pdf"
_TEXTS = ("application/json", "application/xml", "application/x-yaml", "application/javascript")
"""Types of text that are not below `text/`."""
_OWN = ("image", "document", "search_result", "container_upload")
"""Anthropic's blocks that may be a part as they are."""
_BEGINNING = 1368
"""Characters of base64 in which a file is known: 1026 bytes."""
CACHED = "cache_control"
"""Where the prompt up to a block is to be cached: of a part, a message or a tool."""


def blocks_of(content: Any, provider_id: str) -> Iterator[Json]:
    """Without blank text, which Anthropic refuses. content: a text, parts or nothing. Raises RequestError for what
    Messages do not take.
    """
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or ()
    for part in parts:
        block = _block(part, provider_id)
        if block["type"] != "text" or block["text"].strip():
            yield block | ({CACHED: part[CACHED]} if part.get(CACHED) is not None else {})


def _block(part: Json, provider_id: str) -> Json:
    kind = part["type"]
    given = part.get(kind)
    match kind:
        case "text" | "refusal":
            return {"type": "text", "text": given}
        case "image_url":
            address = given.get("url") if isinstance(given, dict) else given
            return _at(address, f"{_CONTENT}.image_url.url", "image", provider_id)
        case "file" if isinstance(given, dict):
            return _file(given, provider_id)
        case _ if kind in _OWN:
            return dict(part)
    raise refusal(_CONTENT, provider_id, f"has no parts of the type `{kind}`")


def _file(given: Json, provider_id: str) -> Json:
    field, name = f"{_CONTENT}.file", given.get("filename") or ""
    guessed = guess_type(name)[0] or ""
    kind = "image" if guessed in _IMAGES else "document"
    if (data := given.get("file_data")) is None:
        id = given.get("file_id")
        if not isinstance(id, str) or not id:
            raise refusal(field, provider_id, "needs `file_data`, or a `file_id` of its own")
        if "://" in id:
            block = _at(id, f"{field}.file_id", kind, provider_id)
        else:
            block = {"type": kind, "source": {"type": "file", "file_id": id}}
    elif is_data_address(data):
        block = _at(data, f"{field}.file_data", kind, provider_id)
    else:
        block = _of_data(guessed or _seen(data), data, f"{field}.file_data", provider_id)
    return block | ({"title": name} if name and block["type"] == "document" else {})


def _at(address: Any, field: str, kind: str, provider_id: str) -> Json:
    if isinstance(address, str) and is_data_address(address):
        head, comma, data = in_base64(address).partition(",")
        said = head[len("data:") :].partition(";")[0].strip().lower()
        if comma and said:
            return _of_data(said, data, field, provider_id)
        raise refusal(field, provider_id, "needs to know what a `data:` address has, as in `data:image/png;base64,`")
    try:
        scheme = urlsplit(address).scheme.lower() if isinstance(address, str) else ""
    except ValueError:
        scheme = ""
    if scheme not in ("https", "http"):
        raise refusal(field, provider_id, "takes an address here: `https:` or `data:`")
    return {"type": kind, "source": {"type": "url", "url": address}}


def _of_data(said: str, data: str, field: str, provider_id: str) -> Json:
    """said: the type that the caller gives; that of an image is told by its bytes, as far as they are known."""
    data = "".join(data.split())
    if said.startswith("image/"):
        found = image_type(_decoded(data[:24]) or b"") or said
        if found not in _IMAGES:
            raise refusal(field, provider_id, f"takes PNG, JPEG, GIF and WebP, and this is `{found}`")
        return {"type": "image", "source": {"type": "base64", "media_type": found, "data": data}}
    if said == _PDF:
        return {"type": "document", "source": {"type": "base64", "media_type": _PDF, "data": data}}
    if said.startswith("text/") or said in _TEXTS:
        text = _text(data, field, provider_id)
        return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}}
    raise refusal(field, provider_id, f"takes PDF, text and images, and this is `{said}`")


def _seen(data: str) -> str:
    """The type of a file whose name does not say it: text if it begins as that, else PDF. data: in base64."""
    begun = _decoded("".join(data[: 2 * _BEGINNING].split())[:_BEGINNING]) or b""
    try:
        getincrementaldecoder("utf-8")().decode(begun)
    except UnicodeDecodeError:
        return _PDF
    return _PDF if not begun or b"%PDF-" in begun or b"\0" in begun else "text/plain"


def _text(data: str, field: str, provider_id: str) -> str:
    found = _decoded(data)
    try:
        text = None if found is None else found.decode()
    except UnicodeDecodeError:
        text = None
    if text is None or not text.strip():
        raise refusal(field, provider_id, "takes text here as base64 of UTF-8, and not a blank one")
    return text


def _decoded(data: str) -> bytes | None:
    try:
        return b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
