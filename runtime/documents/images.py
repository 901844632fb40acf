"""Which kind of image bytes are, by the first of them. Knows no other files, and decodes nothing."""

from __future__ import annotations

_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)
"""https://mimesniff.spec.whatwg.org, section 6.1; TIFF 6.0, section 2."""


def image_type(head: bytes) -> str | None:
    """The content type of an image that begins with these bytes, of which 12 are enough; None for anything else."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[:2] == b"BM" and head[6:10] == bytes(4):  # reserved, and zero; text may begin with these letters
        return "image/bmp"
    return next((kind for beginning, kind in _BEGINNINGS if head.startswith(beginning)), None)
