"""What every vector database promises (`runtime/apis/vector_io`), run on each of a module's `SUBJECTS`."""

from __future__ import annotations

import asyncio
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from runtime.conformance.abilities import needs
from runtime.conformance.vector_io import killed
from runtime.conformance.vector_io.asking import Asked, drawn, nearest, numbered
from runtime.conformance.vector_io.subject import Subject
from runtime.errors import Conflict, NotFound, RequestError, Unavailable

pytestmark = pytest.mark.asyncio

DIMENSION = 24
RECALL = 0.95
"""What an approximate index finds of the ten nearest of 10,000, at least; on average of the searches of a test."""


async def test_a_search_finds_the_nearest_first_with_their_cosines(vectors: Asked) -> None:
    await vectors.create(DIMENSION)
    numbers, given = [*numbered(1, 30), *numbered(7, 30)], drawn(60, DIMENSION)
    await vectors.put(numbers, given)
    for vector in drawn(5, DIMENSION, seed=1):
        hits, exact = await vectors.search(vector), nearest(numbers, given, vector, 10)
        assert hits.numbers == exact.numbers
        assert hits.similarities == pytest.approx(exact.similarities, abs=1e-5)


async def test_the_same_and_the_opposite_direction_are_one_and_minus_one(vectors: Asked) -> None:
    await vectors.create(2)
    await vectors.put([0, 1, 2], np.array([[1, 0], [0, 1], [-1, 0]], np.float32))
    hits = await vectors.search(np.array([1, 0], np.float32))
    assert hits.numbers == [0, 1, 2]
    assert hits.similarities == pytest.approx([1, 0, -1], abs=1e-6)
    assert all(-1 <= similarity <= 1 for similarity in hits.similarities)


async def test_a_dimension_that_a_database_does_not_take_is_refused_with_its_limits(vectors: Asked) -> None:
    with pytest.raises(RequestError, match=r"takes vectors of \d to \d+ numbers, not of 1099511627776"):
        await vectors.create(2**40)
    try:
        await vectors.create(1)
    except RequestError as error:
        assert re.search(r"takes vectors of [2-9] to \d+ numbers, not of 1$", error.message)
    else:
        await vectors.put([5], np.array([[1]], np.float32))
        assert (await vectors.search(np.array([1], np.float32))).numbers == [5]


async def test_an_empty_collection_has_nothing(vectors: Asked) -> None:
    await vectors.create(DIMENSION)
    [vector] = drawn(1, DIMENSION)
    assert (await vectors.search(vector)).numbers == []
    assert (await vectors.search(vector, groups=[1])).numbers == []
    assert await vectors.read([1]) == ([], b"")
    await vectors.remove(1)


async def test_a_limit_beyond_the_count_finds_all(vectors: Asked) -> None:
    await vectors.create(DIMENSION)
    await vectors.put(numbered(1, 5), drawn(5, DIMENSION))
    for limit in (6, 100_000, 2**62):
        assert sorted((await vectors.search(drawn(1, DIMENSION)[0], limit)).numbers) == numbered(1, 5)
        assert sorted((await vectors.search(drawn(1, DIMENSION)[0], limit, [1])).numbers) == numbered(1, 5)


async def test_creating_again_changes_nothing(vectors: Asked) -> None:
    await vectors.create(DIMENSION)
    await vectors.put([1], drawn(1, DIMENSION))
    await vectors.create(DIMENSION)
    with pytest.raises(Conflict, match=r"`vs_1` has vectors of 24 numbers, not of 25"):
        await vectors.create(DIMENSION + 1)
    assert (await vectors.read([1]))[0] == [1]


async def test_two_that_create_at_once_make_one(vectors: Asked) -> None:
    await asyncio.gather(*(vectors.create(DIMENSION) for _ in range(8)))
    await vectors.put([1], drawn(1, DIMENSION))


async def test_putting_again_replaces(vectors: Asked) -> None:
    await vectors.create(DIMENSION)
    first, second = drawn(2, DIMENSION), drawn(2, DIMENSION, seed=5)
    await vectors.put([1, 2], first)
    await vectors.put([2, 3], second)
    hits = await vectors.search(second[0])
    assert sorted(hits.numbers) == [1, 2, 3]
    assert hits.numbers[0] == 2 and hits.similarities[0] == pytest.approx(1, abs=1e-5)
    numbers, content = await vectors.read([3, 1, 2])
    assert numbers == [3, 1, 2]
    kept = np.frombuffer(content, "<f4").reshape(-1, DIMENSION)
    np.testing.assert_allclose(kept, [second[1], first[0], second[0]], atol=1e-6)


async def test_reading_leaves_out_what_is_not_there(vectors: Asked) -> None:
    await vectors.create(DIMENSION)
    given = drawn(3, DIMENSION)
    await vectors.put(numbered(4, 3), given)
    numbers, content = await vectors.read([numbered(4, 3)[2], 99, numbered(4, 3)[0]])
    assert numbers == [numbered(4, 3)[2], numbered(4, 3)[0]]
    np.testing.assert_allclose(np.frombuffer(content, "<f4").reshape(-1, DIMENSION), given[[2, 0]], atol=1e-6)
    assert await vectors.read([]) == ([], b"")


async def test_large_numbers_stay_what_they_are(vectors: Asked) -> None:
    await vectors.create(DIMENSION)
    numbers = [2**62, 2**62 + 1, 2**63 - 1, 0]
    given = drawn(4, DIMENSION)
    await vectors.put(numbers, given)
    assert sorted((await vectors.search(given[0])).numbers) == sorted(numbers)
    assert (await vectors.search(given[0], groups=[2**42])).numbers == [2**62, 2**62 + 1]
    assert (await vectors.read([2**63 - 1]))[0] == [2**63 - 1]
    await vectors.remove(2**42)
    assert sorted((await vectors.search(given[0])).numbers) == [0, 2**63 - 1]


async def test_groups_restrict_a_search(vectors: Asked) -> None:
    await vectors.create(DIMENSION)
    given = drawn(600, DIMENSION)
    numbers = [number for group in range(60) for number in numbered(group, 10)]
    await vectors.put(numbers, given)
    for vector in drawn(5, DIMENSION, seed=2):
        for groups in ([7], [3, 50], range(59), range(60), [5, 5, 1000, 2**42], [*range(30), *range(100, 12_000)]):
            inside = [at for at, number in enumerate(numbers) if number >> 20 in set(groups)]
            exact = nearest([numbers[at] for at in inside], given[inside], vector, 10)
            hits = await vectors.search(vector, 10, [*groups])
            assert hits.numbers == exact.numbers
            assert hits.similarities == pytest.approx(exact.similarities, abs=1e-5)
    assert (await vectors.search(given[0], groups=[1000, 2**42])).numbers == []
    assert (await vectors.search(given[0], groups=[])).numbers == []


async def test_removed_groups_are_not_found(vectors: Asked) -> None:
    await vectors.create(DIMENSION)
    given = drawn(60, DIMENSION)
    for group in (1, 2, 3):
        await vectors.put(numbered(group, 20), given[20 * group - 20 : 20 * group])
    await vectors.remove(1, 3, 99)
    assert sorted((await vectors.search(given[0], 100)).numbers) == numbered(2, 20)
    assert (await vectors.search(given[0], groups=[1])).numbers == []
    assert (await vectors.read([*numbered(1, 2), *numbered(2, 2)]))[0] == numbered(2, 2)
    await vectors.put(numbered(1, 20), given[:20])
    assert (await vectors.search(given[0], 1)).numbers == numbered(1, 1)
    await vectors.remove()


async def test_a_dropped_collection_is_gone_and_can_be_made_anew(vectors: Asked) -> None:
    await vectors.drop()
    await vectors.create(DIMENSION)
    await vectors.create(DIMENSION, "vs_2")
    await vectors.put([1], drawn(1, DIMENSION))
    await vectors.put([1], drawn(1, DIMENSION), "vs_2")
    await vectors.drop()
    with pytest.raises(NotFound):
        await vectors.search(drawn(1, DIMENSION)[0])
    await vectors.create(3)
    assert (await vectors.search(np.array([1, 0, 0], np.float32))).numbers == []
    assert (await vectors.read([1], "vs_2"))[0] == [1]


async def test_every_name_of_a_collection_can_be_one(vectors: Asked) -> None:
    names = ["a_b", "ab_", "a__", "select", "x" * 60, "v" + "_" * 59]
    for at, name in enumerate(names):
        await vectors.create(DIMENSION, name)
        await vectors.put([at], drawn(1, DIMENSION), name)
    for at, name in enumerate(names):
        assert (await vectors.search(drawn(1, DIMENSION)[0], name=name)).numbers == [at]


async def test_an_unknown_collection_is_not_found(vectors: Asked) -> None:
    [vector] = drawn(1, DIMENSION)
    for call in (
        vectors.put([1], drawn(1, DIMENSION)), vectors.remove(1), vectors.search(vector),
        vectors.search(vector, groups=[1]), vectors.read([1]),
    ):  # fmt: skip
        with pytest.raises(NotFound, match="There is no collection `vs_1`"):
            await call


async def test_vectors_of_another_dimension_are_refused(vectors: Asked) -> None:
    await vectors.create(DIMENSION)
    for wrong in (drawn(1, DIMENSION + 1), drawn(1, 1), drawn(2, DIMENSION)):
        with pytest.raises(RequestError, match=r"has vectors of 24 numbers, not of (25|1|48)"):
            await vectors.put([1], wrong)
    with pytest.raises(RequestError, match="has vectors of 24 numbers, not of 12"):
        await vectors.search(drawn(1, 12)[0])
    assert await vectors.read([1]) == ([], b"")


async def test_everything_is_there_after_reopening(subject: Subject, vectors: Asked, tmp_path: Path) -> None:
    await vectors.create(DIMENSION)
    numbers, given = numbered(3, 3000), drawn(3000, DIMENSION)
    await vectors.put(numbers, given)
    await vectors.put(numbered(4, 10), drawn(10, DIMENSION, seed=3))
    await vectors.remove(4)
    await vectors.put(numbers[:1], given[1:2])
    await vectors.stop()
    again = Asked(subject.open(tmp_path))
    try:
        assert (await again.search(given[2], groups=[4])).numbers == []
        assert (await again.search(given[2], 1)).numbers == [numbers[2]]
        assert sorted((await again.search(given[1], 2)).numbers) == numbers[:2]
        kept, content = await again.read(numbers)
        assert kept == numbers
        expected = np.concatenate([given[1:2], given[1:]])
        np.testing.assert_allclose(np.frombuffer(content, "<f4").reshape(-1, DIMENSION), expected, atol=1e-6)
        with pytest.raises(Conflict):
            await again.create(DIMENSION + 1)
    finally:
        await again.stop()


async def test_ten_thousand_are_found_as_exactly_as_stated(subject: Subject, vectors: Asked) -> None:
    await vectors.create(64)
    given = drawn(10_000, 64)
    numbers = [number for group in range(100) for number in numbered(group, 100)]
    for at in range(0, 10_000, 2_500):
        await vectors.put(numbers[at : at + 2_500], given[at : at + 2_500])
    for groups in (None, range(50), [3]):
        inside = [at for at in range(10_000) if groups is None or at // 100 in groups]
        some, theirs, shares = [numbers[at] for at in inside], given[inside], []
        for vector in drawn(20, 64, seed=9):
            exact = nearest(some, theirs, vector, 10)
            hits = await vectors.search(vector, 10, groups and [*groups])
            shares.append(len({*hits.numbers} & {*exact.numbers}) / 10)
        assert np.mean(shares) >= RECALL, groups


@needs("alone")
async def test_what_was_put_survives_a_kill(subject: Subject, tmp_path: Path) -> None:
    with subprocess.Popen(killed.command(subject, tmp_path), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [next(process.stdout) for _ in range(30)]
        process.kill()
    assert [int(line) for line in said] == [*range(30)]
    again = Asked(subject.open(tmp_path))
    try:
        for group in range(30):
            given = drawn(killed.AT_ONCE, killed.DIMENSION, seed=group)
            kept = [] if group % 5 == 2 else numbered(group, killed.AT_ONCE)
            assert (await again.read(numbered(group, killed.AT_ONCE)))[0] == kept
            assert (await again.search(given[7], 1, [group])).numbers == kept[7:8]
    finally:
        await again.stop()


@needs("alone")
async def test_a_second_process_on_the_same_files_is_refused_or_disturbs_nothing(
    subject: Subject, tmp_path: Path
) -> None:
    second = Asked(subject.open(tmp_path))
    with subprocess.Popen(killed.command(subject, tmp_path), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        next(process.stdout)
        try:
            assert (await second.read([0]))[0] == [0]
        except Unavailable as error:
            assert re.search("another|lock", error.message)
        said = [next(process.stdout) for _ in range(10)]
        process.kill()
    assert [int(line) for line in said] == [*range(1, 11)]
    assert (await second.read(numbered(10, killed.AT_ONCE)))[0] == numbered(10, killed.AT_ONCE)
    await second.stop()


@needs("alone")
async def test_a_disk_that_is_nearly_full_is_said_where_the_library_would_not_survive_it(
    vectors: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    await vectors.create(DIMENSION)
    await vectors.put([1], drawn(1, DIMENSION))
    with monkeypatch.context() as full:
        full.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10**9, 10**9 - 10**6, 10**6))
        try:
            await vectors.put([2], drawn(1, DIMENSION))
        except Unavailable as error:
            assert "its disk has 1.0 MB left, and a change may need" in error.message
            assert (await vectors.adapter.check_health()).status == "Error"
            assert (await vectors.read([1, 2]))[0] == [1]
    await vectors.put([2], drawn(1, DIMENSION))
    assert (await vectors.read([1, 2]))[0] == [1, 2]
    assert (await vectors.adapter.check_health()).status == "OK"


@needs("alone")
async def test_nobody_else_can_read_its_files(subject: Subject, tmp_path: Path) -> None:
    folder = tmp_path / "open to all" / "vector_io"
    folder.parent.mkdir(mode=0o755)
    vectors = Asked(subject.open(folder))
    await vectors.create(DIMENSION)
    await vectors.put(numbered(1, 50), drawn(50, DIMENSION))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o755)  # as somebody may have made it
    exposed = [path for path in reachable(folder) if path.is_file() and path.stat().st_mode & 0o077]
    assert not any(path.stat().st_size for path in exposed)
    await vectors.stop()


def reachable(folder: Path) -> Iterator[Path]:
    """What others find in a folder."""
    for path in folder.iterdir():
        yield path
        if path.is_dir() and path.stat().st_mode & 0o077:
            yield from reachable(path)


@needs("exact")
async def test_an_exact_index_misses_nothing(vectors: Asked) -> None:
    await vectors.create(32)
    given, numbers = drawn(2000, 32), numbered(1, 2000)
    await vectors.put(numbers, given)
    for vector in drawn(20, 32, seed=4):
        assert (await vectors.search(vector, 50)).numbers == nearest(numbers, given, vector, 50).numbers


async def test_searches_and_changes_at_once_disturb_nobody(vectors: Asked) -> None:
    await vectors.create(DIMENSION)
    given = drawn(400, DIMENSION)
    await vectors.put(numbered(0, 40), given[:40])

    async def change(group: int) -> None:
        some = given[40 * group : 40 * group + 40]
        await vectors.put(numbered(group, 40), some)
        assert (await vectors.search(some[0], 1, [group])).numbers == numbered(group, 1)
        await vectors.remove(group)
        assert (await vectors.search(some[0], 1, [group])).numbers == []
        await vectors.put(numbered(group, 40), some)

    async def look() -> None:
        for _ in range(20):
            assert (await vectors.search(given[0], 1, [0])).numbers == numbered(0, 1)

    await asyncio.gather(*(change(group) for group in range(1, 10)), *(look() for _ in range(4)))
    assert len((await vectors.search(given[0], 1000)).numbers) == 400


async def test_a_collection_that_is_dropped_under_a_search_is_not_found(vectors: Asked) -> None:
    for _ in range(5):
        await vectors.create(DIMENSION)
        await vectors.put(numbered(1, 50), drawn(50, DIMENSION))
        searches = [asyncio.ensure_future(vectors.search(drawn(1, DIMENSION)[0], 3)) for _ in range(10)]
        await vectors.drop()
        for outcome in await asyncio.gather(*searches, return_exceptions=True):
            assert isinstance(outcome, NotFound) or len(outcome.numbers) == 3  # type: ignore[union-attr]


async def test_a_database_that_cannot_be_used_says_why(subject: Subject, tmp_path: Path) -> None:
    down = Asked(subject.broken(tmp_path))
    [vector] = drawn(1, DIMENSION)
    try:
        for call in (
            down.create(DIMENSION), down.drop(), down.put([1], drawn(1, DIMENSION)), down.remove(1),
            down.search(vector), down.read([1]),
        ):  # fmt: skip
            with pytest.raises(
                Unavailable,
                match=r"The vector database `acme` cannot be used: .*(Not a directory|File exists|refused)",
            ):
                await call
        health = await down.adapter.check_health()
        assert (health.status, "cannot be used" in health.message) == ("Error", True)
    finally:
        await down.stop()
