"""Files of a store, from their attachment to their end."""

from __future__ import annotations

import pytest

from tests.conformance.vector_stores.asking import Asking, text_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_file_is_found_by_what_it_says(stores: Asking) -> None:
    store = await stores.store(name="animals")
    llamas = await stores.attach(store, "# Llamas\n\nA llama grazes on the meadow.\n", "llamas.md")
    await stores.attach(store, "# Ships\n\nA ship sails over the ocean.\n", "ships.md")
    for mode in ("vector", "keyword", "hybrid"):
        [hit, *_] = await stores.search(store, "who grazes on a meadow", search_mode=mode)
        assert (hit["file_id"], hit["filename"]) == (llamas, "llamas.md"), mode
        assert "A llama grazes on the meadow." in text_of(hit)
        assert 0 < hit["score"] <= 1
