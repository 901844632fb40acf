"""Images by their first bytes, and what only looks like one."""

from __future__ import annotations

import pytest

from runtime.documents.images import image_type


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "image/png"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg"),
        (b"GIF87a\x01\x00", "image/gif"),
        (b"GIF89a\x01\x00", "image/gif"),
        (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"BM\x46\x00\x00\x00\x00\x00\x00\x00\x36\x00", "image/bmp"),
        (b"II*\x00\x08\x00\x00\x00", "image/tiff"),
        (b"MM\x00*\x00\x00\x00\x08", "image/tiff"),
    ],
)
def test_an_image_is_known_by_its_beginning(head: bytes, kind: str) -> None:
    assert image_type(head) == kind


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"BM",
        b"BMI: a short history",
        b"GIF8 is no version",
        b"RIFF\x24\x00\x00\x00WAVEfmt ",
        b"It says WEBP",
        b"%PDF-1.7",
    ],
)
def test_what_only_looks_like_one_is_none(head: bytes) -> None:
    assert image_type(head) is None
