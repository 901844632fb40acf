"""Every operator and nested filters, in every mode, against the same filter in Python."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest
import pytest_asyncio

from tests.conformance.vector_stores.asking import Asking, as_json
from tests.support.vector_stores import STORES

pytestmark = pytest.mark.asyncio(loop_scope="module")
VALUES: dict[str, list[Any]] = {
    "year": [2023, 2024, 2025, 2025.5],
    "team": ["support", "sales", "Ärzte", "日本"],
    "draft": [True, False],
    "mixed": [1, 1.0, "1", True, 0, False, ""],
}
CHUNKS = 120


def holds(given: Mapping[str, Any], attributes: Mapping[str, Any]) -> bool:
    """Whether a filter is true of attributes: the slow and obvious way."""
    if given["type"] in ("and", "or"):
        found = [holds(one, attributes) for one in given["filters"]]
        return all(found) if given["type"] == "and" else any(found)
    kind, wanted, there = given["type"], given["value"], given["key"] in attributes
    value = attributes.get(given["key"])
    if kind in ("eq", "ne"):
        return (there and same(value, wanted)) == (kind == "eq")
    if kind in ("in", "nin"):
        return (there and any(same(value, one) for one in wanted)) == (kind == "in")
    if not there or isinstance(value, bool) or isinstance(value, str) != isinstance(wanted, str):
        return False
    return {"gt": value > wanted, "gte": value >= wanted, "lt": value < wanted, "lte": value <= wanted}[kind]  # type: ignore[operator]


def same(one: Any, other: Any) -> bool:
    kinds = [bool if isinstance(value, bool) else str if isinstance(value, str) else float for value in (one, other)]
    return kinds[0] is kinds[1] and bool(one == other)


def drawn(chosen: random.Random, depth: int = 0) -> dict[str, Any]:
    """A filter, nested or not."""
    if depth < 3 and chosen.random() < 0.4:
        inner = [drawn(chosen, depth + 1) for _ in range(chosen.randint(1, 3))]
        return {"type": chosen.choice(["and", "or"]), "filters": inner}
    key = chosen.choice([*VALUES, "missing"])
    values = VALUES.get(key, ["x"])
    kind = chosen.choice(["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"])
    if kind in ("in", "nin"):
        return {"type": kind, "key": key, "value": chosen.sample(values, chosen.randint(0, min(3, len(values))))}
    ordered = [value for value in values if not isinstance(value, bool)] or [0]
    return {"type": kind, "key": key, "value": chosen.choice(values if kind in ("eq", "ne") else ordered)}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def filled(stores: Asking) -> tuple[str, dict[str, dict[str, Any]]]:
    """A store, and the attributes of each of its documents."""
    chosen = random.Random(7)
    store = await stores.store()
    documents = {
        f"d{number}": {key: chosen.choice(values) for key, values in VALUES.items() if chosen.random() < 0.8}
        for number in range(CHUNKS)
    }
    chunks = [
        {"content": f"animal number {name} grazes", "metadata": {"document_id": name, **facts}}
        for name, facts in documents.items()
    ]
    await stores.insert(store, *chunks)
    return store, documents


@pytest.mark.parametrize("mode", ["vector", "keyword", "hybrid"])
@pytest.mark.parametrize("seed", range(8))
async def test_a_filter_finds_what_it_is_true_of(
    stores: Asking, filled: tuple[str, dict[str, dict[str, Any]]], mode: str, seed: int
) -> None:
    store, documents = filled
    chosen = random.Random(f"{mode} {seed}")
    for _ in range(6):
        given = drawn(chosen)
        wanted = {name for name, facts in documents.items() if holds(given, {"document_id": name, **facts})}
        found = await stores.query(store, "animal grazes", max_chunks=CHUNKS, mode=mode, filters=given)
        ids = [chunk["metadata"]["document_id"] for chunk in found]
        assert len(ids) == len(set(ids)) and set(ids) == wanted, as_json(given)
        hits = await stores.files_found(store, "animal grazes", search_mode=mode, filters=given, max_num_results=50)
        assert len(hits) == min(50, len(wanted)) and set(hits) <= wanted, as_json(given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"type": "like", "key": "a", "value": 1}, "filters"),
        ({"type": "eq", "key": "a", "value": {"b": 1}}, "filters"),
        ({"type": "eq", "key": "a", "value": None}, "filters"),
        ({"type": "in", "key": "a", "value": 1}, "a list"),
        ({"type": "gt", "key": "a", "value": True}, "booleans"),
        ({"type": "eq", "key": "a", "value": [1]}, "not a list"),
        ({"type": "and", "filters": []}, "filters"),
        ({"type": "and"}, "filters"),
        ({"key": "a", "value": 1}, "filters"),
    ],
)
async def test_a_filter_that_is_none_is_refused_by_name(stores: Asking, given: Any, words: str) -> None:
    store = await stores.store()
    error = await stores.refused(400, "POST", f"{STORES}/{store}/search", {"query": "x", "filters": given})
    assert error["param"].startswith("filters") and words in error["message"] + error["param"]


@pytest.mark.parametrize("value", [["a"], {"b": 1}, None, "x" * 513])
async def test_an_attribute_of_another_type_is_refused_by_name(stores: Asking, value: Any) -> None:
    store = await stores.store()
    file_id = await stores.upload("A llama grazes.")
    error = await stores.refused(
        400, "POST", f"{STORES}/{store}/files", {"file_id": file_id, "attributes": {"colour": value}}
    )
    assert error["param"].startswith("attributes.colour")
