"""Marks that no generic code could serve are found when an API's operations are first looked at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import pytest

from runtime.apis._api import Api, route
from runtime.apis._carriers import Upload
from runtime.apis._request import Request, Response


class Ask(Request):
    name: str
    file: Upload | None = None


class Answer(Response):
    pass


class TwoRequests(Protocol):
    @route("POST", "/v1/x")
    async def ask(self, first: Ask, second: Ask) -> Answer: ...


class NoRequest(Protocol):
    @route("POST", "/v1/x")
    async def ask(self, request: str) -> Answer: ...


class NoSuchPathField(Protocol):
    @route("GET", "/v1/x/{nome}", body="form")
    async def ask(self, request: Ask) -> Answer: ...


class NoSuchKey(Protocol):
    @route("POST", "/v1/x", body="form", key="nome")
    async def ask(self, request: Ask) -> Answer: ...


class UploadInJson(Protocol):
    @route("POST", "/v1/x")
    async def ask(self, request: Ask) -> Answer: ...


class KeyOfMessages(Protocol):
    @route("WS", "/v1/x", body="form", key="name")
    def ask(self, requests: AsyncIterator[Ask]) -> AsyncIterator[Answer]: ...


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        (TwoRequests, "exactly one request"),
        (NoRequest, "which is no Request"),
        (NoSuchPathField, "nome"),
        (NoSuchKey, "nome"),
        (UploadInJson, "in a body of json"),
        (KeyOfMessages, "or as its key"),
    ],
)
def test_a_mark_that_cannot_be_served_is_a_type_error(protocol: type, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        Api("x", protocol).operations()
