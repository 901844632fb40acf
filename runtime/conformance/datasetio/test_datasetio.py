"""What every provider of datasets promises of rows, asked at the server's door."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from runtime.conformance.abilities import needs
from runtime.conformance.datasetio.subject import DATASETS, IO, Subject, append, page, register, registered, rows_of
from runtime.conformance.stacks import Served, serving

pytestmark = pytest.mark.asyncio

MANY = [{"number": number, "text": f"row {number}"} for number in range(25)]
ODD: list[Any] = [
    {"value": True, "other": "yes"},
    {"value": False, "other": ""},
    {"value": 7, "other": 'Grüße 🦙\u2028\x7f\t"\\'},
    {"value": -(2**63), "other": "2024-01-31"},
    {"value": 2**64 + 1, "other": "007"},
    {"value": 10**40, "other": "1e5"},
    {"value": 0.1, "other": "null"},
    {"value": 1e-300, "other": "a\nb\rc"},
    {"value": [1, "two", {"three": None}], "other": "NaN"},
    {"value": {"B": 1, "a": [2**70, 0.5, True], "": ""}, "other": "{}"},
    {"value": [], "other": "'; DROP TABLE x; --"},
    {"value": None, "other": None},
]


def same(found: Any, wanted: Any) -> bool:
    """Equal, and of the same kinds: `1`, `1.0` and `true` are equal for Python."""
    return repr(found) == repr(wanted)


async def test_rows_are_read_as_they_were_given(served: Served) -> None:
    await registered(served, ODD)
    assert same(await rows_of(served), ODD)


@pytest.mark.parametrize("value", [row["value"] for row in ODD], ids=lambda value: type(value).__name__)
async def test_a_column_of_one_kind_keeps_it(served: Served, value: Any) -> None:
    await registered(served, [{"value": value}, {"value": None}, {"value": value}])
    assert same(await rows_of(served), [{"value": value}, {"value": None}, {"value": value}])


async def test_a_key_that_a_row_lacks_is_null(served: Served) -> None:
    await registered(served, [{"b": 1}, {"a": "x"}, {}])
    assert same(await rows_of(served), [{"b": 1, "a": None}, {"b": None, "a": "x"}, {"b": None, "a": None}])


@pytest.mark.parametrize("name", ["A column", "select", 'a"b', "a'b", "ü🦙", "", " ", "c0", "a\\b", "file_row_number"])
async def test_a_column_may_have_any_name(served: Served, name: str) -> None:
    await registered(served, [{name: "x", "other": 1}])
    assert await rows_of(served) == [{name: "x", "other": 1}]
    assert await rows_of(served, columns=[name]) == [{name: "x"}]


async def test_names_that_differ_in_case_are_two(served: Served) -> None:
    await registered(served, [{"a": 1, "A": "x"}])
    assert await rows_of(served) == [{"a": 1, "A": "x"}]


async def test_pages_follow_each_other(served: Served) -> None:
    await registered(served, MANY)
    found: list[Any] = []
    while True:
        answer = (await page(served, start_index=len(found), limit=10)).json()
        found += answer["data"]
        assert answer["url"] is None and len(answer["data"]) <= 10
        if not answer["has_more"]:
            break
    assert found == MANY


@pytest.mark.parametrize(
    ("query", "wanted", "has_more"),
    [
        ({}, MANY, False),
        ({"limit": -1}, MANY, False),
        ({"limit": 25}, MANY, False),
        ({"limit": 24}, MANY[:24], True),
        ({"limit": 0}, [], True),
        ({"start_index": 24}, MANY[24:], False),
        ({"start_index": 25}, [], False),
        ({"start_index": 2**62, "limit": 2**62}, [], False),
        ({"start_index": 5, "limit": 3, "columns": ["number"]}, [{"number": n} for n in (5, 6, 7)], True),
        ({"columns": ["text", "number", "text"], "limit": 1}, [{"text": "row 0", "number": 0}], True),
    ],
)
async def test_a_page_has_what_it_is_asked_for(served: Served, query: Any, wanted: Any, has_more: bool) -> None:
    await registered(served, MANY)
    answer = (await page(served, **query)).json()
    assert (answer["data"], answer["has_more"]) == (wanted, has_more)
    if wanted:
        assert [list(row) for row in answer["data"]] == [list(row) for row in wanted], "in the order that was asked for"


@pytest.mark.parametrize(
    ("query", "param"), [("start_index=-1", "start_index"), ("limit=-2", "limit"), ("version=x", "version")]
)
async def test_a_page_that_cannot_be_is_a_400(served: Served, query: str, param: str) -> None:
    await registered(served, MANY)
    answer = await served.client.get(f"{IO}/iterrows/rows?{query}")
    assert (answer.status, answer.error["param"]) == (400, param)


async def test_an_unknown_column_is_a_400_with_those_that_there_are(served: Served) -> None:
    await registered(served, MANY)
    answer = await page(served, columns=["numbr", "text"])
    assert (answer.status, answer.error["param"]) == (400, "columns")
    message = answer.error["message"]
    assert "`numbr`" in message and "`number`" in message and "`text`" in message


async def test_a_dataset_may_have_no_rows(served: Served) -> None:
    await registered(served, [])
    answer = (await page(served)).json()
    assert (answer["data"], answer["has_more"]) == ([], False)


async def test_rows_without_any_column_are_a_400(served: Served) -> None:
    answer = await register(served, {"type": "rows", "rows": [{}, {}]})
    assert (answer.status, answer.error["param"]) == (400, "source")
    assert (await served.client.get(DATASETS)).json() == {"data": []}


async def test_rows_are_there_after_a_restart(served: Served, subject: Subject, tmp_path: Path) -> None:
    await registered(served, ODD)
    await registered(served, MANY, "many")
    await served.stack.close()
    async with serving(subject.run_config, tmp_path / "state", specs=subject.specs) as again:
        assert same(await rows_of(again), ODD)
        assert await rows_of(again, "many") == MANY


async def test_a_dataset_that_is_forgotten_leaves_nothing_to_the_next_of_its_name(served: Served) -> None:
    await registered(served, MANY)
    version = (await page(served)).json()["version"]
    assert (await served.client.request("DELETE", f"{DATASETS}/rows")).status == 204
    assert (await page(served)).status == 404
    await registered(served, [{"another": 1}])
    assert await rows_of(served) == [{"another": 1}]
    if version is not None:
        assert (await page(served, version=version)).status == 404


@needs("data")
@pytest.mark.parametrize(
    ("uri", "wanted"),
    [
        ("data:text/csv,a,b%0A1,x%0A2,%0A", [{"a": 1, "b": "x"}, {"a": 2, "b": None}]),
        ("data:application/jsonl;base64,eyJhIjogMX0KeyJhIjogbnVsbH0K", [{"a": 1}, {"a": None}]),
        ("data:application/json," + quote('[{"a": [1, 2]}]'), [{"a": [1, 2]}]),
    ],
)
async def test_rows_are_read_from_an_address_that_has_them(served: Served, uri: str, wanted: Any) -> None:
    answer = await register(served, {"type": "uri", "uri": uri})
    assert answer.status == 200, answer.body
    assert await rows_of(served) == wanted


@needs("append")
async def test_rows_are_appended_behind_the_others(served: Served) -> None:
    await registered(served, MANY)
    more = [{"number": 25, "text": "row 25"}, {"text": ["another kind"], "new": True}]
    answer = await append(served, more)
    assert answer.status == 200, answer.body
    assert answer.json()["num_rows"] == 27
    assert list(answer.json()["columns"]) == ["number", "text", "new"]
    wanted = [{**row, "new": None} for row in MANY] + [{"number": 25, "text": "row 25", "new": None}]
    assert same(await rows_of(served), [*wanted, {"number": None, "text": ["another kind"], "new": True}])


@needs("append")
async def test_no_rows_are_no_change(served: Served) -> None:
    await registered(served, MANY)
    before = (await page(served)).json()
    assert (await append(served, [])).json()["num_rows"] == len(MANY)
    assert (await page(served)).json() == before
