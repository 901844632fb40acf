"""`data:` addresses, as RFC 2397 has them."""

from __future__ import annotations

import pytest

from runtime.errors import RequestError, TooLarge
from runtime.http.data_addresses import Data, in_base64, is_data_address, read_data_address

PLAIN = "data:text/plain,hello"


@pytest.mark.parametrize(
    ("address", "content", "content_type"),
    [
        (PLAIN, b"hello", "text/plain"),
        ("data:,A%20badger,%20digs.", b"A badger, digs.", ""),
        ("data:text/plain;base64,aGVsbG8=", b"hello", "text/plain"),
        ("data:text/plain;charset=utf-8;base64,aGVsbG8%3D", b"hello", "text/plain"),
        ("DATA:Text/HTML;Base64,aGVsbG8=", b"hello", "text/html"),
        ("data:text/plain;name=base64,aGVsbG8=", b"aGVsbG8=", "text/plain"),
        ("data:text/plain;charset=utf-8,gr%C3%BCn+é", "grün+é".encode(), "text/plain"),
        ("data:,", b"", ""),
    ],
)
def test_what_an_address_says(address: str, content: bytes, content_type: str) -> None:
    assert is_data_address(address)
    assert read_data_address(address, limit_bytes=100) == Data(content, content_type)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("data:text/plain", "it is no `data:` address"),
        ("data:", "it is no `data:` address"),
        ("data:text/plain;base64,!!!", "its `data:` address is no base64"),
        ("data:text/plain;base64,aGVsbG8", "its `data:` address is no base64"),
        ("data:text/plain;base64,é", "its `data:` address is no base64"),
    ],
)
def test_what_is_none_is_named(address: str, words: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_data_address(address, limit_bytes=100)
    assert caught.value.message == words and caught.value.code == "invalid_address"


@pytest.mark.parametrize("address", ["data:,123456", "data:;base64,MTIzNDU2", "data:;base64," + "M" * 999])
def test_what_is_too_large_is_refused(address: str) -> None:
    with pytest.raises(TooLarge, match="more than 5 bytes"):
        read_data_address(address, limit_bytes=5)


def test_other_addresses_are_none() -> None:
    assert not any(map(is_data_address, ("https://app.example/data:", "dat", "", "datum:x")))


@pytest.mark.parametrize(
    ("address", "same"),
    [
        (PLAIN, "data:text/plain;base64,aGVsbG8="),
        ("data:image/svg+xml;utf8,%3Csvg/%3E", "data:image/svg+xml;utf8;base64,PHN2Zy8+"),
        *((kept, kept) for kept in ("data:image/png;base64,AAAA", "https://app.example/a,b", "data:image/png", "")),
    ],
)
def test_an_address_can_be_had_in_base64(address: str, same: str) -> None:
    assert in_base64(address) == same
