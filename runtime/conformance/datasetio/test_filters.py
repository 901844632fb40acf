"""What a provider that reads only rows that fit promises of filters, beside the obvious way to look at each row."""

from __future__ import annotations

import operator
from typing import Any

import pytest

from runtime.conformance.abilities import needs
from runtime.conformance.datasetio.subject import append, page, registered, rows_of
from runtime.conformance.stacks import Served

pytestmark = pytest.mark.asyncio

ROWS: list[dict[str, Any]] = [
    {"id": 0, "text": "a", "number": 1, "real": 0.5, "flag": True, "any": 1},
    {"id": 1, "text": "b", "number": 2, "real": 2.0, "flag": False, "any": "1"},
    {"id": 2, "text": "B", "number": -3, "real": -0.5, "flag": None, "any": True},
    {"id": 3, "text": None, "number": None, "real": None, "flag": True, "any": None},
    {"id": 4, "text": "ü", "number": 2**53 + 1, "real": 1e300, "flag": False, "any": [1]},
    {"id": 5, "text": "", "number": 0, "real": 1.0, "flag": False, "any": 2.5},
    {"id": 6, "text": "true", "number": 1, "real": 1.0, "flag": True, "any": "b"},
    {"id": 7, "text": "1", "number": 1, "real": 1.0, "flag": True, "any": {"a": 1}},
]
VALUES = ["a", "b", "", "1", "true", 1, 2, 0.5, 2.5, -1, 2**53 + 1, True, False]
_COMPARED: dict[str, Any] = {
    "eq": operator.eq, "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le,
}  # fmt: skip


def fits(row: dict[str, Any], asked: dict[str, Any]) -> bool:
    """The obvious way."""
    if asked["type"] in ("and", "or"):
        return (all if asked["type"] == "and" else any)(fits(row, one) for one in asked["filters"])
    if asked["type"] in ("ne", "nin", "in"):
        values = asked["value"] if asked["type"] != "ne" else [asked["value"]]
        found = any(fits(row, {**asked, "type": "eq", "value": value}) for value in values)
        return found if asked["type"] == "in" else not found
    value = row[asked["key"]]
    if _sort(value) != _sort(asked["value"]):
        return False
    found = _COMPARED[asked["type"]](value, asked["value"])
    return bool(found)


def _sort(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else "text" if isinstance(value, str) else repr(type(value))


@needs("filters")
@pytest.mark.parametrize("key", ["text", "number", "real", "flag", "any"])
async def test_every_comparison_finds_what_the_obvious_way_finds(served: Served, key: str) -> None:
    await registered(served, ROWS)
    for value in VALUES:
        for kind in ("eq", "ne", "gt", "gte", "lt", "lte"):
            if isinstance(value, bool) and kind not in ("eq", "ne"):
                continue
            asked = {"type": kind, "key": key, "value": value}
            found = [row["id"] for row in await rows_of(served, filters=asked)]
            assert found == [row["id"] for row in ROWS if fits(row, asked)], asked
    for kind in ("in", "nin"):
        for values in (VALUES, VALUES[:3], []):
            asked = {"type": kind, "key": key, "value": values}
            found = [row["id"] for row in await rows_of(served, filters=asked)]
            assert found == [row["id"] for row in ROWS if fits(row, asked)], asked


@needs("filters")
async def test_several_hold_together(served: Served) -> None:
    await registered(served, ROWS)
    ones = {"type": "eq", "key": "number", "value": 1}
    asked = {
        "type": "and",
        "filters": [
            ones,
            {"type": "or", "filters": [{**ones, "key": "any"}, {"type": "ne", "key": "any", "value": "b"}]},
        ],
    }
    assert [row["id"] for row in await rows_of(served, filters=asked)] == [0, 7]
    assert await rows_of(served, filters=asked, columns=["text"], start_index=1) == [{"text": "1"}]


@needs("filters", "append")
async def test_pages_of_what_fits_follow_each_other_and_jump(served: Served) -> None:
    rows = [{"number": number, "even": number % 2 == 0} for number in range(100)]
    await registered(served, rows[:37])
    await append(served, rows[37:40])
    await append(served, rows[40:])
    asked = {"type": "eq", "key": "even", "value": True}
    wanted = [row["number"] for row in rows if row["even"]]
    for size in (1, 7, 50, 51):
        found: list[int] = []
        has_more = True
        while has_more:
            answer = (await page(served, filters=asked, limit=size, start_index=len(found))).json()
            found += [row["number"] for row in answer["data"]]
            has_more = answer["has_more"]
        assert found == wanted, size
    for start in (49, 3, 20, 50, 1000):
        found = [row["number"] for row in await rows_of(served, filters=asked, start_index=start, limit=5)]
        assert found == wanted[start : start + 5]


@needs("filters", "append")
async def test_a_column_that_older_rows_lack_is_null_in_them(served: Served) -> None:
    await registered(served, [{"a": 1}])
    await append(served, [{"b": "x"}])
    assert await rows_of(served, filters={"type": "ne", "key": "b", "value": "x"}) == [{"a": 1, "b": None}]
    assert await rows_of(served, filters={"type": "eq", "key": "b", "value": "x"}) == [{"a": None, "b": "x"}]


@needs("filters")
@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("{", "JSON"),
        ("[]", "JSON object"),
        ('{"type": "like", "key": "text", "value": "a"}', "like"),
        ('{"type": "in", "key": "text", "value": "a"}', "list"),
        ('{"type": "eq", "key": "txt", "value": "a"}', "`text`"),
        ('{"type": "eq", "key": "text", "value": "' + "\\u0000" + "' OR 1=1 --\"}", ""),
    ],
)
async def test_a_filter_that_cannot_be_is_a_400_and_one_that_is_odd_finds_nothing(
    served: Served, asked: str, words: str
) -> None:
    await registered(served, ROWS)
    answer = await page(served, filters=asked)
    if words:
        assert answer.status == 400 and "filters" in answer.error["param"] and words in answer.error["message"]
    else:
        assert answer.json()["data"] == []
