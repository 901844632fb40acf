"""Pages: given out once, counted when shared, free again when nobody holds them."""

from __future__ import annotations

import pytest

from runtime.engine.block_manager import BlockManager


def test_page_0_is_never_given_out() -> None:
    blocks = BlockManager(pages=5, page_size=4)
    assert sorted(blocks.allocate(4)) == [1, 2, 3, 4]
    assert (blocks.free, blocks.used, blocks.total) == (0, 4, 4)


def test_a_sequence_alone_gets_neighbours_again_and_again() -> None:
    blocks = BlockManager(pages=9, page_size=4)
    for _ in range(3):
        pages = blocks.allocate(3) + blocks.allocate(2)
        assert pages == [1, 2, 3, 4, 5]
        blocks.release(reversed(pages))


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
