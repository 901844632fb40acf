"""What a guardrail is given of a message: a block of text, and one for each image.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_GuardrailContentBlock.html (read November 2026)
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from runtime.documents.images import image_type
from runtime.errors import RequestError
from runtime.http.data_addresses import is_data_address, read_data_address
from runtime.providers.safety._message_content import MessageContent

_MOST_IMAGE_BYTES = 4 * 1024**2
_FORMATS = {"image/png": "png", "image/jpeg": "jpeg"}


def content_blocks(content: MessageContent) -> list[dict[str, Any]]:
    """Empty for a message that says nothing. Raises RequestError for what no guardrail looks at, TooLarge for an image
    of more than 4 MiB.
    """
    if content.unread:
        raise RequestError(
            f"A guardrail of Bedrock looks at text and images, not at parts of type `{content.unread[0]}`",
            param="messages",
        )
    text = [{"text": {"text": content.text}}] if content.text else []
    return [*text, *(_image(address) for address in content.images)]


def _image(address: str) -> dict[str, Any]:
    if not is_data_address(address):
        raise RequestError(
            "A guardrail of Bedrock looks at an image that is in the request, not at an address of one",
            hint="send it as `data:image/png;base64,...`",
            param="messages",
        )
    try:
        data = read_data_address(address, limit_bytes=_MOST_IMAGE_BYTES).content
    except RequestError as error:
        raise error.saying(f"An image cannot be looked at: {error.message}", param="messages") from None
    kind = image_type(data[:16])
    if kind not in _FORMATS:
        raise RequestError(
            f"A guardrail of Bedrock looks at PNG and JPEG, and an image is {kind or 'neither'}", param="messages"
        )
    return {"image": {"format": _FORMATS[kind], "source": {"bytes": b64encode(data).decode()}}}
