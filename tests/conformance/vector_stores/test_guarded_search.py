"""Guardrails of responses that search files: what is found is judged before the model reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.upstream import CHAT_MODEL
from tests.conformance.vector_stores.asking import asking
from tests.support.shields import with_words
from tests.support.word_models import Models

pytestmark = pytest.mark.asyncio(loop_scope="module")
ANY_DATABASE = True  # what a shield sees does not depend on it
TEXT = "Llamas are trimmed every eight weeks, and a bomb is out of place."


async def test_what_a_search_finds_is_judged_as_what_is_asked(
    vector_io: Mapping[str, Any], models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_words(monkeypatch)
    async with asking(vector_io, models, tmp_path, shielded={"bombs": "bomb", "guns": "gun"}) as stores:
        store = await stores.store()
        await stores.attach(store, TEXT)
        tool = {"type": "file_search", "vector_store_ids": [store]}
        body = {"model": CHAT_MODEL, "input": "How often?", "tools": [tool]}
        refused = await stores.done("POST", "/v1/responses", {**body, "guardrails": {"input": ["bombs"]}})
        call, message = refused["output"]
        assert (call["type"], call["status"]) == ("file_search_call", "completed")
        assert message["content"] == [{"type": "refusal", "refusal": "I cannot talk about that."}]
        assert (refused["status"], refused["violation"]["found_in"]) == ("completed", "input")
        passed = await stores.done("POST", "/v1/responses", {**body, "guardrails": ["guns"]})
        assert "eight weeks" in passed["output"][-1]["content"][0]["text"] and "violation" not in passed
