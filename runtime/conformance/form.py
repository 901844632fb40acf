"""Forms with files as clients send them: multipart/form-data, whole, so that a test can cut it where it likes."""

from __future__ import annotations

HEADERS = {"content-type": "multipart/form-data; boundary=cut"}


def form(*parts: tuple[str, bytes]) -> bytes:
    """The body of a form. parts: each with its content disposition."""
    body = b"".join(
        b"--cut\r\ncontent-disposition: %b\r\n\r\n%b\r\n" % (head.encode(), content) for head, content in parts
    )
    return body + b"--cut--\r\n"


def field(name: str, value: str) -> tuple[str, bytes]:
    return f'form-data; name="{name}"', value.encode()


def file(content: bytes, *, name: str = "file", filename: str = "a.txt") -> tuple[str, bytes]:
    return f'form-data; name="{name}"; filename="{filename}"', content
