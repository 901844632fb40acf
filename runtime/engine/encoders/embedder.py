"""Embeddings and rankings as a service: texts in, vectors or scores out, from one thread that owns the model.

Knows callers and what they wait for; no tokens (`jobs.py`), no tensors (`sentence_encoder.py`), no HTTP. The thread
imports torch when the embedder starts.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from runtime.engine.checkpoints.encoder_config import EncoderConfig
from runtime.engine.encoders.jobs import EmbeddingJob, Embeddings, Job
from runtime.engine.encoders.rankings import MaxSimJob, PairsJob, Ranking
from runtime.engine.encoders.worker import EncoderWorker
from runtime.engine.requests.waiting_room import WaitingRoom
from runtime.errors import RequestError, Unavailable

CHARACTERS_EACH = 2048


class Embedder:
    """An embedding model for concurrent callers: waiting texts are encoded together, in fair shares. It reranks, too; a
    cross-encoder does nothing else.

    path: a sentence-transformers folder with a BERT-style model. device: cpu, cuda, cuda:N or auto. threads: CPU
    threads for a step, None for torch's default. max_waiting: texts that may be accepted and not yet answered, with
    `CHARACTERS_EACH` characters for each on average. name: the model's name in messages, None for the folder's.
    """

    def __init__(
        self,
        path: Path,
        device: str = "auto",
        threads: int | None = None,
        max_waiting: int = 16_384,
        name: str | None = None,
    ) -> None:
        self._path = path
        self._name = name or path.name
        self._device = device
        self._threads = threads
        self._commands: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._worker: EncoderWorker | None = None
        self._thread: threading.Thread | None = None
        self._is_stopped = False
        self._room = WaitingRoom(
            self._name,
            places=max_waiting,
            size=max_waiting * CHARACTERS_EACH,
            unit="texts",
            size_unit="characters or token ids",
        )

    async def start(self) -> None:
        """Load the model, in the embedder's own thread.

        Raises CheckpointInvalid, naming the file at fault; Unavailable when `stop` is called meanwhile; RuntimeError on
        a second call.
        """
        if self._thread is not None:
            raise RuntimeError("an Embedder starts once")
        loaded: Future[EncoderWorker] = Future()
        self._thread = threading.Thread(target=self._run, args=(loaded,), name="embedder", daemon=True)
        self._thread.start()
        worker = await asyncio.wrap_future(loaded)
        with self._gate:
            if self._is_stopped:
                raise Unavailable(f"Model `{self._name}` was stopped while it was loading.")
            self._worker = worker

    async def embed(self, texts: Sequence[str | Sequence[int]], *, truncate: bool = True) -> Embeddings:
        """One vector for each text, in the order given.

        texts: strings, or token ids of the model's own vocabulary without its special tokens. Texts longer than
        `max_tokens` are cut at the end; with `truncate=False` they are an error.
        Raises RequestError for texts that are too long, ids that do not exist and a model that makes no vectors,
        TooLarge for more texts than fit even when nothing else waits, RateLimited where too many wait, Unavailable when
        not running.
        """
        self.check_embeds()
        job = EmbeddingJob(texts, truncate=truncate)
        embeddings: Embeddings = await self._answered(job, len(texts), sum(map(len, texts)))
        return embeddings

    async def rerank(self, query: str, documents: Sequence[str], *, max_tokens: int | None = None) -> Ranking:
        """A score for each document, in the order given: by a cross-encoder (`PairsJob`), or else by late interaction
        (`MaxSimJob`).

        query: cut at the end where the model cannot read all of it. max_tokens: what is read of a document; None for as
        much as can be.
        Raises RequestError for a query without tokens, TooLarge, RateLimited and Unavailable as `embed`.
        """
        is_read_once = self._running().encoder.config.score_activation is None  # or else with each document
        kind = MaxSimJob if is_read_once else PairsJob
        size = len(query) * (1 if is_read_once else len(documents)) + sum(map(len, documents))
        ranking: Ranking = await self._answered(kind(query, documents, max_tokens=max_tokens), len(documents), size)
        return ranking

    def check_embeds(self) -> None:
        """Raises RequestError for a cross-encoder, Unavailable when not running."""
        if self._running().encoder.config.score_activation is not None:
            raise RequestError(
                f"Model `{self._name}` is a cross-encoder: it ranks documents and makes no vectors.",
                hint="ask `/v1/rerank`, or name an embedding model",
                param="model",
                code="model_type_mismatch",
            )

    async def _answered(self, job: Job, texts: int, size: int) -> Any:
        """A job's answer. size: of all its texts, in characters or token ids."""
        self._room.check_size(texts, size)
        with self._room.within(texts, size):
            with self._gate:
                self._running()
                self._commands.put(job)
            return await asyncio.wrap_future(job.future)

    async def stop(self) -> None:
        """End the thread after its step; callers still waiting get Unavailable. May be called at any time."""
        with self._gate:
            self._is_stopped = True
            self._worker = None
            self._commands.put(None)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    @property
    def config(self) -> EncoderConfig:
        """Its sizes. Raises Unavailable when not running."""
        return self._running().encoder.config

    @property
    def waiting(self) -> int:
        """How many texts are accepted and not yet answered."""
        return self._room.taken

    @property
    def dimension(self) -> int:
        """The number of elements of a vector. Raises Unavailable when not running."""
        return self._running().encoder.config.hidden_size

    @property
    def vocab_size(self) -> int:
        """The number of token ids. Raises Unavailable when not running."""
        return self._running().encoder.config.vocab_size

    @property
    def max_tokens(self) -> int:
        """The longest text, in tokens, special tokens included. Raises Unavailable when not running."""
        return self._running().encoder.config.max_tokens

    def _running(self) -> EncoderWorker:
        if self._worker is None:
            raise Unavailable(f"Model `{self._name}` is not running.")
        return self._worker

    def _run(self, loaded: Future[EncoderWorker]) -> None:
        loaded.set_running_or_notify_cancel()  # from here on it cannot be cancelled
        try:
            worker = EncoderWorker.load(self._name, self._path, self._device, self._threads)
        except BaseException as error:
            loaded.set_exception(error)
            return
        loaded.set_result(worker)
        worker.work(self._commands)
