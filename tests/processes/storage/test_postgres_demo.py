"""The distribution `postgres-demo`: built, started on a real PostgreSQL, killed, and started again by another one."""

from __future__ import annotations

import httpx
import pytest

from tests.support.postgres import PostgresServer
from tests.support.stack_home import Home, Served

pytestmark = pytest.mark.e2e
MODEL = "meta-reference/SmolLM2-135M-Instruct"


@pytest.mark.smollm2
def test_postgres_demo_chats_and_keeps_everything_in_postgres(home: Home, postgres_server: PostgresServer) -> None:
    url = httpx.URL(postgres_server.database())
    place = {
        "POSTGRES_HOST": url.host,
        "POSTGRES_PORT": str(url.port),
        "POSTGRES_USER": url.username,
        "POSTGRES_DB": url.path.strip("/"),
    }
    with home.served("postgres-demo", **place) as server:
        assert server.chat(MODEL)["choices"][0]["message"]["content"]
        server.post("/v1/models", {"model_id": "mine", "provider_model_id": MODEL.partition("/")[2]})
        kept = file_of(server)
        server.kill()
    # Another server with a state folder of its own: nothing that matters lies in the first one's.
    with home.served("postgres-demo", **place) as server:
        assert "mine" in server.models()
        assert [file["id"] for file in server.get("/v1/files")["data"]] == [kept]
    tables = postgres_server.run("SELECT name FROM llama_stack_schemas ORDER BY name", place["POSTGRES_DB"]).split("\n")
    assert {"files", "llamastack_kvstore"} <= set(tables)


def file_of(server: Served) -> str:
    answer = httpx.post(f"{server.url}/v1/files", data={"purpose": "user_data"}, files={"file": b"x"}, timeout=60)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])
