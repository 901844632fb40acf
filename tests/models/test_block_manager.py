"""Pages: given out once, counted when shared, free again when nobody holds them."""

from __future__ import annotations

import pytest

from runtime.engine.scheduling.block_manager import BlockManager


def test_page_0_is_never_given_out() -> None:
    blocks = BlockManager(pages=5, page_size=4)
    assert sorted(blocks.allocate(4)) == [1, 2, 3, 4]
    assert (blocks.free, blocks.used, blocks.total) == (0, 4, 4)


def test_a_sequence_alone_gets_neighbours_again_and_again() -> None:
    blocks = BlockManager(pages=9, page_size=4)
    for _ in range(3):
        pages = blocks.allocate(3) + blocks.allocate(2)
        assert pages == [1, 2, 3, 4, 5]
        blocks.release(pages)


def test_pages_that_were_written_are_those_up_to_the_last_that_was_given_out() -> None:
    blocks = BlockManager(pages=9, page_size=4)
    assert blocks.touched == 0
    first, second = blocks.allocate(2), blocks.allocate(3)
    blocks.release(second)
    blocks.release(first)
    assert blocks.allocate(1) == [1]
    assert (blocks.used, blocks.touched) == (1, 5)


def test_a_shared_page_is_free_only_after_its_last_holder() -> None:
    blocks = BlockManager(pages=3, page_size=4)
    pages = blocks.allocate(1)
    blocks.share(pages)
    blocks.release(pages)
    assert blocks.free == 1
    blocks.release(pages)
    assert blocks.free == 2


def test_pages_for_counts_begun_pages() -> None:
    blocks = BlockManager(pages=3, page_size=4)
    assert [blocks.pages_for(tokens) for tokens in (0, 1, 4, 5, 8)] == [0, 1, 1, 2, 2]


def test_misuse_is_a_bug() -> None:
    blocks = BlockManager(pages=3, page_size=4)
    with pytest.raises(ValueError, match="3 pages wanted, 2 free"):
        blocks.allocate(3)
    page = blocks.allocate(1)
    blocks.release(page)
    with pytest.raises(ValueError, match="already free"):
        blocks.release(page)
    with pytest.raises(ValueError, match="cannot be shared"):
        blocks.share(page)


def keys(*names: str) -> list[bytes]:
    return [name.encode() for name in names]


def test_content_is_found_while_its_page_is_held_and_after() -> None:
    blocks = BlockManager(pages=5, page_size=4)
    first, second, third = pages = blocks.allocate(3)
    blocks.remember(first, b"a")
    blocks.remember(second, b"ab")
    assert blocks.find(keys("a", "ab", "abc")) == [first, second]
    assert blocks.find(keys("x", "ab")) == []
    blocks.release(pages)
    assert (blocks.free, blocks.kept, blocks.used) == (4, 2, 0)
    assert blocks.free_among([first, second]) == 2
    blocks.share([first, second])
    assert (blocks.free, blocks.kept, blocks.used) == (2, 0, 2)
    assert blocks.allocate(2) == [third, 4]


def test_content_is_given_up_last_and_the_least_recently_used_first() -> None:
    blocks = BlockManager(pages=6, page_size=4)
    old, new = blocks.allocate(2), blocks.allocate(2)
    for pages, names in ((old, ("a", "ab")), (new, ("x", "xy"))):
        for page, key in zip(pages, keys(*names), strict=True):
            blocks.remember(page, key)
    blocks.release(old)
    blocks.release(new)
    blocks.share(old)  # used again
    blocks.release(old)
    assert blocks.allocate(1) == [5]  # the one that has no content
    blocks.allocate(1)
    assert blocks.find(keys("x", "xy")) == [new[0]]  # the end of a prefix goes before its beginning
    blocks.allocate(1)
    assert blocks.find(keys("x", "xy")) == []
    assert blocks.find(keys("a", "ab")) == old


def test_no_more_pages_keep_their_content_than_they_may() -> None:
    blocks = BlockManager(pages=9, page_size=4, max_kept=2)
    pages = blocks.allocate(4)
    names = keys("a", "ab", "abc", "abcd")
    for page, key in zip(pages, names, strict=True):
        blocks.remember(page, key)
    assert blocks.find(names) == pages
    blocks.release(pages)
    assert blocks.find(names) == pages[:2]
    assert (blocks.free, blocks.kept) == (8, 2)


def test_the_first_page_with_a_content_is_the_one_that_is_found() -> None:
    blocks = BlockManager(pages=4, page_size=4)
    first, second = blocks.allocate(2)
    blocks.remember(first, b"a")
    blocks.remember(second, b"a")
    assert blocks.find([b"a"]) == [first]
    blocks.release([second])
    assert blocks.find([b"a"]) == [first]
    assert blocks.kept == 0


def test_what_is_forgotten_is_not_found() -> None:
    blocks = BlockManager(pages=4, page_size=4)
    pages = blocks.allocate(2)
    blocks.remember(pages[0], b"a")
    blocks.forget(pages)
    blocks.release(pages)
    assert (blocks.find([b"a"]), blocks.kept) == ([], 0)
