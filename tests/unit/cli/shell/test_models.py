"""The models that a server serves, as it lists them and as older servers did."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import HTTPServer
from typing import Any

import pytest

from tests.support.command_runner import Cli
from tests.support.schemas import conform
from tests.support.small_server import SmallHandler, running, url_of


def model(name: str, provider_id: str, own_name: str, **facts: Any) -> dict[str, Any]:
    stated = {"provider_id": provider_id, "provider_resource_id": own_name, "model_type": "llm", **facts}
    return {"id": name, "object": "model", "created": 0, "owned_by": provider_id, "custom_metadata": stated}


class Handler(SmallHandler):
    models: list[dict[str, Any]]

    def do_GET(self) -> None:
        self.document({"data": self.models})


@pytest.fixture
def serving() -> Iterator[str]:
    Handler.models = [
        model("short", "own", "Tiny"),
        model("own/Tiny", "own", "Tiny", context_length=131072, loaded=True),
        model("own/Embed", "own", "Embed", model_type="embedding", embedding_dimension=384, loaded=False),
        model("vendor/big", "vendor", "big", price={"input": 0.15, "output": 0.6}),
        model("own/Coming", "own", "Coming", loaded=False, state="loading", progress=0.4),
        {"id": "older", "provider_id": "vendor", "provider_resource_id": "named", "model_type": "rerank"},
        {"id": "bare"},
    ]
    with running(HTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield url_of(server)


def test_the_rows_are_those_of_the_schema(serving: str, cli: Cli) -> None:
    rows = cli("models", "--url", serving, "--json").json()
    conform(rows, "models")
    assert [row["id"] for row in rows] == ["own/Tiny", "own/Embed", "vendor/big", "own/Coming", "older", "bare"]
    assert rows[0] == {
        "id": "own/Tiny",
        "provider_id": "own",
        "provider_model_id": "Tiny",
        "kind": "llm",
        "context_length": 131072,
        "price": None,
        "embedding_dimension": None,
        "is_loaded": True,
        "load_state": "loaded",
        "load_progress": None,
        "aliases": ["short"],
    }
    assert [row["kind"] for row in rows] == ["llm", "embedding", "llm", "llm", "rerank", "llm"]
    assert [row["is_loaded"] for row in rows] == [True, False, None, False, None, None]
    assert [row["load_state"] for row in rows] == ["loaded", "unloaded", None, "loading", None, None]
    assert [row["load_progress"] for row in rows] == [None, None, None, 0.4, None, None]


def test_a_row_a_line_in_a_pipe_and_ids_alone(serving: str, cli: Cli) -> None:
    lines = cli("models", "--url", serving).out.splitlines()
    assert lines[:2] == ["own/Tiny\town\tllm\t128K\t\tyes\tshort\t", "own/Embed\town\tembedding\t\t\tno\t\t"]
    assert lines[3] == "own/Coming\town\tllm\t\t\tloading\t\t40%"
    assert lines[2] == "vendor/big\tvendor\tllm\t\t$0.15 / $0.60\t\t\t"
    assert cli("models", "--url", serving, "-q").out.split() == [
        "own/Tiny",
        "own/Embed",
        "vendor/big",
        "own/Coming",
        "older",
        "bare",
    ]


def test_without_a_server_it_says_how_to_start_one(cli: Cli) -> None:
    result = cli("models")
    assert (result.code, result.out) == (7, "")
    assert "llama stack run" in result.err
