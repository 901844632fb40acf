"""What a body holds is counted before it is built, and long ones are built beside the event loop's thread."""

from __future__ import annotations

import gzip
import json
import random
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from runtime.apis.vector_stores.native import MAX_INSERTED_CHUNKS
from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config
from runtime.errors import TooLarge
from runtime.parsing import amounts
from runtime.parsing.amounts import BULK, LIGHT_BYTES, USUAL, Amount, check_amount
from tests.support.house import furnish, probe_spec
from tests.support.stacks import serving

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
EXCESS = b'{"model":"m","input":[' + b"[1]," * 1_000_000 + b"[1]]}"
NAMES = json.dumps({f"n{number}": 1 for number in range(200_000)}).encode()
VALUES = b'{"model":"m","input":[' + b"1," * 2_000_001 + b"1]}"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    providers = {"probe": [{"provider_id": "p", "provider_type": "inline::prober"}], "inference": []}
    with pytest.MonkeyPatch.context() as patch:
        furnish(patch, [probe_spec()])
        run = run_config(providers=providers)
        async with serving(run, tmp_path_factory.mktemp("state")) as running:
            yield running.client


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", EXCESS),
        ("/v1/embeddings", VALUES),
        ("/v1/chat/completions", NAMES),
        ("/v1/things/a", EXCESS),
    ],
    ids=["lists", "values", "names", "with fields in the path"],
)
async def test_a_body_of_too_many_things_is_refused_and_costs_the_loop_nothing(
    client: Client, path: str, body: bytes, packed: bool
) -> None:
    sent = gzip.compress(body) if packed else body
    headers = {"content-type": "application/json"} | ({"content-encoding": "gzip"} if packed else {})
    began = time.thread_time()
    answer = await client.request("POST", path, body=sent, headers=headers)
    assert time.thread_time() - began < 0.1
    assert (answer.status, answer.error["code"]) == (413, "request_too_large")
    assert "holds more than" in answer.error["message"] and "several requests" in answer.error["message"]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_long_body_is_validated_in_another_thread(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    where: list[int] = []
    monkeypatch.setattr("runtime.parsing.requests.check_amount", lambda raw, most: where.append(threading.get_ident()))
    for length in (10, LIGHT_BYTES):
        answer = await client.post("/v1/chat/completions", CHAT | {"user": "u" * length, "n": "no"})
        assert answer.error["param"] == "n"
    assert len(where) == 1 and where[0] != threading.get_ident()


def counted(value: Any) -> tuple[int, int]:
    """Parts and values, found by looking at what was built."""
    if isinstance(value, dict):
        inner = [counted(one) for one in value.values()]
        own = 1 + len(value), max(0, len(value) - 1)
    elif isinstance(value, list):
        inner, own = [counted(one) for one in value], (1, max(0, len(value) - 1))
    else:
        return 0, 0
    return own[0] + sum(one[0] for one in inner), own[1] + sum(one[1] for one in inner)


def some_json(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(4 if depth < 4 else 2)
    if kind == 2:
        return [some_json(chance, depth + 1) for _ in range(chance.randrange(5))]
    if kind == 3:
        return {some_text(chance) + str(n): some_json(chance, depth + 1) for n in range(chance.randrange(5))}
    return some_text(chance) if kind else chance.randrange(100)


def some_text(chance: random.Random) -> str:
    return "".join(chance.choice('\\"[]{},:é\n a') for _ in range(chance.randrange(12)))


def test_marks_in_texts_are_not_counted_wherever_a_slice_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amounts, "LIGHT_BYTES", 0)
    chance = random.Random(7)
    for _ in range(300):
        value = [some_json(chance) for _ in range(3)]
        raw = json.dumps(value, ensure_ascii=chance.random() < 0.5).encode()
        parts, values = counted(value)
        monkeypatch.setattr(amounts, "_SLICE_BYTES", chance.choice([1, 2, 3, 7, 1000]))
        check_amount(raw, Amount(parts=parts, values=values))
        with pytest.raises(TooLarge):
            check_amount(raw, Amount(parts=parts - 1, values=values))
        with pytest.raises(TooLarge):
            check_amount(raw, Amount(parts=parts, values=values - 1))


def test_texts_that_are_no_json_are_not_counted_to_their_end() -> None:
    began = time.thread_time()
    with pytest.raises(TooLarge):
        check_amount(b'""' * 30_000_000, USUAL)
    assert time.thread_time() - began < 3


def test_what_routes_document_is_not_too_much() -> None:
    chunk = {
        "content": "c",
        "chunk_id": "c",
        "metadata": {"document_id": "d", "place": 1, "of": 2},
        "chunk_metadata": {"source": "s", "created_timestamp": 1, "chunk_window": "0-9"},
        "embedding": [0.5] * 30,
    }
    chunks = ", ".join([json.dumps(chunk)] * MAX_INSERTED_CHUNKS)
    check_amount(f'{{"chunks": [{chunks}]}}'.encode(), BULK)
    message = {"role": "user", "content": "It rains, and rains; {again}."}
    check_amount(json.dumps({"model": "m", "messages": [message] * 30_000}).encode(), USUAL)
