"""Files in pieces: the input however its pieces fall, the output where it is too large to be sent as a whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runtime.conformance.upstream import Upstream
from runtime.providers.batches._shared import input_lines, kept_lines, output_files
from runtime.providers.batches._shared.tables import LINES
from runtime.storage.sql import Select, paging
from tests.conformance.batches.asking import Asking, asking_at, line, lines

pytestmark = pytest.mark.asyncio(loop_scope="module")
SMALL = 1000


@pytest.mark.parametrize("piece", [1, 7, 100])
async def test_lines_are_whole_wherever_a_piece_ends(
    asking: Asking, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(input_lines, "_PIECE_BYTES", piece)
    batch = await asking.completed(
        "\ufeff" + json.dumps(line("a", "Gr\u00fc\u00dfe"), ensure_ascii=False), "", *lines(3)
    )
    assert [one["custom_id"] for one in await asking.output(batch)] == ["a", "line-0", "line-1", "line-2"]
    asked = [one.json()["messages"][0]["content"] for one in asking.vendor.calls("/chat/completions")]
    assert "Gr\u00fc\u00dfe" in asked


async def test_a_large_output_is_sent_in_parts(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_files, "_WHOLE_BYTES", SMALL)
    monkeypatch.setattr(paging, "MOST_BYTES", 2 * SMALL)
    monkeypatch.setattr(kept_lines, "_AT_ONCE", 5)
    batch = await asking.completed(*lines(20), "no")
    assert [one["custom_id"] for one in await asking.output(batch)] == [f"line-{number}" for number in range(20)]
    kept = await asking.done("GET", f"/v1/files/{batch['output_file_id']}")
    assert (kept["purpose"], kept["filename"]) == ("batch_output", f"{batch['id']}_output.jsonl")


async def test_what_the_provider_of_files_does_not_take_as_a_whole_is_sent_in_parts(
    vendor: Upstream, tmp_path: Path
) -> None:
    async with asking_at(vendor, tmp_path, files={"max_file_bytes": SMALL}) as asking:
        batch = await asking.completed(*lines(5))
        assert len(await asking.output(batch)) == 5


async def test_answers_that_no_file_can_take_fail_the_batch_and_stay(vendor: Upstream, tmp_path: Path) -> None:
    files = {"max_file_bytes": SMALL, "max_upload_bytes": SMALL}
    async with asking_at(vendor, tmp_path, files=files) as asking:
        batch = await asking.ended(await asking.create(*lines(5)))
        assert (batch["status"], batch["output_file_id"], batch["request_counts"]["completed"]) == ("failed", None, 5)
        assert [one["code"] for one in batch["errors"]["data"]] == ["output_not_written"]
        assert len(await asking.adapter._store.select(Select(LINES, columns=("number",)))) == 5
