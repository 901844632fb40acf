"""Files on their way into a vector store: read, embedded and written by jobs, which go on after a restart.

An attempt writes groups that nobody sees, and shows all of them at its end, in one transaction with the file's status.
So a file is in a store as a whole or not at all, and never twice, wherever an attempt is interrupted.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from runtime.context import RequestContext, current, serving
from runtime.errors import NotFound, NotSupported, RateLimited, RequestError, StackError
from runtime.provider import ProviderContext
from runtime.providers.vector_stores.builtin.config import FileIngestion
from runtime.providers.vector_stores.builtin.embedding import TEXTS_AT_ONCE, Embedding
from runtime.providers.vector_stores.builtin.indexes import Index, Indexes
from runtime.providers.vector_stores.builtin.reading import Reading, settled, sizes_of
from runtime.providers.vector_stores.builtin.tables import FILES, STORES
from runtime.providers.vector_stores.builtin.writing import Draft, NewChunk, Shown, Writing
from runtime.storage.jobs import RunningJob
from runtime.storage.sql import Condition, Row, Select, SqlStore, Stale, Update, eq

log = logging.getLogger(__name__)
_ATTEMPTS = 3
_UNSUPPORTED = {"unsupported_document", "unsupported_media_type"}


@dataclass
class Report:
    """What an ingestion did: `seconds` by stage. cut: how the file was cut."""

    cut: dict[str, Any] | None = None
    pages: int | None = None
    chunks: int = 0
    skipped: int = 0
    why: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begun = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] += time.monotonic() - begun

    def shown(self) -> dict[str, Any]:
        seconds = {name: round(taken, 3) for name, taken in self.seconds.items()}
        return {
            "pages": self.pages,
            "chunks": self.chunks,
            "skipped": self.skipped,
            "why": self.why,
            "seconds": seconds,
        }


class Ingestion:
    """rows: all users' rows. concurrency: how many files at once."""

    def __init__(
        self,
        rows: SqlStore,
        context: ProviderContext,
        *,
        indexes: Indexes,
        writing: Writing,
        reading: Reading,
        embedding: Embedding,
        sizes: FileIngestion,
        concurrency: int,
    ) -> None:
        self._rows = rows
        self._sizes = sizes
        self._indexes = indexes
        self._writing = writing
        self._reading = reading
        self._embedding = embedding
        self.jobs = context.jobs.handle(
            f"ingest:{context.provider_id}", self._run, concurrency=concurrency, attempts=_ATTEMPTS, prefix="ingest_"
        )

    async def enqueue(self, row: Row) -> None:
        """Ingest an attached file, whose row is on disk, for the current user; may be repeated. Raises Unavailable."""
        await self.jobs.add({"id": row["id"]}, user=current().user, job_id=row["attachment"])

    async def fail(self, row: Row, error: Mapping[str, str], report: Report | None = None) -> None:
        """Say that an attached file could not be ingested, unless it has ended or was attached again."""
        values = {"status": "failed", "last_error": dict(error), "report": (report or Report()).shown()}
        await self._rows.write(Update(FILES, values, _still(row)))

    async def _run(self, running: RunningJob) -> object:
        row = await self._rows.first(Select(FILES, eq("id", running.payload["id"])))
        if row is None or row["attachment"] != running.id or row["status"] != "in_progress":
            return None  # detached, cancelled, or attached again
        report = Report()
        try:
            with serving(RequestContext(user=running.user)):
                await self._ingest(row, report)
        except Stale:
            return None  # as above, meanwhile
        except StackError as error:
            is_final = isinstance(error, RequestError | NotSupported) and not isinstance(error, RateLimited)
            if not is_final and running.attempt < _ATTEMPTS:
                raise
            await self.fail(row, _last_error(error), report)
        except Exception as error:
            if running.attempt < _ATTEMPTS:
                raise
            log.exception("a file could not be ingested", extra={"file_id": row["file_id"]})
            message = f"it failed with `{type(error).__name__}`"
            await self.fail(row, {"code": "server_error", "message": message}, report)
        return None

    async def _ingest(self, row: Row, report: Report) -> None:
        drafts: list[Draft] = []
        try:
            for index in await self._targets(row["store_id"]):
                drafts.append(await self.write(index, row, report))
            done: dict[str, Any] = {"status": "completed", "report": report.shown(), "cut": report.cut}
            done["usage_bytes"] = sum(draft.text_bytes + draft.chunks * draft.index.dimension * 4 for draft in drafts)
            for draft in drafts[1:]:
                await self._publish(draft, row)
            await self._publish(drafts[0], row, done)
        except BaseException:  # a job that is cancelled may clean up
            for draft in drafts:
                await self._writing.abandon(draft)
            raise

    async def _publish(self, draft: Draft, row: Row, done: Mapping[str, Any] | None = None) -> None:
        """Show what was written of a file, with the attributes that it has now. done: what is true of the file then.
        Raises Stale if it was detached, cancelled or attached again.
        """

        async def now() -> Shown:
            found = await self._rows.first(Select(FILES, _still(row), ("attributes",)))
            if found is None:
                raise Stale(f"`{row['id']}` is no longer to be ingested")
            return Shown(found["attributes"], [Update(FILES, done, _still(row), expect=1)] if done else ())

        await self._writing.publish(draft, now)

    async def write(self, index: Index, row: Row, report: Report) -> Draft:
        """The group of an attached file in an index, not seen yet. Raises RequestError if the model has changed or the
        file has no text, and what reading, embedding and writing raise; then nothing of it is left.
        """
        model = await self._embedding.model(index.embedding_model)
        if model.source != index.embedding_source:
            raise changed_model(index, model.source)
        cut = settled(row["chunking"] or index.chunking, self._sizes, model.context_tokens)
        report.cut = cut.model_dump(mode="json")
        with report.stage("read"):
            read = await self._reading.read(row["file_id"], sizes_of(cut))
        pages = read.facts.get("page_count")
        report.pages = pages if isinstance(pages, int) else None
        chunks = [chunk for chunk in read.chunks if chunk.text.strip()]
        report.chunks, report.skipped = len(chunks), len(read.chunks) - len(chunks)
        if report.skipped:
            report.why.append(f"{report.skipped} chunks have no text")
        if not chunks:
            raise RequestError("The file has no text", code="document_without_text")
        with report.stage("store"):
            draft = await self._writing.begin_again(index, row["file_id"], filename=read.filename)
            try:
                for piece in _pieces(chunks):
                    await self._writing.add(draft, piece)
            except BaseException:
                await self._writing.abandon(draft)
                raise
        return draft

    async def _targets(self, store_id: str) -> list[Index]:
        """The indexes that a store has now. Raises Stale if the store is gone."""
        store = await self._rows.first(Select(STORES, eq("id", store_id), ("index_number", "next_index")))
        numbers = [] if store is None else [store["index_number"], store["next_index"]]
        found = [index for number in numbers if number and (index := await self._indexes.get(number))]
        if not found:
            raise Stale(f"the vector store `{store_id}` is gone")
        return found


def changed_model(index: Index, source: str) -> RequestError:
    """The error for a store whose embedding model is another one now."""
    return RequestError(
        f"The vector store was made with `{index.embedding_source}`, and `{index.embedding_model}` now is `{source}`",
        hint="reindex the vector store, or serve the former model under this name",
        param="embedding_model",
        code="embedding_model_changed",
    )


def _still(row: Row) -> Condition:
    """The row of a file that is still to be ingested as it was attached."""
    return eq("id", row["id"]) & eq("attachment", row["attachment"]) & eq("status", "in_progress")


def _last_error(error: StackError) -> dict[str, str]:
    """As OpenAI's `last_error` has it."""
    if isinstance(error, RateLimited):
        code = "rate_limit_exceeded"
    elif isinstance(error, NotFound) or not isinstance(error, RequestError):
        code = "server_error"
    else:
        code = "unsupported_file" if error.code in _UNSUPPORTED else "invalid_file"
    return {"code": code, "message": error.message}


def _pieces(chunks: Sequence[NewChunk]) -> Iterator[Sequence[NewChunk]]:
    for at in range(0, len(chunks), TEXTS_AT_ONCE):
        yield chunks[at : at + TEXTS_AT_ONCE]
