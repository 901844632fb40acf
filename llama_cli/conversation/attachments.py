"""Files that go along with a question: text in the prompt under its name, images and documents beside it.

Knows kinds of files by their first bytes, and OpenAI's parts of a message. What is in a document the server reads.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_cli.exits import Failure
from runtime.config.text import as_meant, decoded, is_stream, read_bytes, shown
from runtime.errors import ConfigInvalid

_PDF, _ZIP = b"%PDF-", b"PK\x03\x04"
_OFFICE = "application/vnd.openxmlformats-officedocument"
_ZIPPED = {
    ".docx": f"{_OFFICE}.wordprocessingml.document",
    ".pptx": f"{_OFFICE}.presentationml.presentation",
    ".xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    ".epub": "application/epub+zip",
}
_SENT = "text in UTF-8, images, PDF, Office documents and EPUB can be sent, of 16 MiB at most"
_IMAGES = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF87a", "gif"), (b"GIF89a", "gif"))


@dataclass(frozen=True)
class Attachment:
    """name: as it was given; text: of a text file; part: of a message, for what is no text; size: in bytes."""

    name: str
    size: int
    text: str = ""
    part: dict[str, Any] | None = None


def read(name: str) -> Attachment:
    """A file; `-` is standard input. Raises Failure (USAGE) for what no model can be shown, NotFound, AccessDenied."""
    try:
        content = read_bytes(as_meant(name), what="file")
        if kind := _image(content):
            image = {"type": "image_url", "image_url": {"url": _data(f"image/{kind}", content)}}
            return Attachment(shown(name), len(content), part=image)
        if kind := _document(name, content):
            file = {"filename": _filename(name, kind), "file_data": _data(kind, content)}
            return Attachment(shown(name), len(content), part={"type": "file", "file": file})
        return Attachment(shown(name), len(content), decoded(content, as_meant(name), what="file"))
    except ConfigInvalid as error:
        raise Failure.of_unreadable(error, hint=_SENT) from error


def content_of(prompt: str, attachments: Sequence[Attachment]) -> str | list[dict[str, Any]]:
    """What a message holds: texts before the prompt, as the prompt speaks of them; parts only where there is more than
    text, since not every model takes them.
    """
    texts = [_quoted(one) for one in attachments if one.part is None]
    text = "\n\n".join(part for part in [*texts, prompt] if part)
    others = [one.part for one in attachments if one.part is not None]
    return [*([{"type": "text", "text": text}] if text else []), *others] if others else text


def _image(content: bytes) -> str | None:
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "webp"
    return next((kind for mark, kind in _IMAGES if content.startswith(mark)), None)


def _document(name: str, content: bytes) -> str | None:
    """The type of a document that a server can read."""
    if content.startswith(_PDF):
        return "application/pdf"
    return _ZIPPED.get(Path(name).suffix.lower()) if content.startswith(_ZIP) else None


def _filename(name: str, kind: str) -> str:
    """Without its folder; a PDF that comes through a pipe has a name that says what it is."""
    return Path(name).name if not is_stream(name) or kind != "application/pdf" else "document.pdf"


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _quoted(file: Attachment) -> str:
    """Under its name, in a fence that is longer than any in it."""
    longest = max(map(len, re.findall(r"`{3,}", file.text)), default=2)
    fence = "`" * (longest + 1)
    end = "" if file.text.endswith("\n") else "\n"
    return f"`{file.name}`:\n{fence}\n{file.text}{end}{fence}"
