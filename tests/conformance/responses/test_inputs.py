"""Images and files as input: by id, as data, by address; what cannot be read is named with the reason."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

import pytest

from runtime.conformance.form import HEADERS, field, file, form
from tests.conformance.responses.asking import Asking

pytestmark = pytest.mark.asyncio(loop_scope="module")
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
TEXT = "Llamas are trimmed every eight weeks."


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


async def uploaded(asking: Asking, content: bytes, filename: str) -> str:
    body = form(field("purpose", "user_data"), file(content, filename=filename))
    answered = await asking.client.post("/v1/files", body=body, headers=HEADERS)
    assert answered.status == 200, answered.body
    file_id: str = answered.json()["id"]
    return file_id


async def read(asking: Asking, *parts: dict[str, Any], **fields: Any) -> list[Any]:
    """The parts of the message that the model reads."""
    message = {"role": "user", "content": [{"type": "input_text", "text": "Look"}, *parts]}
    await asking.whole([message], **fields)
    content = asking.vendor.calls("/chat/completions")[-1].json()["messages"][-1]["content"]
    return content if isinstance(content, list) else [content]


async def test_an_image_is_data_however_it_is_given(asking: Asking) -> None:
    file_id = await uploaded(asking, PNG, "dot.png")
    url = f"data:image/png;base64,{encoded(PNG)}"
    for part in (
        {"type": "input_image", "file_id": file_id},
        {"type": "input_image", "image_url": url},
        {"type": "input_file", "file_id": file_id},
        {"type": "input_file", "file_data": url, "filename": "dot.png"},
    ):
        assert await read(asking, part) == [
            {"type": "text", "text": "Look"},
            {"type": "image_url", "image_url": {"url": url}},
        ]
    [_, shown] = await read(asking, {"type": "input_image", "file_id": file_id, "detail": "low"})
    assert shown["image_url"]["detail"] == "low"


async def test_a_document_is_its_text_behind_its_name(asking: Asking) -> None:
    file_id = await uploaded(asking, TEXT.encode(), "hooves.txt")
    data = encoded(TEXT.encode())
    for part in (
        {"type": "input_file", "file_id": file_id},
        {"type": "input_file", "file_data": data, "filename": "hooves.txt"},
        {"type": "input_file", "file_data": f"data:text/plain;base64,{data}", "filename": "hooves.txt"},
    ):
        assert await read(asking, part) == [f"Lookhooves.txt:\n\n{TEXT}"]


@pytest.mark.parametrize("member", ["file_data", "file_url"])
async def test_data_may_be_without_base64(asking: Asking, member: str) -> None:
    part = {"type": "input_file", member: "data:text/plain,A%20badger%20digs."}
    assert await read(asking, part) == ["Lookfile.txt:\n\nA badger digs."]
    page = {"type": "input_file", member: "DATA:text/html,%3Cp%3EA fox sleeps.%3C/p%3E", "filename": "fox"}
    assert await read(asking, page) == ["Lookfox:\n\nA fox sleeps."]
    image = {"type": "input_file", member: f"data:image/png,{quote(PNG)}"}
    url = f"data:image/png;base64,{encoded(PNG)}"
    shown = {"type": "image_url", "image_url": {"url": url}}
    assert (await read(asking, image))[1] == shown
    given = {"type": "input_image", "image_url": f"data:image/png,{quote(PNG)}"}
    assert (await read(asking, given))[1] == shown, "vendors read no other data"


async def test_a_long_document_is_not_cut(asking: Asking) -> None:
    text = " ".join(["Go, 1."] * 1200)  # about 6,000 tokens
    part = {"type": "input_file", "file_data": encoded(text.encode()), "filename": "long.txt"}
    assert await read(asking, part) == [f"Looklong.txt:\n\n{text}"]


async def test_the_output_of_a_function_may_be_a_file(asking: Asking) -> None:
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    part = {"type": "input_file", "file_data": encoded(TEXT.encode()), "filename": "a.txt"}
    await asking.whole([call, {"type": "function_call_output", "call_id": "c", "output": [part]}])
    assert TEXT in asking.vendor.calls("/chat/completions")[-1].json()["messages"][-1]["content"]


async def test_it_is_read_again_by_what_continues(asking: Asking) -> None:
    part = {"type": "input_file", "file_data": encoded(TEXT.encode()), "filename": "a.txt"}
    response = await asking.whole([{"role": "user", "content": [part]}])
    await asking.whole("And?", previous_response_id=response["id"])
    messages = asking.vendor.calls("/chat/completions")[-1].json()["messages"]
    assert messages[0]["content"] == f"a.txt:\n\n{TEXT}"
    items = (await asking.client.get(f"/v1/responses/{response['id']}/input_items")).json()["data"]
    assert items[0]["content"] == [part], "what is kept is what was given"


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ({"type": "input_file", "file_id": "file-none"}, "`file-none`"),
        ({"type": "input_image", "file_id": "file-none"}, "there is no such file"),
        ({"type": "input_file", "file_data": "%%%", "filename": "x.pdf"}, "no base64"),
        ({"type": "input_file", "file_data": "data:text/plain"}, "no `data:` address"),
        ({"type": "input_file", "file_url": "data:text/plain;base64,!"}, "its `data:` address is no base64"),
        ({"type": "input_file", "filename": "x.pdf"}, "file_data"),
        ({"type": "input_file", "file_data": "JVBERi0xLjQK", "filename": "x.pdf"}, "`x.pdf`"),
        ({"type": "input_file", "file_url": "http://127.0.0.1:9/x.pdf"}, "127.0.0.1"),
        ({"type": "input_file", "file_url": "file:///etc/passwd"}, "file:///etc/passwd"),
        ({"type": "input_image"}, "image_url"),
    ],
)
async def test_what_cannot_be_read_is_named(asking: Asking, part: dict[str, Any], why: str) -> None:
    error = await asking.refused({"input": [{"role": "user", "content": [part]}]})
    assert error["status"] == 400 and error["param"].startswith("input")
    assert why in error["message"]


async def test_an_image_that_is_none(asking: Asking) -> None:
    file_id = await uploaded(asking, TEXT.encode(), "a.png")
    error = await asking.refused(
        {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": file_id}]}]}
    )
    assert "no PNG, JPEG, GIF or WebP" in error["message"]
