"""Images of earlier messages, by address."""

from __future__ import annotations

from base64 import b64decode

from runtime.apis._earlier.content import ImageSource
from runtime.documents.images import image_type
from runtime.errors import RequestError
from runtime.http.data_addresses import in_base64
from runtime.sse import Json

_HEAD = 24
"""Characters of base64 that hold what tells an image's type."""


def image_part(image: ImageSource, place: str) -> Json:
    """An image as a part of a chat's message. place: the field that it is in. Raises RequestError as `address_of`."""
    return {"type": "image_url", "image_url": {"url": address_of(image, place)}}


def address_of(image: ImageSource, place: str) -> str:
    """Its address, or its bytes as a `data:` one. place: the field that it is in. Raises RequestError for bytes that
    are no image.
    """
    if image.url is not None:
        return in_base64(image.url.uri)
    assert image.data is not None, "an image has one of both"
    try:
        kind = image_type(b64decode(image.data[:_HEAD]))
    except ValueError:  # no base64, or not even ASCII
        kind = None
    if kind is None:
        field = f"{place}.image.data"
        raise RequestError(f"`{field}` is no image in base64", param=field, code="invalid_value")
    return f"data:{kind};base64,{image.data}"
