"""What a provider that keeps versions promises of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from runtime.conformance.abilities import needs
from runtime.conformance.datasetio.subject import Subject, append, page, registered, rows_of, versions_of
from runtime.conformance.stacks import Served, serving

pytestmark = pytest.mark.asyncio

ONE, TWO = {"question": "one", "answer": 1}, {"question": "two", "answer": 2.5}


@needs("versions")
async def test_each_version_stays_by_its_digest(served: Served, subject: Subject, tmp_path: Path) -> None:
    await registered(served, [ONE])
    await registered(served, [TWO])
    await registered(served, [TWO, ONE])
    found = await versions_of(served)
    assert [one["num_rows"] for one in found] == [2, 1, 1]
    assert found[0]["columns"] == {"question": "text", "answer": "number"}
    digests = [one["version"].removeprefix("sha256:") for one in found]
    assert len(set(digests)) == 3 and all(len(digest) == 64 for digest in digests)
    await served.stack.close()
    async with serving(subject.run_config, tmp_path / "state", specs=subject.specs) as again:
        for digest, wanted in zip(digests, ([TWO, ONE], [TWO], [ONE]), strict=True):
            for named in (digest, f"sha256:{digest}", digest[:8]):
                answer = (await page(again, version=named)).json()
                assert (answer["data"], answer["version"]) == (wanted, f"sha256:{digest}")
            assert await rows_of(again, f"rows@{digest[:12]}") == wanted
        assert await rows_of(again) == [TWO, ONE]
        assert await versions_of(again) == found


@needs("versions")
async def test_the_same_rows_are_the_same_version(served: Served) -> None:
    await registered(served, [ONE, TWO])
    await registered(served, [ONE, TWO])
    [first] = await versions_of(served)
    await registered(served, [ONE])
    await registered(served, [ONE, TWO])
    found = await versions_of(served)
    assert [one["num_rows"] for one in found] == [2, 1] and found[0]["version"] == first["version"]
    await registered(served, [ONE, TWO], "another")
    assert (await versions_of(served, "another"))[0]["version"] == first["version"]


@needs("versions")
@pytest.mark.parametrize(
    "other",
    [
        [TWO, ONE],
        [ONE],
        [ONE, TWO, TWO],
        [ONE, {**TWO, "answer": "2.5"}],
        [ONE, {**TWO, "answer": None}],
        [ONE, {**TWO, "more": None}],
        [{"answer": 1, "question": "one"}, TWO],
    ],
)
async def test_other_rows_are_another_version(served: Served, other: list[object]) -> None:
    await registered(served, [ONE, TWO])
    await registered(served, other)
    assert len(await versions_of(served)) == 2


@needs("versions", "append")
async def test_a_version_is_the_same_whether_its_rows_came_at_once(served: Served) -> None:
    await registered(served, [ONE, TWO], "at-once")
    await registered(served, [ONE])
    before = (await page(served)).json()["version"]
    appended = (await append(served, [TWO])).json()
    assert appended == {**(await versions_of(served, "at-once"))[0], "created_at": appended["created_at"]}
    assert await rows_of(served, version=before) == [ONE]
    assert (await versions_of(served))[0] == appended


@needs("versions")
async def test_an_unknown_version_is_a_404_with_those_that_are_close(served: Served) -> None:
    await registered(served, [ONE])
    digest = (await page(served)).json()["version"].removeprefix("sha256:")
    for named in ("0" * 8, digest[:20] + "0" * 44):
        answer = await page(served, version=named)
        assert (answer.status, answer.error["param"]) == (404, "version")
        assert named in answer.error["message"] and digest[:12] in answer.error["message"]


@needs("append")
async def test_of_several_who_append_at_once_each_has_their_rows(served: Served) -> None:
    await registered(served, [ONE])
    answers = await asyncio.gather(*(append(served, [{"question": str(number)}]) for number in range(20)))
    assert [answer.status for answer in answers] == [200] * 20
    assert sorted(answer.json()["num_rows"] for answer in answers) == list(range(2, 22))
    found = [row["question"] for row in await rows_of(served)]
    assert found[0] == "one" and sorted(found[1:], key=int) == [str(number) for number in range(20)]


@needs("append")
async def test_many_small_appends_are_one_dataset(served: Served) -> None:
    rows = [{"number": number if number % 3 else number / 2, "text": "x" * (number % 7)} for number in range(70)]
    await registered(served, rows[:1])
    for number in range(1, 70):
        assert (await append(served, rows[number : number + 1])).status == 200
    assert repr(await rows_of(served)) == repr(rows)
    assert await rows_of(served, start_index=33, limit=20) == rows[33:53]
    await registered(served, rows, "at-once")
    digests = [(await page(served, name)).json()["version"] for name in ("rows", "at-once")]
    assert digests[0] == digests[1]
