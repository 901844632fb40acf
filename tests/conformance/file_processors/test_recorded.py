"""What a large library has read is recorded, and a replay does without the library."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from runtime.conformance.asgi import Answered
from runtime.conformance.stacks import Served, run_config, serving
from runtime.discovery import built_in
from runtime.http.forms import FormFile, form_request
from runtime.providers.file_processors._inline.spec import inline_processor
from runtime.recording.session import Mode, RecordingChoice, Session
from runtime.spec import Spec
from runtime.stack.in_replay import packages_of
from runtime.stack.interposed import Interposed
from tests.conformance.file_processors.processor import PATH

SMALL = '{"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}}'


def reading(reader: str) -> Spec:
    """A processor whose packages a replay is to do without."""
    made = inline_processor(
        "heavy", summary="Reads", reader=reader, packages=("heavy>=1",), is_recorded=True,
        config="runtime.providers.file_processors._service.config:ProcessorConfig",
    )  # fmt: skip
    return dataclasses.replace(made, api="file_processors", module=__name__)


async def posted(served: Served, path: str, fields: dict[str, str], files: Sequence[FormFile] = ()) -> Answered:
    form = form_request("http://stack.test", fields, files)
    assert isinstance(form.body, bytes)
    return await served.client.post(path, headers=dict(form.headers), body=form.body)


async def test_a_document_that_was_read_is_cut_again_without_what_has_read_it(tmp_path: Path) -> None:
    state = iter(range(9))

    @asynccontextmanager
    async def stack(mode: Mode, reader: str) -> AsyncIterator[Served]:
        session = Session(RecordingChoice(mode=mode, folder=tmp_path / "recordings"))
        run = run_config(providers={
            "file_processors": [{"provider_id": "heavy", "provider_type": "inline::heavy"}],
            "files": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
        })  # fmt: skip
        folder = tmp_path / str(next(state))
        async with serving(run, folder, specs=[reading(reader)], interposed=Interposed(session)) as served:
            yield served

    async def read(served: Served, text: str, **fields: str) -> Answered:
        """As a vector store has it read: a file that is stored, whose id differs each time."""
        file = FormFile(name="file", filename="notes.md", content=text.encode(), content_type="text/markdown")
        stored = (await posted(served, "/v1/files", {"purpose": "assistants"}, [file])).json()["id"]
        return await posted(served, PATH, {"file_id": stored, **fields})

    text = "# Title\n\n" + "\n\n".join(f"A paragraph about number {number} and llamas." for number in range(40))
    async with stack("record", "auto:read") as served:
        recorded = (await read(served, text)).json()
        empty = (await read(served, " ")).json()
        part = (await read(served, text, options='{"page_range": [1, 2]}')).json()
    async with stack("replay", "nowhere:read") as served:
        whole = (await read(served, text)).json()
        cut = (await read(served, text, chunking_strategy=SMALL)).json()
        again_empty = (await read(served, " ")).json()
        again_part = (await read(served, text, options='{"page_range": [1, 2]}')).json()
        other = await read(served, text + " And more.")
    assert [one["content"] for one in whole["chunks"]] == [one["content"] for one in recorded["chunks"]]
    assert len(cut["chunks"]) > 3 and cut["chunks"][1]["metadata"]["headings"] == ["Title"]
    ids = {one["chunk_metadata"]["document_id"] for found in (recorded, whole, cut) for one in found["chunks"]}
    assert len(ids) == 3, "each file has its own"
    assert len(part["chunks"]) == len(again_part["chunks"]) > 0
    assert again_empty["error"]["code"] == empty["error"]["code"] == "document_without_text"
    assert other.error["code"] == "not_recorded" and "json.sha256" in other.error["message"]


def test_a_replay_is_without_the_packages_of_what_is_recorded() -> None:
    world = built_in()
    large = [spec for spec in world.specs if spec.api == "file_processors" and spec.name in ("docling", "unstructured")]
    assert len(large) == 2
    for spec in large:
        needed = packages_of(spec, world.load_api(spec.api))
        assert needed and not any(one.startswith(("docling", "unstructured")) for one in needed)
