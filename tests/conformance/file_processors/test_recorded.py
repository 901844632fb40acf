"""What a large library has read is recorded, and a replay does without the library."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from runtime.conformance.asgi import Answered
from runtime.conformance.stacks import Served, run_config, serving
from runtime.discovery import built_in
from runtime.http.forms import FormFile, form_request
from runtime.providers.file_processors._inline.spec import inline_processor
from runtime.providers.file_processors._service.config import ProcessorConfig
from runtime.providers.file_processors._worker.pool import WorkerPool
from runtime.recording.documents import Recording
from runtime.recording.library import stored
from runtime.recording.session import Mode, RecordingChoice, Session
from runtime.spec import Spec
from runtime.stack.in_replay import packages_of
from runtime.stack.interposed import Interposed
from tests.conformance.file_processors.processor import PATH

SMALL = '{"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}}'
TEXT = "# Title\n\n" + "\n\n".join(f"A paragraph about number {number} and llamas." for number in range(40))


class HeavyConfig(ProcessorConfig):
    """With a setting of the reader's own."""

    language: str = Field("eng", description="Of the text.")


def reading(reader: str) -> Spec:
    """A processor whose packages a replay is to do without. reader: of ours, or one of `tests/support/readers.py`."""
    made = inline_processor(
        "heavy", summary="Reads", reader=reader, packages=("heavy>=1",), is_recorded=True,
        config=f"{__name__}:HeavyConfig",
    )  # fmt: skip
    if ":" not in reader:
        facts = dataclasses.replace(made.facts, reader=f"tests.support.readers:{reader}")
        made = dataclasses.replace(made, facts=facts)
    return dataclasses.replace(made, api="file_processors", module=__name__)


async def posted(served: Served, path: str, fields: dict[str, str], files: Sequence[FormFile] = ()) -> Answered:
    form = form_request("http://stack.test", fields, files)
    assert isinstance(form.body, bytes)
    return await served.client.post(path, headers=dict(form.headers), body=form.body)


async def sent(
    served: Served, text: str, filename: str = "notes.md", kind: str = "text/markdown", **fields: str
) -> Answered:
    """A document that is sent along."""
    file = FormFile(name="file", filename=filename, content=text.encode(), content_type=kind)
    return await posted(served, PATH, fields, [file])


def contents(answered: Answered) -> list[str]:
    assert answered.status == 200, answered.body
    return [chunk["content"] for chunk in answered.json()["chunks"]]


class Stacks:
    """Over one folder of recordings, each with a state of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "recordings"
        self._states = (folder / str(number) for number in range(100))
        self.session: Session

    @asynccontextmanager
    async def recording(self, reader: str = "auto:read", **config: Any) -> AsyncIterator[Served]:
        async with self._serving("record", reader, config) as served:
            yield served

    @asynccontextmanager
    async def replaying(self, **config: Any) -> AsyncIterator[Served]:
        async with self._serving("replay", "nowhere:read", config) as served:
            yield served

    @asynccontextmanager
    async def _serving(self, mode: Mode, reader: str, config: dict[str, Any]) -> AsyncIterator[Served]:
        self.session = Session(RecordingChoice(mode=mode, folder=self.folder))
        run = run_config(providers={
            "file_processors": [{"provider_id": "heavy", "provider_type": "inline::heavy", "config": config}],
            "files": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
        })  # fmt: skip
        interposed = Interposed(self.session)
        async with serving(run, next(self._states), specs=[reading(reader)], interposed=interposed) as served:
            yield served

    def kept(self) -> list[Recording]:
        return list(stored(self.folder))


@pytest.fixture
def stacks(tmp_path: Path) -> Stacks:
    return Stacks(tmp_path)


async def test_a_document_that_was_read_is_cut_again_without_what_has_read_it(stacks: Stacks) -> None:
    async def read(served: Served, text: str, **fields: str) -> Answered:
        """As a vector store has it read: a file that is stored, whose id differs each time."""
        file = FormFile(name="file", filename="notes.md", content=text.encode(), content_type="text/markdown")
        stored = (await posted(served, "/v1/files", {"purpose": "assistants"}, [file])).json()["id"]
        return await posted(served, PATH, {"file_id": stored, **fields})

    async with stacks.recording() as served:
        recorded = (await read(served, TEXT)).json()
        empty = (await read(served, " ")).json()
        part = (await read(served, TEXT, options='{"page_range": [1, 2]}')).json()
    async with stacks.replaying() as served:
        whole = (await read(served, TEXT)).json()
        cut = (await read(served, TEXT, chunking_strategy=SMALL)).json()
        again_empty = (await read(served, " ")).json()
        again_part = (await read(served, TEXT, options='{"page_range": [1, 2]}')).json()
        other = await read(served, TEXT + " And more.")
    assert [one["content"] for one in whole["chunks"]] == [one["content"] for one in recorded["chunks"]]
    assert len(cut["chunks"]) > 3 and cut["chunks"][1]["metadata"]["headings"] == ["Title"]
    ids = {one["chunk_metadata"]["document_id"] for found in (recorded, whole, cut) for one in found["chunks"]}
    assert len(ids) == 3, "each file has its own"
    assert len(part["chunks"]) == len(again_part["chunks"]) > 0
    assert again_empty["error"]["code"] == empty["error"]["code"] == "document_without_text"
    assert other.error["code"] == "not_recorded" and "json.sha256" in other.error["message"]


@pytest.mark.parametrize(
    ("member", "config", "facts"),
    [
        ("filename", {}, {"filename": "others.md"}),
        ("content_type", {}, {"kind": "text/plain"}),
        ("pages", {}, {"options": '{"page_range": [1, 2]}'}),
        ("settings.language", {"language": "fra"}, {}),
        ("limits.max_pages", {"max_pages": 7}, {}),
    ],
)
async def test_what_a_reader_is_told_makes_it_another_reading(
    stacks: Stacks, member: str, config: dict[str, Any], facts: dict[str, Any]
) -> None:
    async with stacks.recording("tells", **config) as served:
        otherwise = contents(await sent(served, TEXT, **facts))
    async with stacks.recording("tells") as served:
        told = contents(await sent(served, TEXT))
    assert told != otherwise, "it is told"
    async with stacks.replaying(**config) as served:
        assert contents(await sent(served, TEXT, **facts)) == otherwise
    async with stacks.replaying() as served:
        assert contents(await sent(served, TEXT)) == told
    [own] = [one for one in stacks.kept() if any(told[0] == block["text"] for block in one.answer["reply"]["blocks"])]
    assert own.path is not None
    for path in set(stacks.folder.glob("heavy-*")) - {own.path}:
        path.unlink()
    async with stacks.replaying(**config) as served:
        other = await sent(served, TEXT, **facts)
    assert other.error["code"] == "not_recorded" and f"json.{member.partition('.')[0]}" in other.error["message"]


async def test_what_is_as_it_is_by_default_is_not_in_a_recording(stacks: Stacks) -> None:
    """So a new setting does not make another one of it, and a large document takes a third of the room."""
    async with stacks.recording() as served:
        await sent(served, "# Title\n\nWords.")
    [one] = stacks.kept()
    assert set(one.request["json"]) == {"sha256", "filename", "content_type"}
    heading, paragraph = {"kind": "heading", "text": "Title", "level": 1}, {"kind": "paragraph", "text": "Words."}
    assert one.answer["reply"]["blocks"] == [heading, paragraph]


async def test_a_document_with_a_secret_is_cut_as_it_will_be_in_a_replay(stacks: Stacks) -> None:
    key = "sk-" + "aB3dE5gH7jK9mN1pQ" * 12
    text = TEXT.replace("number 2 ", f"{key} ")
    async with stacks.recording() as served:
        recorded = contents(await sent(served, text, chunking_strategy=SMALL))
    async with stacks.replaying() as served:
        assert contents(await sent(served, text, chunking_strategy=SMALL)) == recorded
    assert "<hidden>" in "".join(recorded) and key not in "".join(recorded)


@pytest.mark.parametrize("reader", ["hang", "grow", "killed", "crash"])
async def test_a_refusal_for_want_of_this_machine_s_time_or_memory_is_not_recorded(stacks: Stacks, reader: str) -> None:
    async with stacks.recording(reader, timeout_s=1 if reader == "hang" else 30, max_memory_bytes=2**28) as served:
        refused = await sent(served, TEXT)
    assert refused.status == 400 and stacks.kept() == []


async def test_a_document_that_is_told_to_come_later_is_not_recorded_as_refused(stacks: Stacks) -> None:
    async with stacks.recording("hang", timeout_s=1, workers=1, max_waiting=1) as served:
        answers = await asyncio.gather(*(sent(served, f"{TEXT} {number}") for number in range(4)))
    assert 429 in [one.status for one in answers] and stacks.kept() == []


async def test_what_a_document_is_refused_for_is_recorded(stacks: Stacks) -> None:
    broken = "%PDF-1.4 broken"
    async with stacks.recording(max_text_bytes=1000) as served:
        recorded = [await sent(served, text) for text in (TEXT, broken)]
    assert all("error" in one.answer for one in stacks.kept()), "no more is kept of a text that is too long"
    async with stacks.replaying(max_text_bytes=1000) as served:
        again = [await sent(served, text) for text in (TEXT, broken)]
    assert [one.error for one in again] == [one.error for one in recorded]
    assert [one.error["code"] for one in again] == ["document_over_limit", "invalid_document"]


async def test_a_document_waits_for_its_turn_once(stacks: Stacks, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it has been read, it is not told to come later."""
    waited: list[bool] = []
    run = WorkerPool.run

    async def noted(pool: WorkerPool, *given: Any, has_waited: bool = False) -> bytes:
        waited.append(has_waited)
        return await run(pool, *given, has_waited=has_waited)

    monkeypatch.setattr(WorkerPool, "run", noted)
    async with stacks.recording() as served:
        contents(await sent(served, TEXT))
    async with stacks.replaying() as served:
        contents(await sent(served, TEXT))
    assert waited == [False, True, False]


@pytest.mark.parametrize(
    "answer",
    [{"json": {"a": 1}}, {"reply": {"blocks": 3}}, {"reply": [1]}, {"nothing": True}, {"events": []}, {}],
    ids=str,
)
async def test_a_damaged_recording_is_named(stacks: Stacks, answer: dict[str, Any]) -> None:
    async with stacks.recording() as served:
        await sent(served, TEXT)
    [one] = stacks.kept()
    assert one.path is not None
    one.path.write_text(json.dumps(json.loads(one.path.read_text()) | {"answer": answer}))
    async with stacks.replaying() as served:
        refused = await sent(served, TEXT)
    assert refused.error["code"] == "recording_not_usable" and one.path.name in refused.error["message"]


def test_a_replay_is_without_the_packages_of_what_is_recorded() -> None:
    world = built_in()
    large = [spec for spec in world.specs if spec.api == "file_processors" and spec.name in ("docling", "unstructured")]
    assert len(large) == 2
    for spec in large:
        needed = packages_of(spec, world.load_api(spec.api))
        assert needed and not any(one.startswith(("docling", "unstructured")) for one in needed)
