"""Files that go along with a question: text in the prompt under its name, images beside it.

Knows kinds of files by their first bytes, and OpenAI's parts of a message.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llama_cli.exits import ExitCode, Failure
from runtime.config.text import as_meant, decoded, read_bytes, shown
from runtime.errors import ConfigInvalid

_IMAGES = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF87a", "gif"), (b"GIF89a", "gif"))


@dataclass(frozen=True)
class Attachment:
    """name: as it was given; text: of a text file; image: of an image, as a `data:` URL; size: in bytes."""

    name: str
    size: int
    text: str = ""
    image: str | None = None


def read(name: str) -> Attachment:
    """A file; `-` is standard input. Raises Failure (USAGE) for what no model can be shown, NotFound, AccessDenied."""
    try:
        content = read_bytes(as_meant(name), what="file")
        if kind := _image(content):
            data = base64.b64encode(content).decode()
            return Attachment(shown(name), len(content), image=f"data:image/{kind};base64,{data}")
        if content.startswith(b"%PDF-"):
            hint = f"give its text instead: `pdftotext {name} - | llama chat --file -`"
            raise Failure(f"`{shown(name)}` is a PDF, which cannot be sent yet", hint=hint, code=ExitCode.USAGE)
        return Attachment(shown(name), len(content), decoded(content, as_meant(name), what="file"))
    except ConfigInvalid as error:
        problem = error.problems[0]
        raise Failure(str(problem).partition(" (")[0], hint=problem.hint, code=ExitCode.USAGE) from error


def content_of(prompt: str, attachments: Sequence[Attachment]) -> str | list[dict[str, Any]]:
    """What a message holds: texts before the prompt, as the prompt speaks of them; parts only where there is an image,
    since not every model takes them.
    """
    texts = [_quoted(one) for one in attachments if one.image is None]
    text = "\n\n".join(part for part in [*texts, prompt] if part)
    images = [{"type": "image_url", "image_url": {"url": one.image}} for one in attachments if one.image is not None]
    return [*([{"type": "text", "text": text}] if text else []), *images] if images else text


def _image(content: bytes) -> str | None:
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "webp"
    return next((kind for mark, kind in _IMAGES if content.startswith(mark)), None)


def _quoted(file: Attachment) -> str:
    """Under its name, in a fence that is longer than any in it."""
    longest = max(map(len, re.findall(r"`{3,}", file.text)), default=2)
    fence = "`" * (longest + 1)
    end = "" if file.text.endswith("\n") else "\n"
    return f"`{file.name}`:\n{fence}\n{file.text}{end}{fence}"
