"""Words of texts in every database: found and ranked as plain BM25 does it, whatever was put, replaced and removed."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import pytest

from runtime.storage.sql import Delete, Schema, Select, SqlStore, Totals, Update, eq
from runtime.storage.sql.backend import SqlBackend
from runtime.storage.words import kept_blocks, segments, writing
from runtime.storage.words.index import WordIndex
from runtime.storage.words.tables import BLOCKS, SEGMENTS, WORD_TABLES
from tests.conformance.conftest import Open

SCHEMA = Schema(name="words", tables=WORD_TABLES)
Texts = Mapping[int, Sequence[str]]


def index_in(backend: SqlBackend, words_version: int = 1) -> WordIndex:
    return WordIndex(SqlStore(lambda: backend, SCHEMA, "words"), words_version)


@pytest.fixture
def index(backend: SqlBackend) -> WordIndex:
    return index_in(backend)


@pytest.fixture
def rows(backend: SqlBackend) -> SqlStore:
    return SqlStore(lambda: backend, SCHEMA, "words")


def bm25(texts: Texts, words: Sequence[str]) -> dict[int, float]:
    """The formula, text by text."""
    average = sum(map(len, texts.values())) / len(texts)
    scores: dict[int, float] = {}
    for word in dict.fromkeys(words):
        having = {number: Counter(text)[word] for number, text in texts.items() if word in text}
        rarity = math.log(1 + (len(texts) - len(having) + 0.5) / (len(having) + 0.5))
        for number, times in having.items():
            norm = 1.2 * (1 - 0.75 + 0.75 * len(texts[number]) / average)
            scores[number] = scores.get(number, 0) + rarity * times / (times + norm)
    return scores


def assert_ranked(found: Sequence[tuple[int, float]], expected: Mapping[int, float], limit: int) -> None:
    """The best, best first; texts that differ by no more than rounding may be in any order."""
    assert len(found) == min(limit, len(expected))
    best = sorted(expected.values(), reverse=True)[:limit]
    assert [score for _, score in found] == pytest.approx(best)
    assert [expected[number] for number, _ in found] == pytest.approx(best)
    assert len({number for number, _ in found}) == len(found)


def random_texts(random: Random, numbers: Sequence[int], *, vocabulary: int = 500) -> dict[int, list[str]]:
    """Texts in which, as in a language, few words are frequent and most are rare."""
    words = [f"w{place}" for place in range(vocabulary)]
    weights = [1 / place for place in range(1, vocabulary + 1)]
    return {number: random.choices(words, weights, k=random.randrange(1, 60)) for number in numbers}


def in_group(group: int, ordinal: int = 0) -> int:
    return group << 20 | ordinal


async def test_the_ranking_is_that_of_plain_bm25_through_updates_and_removals(index: WordIndex) -> None:
    random = Random(1)
    texts: dict[int, Sequence[str]] = {}
    for step in range(60):
        numbers = [in_group(random.randrange(40), random.randrange(50)) for _ in range(random.choice([1, 5, 60]))]
        new = random_texts(random, numbers)
        await index.put(1, list(new.items()))
        texts |= new
        if step % 3 == 0:
            group = random.randrange(40)
            gone = [range(in_group(group), in_group(group + 1)), range(in_group(7, 10), in_group(7, 20)), range(0)]
            await index.remove(1, gone)
            texts = {number: text for number, text in texts.items() if not any(number in one for one in gone)}
        words = [f"w{min(499, int(random.expovariate(0.02)))}" for _ in range(random.randrange(1, 9))]
        assert_ranked(await index.search(1, words, limit=10), bm25(texts, words), 10)
        assert (await index.texts(1)).count == len(texts)


async def test_a_restricted_search_ranks_by_how_rare_words_are_in_all_texts(index: WordIndex) -> None:
    texts = random_texts(Random(2), [in_group(group, ordinal) for group in range(300) for ordinal in range(3)])
    await index.put(1, list(texts.items()))
    groups = {*range(0, 300, 7), *range(10_000, 60_000)}
    expected = {number: score for number, score in bm25(texts, ["w1", "w9"]).items() if number >> 20 in groups}
    assert expected and len(expected) < len(bm25(texts, ["w1", "w9"]))
    assert_ranked(await index.search(1, ["w1", "w9"], limit=50, groups=groups), expected, 50)
    assert await index.search(1, ["w1"], limit=5, groups=()) == []


async def test_texts_that_are_equally_good_come_by_number(index: WordIndex) -> None:
    numbers = [5, 2**63 - 1, 0, in_group(3), 7]
    for number in numbers:
        await index.put(1, [(number, ["same", "words"])])
    found = await index.search(1, ["same"], limit=4)
    assert [number for number, _ in found] == sorted(numbers)[:4]
    assert len({score for _, score in found}) == 1


async def test_what_is_not_there_is_not_found(index: WordIndex) -> None:
    assert await index.search(1, ["a"], limit=3) == []
    assert (await index.texts(1)).count == 0
    await index.put(1, [])
    await index.put(1, [(1, ["a"]), (2, [])])
    assert await index.search(1, ["b", "", "aa"], limit=3) == []
    assert await index.search(1, [], limit=3) == []
    assert (await index.texts(1)).count == 2
    await index.remove(1, [range(5, 9), range(3, 3)])
    await index.remove(2, [range(2**63)])
    assert (await index.texts(1)).count == 2


async def test_texts_without_words_count_and_can_go(index: WordIndex) -> None:
    await index.put(1, [(number, []) for number in range(20)])
    await index.put(1, [(99, ["a"])])
    assert (await index.texts(1)).count == 21
    await index.remove(1, [range(20)])
    assert (await index.texts(1)).count == 1


HOSTILE = ["'", '"', "*", "NEAR", "AND", "a AND b", "a*", "\0", "a\0b", "%", "_", "\\", "{", "-a", "^a", "a:b", "(", ""]
HOSTILE += ["ключ", "全文", "😀", "é", "e\u0301", "\ud800", "ÿ", " ", "\n", "x" * 5000, "DROP TABLE words"]


async def test_a_word_is_found_whatever_characters_are_in_it_and_is_no_other_word(index: WordIndex) -> None:
    await index.put(1, [(number, [word, "all"]) for number, word in enumerate(HOSTILE)])
    for number, word in enumerate(HOSTILE):
        assert [found for found, _ in await index.search(1, [word], limit=5)] == [number]
    assert len(await index.search(1, ["all"], limit=100)) == len(HOSTILE)


async def test_collections_know_nothing_of_each_other(index: WordIndex) -> None:
    await index.put(1, [(1, ["a"]), (2, ["b"])])
    await index.put(2, [(1, ["a", "a", "c"])])
    assert_ranked(await index.search(1, ["a", "c"], limit=5), bm25({1: ["a"], 2: ["b"]}, ["a", "c"]), 5)
    await index.drop(1)
    assert ((await index.texts(1)).count, (await index.texts(2)).count) == (0, 1)
    assert await index.search(1, ["a"], limit=5) == []
    await index.put(1, [(3, ["a"])])
    assert [number for number, _ in await index.search(1, ["a"], limit=5)] == [3]
    await index.drop(3)


async def test_it_is_there_when_the_database_is_opened_again(open_backend: Open) -> None:
    first = open_backend()
    texts = random_texts(Random(3), range(200))
    await index_in(first).put(1, list(texts.items()))
    await index_in(first).remove(1, [range(50)])
    await first.close()
    again = index_in(open_backend())
    rest = {number: text for number, text in texts.items() if number >= 50}
    assert (await again.texts(1)).count == 150
    assert_ranked(await again.search(1, ["w0", "w20"], limit=10), bm25(rest, ["w0", "w20"]), 10)


async def test_what_one_process_changes_another_one_finds(open_backend: Open) -> None:
    one, other = index_in(open_backend()), index_in(open_backend())
    await one.put(1, [(1, ["a"])])
    assert (await other.texts(1)).count == 1
    await other.put(1, [(1, ["b"]), (2, ["a"])])
    assert [number for number, _ in await one.search(1, ["a"], limit=5)] == [2]
    await one.remove(1, [range(2, 3)])
    assert await other.search(1, ["a"], limit=5) == []
    await other.drop(1)
    assert (await one.texts(1)).count == 0


async def test_searches_see_whole_texts_while_others_put_merge_and_remove(open_backend: Open) -> None:
    """Four writers of two processes; a text of a group that is not changed is found by every search."""
    indexes = [index_in(open_backend()) for _ in range(2)]
    await indexes[0].put(1, [(in_group(1), ["always", "x"])])
    await indexes[1].texts(1)

    async def write(writer: int) -> None:
        index, random = indexes[writer % 2], Random(writer)
        for step in range(25):
            group = 10 * (writer + 2) + step % 5
            await index.put(1, [(in_group(group, at), ["x", f"{writer}"]) for at in range(random.randrange(1, 9))])
            if step % 5 == 4:
                await index.remove(1, [range(in_group(group), in_group(group + 1))])

    async def search(index: WordIndex) -> int:
        seen = 0
        while not writing.done():
            found = await index.search(1, ["always", "x"], limit=1000)
            assert found[0][0] == in_group(1)
            assert len({number for number, _ in found}) == len(found)
            seen = max(seen, len(found))
        return seen

    writing = asyncio.gather(*(write(writer) for writer in range(4)))
    assert min(await asyncio.gather(*map(search, indexes))) > 1
    await writing
    found = [await index.search(1, ["x"], limit=1000) for index in indexes]
    assert found[0] == found[1]
    assert {number >> 20 for number, _ in found[0]} == {
        1,
        *(10 * (w + 2) + step for w in range(4) for step in range(4)),
    }


async def test_segments_stay_few_and_what_is_gone_leaves_nothing(
    index: WordIndex, rows: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "LARGEST", 4096)
    texts = random_texts(Random(4), range(300))
    for number, text in texts.items():
        await index.put(1, [(number, text)])
    size = sum(16 + len(set(text)) for text in texts.values())
    assert (await rows.totals(Totals(SEGMENTS)))["count"] <= 7 * 5 + 2 * size / 4096
    assert_ranked(await index.search(1, ["w3", "w30"], limit=20), bm25(texts, ["w3", "w30"]), 20)
    await index.remove(1, [range(300)])
    assert await rows.totals(Totals(SEGMENTS)) == await rows.totals(Totals(BLOCKS)) == {"count": 0}


async def test_the_same_texts_again_take_the_place_of_the_old_ones(index: WordIndex, rows: SqlStore) -> None:
    texts = random_texts(Random(5), range(300))
    for _ in range(5):
        await index.put(1, list(texts.items()))
        assert (await index.texts(1)).count == 300
    assert (await rows.totals(Totals(SEGMENTS, sums=("texts",))))["texts"] == 300


async def test_texts_with_words_of_an_older_version_count_no_more(backend: SqlBackend, rows: SqlStore) -> None:
    old, new = index_in(backend, 1), index_in(backend, 2)
    await old.put(1, [(1, ["a"]), (2, ["b"])])
    assert (await new.texts(1)).count == 0
    assert await new.search(1, ["a"], limit=5) == []
    await new.put(1, [(1, ["A"])])
    assert ((await new.texts(1)).count, (await old.texts(1)).count) == (1, 0)
    assert (await rows.totals(Totals(SEGMENTS)))["count"] == 1


async def test_a_segment_that_has_lost_a_block_is_counted_no_more(backend: SqlBackend, rows: SqlStore) -> None:
    texts = random_texts(Random(6), range(300), vocabulary=5000)
    await index_in(backend).put(1, list(texts.items()))
    await index_in(backend).put(1, [(1000, ["w0"])])
    blocks = (await rows.totals(Totals(BLOCKS)))["count"]
    assert blocks > 2
    index = index_in(backend)
    assert (await index.texts(1)).count == 301
    lost = (await rows.select(Select(BLOCKS, columns=("id",), order=("id",))))[1]
    assert await rows.write(Delete(BLOCKS, eq("id", lost["id"]))) == [1]
    assert (await index_in(backend).texts(1)).count in (1, 300)
    words = sorted({word for text in texts.values() for word in text})
    assert len(await index.search(1, words, limit=500)) in (1, 300)
    await index.put(1, list(texts.items()))
    assert_ranked(await index.search(1, ["w0"], limit=9), bm25(texts | {1000: ["w0"]}, ["w0"]), 9)


async def test_what_a_process_left_half_written_is_not_found_and_goes(index: WordIndex, rows: SqlStore) -> None:
    await index.put(1, [(1, ["a"])])
    await rows.write(Update(SEGMENTS, {"words_version": -1, "age": 0}, eq("collection", 1)))
    await index.put(2, [(1, ["b"])])
    assert ((await index.texts(1)).count, (await rows.totals(Totals(SEGMENTS)))["count"]) == (0, 2)
    await index.put(1, [(2, ["a"])])
    assert [number for number, _ in await index.search(1, ["a"], limit=5)] == [2]
    assert (await rows.totals(Totals(SEGMENTS)))["count"] == (await rows.totals(Totals(BLOCKS)))["count"] == 2


@pytest.mark.parametrize("at_once", [1, 1000])
async def test_a_text_that_is_removed_during_a_merge_stays_removed(
    open_backend: Open, rows: SqlStore, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    one, other = index_in(open_backend()), index_in(open_backend())
    texts = random_texts(Random(8), range(800), vocabulary=5000)
    for at in range(0, 700, 100):
        await one.put(1, [(number, texts[number]) for number in range(at, at + 100)])
    monkeypatch.setattr(writing, "_AT_ONCE", at_once)
    add, merges = writing.Segments.add, []

    async def add_late(self: writing.Segments, *made: Any, **to: Any) -> None:
        if to.get("replaced"):
            merges.append(made)
        if len(merges) == 1:
            await other.remove(1, [range(150, 160)])
        await add(self, *made, **to)

    monkeypatch.setattr(writing.Segments, "add", add_late)
    await one.put(1, [(number, texts[number]) for number in range(700, 800)])
    assert len(merges) == 2
    rest = {number: text for number, text in texts.items() if number not in range(150, 160)}
    for index in (one, other):
        assert_ranked(await index.search(1, ["w0", "w7"], limit=20), bm25(rest, ["w0", "w7"]), 20)
    assert (await rows.totals(Totals(SEGMENTS, sums=("texts",)))) == {"count": 1, "texts": 790}


async def test_ten_thousand_texts_are_ranked_exactly(index: WordIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_AT_ONCE", 5)  # so that even the smallest segments are written in parts
    random = Random(7)
    texts = random_texts(random, range(10_000), vocabulary=3000)
    numbers = list(texts)
    for at in range(0, 10_000, 500):
        await index.put(1, [(number, texts[number]) for number in numbers[at : at + 500]])
    for words in (["w0"], ["w2000"], ["w0", "w1", "w2", "w3"], [f"w{rank}" for rank in range(1, 400, 9)]):
        assert_ranked(await index.search(1, words, limit=50), bm25(texts, words), 50)


async def test_texts_that_are_known_are_not_asked_for_again(open_backend: Open) -> None:
    one, other = index_in(open_backend()), index_in(open_backend())
    await one.put(1, [(in_group(1), ["a", "x"])])
    known = await one.texts(1, known_at=5)
    await other.put(1, [(in_group(2), ["a", "y"])])
    assert await one.texts(1, known_at=5) is known
    assert (await one.texts(1, known_at=6)).count == 2
    assert (await one.texts(1, known_at=5)).count == 2
    assert await other.texts(1) is not known


async def test_texts_of_before_a_merge_elsewhere_find_what_there_was(open_backend: Open) -> None:
    one, other = index_in(open_backend()), index_in(open_backend())
    for group in range(7):
        await other.put(1, [(in_group(group), ["a", f"w{group}"])])
    known = await one.texts(1, known_at=1)
    await other.put(1, [(in_group(7), ["a", "w7"])])  # eight of a size are merged
    assert len((await other.texts(1)).segments) == 1
    for word, groups in (("a", range(8)), ("w3", [3]), ("w7", [7])):
        found = await one.search(1, [word], limit=9, texts=known)
        assert [number for number, _ in found] == [in_group(group) for group in groups]


async def test_blocks_that_do_not_fit_into_memory_are_read_again(
    index: WordIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_blocks, "_MOST_BYTES", 10_000)
    texts = random_texts(Random(5), [in_group(1, ordinal) for ordinal in range(2000)])
    await index.put(1, list(texts.items()))
    for words in (["w1", "w9", "w30"], ["w200", "w3"], ["w1", "w9", "w30"]):
        assert_ranked(await index.search(1, words, limit=10), bm25(texts, words), 10)
