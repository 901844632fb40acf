"""What a user does not see is not there for them: files, stores and what is in these, by every route and every name."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.access import User
from runtime.conformance.form import HEADERS, file, form
from runtime.context import RequestContext
from runtime.server.middleware import request as middleware
from tests.conformance.vector_stores.asking import Asking
from tests.support.vector_stores import STORES

pytestmark = pytest.mark.asyncio(loop_scope="module")
ANY_DATABASE = True
SECRET = "anns alpaca"


class Users:
    """Who the next requests come from."""

    def __init__(self) -> None:
        self.name = "ann"

    def context(self, **facts: Any) -> RequestContext:
        return RequestContext(**{**facts, "user": User(principal=self.name)})


@pytest.fixture
def users(monkeypatch: pytest.MonkeyPatch) -> Users:
    made = Users()
    monkeypatch.setattr(middleware, "RequestContext", made.context)
    return made


async def test_another_user_finds_nothing_by_any_route(stores: Asking, users: Users) -> None:
    store = await stores.store(name=SECRET, metadata={"a": SECRET})
    file_id = await stores.attach(store, f"The {SECRET} grazes.", filename=f"{SECRET}.txt")
    batch = (await stores.done("POST", f"{STORES}/{store}/file_batches", {"file_ids": [await stores.upload("b")]}))[
        "id"
    ]
    await stores.batch_ended(store, batch)
    upload = (
        await stores.done(
            "POST", "/v1/uploads", {"filename": SECRET, "purpose": "assistants", "bytes": 3, "mime_type": "text/plain"}
        )
    )["id"]
    users.name = "bob"
    mine = await stores.store(name="mine")
    my_file = await stores.attach(mine, "A llama grazes.")
    asked: list[tuple[str, str, Any]] = []
    for at, of in ((store, file_id), (store, my_file), (mine, file_id)):
        one = f"{STORES}/{at}/files/{of}"
        asked += [("GET", one, None), ("GET", f"{one}/content", None), ("POST", one, {"attributes": {"a": "b"}})]
        asked += [("DELETE", one, None)]
    for at in (store, mine):
        one = f"{STORES}/{at}/file_batches/{batch}"
        asked += [("GET", one, None), ("GET", f"{one}/files", None), ("POST", f"{one}/cancel", {})]
    one = f"{STORES}/{store}"
    asked += [
        ("GET", one, None),
        ("POST", one, {"name": "bobs"}),
        ("POST", f"{one}/search", {"query": "alpaca"}),
        ("POST", f"{one}/reindex", {}),
        ("GET", f"{one}/files", None),
        ("POST", f"{one}/files", {"file_id": my_file}),
        ("POST", f"{STORES}/{mine}/files", {"file_id": file_id}),
        ("POST", f"{one}/file_batches", {"file_ids": [my_file]}),
        ("POST", "/v1/vector-io/insert", {"vector_store_id": store, "chunks": [{"content": "x", "metadata": {}}]}),
        ("POST", "/v1/vector-io/query", {"vector_store_id": store, "query": "alpaca"}),
        ("GET", f"/v1/vector-dbs/{store}", None),
        ("DELETE", f"/v1/vector-dbs/{store}", None),
        ("POST", "/v1/tool-runtime/rag-tool/query", {"content": "alpaca", "vector_db_ids": [store]}),
        ("GET", f"/v1/files/{file_id}", None),
        ("GET", f"/v1/files/{file_id}/content", None),
        ("DELETE", f"/v1/files/{file_id}", None),
        ("POST", f"/v1/uploads/{upload}/complete", {"part_ids": ["part_x"]}),
        ("POST", f"/v1/uploads/{upload}/cancel", {}),
        ("DELETE", one, None),
    ]
    for method, path, body in asked:
        answered = await stores.ask(method, path, body)
        assert answered.status == 404 and SECRET.encode() not in answered.body, (method, path, answered.body)
    part = await stores.served.client.post(
        f"/v1/uploads/{upload}/parts", body=form(file(b"abc", name="data")), headers=HEADERS
    )
    assert part.status == 404
    made = await stores.done("POST", f"{STORES}/{mine}/file_batches", {"file_ids": [file_id]})
    assert (await stores.batch_ended(mine, made["id"]))["status"] == "failed"
    for path in (STORES, "/v1/files", "/v1/vector-dbs", f"{STORES}?after={store}", f"/v1/files?after={file_id}"):
        listed = await stores.ask("GET", path)
        assert listed.status == 200 and SECRET.encode() not in listed.body and store.encode() not in listed.body, path
    users.name = "ann"
    assert (await stores.shown(store))["name"] == SECRET
    assert len(await stores.search(store, "alpaca")) >= 1
